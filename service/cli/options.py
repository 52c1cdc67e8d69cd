"""What the options of commands hold, read."""

import json
import sys
from typing import Any

import click


def pairs(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read `name=value` options."""
    if wrong := [value for value in values if not value.partition("=")[1]]:
        raise click.BadParameter(f"{wrong[0]!r} is not name=value")
    return {name: text for name, _, text in (value.partition("=") for value in values)}


def json_object(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> dict[str, Any]:
    """Read a JSON object, from standard input for `-`."""
    if value is None:
        return {}
    try:
        found = json.loads(sys.stdin.read() if value == "-" else value)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.BadParameter("it is not a JSON object")
    return found


def value_of(text: str) -> object:
    """Return a number, truth value, list or object where JSON has one, else the text itself."""
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
