"""A page of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

Rows = Sequence[Row[Any]]


@dataclass(frozen=True)
class Page:
    """Some rows, and the id to go on from if there are more."""

    rows: Rows
    next_id: UUID | None
    #: It is short because the search stopped at `next_id`: nothing older was looked at.
    is_cut: bool = False


def page_of(rows: Rows, limit: int) -> Page:
    """Return the page of rows of which one more was asked for than it shows."""
    shown = rows[:limit]
    return Page(shown, shown[-1].id if len(rows) > limit else None)
