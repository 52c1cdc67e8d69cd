"""What a form that came back says; whatever it should not hold is named."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from flask import Request
from werkzeug.datastructures import FileStorage

from service.errors import FieldError
from service.generation import CATALOGUE, Model
from service.steps.enqueue.body import MAX_METADATA_PAIRS
from service.strict_json import pointer_part
from service.web.forms import FIELD
from service.web.new.draft import DEFAULT_MODEL, Draft

#: Before the name of a parameter: its field, and the field of its file.
INPUT = "input."
FILE = "file."
#: What a form holds besides: `drawn` is the model whose fields it showed, `key` and `agreed` what
#: the second step carries.
_BESIDE = frozenset({FIELD, "model", "drawn", "priority", "new_seed", "key", "agreed"})
_METADATA = re.compile(r"metadata\.(?:[1-9]|1[0-6])\.(?:name|value)", re.ASCII)
#: More fields that nobody knows than this are not named.
_MAX_UNKNOWN_NAMED = 20
#: NUL, and what stands for bytes that are no text.
_UNREADABLE = re.compile("[\x00\ufffd\ud800-\udfff]")


@dataclass(frozen=True)
class Form:
    """A form that came back."""

    draft: Draft
    #: The model whose fields were filled in.
    drawn: Model
    key: str
    agreed: str
    #: Pictures by parameter.
    files: Mapping[str, FileStorage] = field(default_factory=dict)
    errors: Sequence[FieldError] = ()

    @property
    def rewritten(self) -> Draft:
        """The draft for the model that it names, if that is not the one whose fields it showed."""
        model = CATALOGUE.get(self.draft.model)
        if model is None or model is self.drawn:
            return self.draft
        return replace(self.draft, model=self.drawn.name).to(model)

    @property
    def without_files(self) -> Self:
        """The same where files come too late to be looked at."""
        late = [
            FieldError(f"/input/{name}", "takes a file in the step before") for name in self.files
        ]
        return replace(self, files={}, errors=[*self.errors, *late])


def read_form(request: Request) -> Form:
    """Return what a form says, and what is wrong with the form itself."""
    said = {name: _lines(request.form[name]) for name in request.form}
    draft = Draft(
        said.get("model", DEFAULT_MODEL),
        {name.removeprefix(INPUT): text for name, text in said.items() if name.startswith(INPUT)},
        [row for number in range(1, MAX_METADATA_PAIRS + 1) if any(row := _row(said, number))],
        said.get("priority", "normal"),
        new_seed="new_seed" in said,
    )
    drawn = CATALOGUE.get(said.get("drawn", draft.model)) or draft.facts
    files = {name.removeprefix(FILE): one for name, one in request.files.items() if one.filename}
    errors = [
        *_unknown(said, request.files, drawn),
        *_repeated(request),
        *_unreadable(said),
        *_same_names(draft),
    ]
    return Form(draft, drawn, said.get("key", ""), said.get("agreed", ""), files, errors)


def place_of(name: str) -> str:
    """Return the pointer into a job's body that a field stands for."""
    for prefix in (INPUT, FILE):
        if name.startswith(prefix):
            return f"/input/{pointer_part(name.removeprefix(prefix))}"
    return "/metadata" if _METADATA.fullmatch(name) else f"/{pointer_part(name)}"


def _lines(text: str) -> str:
    """Return a text with its own line breaks again: browsers send others."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _row(said: Mapping[str, str], number: int) -> tuple[str, str]:
    return said.get(f"metadata.{number}.name", ""), said.get(f"metadata.{number}.value", "")


def _unknown(said: Iterable[str], files: Iterable[str], drawn: Model) -> Iterator[FieldError]:
    """Name fields that no form has; of parameters the check itself says so."""
    known = {name for name in said if name in _BESIDE or _METADATA.fullmatch(name)}
    odd = [name for name in said if name not in known and not name.startswith(INPUT)]
    odd += [name for name in files if name.removeprefix(FILE) not in drawn.images]
    for name in odd[:_MAX_UNKNOWN_NAMED]:
        yield FieldError(place_of(name), "unknown field")
    if len(odd) > _MAX_UNKNOWN_NAMED:
        yield FieldError("", f"and {len(odd) - _MAX_UNKNOWN_NAMED} unknown fields more")


def _repeated(request: Request) -> Iterator[FieldError]:
    for values in (request.form, request.files):
        for name in values:
            if len(values.getlist(name)) > 1:
                yield FieldError(place_of(name), "stands there more than once")


def _unreadable(said: Mapping[str, str]) -> Iterator[FieldError]:
    for name, text in said.items():
        if _UNREADABLE.search(text):
            yield FieldError(place_of(name), "holds a character that cannot be read, or NUL")


def _same_names(draft: Draft) -> Iterator[FieldError]:
    names = [name for name, _ in draft.metadata]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield FieldError(f"/metadata/{pointer_part(name)}", "stands there more than once")
