"""Spans of time for statements: leases and schedules are added to the database's own clock."""

from typing import Any

from sqlalchemy import Function, func


def seconds(count: Any) -> Function[Any]:  # noqa: ANN401 - a number or a SQL expression
    """Return an interval of so many seconds."""
    return func.make_interval(0, 0, 0, 0, 0, 0, count)
