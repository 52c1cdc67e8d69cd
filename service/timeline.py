"""A job's timeline: a line per event, written in the transaction of the change it tells of."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Row,
    Text,
    bindparam,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from service.database import Transaction
from service.models import Ending, JobEvent
from service.states import Status

#: The `seq` of an ending that tells of its job's whole batch.
WHOLE_BATCH = 0
#: The only line that tells of no state: a job that has succeeded no longer has its image.
IMAGE_DELETED = "image.deleted"


def event_type(status: Status) -> str:
    """Return the event that tells of a state: `job.succeeded`."""
    return f"job.{status.value}"


def _type(status: Status) -> ColumnElement[str]:
    return literal_column(f"'{event_type(status)}'", Text)


def note(tx: Transaction, rows: Sequence[Row[Any]], to: Status, message: str) -> None:
    """Write the lines of rows that one statement has changed, all at once."""
    lines = [
        {
            "job_id": row.id,
            "seq": row.event_seq,
            "type": event_type(to),
            "message": message,
            "detail": {"attempt": row.attempt_count},
        }
        for row in rows
    ]
    tx.execute(_NOTE, lines)


def noted(changed: CTE, to: Status, said: FromClause | None = None) -> CTE:
    """Return an insert to run with a change, fed by the rows that it returned and by `told`.

    A change of many rows has what is told of each in `said`, by `of_job`.
    """
    kinds = TOLD.items()
    words = [bindparam(name, type_=kind) if said is None else said.c[name] for name, kind in kinds]
    line = select(changed.c.id, changed.c.event_seq, _type(to), *words)
    if said is not None:
        line = line.join(said, said.c.of_job == changed.c.id)
    columns = ["job_id", "seq", "type", "message", "detail"]
    return insert(JobEvent).from_select(columns, line).returning(JobEvent.seq).cte("noted")


def ended(changed: CTE, to: Status) -> CTE:
    """Return an insert to run with the change that ends a job, for whoever asks what has ended."""
    line = select(changed.c.id, changed.c.event_seq, changed.c.project_id, _type(to))
    columns = ["job_id", "seq", "project_id", "type"]
    return insert(Ending).from_select(columns, line).returning(Ending.seq).cte("ended")


def told(message: str, detail: dict[str, Any]) -> dict[str, Any]:
    """Return what a change's line says, as parameters."""
    return {"told_message": message, "told_detail": detail}


#: The types of what `told` returns.
TOLD: dict[str, TypeEngine[Any]] = {"told_message": Text(), "told_detail": JSONB()}

_NOTE = insert(JobEvent)
