"""What came of tries, written down in one statement for all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    DateTime,
    Float,
    Integer,
    Subquery,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from service.clock import seconds
from service.database import Transaction
from service.metrics import CALLBACK_TRIES
from service.models import Delivery, DeliveryAttempt, DeliveryStatus
from service.steps.deliver.tries import Owed, Try


@dataclass(frozen=True, slots=True)
class Noted:
    """A try, and what it means for its delivery; without a wait there is no next try."""

    delivery_id: UUID
    #: Of all tries, from 1.
    number: int
    one: Try
    status: DeliveryStatus
    wait_seconds: float | None


def note(tx: Transaction, tries: Sequence[Noted]) -> None:
    """Write tries down, but those that are noted already or come after the end."""
    taken = tx.rows(
        _NOTE,
        {
            "delivery_ids": [one.delivery_id for one in tries],
            "numbers": [one.number for one in tries],
            "statuses": [one.status.value for one in tries],
            "waits_seconds": [one.wait_seconds for one in tries],
            "durations_ms": [one.one.duration_ms for one in tries],
            "http_statuses": [one.one.http_status for one in tries],
            "errors": [one.one.error for one in tries],
            "answers": [one.one.answer for one in tries],
            "locations": [one.one.location for one in tries],
        },
    )
    of = {one.delivery_id: one.one for one in tries}
    for row in taken:
        outcome = "delivered" if of[row.delivery_id].succeeded else "failed"
        tx.count_after_commit(CALLBACK_TRIES.labels(outcome=outcome).inc)


def give_back(tx: Transaction, owed: Iterable[Owed]) -> None:
    """Make callbacks due that were claimed and not tried, unless somebody else has them by now."""
    claimed = list(owed)
    if claimed:
        ids, until = [one.id for one in claimed], [one.leased_until for one in claimed]
        tx.execute(_GIVE_BACK, {"delivery_ids": ids, "leased_until": until})


def _table(name: str, **columns: tuple[str, TypeEngine[Any]]) -> Subquery:
    """Select rows from parameters that are lists, one for each column."""
    lists = (bindparam(of, type_=ARRAY(kind)) for of, kind in columns.values())
    named = (column(to, kind) for to, (_, kind) in columns.items())
    return select(func.unnest(*lists).table_valued(*named, name="given").render_derived()).subquery(
        name
    )


_SAID = _table(
    "said",
    delivery_id=("delivery_ids", Uuid()),
    number=("numbers", Integer()),
    status=("statuses", Text()),
    wait_seconds=("waits_seconds", Float()),
    duration_ms=("durations_ms", Integer()),
    http_status=("http_statuses", Integer()),
    error=("errors", Text()),
    answer=("answers", Text()),
    location=("locations", Text()),
)


def _held() -> CTE:
    """Lock the deliveries in the order of all."""
    return (
        select(Delivery.id)
        .join(_SAID, _SAID.c.delivery_id == Delivery.id)
        .order_by(Delivery.id)
        .with_for_update(of=Delivery)
        .cte("held")
    )


def _tried() -> CTE:
    return (
        update(Delivery)
        .where(
            Delivery.id.in_(select(_held().c.id)),
            Delivery.id == _SAID.c.delivery_id,
            Delivery.status == DeliveryStatus.PENDING,
            Delivery.tries == _SAID.c.number - 1,
        )
        .values(
            status=_SAID.c.status,
            tries=_SAID.c.number,
            due_at=func.now() + seconds(_SAID.c.wait_seconds),
            completed_at=case((_SAID.c.wait_seconds.is_(None), func.now())),
        )
        .returning(Delivery.id, Delivery.tries)
        .cte("tried")
    )


_SHOWN = ("number", "duration_ms", "http_status", "error", "answer", "location")
_TRIED = _tried()
_NOTE = (
    insert(DeliveryAttempt)
    .from_select(
        ["delivery_id", *_SHOWN],
        select(_TRIED.c.id, *(_SAID.c[name] for name in _SHOWN)).join(
            _SAID,
            and_(_SAID.c.delivery_id == _TRIED.c.id, _SAID.c.number == _TRIED.c.tries),
        ),
    )
    .returning(DeliveryAttempt.delivery_id)
)

_UNTRIED = _table(
    "untried",
    id=("delivery_ids", Uuid()),
    leased_until=("leased_until", DateTime(timezone=True)),
)
_GIVE_BACK = (
    update(Delivery)
    .where(
        Delivery.id == _UNTRIED.c.id,
        Delivery.due_at == _UNTRIED.c.leased_until,
        Delivery.status == DeliveryStatus.PENDING,
    )
    .values(due_at=func.now())
)
