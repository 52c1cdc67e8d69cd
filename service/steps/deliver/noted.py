"""What came of tries, written down in one statement for all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CTE,
    DateTime,
    Float,
    Integer,
    Text,
    Uuid,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from service.clock import seconds
from service.constants import constant
from service.database import Transaction
from service.metrics import CALLBACK_TRIES
from service.models import Delivery, DeliveryAttempt, DeliveryStatus
from service.recordsets import records, recordset
from service.steps.deliver.tries import Owed, Try


@dataclass(frozen=True, slots=True)
class Noted:
    """A try, and what it means for its delivery; without a wait there is no next try."""

    delivery_id: UUID
    #: Of all tries, from 1.
    number: int
    #: When the schedule began that it is part of.
    began_at: datetime | None
    one: Try
    status: DeliveryStatus
    wait_seconds: float | None


def note(tx: Transaction, tries: Sequence[Noted]) -> None:
    """Write tries down, but those that are noted already or come after the end.

    A success ends its schedule whatever its number: two workers may have had it at once.
    """
    # a killed worker may have left the same try twice; a success counts more than a failure
    single = {one.delivery_id: one for one in sorted(tries, key=_by_success)}
    said = [
        {
            "delivery_id": one.delivery_id,
            "number": one.number,
            "began_at": one.began_at,
            "status": one.status,
            "wait_seconds": one.wait_seconds,
            "duration_ms": one.one.duration_ms,
            "http_status": one.one.http_status,
            "error": one.one.error,
            "answer": one.one.answer,
            "location": one.one.location,
        }
        for one in single.values()
    ]
    taken = tx.rows(_NOTE, {"said": records(said)})
    for row in taken:
        outcome = "delivered" if single[row.delivery_id].one.succeeded else "failed"
        tx.count_after_commit(CALLBACK_TRIES.labels(outcome=outcome).inc)


def _by_success(noted: Noted) -> bool:
    return noted.one.succeeded


def give_back(tx: Transaction, owed: Iterable[Owed]) -> None:
    """Make callbacks due that were claimed and not tried, unless somebody else has them by now."""
    claimed = list(owed)
    if claimed:
        untried = [{"id": one.id, "leased_until": one.leased_until} for one in claimed]
        tx.execute(_GIVE_BACK, {"untried": records(untried)})


_SAID = recordset(
    "said",
    {
        "delivery_id": Uuid(),
        "number": Integer(),
        "began_at": DateTime(timezone=True),
        "status": Text(),
        "wait_seconds": Float(),
        "duration_ms": Integer(),
        "http_status": Integer(),
        "error": Text(),
        "answer": Text(),
        "location": Text(),
    },
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
    # asked for again while this try was under way: unless it succeeded, the new schedule holds
    has_succeeded = _SAID.c.status == DeliveryStatus.DELIVERED.value
    in_schedule = or_(Delivery.began_at == _SAID.c.began_at, has_succeeded)
    wait_until = func.now() + seconds(_SAID.c.wait_seconds)
    ended_at = case((_SAID.c.wait_seconds.is_(None), func.now()))
    return (
        update(Delivery)
        .where(
            Delivery.id.in_(select(_held().c.id)),
            Delivery.id == _SAID.c.delivery_id,
            Delivery.status == constant(DeliveryStatus.PENDING),
            or_(
                Delivery.tries == _SAID.c.number - 1,
                and_(has_succeeded, Delivery.began_at == _SAID.c.began_at),
            ),
        )
        .values(
            status=case((in_schedule, _SAID.c.status), else_=Delivery.status),
            tries=Delivery.tries + 1,
            tries_before=case((in_schedule, Delivery.tries_before), else_=Delivery.tries + 1),
            due_at=case((in_schedule, wait_until), else_=Delivery.due_at),
            completed_at=case((in_schedule, ended_at), else_=Delivery.completed_at),
        )
        .returning(Delivery.id, Delivery.tries)
        .cte("tried")
    )


_SHOWN = ("duration_ms", "http_status", "error", "answer", "location")
_TRIED = _tried()
_NOTE = (
    insert(DeliveryAttempt)
    .from_select(
        ["delivery_id", "number", *_SHOWN],
        select(_TRIED.c.id, _TRIED.c.tries, *(_SAID.c[name] for name in _SHOWN)).join(
            _SAID,
            _SAID.c.delivery_id == _TRIED.c.id,
        ),
    )
    .returning(DeliveryAttempt.delivery_id)
)

_UNTRIED = recordset("untried", {"id": Uuid(), "leased_until": DateTime(timezone=True)})
_GIVE_BACK = (
    update(Delivery)
    .where(
        Delivery.id == _UNTRIED.c.id,
        Delivery.due_at == _UNTRIED.c.leased_until,
        Delivery.status == constant(DeliveryStatus.PENDING),
    )
    .values(due_at=func.now())
)
