"""JSON Schema (2020-12) as the standard has it, in the keywords that we publish and no others."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

_KINDS: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: _KINDS["number"](value) and value % 1 == 0,
    "object": lambda value: isinstance(value, dict),
}
#: What a keyword says of values of one kind; those of other kinds pass.
_OF_KIND: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("number", lambda value, said: value >= said),
    "maximum": ("number", lambda value, said: value <= said),
    "multipleOf": ("number", lambda value, said: value % said == 0),
    "maxLength": ("string", lambda value, said: len(value) <= said),
    "pattern": ("string", lambda value, said: re.search(said, value) is not None),
    "required": ("object", lambda value, said: all(name in value for name in said)),
    "properties": (
        "object",
        lambda value, said: all(
            satisfies(value[name], schema) for name, schema in said.items() if name in value
        ),
    ),
}
_ANNOTATIONS = {"$schema", "title", "description", "default", "contentEncoding", "then"}


def satisfies(value: Any, schema: Schema) -> bool:  # noqa: ANN401 - any JSON value
    """Judge a JSON value; raises KeyError for a keyword that is not known here."""
    return all(
        keyword in _ANNOTATIONS or _says(keyword, said, value, schema)
        for keyword, said in schema.items()
    )


def _says(keyword: str, said: Any, value: Any, schema: Schema) -> bool:  # noqa: ANN401 - likewise
    if keyword in _OF_KIND:
        kind, judge = _OF_KIND[keyword]
        return not _KINDS[kind](value) or judge(value, said)
    of_all: dict[str, Callable[[], bool]] = {
        "type": lambda: any(_KINDS[k](value) for k in ([said] if isinstance(said, str) else said)),
        "enum": lambda: any(value == each and type(value) is type(each) for each in said),
        "const": lambda: bool(value == said),
        "anyOf": lambda: any(satisfies(value, each) for each in said),
        "allOf": lambda: all(satisfies(value, each) for each in said),
        "not": lambda: not satisfies(value, said),
        "if": lambda: not satisfies(value, said) or satisfies(value, schema["then"]),
        "additionalProperties": lambda: set(value) <= set(schema["properties"]),
    }
    return of_all[keyword]()
