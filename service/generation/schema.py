"""A model's input as JSON Schema, for the API and its documentation."""

from service.generation.catalogue import Model


def input_schema(model: Model) -> dict[str, object]:
    """Return the JSON Schema (2020-12) of `input`, as upstream defines it.

    It describes what upstream takes; the placeholders that `validate_input` drops besides (empty
    strings, 0 for a size) do not satisfy it. The limit of width times height, which JSON Schema
    cannot express, is in `description`.
    """
    schema: dict[str, object] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": model.name,
        "type": "object",
        "properties": {name: p.json_schema() for name, p in model.parameters.items()},
        "required": [name for name, p in model.parameters.items() if p.required],
        "additionalProperties": False,
    }
    if model.max_pixels:
        schema["description"] = f"width times height is at most {model.max_pixels:,} pixels"
    if model.required_one_of:
        schema["anyOf"] = [{"required": [name]} for name in model.required_one_of]
    return schema
