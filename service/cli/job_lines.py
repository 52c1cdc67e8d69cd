"""Job bodies out of a file of JSON lines; every wrong line is named before anything is sent."""

import json
from typing import Any, NamedTuple, NoReturn

import click

#: More of them say nothing new.
MAX_NAMED = 20


class JobLine(NamedTuple):
    """A job's body and the number of its line, from 1."""

    number: int
    body: dict[str, Any]


def read_job_lines(content: bytes) -> list[JobLine]:
    """Return the bodies; empty lines are left out.

    Raises:
        click.ClickException: lines are no JSON objects, or there is none at all.
    """
    found: list[JobLine] = []
    wrong: list[str] = []
    # by LF alone: JSON may hold what else Python takes for the end of a line
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(JobLine(number, _body(line)))
        except (ValueError, RecursionError) as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = [f"and {len(wrong) - MAX_NAMED} more"] if len(wrong) > MAX_NAMED else []
        told = ["Nothing was handed in.", *wrong[:MAX_NAMED], *more]
        raise click.ClickException("\n".join(told))
    if not found:
        raise click.ClickException("the file holds no jobs")
    return found


def _body(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    try:
        body = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(body, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - wrong content, not a wrong call
    return body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what Python would drop: the API never gets to see it."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands in one object twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
