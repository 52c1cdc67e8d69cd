"""Checks a body against the catalogue and says what is wrong as FastAPI does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from urllib3.util import parse_url

from service.simulator.model import Field, Model
from service.simulator.pictures import Picture, look
from service.simulator.sizes import MOST_PIXELS

_TYPE_PROBLEMS = {"integer": "int_type", "number": "float_type"}
_RATIO = re.compile("([1-9][0-9]{0,8}):([1-9][0-9]{0,8})")


@dataclass
class Problems:
    """The 422 answer in the making: FastAPI's list of what is wrong and where."""

    found: list[dict[str, object]] = field(default_factory=list)

    def add(self, kind: str, message: str, *loc: str | int) -> None:
        """Add one problem; `loc` leads from the body to the value."""
        self.found.append({"type": kind, "loc": ["body", *loc], "msg": message})

    def add_value_error(self, message: str, *loc: str | int) -> None:
        """Add one problem in the words of a check that upstream wrote itself."""
        self.add("value_error", f"Value error, {message}", *loc)


def check(model: Model, body: Mapping[str, object]) -> list[dict[str, object]]:
    """Return what is wrong with a body, in FastAPI's shape; its images are not looked at."""
    problems = Problems()
    for name, spec in model.fields.items():
        value = body.get(name)
        if name not in body:
            if spec.required:
                problems.add("missing", "Field required", name)
        elif value is not None or not spec.nullable:
            _check_value(spec, name, value, problems)
    if model.strict:
        for name in body:
            if name not in model.fields:
                problems.add("extra_forbidden", "Extra inputs are not permitted", name)
    if not problems.found:
        _check_together(model, body, problems)
    return problems.found


def check_images(
    model: Model, body: Mapping[str, Any]
) -> tuple[dict[str, Picture], list[dict[str, object]]]:
    """Look at the images of a checked body; return them by parameter, and what is wrong."""
    pictures, problems = {}, Problems()
    for name, spec in model.fields.items():
        if spec.is_image and body.get(name) is not None:
            takes_url = spec.takes_url and body.get("mode") != "fast"
            try:
                pictures[name] = look(body[name], model.max_input_pixels, takes_url=takes_url)
            except ValueError as problem:
                problems.add_value_error(str(problem), name)
    mask, image = pictures.get("mask"), pictures.get("image")
    if mask and image and mask.size != image.size:
        problems.add_value_error("mask and image must have the same dimensions", "mask")
    if not problems.found and model.max_total_pixels:
        inputs = [picture.size for picture in pictures.values()]
        output_pixels = min(model.size(body, inputs).pixels, MOST_PIXELS)
        if output_pixels + sum(size.pixels for size in inputs) > model.max_total_pixels:
            problems.add_value_error(f"more than {model.max_total_pixels} pixels in all")
    return pictures, problems.found


def _check_together(model: Model, body: Mapping[str, object], problems: Problems) -> None:
    if model.one_of and all(body.get(name) is None for name in model.one_of):
        problems.add_value_error(f"one of {', '.join(model.one_of)} is required")
    if model.max_output_pixels:
        asked = model.size(body, [])
        if asked.pixels > model.max_output_pixels:
            problems.add_value_error(f"more than {model.max_output_pixels} pixels")


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
    elif len(value) < spec.min_chars:
        message = f"String should have at least {spec.min_chars} character"
        problems.add("string_too_short", message, name)
    elif spec.max_chars and len(value) > spec.max_chars:
        message = f"String should have at most {spec.max_chars} characters"
        problems.add("string_too_long", message, name)
    elif spec.is_url and not _is_http_url(value):
        problems.add("url_parsing", "Input should be a valid URL", name)
    elif spec.widest_ratio and not _is_ratio(value, spec.widest_ratio):
        problems.add_value_error("aspect_ratio must be W:H within the model's range", name)


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


def _is_http_url(text: str) -> bool:
    try:
        parts = parse_url(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.host)


def _is_ratio(text: str, widest: float) -> bool:
    found = _RATIO.fullmatch(text)
    if found is None:
        return False
    width, height = int(found[1]), int(found[2])
    return max(width, height) / min(width, height) <= widest
