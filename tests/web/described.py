"""The OpenAPI document of an app, and answers judged by it."""

import re
from typing import Any

from conftest import Api
from jsonschema import Draft202012Validator

METHODS = {"get", "post", "put", "patch", "delete"}


def document(api: Api) -> dict[str, Any]:
    answer: Any = api.client.get("/openapi.json")
    found: dict[str, Any] = answer.json
    return found


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return path, method and description of every operation."""
    return [
        (path, method, operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
    ]


def closed(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema that takes no field which it does not name, unless it says that it does."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(one) for name, one in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def problems(described: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Return what is wrong with a value by a schema of the document."""
    root = {**closed(schema), "components": closed(described["components"])}
    judge = Draft202012Validator(root, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message[:200]}" for error in judge.iter_errors(value)]


def resolved(described: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference leads to, or what is no reference as it is."""
    while "$ref" in one:
        found: Any = described
        for name in one["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        one = found
    return one


def check(described: dict[str, Any], answer: Any) -> str:  # noqa: ANN401 - Flask's answer
    """Judge an answer by its operation; return `METHOD path status`, as it is described."""
    request = answer.request
    path = _described_path(described, request.path)
    responses = described["paths"][path][request.method.lower()]["responses"]
    name: str = f"{request.method} {path} {answer.status_code}"
    response = responses[str(answer.status_code)]
    for header, reference in response["headers"].items():
        said = answer.headers.get(header)
        it = resolved(described, reference)
        assert said is not None or not it["required"], (name, header)
        if said is not None:
            schema = it["schema"]
            value = int(said) if schema.get("type") == "integer" else said
            assert problems(described, schema, value) == [], (name, header)
    content = response.get("content", {})
    if not content:
        assert answer.data == b"", name
        return name
    media_type = content[answer.mimetype]
    if "schema" in media_type:
        assert problems(described, media_type["schema"], answer.json) == [], name
    return name


def _described_path(described: dict[str, Any], path: str) -> str:
    """Return the path that matches best: the most of it word for word."""
    found: str = min(
        (
            one
            for one in described["paths"]
            if re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(one)), path)
        ),
        key=lambda one: (one.count("{"), -len(one)),
    )
    return found
