"""JSON as every door takes it: strict where Python's own reader is not.

Refused before anything else sees them: other encodings than UTF-8, nesting deeper than 32, more
values than a request can mean, duplicate names, NaN and Infinity, numbers beyond 64 bits, NUL and
lone surrogates. PostgreSQL or a later reader would stumble over each of them.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from service.errors import FieldError, MalformedRequest

MAX_DEPTH = 32
#: Strings, brackets and commas; 30 MB of `[],` would otherwise become half a gigabyte of lists.
MAX_TOKENS = 100_000

_INT64 = range(-(2**63), 2**63)
_MAX_INT_DIGITS = 20
#: Possessive, and content with a string that never ends: linear whatever it is given.
_TOKENS = re.compile(r'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?|[][{},]', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
#: Years beyond these leave Python's range in some time zone or other.
_YEARS = range(1970, 9999)
_DEEPER = {"[": 1, "{": 1, "]": -1, "}": -1}


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        MalformedRequest: with the place where it can be told.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The body is not UTF-8 (byte {error.start}).") from error
    _check_shape(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"The body is not JSON: {error.msg} ({place}).") from error
    except RecursionError as error:
        raise MalformedRequest(f"The body is nested deeper than {MAX_DEPTH}.") from error
    if not isinstance(value, dict):
        raise MalformedRequest("The body must be a JSON object.")
    # without an escape there is no way to write what cannot be stored
    if "\\u" in text:
        _check_strings(value, "")
    return value


def read_moment(text: str) -> datetime:
    """Return an RFC 3339 time as aware UTC.

    Raises:
        ValueError: it is none, has no zone, or lies where no job will ever run.
    """
    if not _MOMENT.fullmatch(text):
        raise ValueError("must be a time such as 2026-11-22T12:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("must be a time that there is") from None
    if moment.year not in _YEARS:
        raise ValueError(f"must lie between the years {_YEARS[0]} and {_YEARS[-1]}")
    return moment.astimezone(UTC)


def _check_shape(text: str) -> None:
    """Count what is outside of strings, before a reader that recurses and allocates meets it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH and len(text) <= MAX_TOKENS:
        # nothing that is so short, or has so few of them, need be looked through
        return
    depth = 0
    for count, token in enumerate(_TOKENS.finditer(text)):
        if count == MAX_TOKENS:
            raise MalformedRequest("The body holds more values than any request needs.")
        depth += _DEEPER.get(text[token.start()], 0)
        if depth > MAX_DEPTH:
            raise MalformedRequest(f"The body is nested deeper than {MAX_DEPTH}.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedRequest(f"The name {_shown(twice)} stands twice in one object.")
    return found


def _constant(name: str) -> NoReturn:
    raise MalformedRequest(f"{name} is no JSON number.")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_INT_DIGITS or int(digits) not in _INT64:
        raise MalformedRequest("An integer is beyond 64 bits.")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedRequest("A number is beyond what a double can hold.")
    return number


def _check_strings(value: object, pointer: str) -> None:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise MalformedRequest(
                "A string holds a character that cannot be stored.",
                [FieldError(pointer, "holds NUL or half of a surrogate pair")],
            )
        return
    items: list[tuple[object, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for name, inner in items:
        if isinstance(name, str):
            _check_strings_of_name(name, pointer)
        _check_strings(inner, f"{pointer}/{pointer_part(str(name))}")


def _check_strings_of_name(name: str, pointer: str) -> None:
    if _UNSTORABLE.search(name):
        raise MalformedRequest(
            "A name holds a character that cannot be stored.",
            [FieldError(pointer, "a name in here holds NUL or half of a surrogate pair")],
        )


def pointer_part(name: str) -> str:
    """Return a name as a part of a JSON pointer (RFC 6901), cut to a readable length."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def _shown(name: str) -> str:
    return json.dumps(name[:64])
