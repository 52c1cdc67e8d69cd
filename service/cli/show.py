"""Output: tables for people, JSON for programs."""

import json
from collections.abc import Iterable, Sequence

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

MAX_CELL_CHARS = 60


def show_json(document: object) -> None:
    """Print a document on a line of its own."""
    click.echo(json.dumps(document, ensure_ascii=False))


def show_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values; those without a value are left out."""
    for name, value in pairs:
        if value not in {None, ""}:
            click.echo(f"{name:10} {plain(value)}")


def show_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns as wide as their content."""
    cells = [[_cut(plain(value)) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in (titles, *cells):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def plain(value: object) -> str:
    """Return one line that no terminal takes for a command, whatever a prompt holds."""
    text = "" if value is None else str(value)
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "…"
