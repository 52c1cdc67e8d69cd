"""Batches as they stand: what their jobs have come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from service.database import Transaction
from service.models import Delivery, DeliveryStatus, batches, jobs
from service.states import Status


@dataclass
class Standing:
    """A batch's row, how many of its jobs are where, and what they cost in credits."""

    row: Row[Any]
    #: Of its own callback; None while it is not owed.
    callback_status: DeliveryStatus | None = None
    counts: dict[Status, int] = field(default_factory=dict)
    cost_estimated: Decimal | None = None
    cost_actual: Decimal | None = None


def standing(tx: Transaction, rows: Sequence[Row[Any]]) -> list[Standing]:
    """Return how some batches stand, in the order of their rows."""
    found = {row.id: Standing(row) for row in rows}
    for part in tx.rows(_PARTS.where(jobs.c.batch_id.in_(found))):
        one = found[part.batch_id]
        one.counts[part.status] = part.count
        one.cost_estimated = _more(one.cost_estimated, part.estimated)
        one.cost_actual = _more(one.cost_actual, part.actual)
    owed = [row.id for row in rows if row.callback_url is not None]
    if owed:
        for delivery in tx.rows(_OWN_CALLBACKS.where(Delivery.batch_id.in_(owed))):
            found[delivery.batch_id].callback_status = delivery.status
    return list(found.values())


def standing_of(tx: Transaction, batch_ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """Return how some batches stand, by id."""
    rows = tx.rows(select(*batches.c).where(batches.c.id.in_(batch_ids))) if batch_ids else []
    return {one.row.id: one for one in standing(tx, rows)}


def _more(sum_before: Decimal | None, more: Decimal | None) -> Decimal | None:
    return more if sum_before is None else sum_before + (more or 0)


_PARTS = select(
    jobs.c.batch_id,
    jobs.c.status,
    func.count().label("count"),
    func.sum(jobs.c.cost_estimated).label("estimated"),
    func.sum(jobs.c.cost_actual).label("actual"),
).group_by(jobs.c.batch_id, jobs.c.status)
_OWN_CALLBACKS = select(Delivery.batch_id, Delivery.status).where(Delivery.job_id.is_(None))
