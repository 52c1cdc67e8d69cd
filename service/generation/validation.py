"""Checks a job's input against its model before anything is accepted or paid for."""

from collections.abc import Iterator, Mapping

from service.errors import FieldError
from service.generation.catalogue import CATALOGUE, Model
from service.generation.suggestion import did_you_mean

#: What upstream's own example sends to say nothing; dropped for every model, as its users expect.
_PLACEHOLDERS: Mapping[str, tuple[object, ...]] = {
    "aspect_ratio": ("", None, "custom"),
    "image_prompt": ("", None),
    "webhook_url": ("", None),
    "webhook_secret": ("", None),
}

_SET_BY_US = frozenset({"webhook_url", "webhook_secret"})

#: More unknown names than this are only counted: each suggestion costs time.
_MAX_UNKNOWN_NAMED = 20

_MAX_POINTER_NAME_CHARACTERS = 64


def validate_input(
    model: Model, raw: Mapping[str, object]
) -> tuple[dict[str, object], list[FieldError]]:
    """Check `raw`, any JSON object, and return what to store and send, and every error at once.

    Dropped, as upstream's users mean "not given" by them: null where the model allows it, empty
    strings, 0 for a width or height, `aspect_ratio: "custom"`. Normalised: integral floats
    (1024.0 is sent as 1024), base64 images (bare, without `data:` and line breaks). Defaults are
    not filled in. Unknown parameters are refused: upstream would ignore them and be paid.

    Returns:
        The cleaned input, in the order of the catalogue, and the errors. The input is complete and
        acceptable only if there are no errors; it then validates to itself.
    """
    cleaned: dict[str, object] = {}
    errors: list[FieldError] = []
    for name, parameter in model.parameters.items():
        if not _is_given(model, raw, name):
            if parameter.required:
                errors.append(FieldError(f"/input/{name}", "is required and must not be empty"))
            continue
        value = parameter.normalise(raw[name])
        details = list(parameter.problems(value))
        errors.extend(FieldError(f"/input/{name}", detail) for detail in details)
        if not details:
            cleaned[name] = value
    errors.extend(_errors_between(model, raw, cleaned))
    errors.extend(_unknown_parameters(model, raw))
    return cleaned, errors


def unknown_model(name: str) -> FieldError:
    """Return the error for a model that is not in the catalogue, with the ones that are."""
    known = CATALOGUE.names()
    hint = did_you_mean(name, known)
    return FieldError("/model", f"must be one of {', '.join(known)}{hint}")


def _is_given(model: Model, raw: Mapping[str, object], name: str) -> bool:
    return name in raw and not model.parameters[name].is_unset(raw[name])


def _errors_between(
    model: Model, raw: Mapping[str, object], cleaned: Mapping[str, object]
) -> Iterator[FieldError]:
    """Check the rules that join parameters."""
    width, height = cleaned.get("width"), cleaned.get("height")
    if isinstance(width, int) and isinstance(height, int) and model.max_pixels:
        widest = model.max_pixels // height
        if width > widest:
            detail = (
                f"width times height must be at most {model.max_pixels:,} pixels; "
                f"with height {height} the width can be at most {widest}"
            )
            yield FieldError("/input/width", detail)
    alternatives = model.required_one_of
    if alternatives and not any(_is_given(model, raw, name) for name in alternatives):
        yield FieldError("/input", f"must have at least one of {', '.join(alternatives)}")


def _unknown_parameters(model: Model, raw: Mapping[str, object]) -> Iterator[FieldError]:
    unknown = [
        name
        for name, value in raw.items()
        if name not in model.parameters and value not in _PLACEHOLDERS.get(name, ())
    ]
    for name in unknown[:_MAX_UNKNOWN_NAMED]:
        yield FieldError(f"/input/{_pointer_token(name)}", _why_unknown(model, name))
    if len(unknown) > _MAX_UNKNOWN_NAMED:
        more = len(unknown) - _MAX_UNKNOWN_NAMED
        yield FieldError("/input", f"has {more:,} more unknown parameters")


def _why_unknown(model: Model, name: str) -> str:
    if name in _SET_BY_US:
        return "is set by this service; to be called back, give callback_url beside input"
    hint = did_you_mean(name, model.parameters) or f"; it takes {', '.join(model.parameters)}"
    return f"is not a parameter of {model.name}, which would ignore it{hint}"


def _pointer_token(name: str) -> str:
    """Escape a caller's name for a JSON pointer, cut and made printable: it may be anything."""
    printable = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for c in name[:_MAX_POINTER_NAME_CHARACTERS]
    )
    return printable.replace("~", "~0").replace("/", "~1")
