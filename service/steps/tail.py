"""Tail: what is new in the timelines of some jobs, for all who follow one or wait for its end.

One statement for all of them returns only the jobs of which there is something to say; a second one
reads the new lines, if there are any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Row, Uuid, and_, bindparam, func, or_, select

from service.database import Database, Transaction
from service.errors import NotFound
from service.models import JobEvent, jobs
from service.states import TERMINAL, Status


@dataclass(frozen=True, slots=True)
class News:
    """What there is to say of a job."""

    #: Nothing more is to be expected: it has ended, or is gone.
    is_over: bool
    #: Its new lines, in order.
    lines: list[Row[Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Tail:
    """Reads the ends of timelines."""

    database: Database

    def at(self, project_id: UUID, job_id: UUID) -> tuple[Status, int]:
        """Return where a job is, and the number of its latest line.

        Raises:
            NotFound: no such job in this project.
        """
        mine = (jobs.c.id == job_id, jobs.c.project_id == project_id)
        with self.database.transaction() as tx:
            row = tx.first(select(jobs.c.status, jobs.c.event_seq).where(*mine))
        if row is None:
            raise NotFound("There is no such job.")
        return row.status, row.event_seq

    def news(self, known: Mapping[UUID, int]) -> dict[UUID, News]:
        """Return what there is to say of jobs, given the latest line that is known of each."""
        with self.database.transaction() as tx:
            moved = tx.rows(_MOVED, _asked(known))
            found = {row.id: News(row.status is None or row.status in TERMINAL) for row in moved}
            latest = {
                row.id: row.event_seq for row in moved if (row.event_seq or 0) > known[row.id]
            }
            for line in _lines(tx, {job_id: known[job_id] for job_id in latest}):
                # what was written since belongs to a status that was not read
                if line.seq <= latest[line.job_id]:
                    found[line.job_id].lines.append(line)
        return found


def _lines(tx: Transaction, known: Mapping[UUID, int]) -> Sequence[Row[Any]]:
    return tx.rows(_LINES, _asked(known)) if known else []


def _asked(known: Mapping[UUID, int]) -> dict[str, Any]:
    return {"ids": list(known), "known": list(known.values())}


_ASKED = (
    func.unnest(bindparam("ids", type_=ARRAY(Uuid)), bindparam("known", type_=ARRAY(BigInteger)))
    .table_valued("id", "known", name="asked")
    .render_derived()
)
_MOVED = (
    select(_ASKED.c.id, jobs.c.status, jobs.c.event_seq)
    .select_from(_ASKED.outerjoin(jobs, jobs.c.id == _ASKED.c.id))
    .where(
        or_(
            jobs.c.id.is_(None),
            jobs.c.event_seq > _ASKED.c.known,
            jobs.c.status.in_(sorted(TERMINAL)),
        )
    )
)
_LINES = (
    select(*JobEvent.__table__.c)
    .join(_ASKED, and_(JobEvent.job_id == _ASKED.c.id, JobEvent.seq > _ASKED.c.known))
    .order_by(JobEvent.job_id, JobEvent.seq)
)
