"""A model's input as JSON Schema, for the API and its documentation."""

from service.generation.catalogue import Model


def input_schema(model: Model) -> dict[str, object]:
    """Return the JSON Schema (2020-12) of `input`, as upstream defines it.

    It describes what upstream takes, and ids of our images; the placeholders that `validate_input`
    drops besides (empty strings, 0 for a size) need not satisfy it. Rules that JSON Schema cannot
    express are in `description`.
    """
    schema: dict[str, object] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": model.name,
        "type": "object",
        "properties": {name: p.json_schema() for name, p in model.parameters.items()},
        "required": [name for name, p in model.parameters.items() if p.required],
        "additionalProperties": False,
    }
    if model.all_rules:
        schema["description"] = "; ".join(rule.description for rule in model.all_rules)
    if conditions := [keywords for rule in model.rules if (keywords := rule.json_schema())]:
        schema["allOf"] = conditions
    return schema
