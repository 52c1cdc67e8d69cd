"""What a form holds, as it was typed, and the body of `POST /v1/jobs` that it stands for."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from service.documents import Document
from service.generation import CATALOGUE, Model
from service.generation.image_parameter import Image
from service.generation.parameters import Boolean, Integer, Number, Parameter
from service.generation.string_parameters import Choice, Text

#: Where nobody says which.
DEFAULT_MODEL = "flux-2-pro"
SEED = "seed"
#: A longer picture's value is base64, from before such became uploads, characters.
MAX_PICTURE_CHARS = 8_192
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
#: As browsers send a number; JSON knows fewer forms of it.
_NUMBER = re.compile(
    r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,9})?", re.ASCII
)
#: A whole number of so many digits is beyond every limit, whatever they are.
_BEYOND_DIGITS = 20
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Draft:
    """A job that is being written; everything is text."""

    model: str = DEFAULT_MODEL
    #: By parameter; what is blank is not given.
    given: Mapping[str, str] = field(default_factory=dict)
    metadata: Sequence[tuple[str, str]] = ()
    priority: str = "normal"
    #: Whether Flux shall choose a seed, whatever `given` says.
    new_seed: bool = False

    @classmethod
    def like(cls, job: Document, seed: int | None) -> Self:
        """Return what a job's document says; `seed` is Flux's own choice, where it told it."""
        given = {name: _typed(value) for name, value in job["input"].items()}
        if seed is not None:
            given.setdefault(SEED, str(seed))
        return cls(job["model"], given, tuple(job["metadata"].items()), job["priority"])

    @property
    def facts(self) -> Model:
        """The model whose fields are shown: the default one's for a model that we do not know."""
        return CATALOGUE.get(self.model) or CATALOGUE[DEFAULT_MODEL]

    def body(self) -> dict[str, Any]:
        """Return the request's body; what cannot be read stays text, for the check to name."""
        known = self.facts.parameters
        read = {name: _read(known.get(name), text) for name, text in self.given.items()}
        left_out = {name for name, value in read.items() if value == ""}
        left_out |= {SEED} if self.new_seed else set()
        given = {name: value for name, value in read.items() if name not in left_out}
        body = {"model": self.model, "input": given, "priority": self.priority}
        return body | ({"metadata": dict(self.metadata)} if self.metadata else {})

    def to(self, model: Model) -> "Draft":
        """Return the same for another model: what both know is kept.

        Pictures move to the first of its places that are free, under whatever name it has for them.
        """
        known = model.parameters
        kept = {name: text for name, text in self.given.items() if _fits(known.get(name), text)}
        moving = [self.given.get(name) for name in self.facts.images if name not in known]
        free = [name for name in model.images if not kept.get(name)]
        moved = dict(zip(free, filter(None, moving), strict=False))
        return replace(self, model=model.name, given=kept | moved)


def number(text: str) -> int | float | str:
    """Return the number that a text is, or the text if it is none."""
    if _WHOLE.fullmatch(text):
        # cut, as Python reads no more than some thousands of digits
        digits = text.lstrip("+-").lstrip("0")[:_BEYOND_DIGITS]
        return int(digits or "0") * (-1 if text.startswith("-") else 1)
    return float(text) if _NUMBER.fullmatch(text) else text


def _typed(value: object) -> str:
    """Return a value of JSON as somebody would type it."""
    return value if isinstance(value, str) else json.dumps(value)


def _read(parameter: Parameter | None, text: str) -> object:
    """Return what a text means to a parameter; "" if it says nothing."""
    if isinstance(parameter, Text):
        return text
    bare = text.strip()
    if isinstance(parameter, Boolean):
        return _TRUTH.get(bare, bare)
    if isinstance(parameter, Integer | Number):
        return number(bare)
    return bare


def _fits(parameter: Parameter | None, text: str) -> bool:
    """Tell whether a parameter's field can show a text, right or wrong."""
    if parameter is None:
        return False
    if isinstance(parameter, Image):
        return len(text) <= MAX_PICTURE_CHARS
    return not isinstance(parameter, Choice) or text in parameter.choices
