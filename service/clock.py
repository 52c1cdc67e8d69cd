"""Spans of time for statements: leases and schedules are added to the database's own clock."""

from typing import Any

from sqlalchemy import ColumnElement, Float, Interval, cast, literal_column

_SECOND = literal_column("interval '1 second'", Interval)


def seconds(count: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a number or a SQL expression
    """Return an interval of so many seconds."""
    return cast(count, Float) * _SECOND
