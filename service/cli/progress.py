"""How far something is: one line of a terminal, drawn anew; else a line now and then.

It goes to standard error: standard output belongs to what was asked for.
"""

import shutil
import sys
import time
from typing import Self

import click

PLAIN_EVERY_SECONDS = 5.0

_BAR_CHARS = 30
_BEGIN_AND_ERASE = "\r\x1b[K"


class Progress:
    """Shows the latest state; says nothing where it is to be quiet."""

    def __init__(
        self, *, quiet: bool, plain_every_seconds: float | None = PLAIN_EVERY_SECONDS
    ) -> None:
        """Look where standard error leads; with None plain lines are left out."""
        self._redraws = sys.stderr.isatty()
        self._is_silent = quiet or (plain_every_seconds is None and not self._redraws)
        self._every_seconds = 0.0 if self._redraws else plain_every_seconds or 0.0
        self._shown_at = float("-inf")
        self._is_drawn = False

    def show(self, text: str) -> None:
        """Show a state; a plain line only where the one before is some time ago."""
        now = time.monotonic()
        if self._is_silent or now - self._shown_at < self._every_seconds:
            return
        self._shown_at = now
        if self._redraws:
            width = shutil.get_terminal_size().columns - 1
            click.echo(_BEGIN_AND_ERASE + text[:width], err=True, nl=False)
            self._is_drawn = True
        else:
            click.echo(text, err=True)

    def clear(self) -> None:
        """Make room for other output."""
        if self._is_drawn:
            click.echo(_BEGIN_AND_ERASE, err=True, nl=False)
            self._is_drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


def bar(done: int, total: int) -> str:
    """Return a bar, as long whatever it shows."""
    filled = _BAR_CHARS * done // total
    return f"[{'#' * filled}{'.' * (_BAR_CHARS - filled)}] {done}/{total}"
