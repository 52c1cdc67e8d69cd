"""Batches whose last job has ended: their owner is called once.

Nobody who ends a job looks at its batch, so that jobs of one batch never wait for each other.
"""

from typing import Any

from sqlalchemy import Row, bindparam, exists, func, insert, select, update

from service.batches import standing
from service.database import Transaction
from service.documents import BATCH_COMPLETED, batch, batch_callback
from service.ids import new_id
from service.logs import get_log
from service.messages import Message
from service.models import Delivery, DeliveryStatus, Ending, batches, jobs
from service.moves import origin_of
from service.states import TERMINAL, Status
from service.timeline import WHOLE_BATCH

log = get_log(__name__)

#: Batches completed per sweep; the next goes on.
BATCH = 50


def complete(tx: Transaction, base_url: str) -> None:
    """End every batch without a job that goes on, and owe its callback."""
    rows = tx.rows(_COMPLETE)
    for one in standing(tx, rows):
        row: Row[Any] = one.row
        log.info("batch_completed", batch_id=str(row.id), jobs=row.size)
        if row.callback_url is not None:
            tx.execute(
                insert(Delivery).values(
                    id=new_id(),
                    project_id=row.project_id,
                    batch_id=row.id,
                    seq=1,
                    type=BATCH_COMPLETED,
                    url=row.callback_url,
                    origin=origin_of(row.callback_url),
                    body=batch_callback(batch(one, base_url)),
                    status=DeliveryStatus.PENDING,
                    due_at=func.now(),
                )
            )
            tx.ring_after_commit(Message.DELIVER)
        last = tx.first(_LAST, {"of_batch": row.id})
        told = {"job_id": last.id, "project_id": row.project_id, "type": BATCH_COMPLETED}
        tx.execute(insert(Ending), {**told, "seq": WHOLE_BATCH})


_GOES_ON = exists().where(
    jobs.c.batch_id == batches.c.id, jobs.c.status.in_(sorted(set(Status) - TERMINAL))
)
_DONE = (
    select(batches.c.id)
    .where(batches.c.completed_at.is_(None), ~_GOES_ON)
    .order_by(batches.c.id)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
    .cte("done")
)
_LAST = (
    select(jobs.c.id)
    .where(jobs.c.batch_id == bindparam("of_batch"))
    .order_by(jobs.c.completed_at.desc(), jobs.c.id.desc())
    .limit(1)
)
_LAST_END = (
    select(func.max(jobs.c.completed_at)).where(jobs.c.batch_id == batches.c.id).scalar_subquery()
)
_COMPLETE = (
    update(batches)
    .where(batches.c.id == _DONE.c.id)
    .values(completed_at=func.coalesce(_LAST_END, func.now()))
    .returning(*batches.c)
)
