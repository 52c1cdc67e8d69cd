"""Values that are part of a statement's text: the planner sees them, and nobody sends them.

A statement that is planned once for all its parameters can use a partial index only if the state it
asks for stands in its text. Only words of ours go in here, never what somebody said.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, literal_column


def constant(value: StrEnum | int) -> ColumnElement[Any]:
    """Return a word or a number as SQL."""
    return literal_column(f"'{value.value}'" if isinstance(value, StrEnum) else str(value))


def constants(words: Iterable[StrEnum]) -> list[ColumnElement[Any]]:
    """Return words as SQL, in one order."""
    return [constant(word) for word in sorted(words)]
