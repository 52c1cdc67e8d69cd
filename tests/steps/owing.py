"""Callbacks that are owed, and tried now."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from factories import ago, deliveries, enqueue, job
from sqlalchemy import Row, select, update

from service.keys import NewKey
from service.models import Delivery, DeliveryAttempt
from service.wiring import Wiring


def owed(wiring: Wiring, key: NewKey, url: str) -> UUID:
    """Return a job whose cancellation is owed to a caller."""
    job_id = enqueue(wiring, key, callback_url=url)
    wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
    return job_id


def deliver(wiring: Wiring, job_id: UUID) -> Row[Any]:
    """Try what is owed once, whenever it was due, and return where it stands."""
    with wiring.database.transaction() as tx:
        tx.execute(
            update(Delivery)
            .where(Delivery.job_id == job_id, Delivery.due_at.is_not(None))
            .values(due_at=ago(1))
        )
    wiring.deliver.record([(one, wiring.deliver.act(one)) for one in wiring.deliver.claim(10)])
    (row,) = deliveries(wiring, job_id)
    return row


def tries(wiring: Wiring) -> Sequence[Row[Any]]:
    with wiring.database.transaction() as tx:
        return tx.rows(select(*DeliveryAttempt.__table__.c).order_by(DeliveryAttempt.number))


def in_seconds(row: Row[Any]) -> float:
    return float(row.due_at.timestamp() - time.time())
