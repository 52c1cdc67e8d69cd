"""Checks a body against the catalogue and says what is wrong as FastAPI does."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.simulator.catalogue import Field, Model, size_of

_TYPE_PROBLEMS = {"integer": "int_type", "number": "float_type"}


@dataclass
class Problems:
    """The 422 answer in the making: FastAPI's list of what is wrong and where."""

    found: list[dict[str, object]] = field(default_factory=list)

    def add(self, kind: str, message: str, *loc: str | int) -> None:
        """Add one problem; `loc` leads from the body to the value."""
        self.found.append({"type": kind, "loc": ["body", *loc], "msg": message})


def check(model: Model, body: Mapping[str, object]) -> list[dict[str, object]]:
    """Return what is wrong with a body, in FastAPI's shape; empty if it can be accepted."""
    problems = Problems()
    for name, spec in model.fields.items():
        value = body.get(name)
        if name not in body:
            if spec.required:
                problems.add("missing", "Field required", name)
        elif value is not None or not spec.nullable:
            _check_value(spec, name, value, problems)
    if not problems.found and model.max_pixels:
        width, height = size_of(model, body)
        if width * height > model.max_pixels:
            problems.add("value_error", f"Value error, more than {model.max_pixels} pixels")
    return problems.found


def _check_value(spec: Field, name: str, value: object, problems: Problems) -> None:
    if spec.kind == "boolean":
        if not isinstance(value, bool):
            problems.add("bool_type", "Input should be a valid boolean", name)
    elif spec.kind == "string":
        _check_text(spec, name, value, problems)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        problems.add(_TYPE_PROBLEMS[spec.kind], f"Input should be a valid {spec.kind}", name)
    elif spec.kind == "integer" and not isinstance(value, int):
        problems.add("int_from_float", "Input should be a valid integer", name)
    else:
        _check_number(spec, name, value, problems)


def _check_text(spec: Field, name: str, value: object, problems: Problems) -> None:
    if not isinstance(value, str):
        problems.add("string_type", "Input should be a valid string", name)
    elif spec.choices and value not in spec.choices:
        choices = " or ".join(repr(choice) for choice in spec.choices)
        problems.add("enum", f"Input should be {choices}", name)
    elif spec.max_chars and len(value) > spec.max_chars:
        message = f"String should have at most {spec.max_chars} characters"
        problems.add("string_too_long", message, name)
    elif spec.is_url and not value.startswith(("http://", "https://")):
        problems.add("url_parsing", "Input should be a valid URL", name)


def _check_number(spec: Field, name: str, value: float, problems: Problems) -> None:
    if spec.minimum is not None and value < spec.minimum:
        message = f"Input should be greater than or equal to {spec.minimum}"
        problems.add("greater_than_equal", message, name)
    elif spec.maximum is not None and value > spec.maximum:
        message = f"Input should be less than or equal to {spec.maximum}"
        problems.add("less_than_equal", message, name)
    elif spec.multiple_of and value % spec.multiple_of:
        message = f"Input should be a multiple of {spec.multiple_of}"
        problems.add("multiple_of", message, name)
