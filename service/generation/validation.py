"""Checks a job's input against its model before anything is accepted or paid for."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from service.errors import FieldError
from service.generation.catalogue import CATALOGUE, Model
from service.generation.parameters import Boolean, Parameter
from service.generation.suggestion import did_you_mean

_SET_BY_US = frozenset({"webhook_url", "webhook_secret"})

#: Every parameter that some model takes, in each of its kinds.
_KNOWN: Mapping[str, tuple[Parameter, ...]] = {
    name: tuple(m.parameters[name] for m in CATALOGUE.models.values() if name in m.parameters)
    for name in {name for m in CATALOGUE.models.values() for name in m.parameters}
}

#: More unknown names than this are only counted: each suggestion costs time.
_MAX_UNKNOWN_NAMED = 20

_MAX_POINTER_NAME_CHARACTERS = 64


def validate_input(
    model: Model, raw: Mapping[str, object]
) -> tuple[dict[str, object], list[FieldError]]:
    """Check `raw`, any JSON object, and return what to store and send, and every error at once.

    Dropped, as upstream's users mean "not given" by them: null where the model allows it, empty
    strings, 0 for a width or height, `aspect_ratio: "custom"`; and, as clients send one form for
    all models, another model's parameter that says nothing, such as a false. Normalised: integral
    floats (1024.0 is sent as 1024), base64 images (bare, without `data:` and line breaks).
    Defaults are not filled in. Other unknown parameters are refused: upstream would ignore them
    and be paid. Image ids are checked for their form only.

    Returns:
        The cleaned input, in the order of the catalogue, and the errors. The input is complete and
        acceptable only if there are no errors; it then validates to itself.
    """
    cleaned: dict[str, object] = {}
    errors: list[FieldError] = []
    for name, parameter in model.parameters.items():
        if name not in raw or parameter.is_unset(raw[name]):
            if parameter.required:
                errors.append(FieldError(f"/input/{name}", "is required and must not be empty"))
            continue
        value = parameter.normalise(raw[name])
        details = list(parameter.problems(value))
        errors.extend(FieldError(f"/input/{name}", detail) for detail in details)
        if not details:
            cleaned[name] = value
    errors.extend(_errors_between(model, cleaned, {error.pointer for error in errors}))
    errors.extend(_unknown_parameters(model, raw))
    return cleaned, errors


def unknown_model(name: str) -> FieldError:
    """Return the error for a model that is not in the catalogue, with the ones that are."""
    known = CATALOGUE.names()
    hint = did_you_mean(name, known)
    return FieldError("/model", f"must be one of {', '.join(known)}{hint}")


def _errors_between(
    model: Model, cleaned: Mapping[str, object], wrong: AbstractSet[str]
) -> Iterator[FieldError]:
    """Check the rules that join parameters, unless one of these is wrong by itself."""
    for rule in model.rules:
        if wrong.isdisjoint(f"/input/{name}" for name in rule.concerns):
            yield from rule.errors(cleaned)


def _unknown_parameters(model: Model, raw: Mapping[str, object]) -> Iterator[FieldError]:
    unknown = [
        name
        for name, value in raw.items()
        if name not in model.parameters and not _says_nothing(name, value)
    ]
    for name in unknown[:_MAX_UNKNOWN_NAMED]:
        yield FieldError(f"/input/{_pointer_token(name)}", _why_unknown(model, name))
    if len(unknown) > _MAX_UNKNOWN_NAMED:
        more = len(unknown) - _MAX_UNKNOWN_NAMED
        yield FieldError("/input", f"has {more:,} more unknown parameters")


def _says_nothing(name: str, value: object) -> bool:
    """Tell whether a parameter that the model lacks is given in a form that asks for nothing."""
    if name in _SET_BY_US:
        return value is None or value == ""
    return any(
        value is None
        or parameter.is_unset(value)
        or (value is False and isinstance(parameter, Boolean))
        for parameter in _KNOWN.get(name, ())
    )


def _why_unknown(model: Model, name: str) -> str:
    if name in _SET_BY_US:
        return "is set by this service; to be called back, give callback_url beside input"
    if name in model.hints:
        return f"is not a parameter of {model.name}, which would ignore it: {model.hints[name]}"
    hint = did_you_mean(name, model.parameters) or f"; it takes {', '.join(model.parameters)}"
    return f"is not a parameter of {model.name}, which would ignore it{hint}"


def _pointer_token(name: str) -> str:
    """Escape a caller's name for a JSON pointer, cut and made printable: it may be anything."""
    printable = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for c in name[:_MAX_POINTER_NAME_CHARACTERS]
    )
    return printable.replace("~", "~0").replace("/", "~1")
