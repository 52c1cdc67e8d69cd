"""Follow: what has ended in a project, in an order that never changes behind a reader.

Transactions commit in another order than they write. So an ending gets its place when it is first
asked for: by then it is committed, and whatever commits later comes after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update

from service.batches import Standing, standing_of
from service.database import Database, Transaction
from service.errors import FieldError, InvalidRequest
from service.models import Ending, Project, images, jobs
from service.timeline import WHOLE_BATCH

#: Endings that get their places at a time; the next question goes on.
BATCH = 1000

Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class Ended:
    """Some endings in order, their jobs and images by job, and the place of the last."""

    endings: Rows
    jobs: Mapping[UUID, Row[Any]]
    images: Mapping[UUID, list[Row[Any]]]
    position: int
    has_more: bool
    #: Of endings that tell of a whole batch.
    batches: Mapping[UUID, Standing]


@dataclass(frozen=True)
class Follow:
    """Reads one project's endings."""

    database: Database

    def after(self, project_id: UUID, position: int, limit: int) -> Ended:
        """Return what has ended after a place; 0 is the beginning.

        Raises:
            InvalidRequest: nothing has that place yet; the database may be an older one.
        """
        with self.database.transaction() as tx:
            _place(tx, project_id)
            rows = tx.rows(
                select(*Ending.__table__.c)
                .where(Ending.project_id == project_id, Ending.position > position)
                .order_by(Ending.position)
                .limit(limit + 1)
            )
            if not rows and position > _last(tx, project_id):
                where = [FieldError("/after", "begin anew: this place is not there (any more)")]
                raise InvalidRequest("The query is not valid.", where)
            shown = rows[:limit]
            ids = {row.job_id for row in shown}
            found = {row.id: row for row in tx.rows(select(*jobs.c).where(jobs.c.id.in_(ids)))}
            pictures: dict[UUID, list[Row[Any]]] = {one: [] for one in ids}
            for row in tx.rows(select(*images.c).where(images.c.job_id.in_(ids))):
                pictures[row.job_id].append(row)
            last = shown[-1].position if shown else position
            # what retention has removed since the first of these questions is not told any more
            shown = [row for row in shown if row.job_id in found]
            whole = {found[row.job_id].batch_id for row in shown if row.seq == WHOLE_BATCH}
            completed = standing_of(tx, list(whole))
            shown = [
                row
                for row in shown
                if row.seq != WHOLE_BATCH or found[row.job_id].batch_id in completed
            ]
        return Ended(shown, found, pictures, last, len(rows) > limit, completed)

    def now(self, project_id: UUID) -> int:
        """Return the place from which on only what ends from now on comes."""
        while True:
            # each batch for itself: what was placed stays so if there is too much for one question
            with self.database.transaction() as tx:
                if not _place(tx, project_id):
                    return _last(tx, project_id)


def _place(tx: Transaction, project_id: UUID) -> int:
    """Give places to what has none; return to how many."""
    new = (
        select(Ending.job_id, Ending.seq)
        .where(Ending.project_id == project_id, Ending.position.is_(None))
        .order_by(Ending.at, Ending.job_id, Ending.seq)
        .limit(BATCH)
    )
    if tx.first(new.limit(1)) is None:
        return 0
    # one at a time: places are given in order, and never twice
    mine = select(Project.id).where(Project.id == project_id)
    tx.first(mine.with_for_update(key_share=True))
    placed = new.add_columns(
        func.row_number().over(order_by=(Ending.at, Ending.job_id, Ending.seq)).label("place")
    ).subquery()
    return tx.execute(
        update(Ending)
        .where(Ending.job_id == placed.c.job_id, Ending.seq == placed.c.seq)
        .values(position=_last(tx, project_id) + placed.c.place)
    )


def _last(tx: Transaction, project_id: UUID) -> int:
    last = select(func.max(Ending.position)).where(Ending.project_id == project_id)
    return tx.scalar(last) or 0
