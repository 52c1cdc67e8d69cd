"""`darkroom projects`: what each project may do, set beside the service by its operator."""

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from service.cli.inside import projects_alone
from service.cli.show import json_option, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

NONE = "none"
METAVAR = "NUMBER|none"
#: What the columns of the tables and of `--json` are.
_SHOWN = (
    "name",
    "requests_per_minute",
    "max_active",
    "max_queued",
    "credits_per_day",
    "retention_days",
)
_MAX_NUMBER = 2**31 - 1
_MOST = {"retention_days": 3650}
_WHOLE = re.compile(r"\d{1,10}", re.ASCII)
_CREDITS = re.compile(r"\d{1,9}(?:\.\d{1,4})?", re.ASCII)


def _limit(
    _context: click.Context, option: click.Parameter, text: str | None
) -> int | Decimal | str | None:
    """Read a number, or `none` for no limit."""
    if text is None or text == NONE:
        return text
    if option.name == "credits_per_day":
        if _CREDITS.fullmatch(text):
            return Decimal(text)
        raise click.BadParameter(f"takes an amount such as 10 or 2.5, or {NONE}")
    if not (_WHOLE.fullmatch(text) and 1 <= int(text) <= _MOST.get(option.name or "", _MAX_NUMBER)):
        raise click.BadParameter(f"takes a whole number from 1, or {NONE}")
    return int(text)


@click.group()
def projects() -> None:
    """List projects and set their limits."""


@projects.command("list")
@json_option
def list_projects(*, as_json: bool) -> None:
    """Print every project with its limits."""
    with projects_alone() as inside:
        found = inside.all()
    _show(found, as_json=as_json)


@projects.command("set")
@click.argument("name")
@click.option("--requests-per-minute", type=click.IntRange(1, _MAX_NUMBER))
@click.option("--max-active", metavar=METAVAR, callback=_limit, help="Jobs upstream at a time.")
@click.option("--max-queued", metavar=METAVAR, callback=_limit, help="Jobs that may wait.")
@click.option(
    "--credits-per-day", metavar=METAVAR, callback=_limit, help="What a day's (UTC) jobs may cost."
)
@click.option(
    "--retention-days", metavar=METAVAR, callback=_limit, help="How long what ended is kept."
)
@json_option
def set_limits(name: str, *, as_json: bool, **limits: Any) -> None:  # noqa: ANN401 - of several types
    """Set limits of a project; those that are not named stay."""
    values = {
        limit: None if value == NONE else value
        for limit, value in limits.items()
        if value is not None
    }
    if not values:
        raise click.UsageError("name at least one limit")
    with projects_alone() as inside:
        # what cannot be a name may not even be text that PostgreSQL takes
        found = inside.change(name, values) if name.isascii() and name.isprintable() else None
    if found is None:
        raise click.BadParameter("there is no such project", param_hint="NAME")
    _show([found], as_json=as_json)


def _show(found: "Iterable[Row[Any]]", *, as_json: bool) -> None:
    from service.documents import credits_text  # noqa: PLC0415 - only what prints needs it

    rows = [
        {
            **{title: getattr(row, title) for title in _SHOWN},
            "credits_per_day": credits_text(row.credits_per_day),
        }
        for row in found
    ]
    if as_json:
        for row in rows:
            show_json(row)
    else:
        show_table([title.upper() for title in _SHOWN], [list(row.values()) for row in rows])
