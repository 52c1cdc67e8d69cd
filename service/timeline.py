"""A job's timeline: a line per event, written in the transaction of the change it tells of."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from service.database import Transaction
from service.models import JobEvent
from service.states import Status


def event_type(status: Status) -> str:
    """Return the event that tells of a state: `job.succeeded`."""
    return f"job.{status.value}"


def note(tx: Transaction, rows: Sequence[Row[Any]], to: Status, message: str) -> None:
    """Write the lines of rows that one statement has changed, all at once."""
    tx.execute(
        insert(JobEvent).values(
            [
                {
                    "job_id": row.id,
                    "seq": row.event_seq,
                    "type": event_type(to),
                    "message": message,
                    "detail": {"attempt": row.attempt_count},
                }
                for row in rows
            ]
        )
    )


def noted(changed: Any, to: Status, message: str, detail: dict[str, Any]) -> Any:  # noqa: ANN401 - CTEs
    """Return an insert to run with a change, fed by the rows that the change returned."""
    line = select(
        changed.c.id,
        changed.c.event_seq,
        literal(event_type(to)),
        literal(message),
        literal(detail, JSONB),
    )
    columns = ["job_id", "seq", "type", "message", "detail"]
    return insert(JobEvent).from_select(columns, line).returning(JobEvent.seq).cte("noted")
