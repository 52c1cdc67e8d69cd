"""Retention: jobs that ended longer ago than their project keeps them, with all of theirs.

A batch of jobs goes in one short transaction, children first; their images become removals, whose
objects S3 deletes afterwards. Killed anywhere, the next run finds the rest as it was.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, delete, exists, func, or_, select

from service.database import Database, Transaction
from service.ids import CLOCKS_DIFFER, first_id
from service.logs import get_log
from service.messages import Message
from service.models import (
    Attempt,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    Ending,
    FluxWebhook,
    JobEvent,
    Project,
    Share,
    batches,
    jobs,
)
from service.own_rows import of_project, oldest_first
from service.removals import take_out
from service.states import TERMINAL
from service.steps.discard.turn import BATCH, TURN_SECONDS

log = get_log(__name__)


@dataclass(frozen=True)
class Retention:
    """Removes old jobs of the projects that say how long they keep them."""

    database: Database
    turn_seconds: float = TURN_SECONDS

    def __call__(self) -> None:
        """Take a turn; what is left is asked for at once, for whoever is free."""
        turn_ends_at = time.monotonic() + self.turn_seconds
        for project_id in self._projects():
            place: UUID | None = UUID(int=0)
            while place is not None:
                place = self.remove(project_id, place)
                if time.monotonic() >= turn_ends_at:
                    with self.database.transaction() as tx:
                        tx.ring_after_commit(Message.DISCARD)
                    return

    def remove(self, project_id: UUID, after_id: UUID) -> UUID | None:
        """Remove some old jobs with larger ids; return where to go on, None at the end."""
        with self.database.transaction() as tx:
            # one at a time in a project: of two who remove a batch's last jobs neither would see
            # that they are the last; and nobody gives an ending its place meanwhile
            kept = tx.first(_KEPT.where(Project.id == project_id).with_for_update(key_share=True))
            if kept is None:
                return None
            found = tx.rows(old_jobs(project_id, kept.since, after_id))
            _forget(tx, _not_owed(tx, found))
            if not found:
                _forget_of_no_job(tx, project_id, kept.since)
        last_id: UUID | None = found[-1].id if found else None
        return last_id

    def _projects(self) -> list[UUID]:
        wanted = select(Project.id).where(Project.retention_days.is_not(None))
        with self.database.transaction() as tx:
            # a project with much to remove does not come first each time
            return [row.id for row in tx.rows(wanted.order_by(func.random()))]


_KEPT = select(
    (func.now() - func.make_interval(0, 0, 0, Project.retention_days)).label("since")
).where(Project.retention_days.is_not(None))


def old_jobs(project_id: UUID, since: Any, after_id: UUID) -> Select[Any]:  # noqa: ANN401 - a datetime
    """Return the statement that locks some jobs that ended before `since`.

    It walks the ids, which are times as well, so it costs the same however many jobs are younger.
    """
    open_batch = exists().where(batches.c.id == jobs.c.batch_id, batches.c.completed_at.is_(None))
    # the next ending to get a place counts on from the last
    last_place = select(func.max(Ending.position)).where(Ending.project_id == project_id)
    last_told = exists().where(
        Ending.job_id == jobs.c.id, Ending.position == last_place.scalar_subquery()
    )
    return (
        select(jobs.c.id, jobs.c.batch_id)
        .where(
            of_project(jobs.c, project_id),
            jobs.c.id > after_id,
            jobs.c.id < first_id(since + CLOCKS_DIFFER),
            jobs.c.status.in_(sorted(TERMINAL)),
            jobs.c.completed_at < since,
            ~jobs.c.is_unsettled,
            or_(jobs.c.batch_id.is_(None), ~open_batch),
            ~last_told,
        )
        .order_by(*oldest_first(jobs.c))
        .limit(BATCH)
        .with_for_update(of=jobs, skip_locked=True)
    )


def _not_owed(tx: Transaction, found: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return those of some jobs whose callers are told everything; nobody asks again meanwhile."""
    theirs = select(Delivery.job_id, Delivery.status).where(
        Delivery.job_id.in_([row.id for row in found])
    )
    locked = tx.rows(theirs.order_by(Delivery.id).with_for_update())
    owed = {row.job_id for row in locked if row.status is DeliveryStatus.PENDING}
    return [row for row in found if row.id not in owed]


def _forget(tx: Transaction, found: Sequence[Row[Any]]) -> None:
    if not found:
        return
    ids = [row.id for row in found]
    removed = [owed.image_id for owed in take_out(tx, ids)]
    tx.execute(delete(Share).where(Share.image_id.in_(removed)))
    attempts = select(Attempt.id).where(Attempt.job_id.in_(ids))
    tx.execute(delete(FluxWebhook).where(FluxWebhook.attempt_id.in_(attempts)))
    told = select(Delivery.id).where(Delivery.job_id.in_(ids))
    tx.execute(delete(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(told)))
    for child in (Attempt, Delivery, Ending, JobEvent):
        tx.execute(delete(child).where(child.job_id.in_(ids)))
    tx.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    of_batch = {row.batch_id for row in found if row.batch_id is not None}
    has_job = exists().where(jobs.c.batch_id == batches.c.id)
    tx.execute(delete(batches).where(and_(batches.c.id.in_(of_batch), ~has_job)))
    log.info("old_jobs_removed", count=len(ids), images=len(removed))


def _forget_of_no_job(tx: Transaction, project_id: UUID, since: datetime) -> None:
    """Remove old callbacks that told of a batch, or of a job that was not accepted."""
    told = (
        select(Delivery.id)
        .where(
            of_project(Delivery, project_id),
            Delivery.id < first_id(since),
            Delivery.job_id.is_(None),
            Delivery.status != DeliveryStatus.PENDING,
        )
        .order_by(*oldest_first(Delivery))
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = [row.id for row in tx.rows(told)]
    tx.execute(delete(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(ids)))
    tx.execute(delete(Delivery).where(Delivery.id.in_(ids)))
