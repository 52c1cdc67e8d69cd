"""What the options of commands hold, read."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])

#: A moment, in UTC; `utc` makes it aware.
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def input_options(command: Command) -> Command:
    """Let a command take a model's input; `input_of` puts it together."""
    for option in (
        click.option(
            "--set",
            "parameters",
            metavar="NAME=VALUE",
            multiple=True,
            callback=pairs,
            help="One parameter of the input, such as width=1024; again for more.",
        ),
        click.option("-p", "--prompt", metavar="TEXT", help="The input's prompt."),
        click.option(
            "--input",
            "given",
            metavar="JSON",
            callback=json_object,
            help="The input as an object; - reads it from standard input.",
        ),
    ):
        command = option(command)
    return command


def input_of(
    given: dict[str, Any], prompt: str | None, parameters: dict[str, str]
) -> dict[str, Any]:
    """Return the input that the options of `input_options` make, the narrower ones last."""
    return {
        **given,
        **({} if prompt is None else {"prompt": prompt}),
        **{name: value_of(text) for name, text in parameters.items()},
    }


def utc(
    _context: click.Context, _option: click.Parameter, value: datetime | None
) -> datetime | None:
    """Take a moment as UTC."""
    return None if value is None else value.replace(tzinfo=UTC)


def pairs(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read `name=value` options."""
    if wrong := [value for value in values if not value.partition("=")[1]]:
        raise click.BadParameter(f"{wrong[0]!r} is not name=value")
    return {name: text for name, _, text in (value.partition("=") for value in values)}


def files(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """Read `name=path` options; each path is a file's."""
    named = pairs(context, option, values)
    return {name: _FILE.convert(text, option, context) for name, text in named.items()}


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
