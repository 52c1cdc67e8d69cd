"""What waits now, and for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    SmallInteger,
    Text,
    and_,
    bindparam,
    column,
    extract,
    func,
    literal,
    select,
    true,
    values,
)

from service.database import Transaction
from service.documents import PRIORITIES
from service.gate import ACCOUNT
from service.generation import CATALOGUE
from service.models import CallbackHost, Delivery, DeliveryStatus, Gate, jobs
from service.settings import Provider
from service.states import HOLDS_SLOT, Status

#: Whoever hands in a million must not make it dear to ask how many there are.
COUNTED_JOBS = 10_000
COUNTED_CALLBACKS = 1_000
#: Hosts told of, those that have been failing for longest.
HOSTS = 10


@dataclass(frozen=True, slots=True)
class FailingHost:
    """An address of callbacks that does not answer as it should."""

    origin: str
    #: Failures in a row.
    failures: int
    since: datetime
    #: When it is tried next; None if its callbacks follow their schedules.
    probe_at: datetime | None
    reason: str | None
    #: Callbacks that wait for it; at least, from COUNTED_CALLBACKS on.
    waiting: int


@dataclass(frozen=True, slots=True)
class Slots:
    """The gate in front of a provider."""

    allowed: int
    closed_reason: str | None
    #: When one job may probe it, if it is closed.
    probe_at: datetime | None


@dataclass(frozen=True, slots=True)
class Present:
    """What a project waits for; counts are at least, from COUNTED_JOBS on."""

    queued: int
    #: None if no queued job's time has come.
    oldest_due_seconds: float | None
    holding_slots: int
    storing: int
    #: More may fail than are told of.
    hosts: Sequence[FailingHost]
    has_more_hosts: bool
    #: Everybody's, by provider; one that nothing was submitted to yet has none.
    gates: Mapping[str, Slots]


def present(tx: Transaction, project_id: UUID, providers: Sequence[str]) -> Present:
    """Read what a project waits for."""
    mine = {"of_project": project_id}
    age = tx.scalar(_OLDEST, mine)
    counts = {row.status: row.count for row in tx.rows(_UNDER_WAY, mine)}
    hosts = [FailingHost(*row) for row in tx.rows(_HOSTS, mine)]
    gates = tx.rows(_GATES.where(Gate.provider.in_(providers)))
    return Present(
        queued=tx.scalar(_QUEUE, mine),
        oldest_due_seconds=None if age is None else float(age),
        holding_slots=sum(counts.get(status, 0) for status in HOLDS_SLOT),
        storing=counts.get(Status.STORING, 0),
        hosts=hosts[:HOSTS],
        has_more_hosts=len(hosts) > HOSTS,
        gates={row.provider: Slots(row.slots, row.closed_reason, row.probe_at) for row in gates},
    )


_IS_QUEUED = and_(jobs.c.project_id == bindparam("of_project"), jobs.c.status == Status.QUEUED)
_QUEUE = select(func.count()).select_from(
    select(literal(1)).where(_IS_QUEUED).limit(COUNTED_JOBS).subquery()
)
#: The parts of a queue: the submit lane's index has the oldest of each first.
_PARTS = values(
    column("provider", Text), column("pool", Text), column("priority", SmallInteger), name="parts"
).data(
    [
        (provider.value, pool, priority)
        for provider in Provider
        for pool in sorted({ACCOUNT, *(model.pool for model in CATALOGUE.models.values())})
        for priority in PRIORITIES.values()
    ]
)
_FIRST = (
    select(jobs.c.due_at)
    .where(
        _IS_QUEUED,
        jobs.c.provider == _PARTS.c.provider,
        jobs.c.pool == _PARTS.c.pool,
        jobs.c.priority == _PARTS.c.priority,
        jobs.c.due_at <= func.now(),
    )
    .order_by(jobs.c.due_at)
    .limit(1)
    .lateral()
)
_OLDEST = select(extract("epoch", func.now() - func.min(_FIRST.c.due_at))).select_from(
    _PARTS.join(_FIRST, true())
)
_MOVING = (
    select(jobs.c.status)
    .where(
        jobs.c.project_id == bindparam("of_project"),
        jobs.c.status.in_(sorted({*HOLDS_SLOT, Status.STORING})),
    )
    .limit(COUNTED_JOBS)
    .subquery()
)
_UNDER_WAY = select(_MOVING.c.status, func.count().label("count")).group_by(_MOVING.c.status)

_FAILING = (
    select(*CallbackHost.__table__.c)
    .where(
        CallbackHost.project_id == bindparam("of_project"), CallbackHost.failing_since.is_not(None)
    )
    .order_by(CallbackHost.failing_since)
    .limit(HOSTS + 1)
    .subquery()
)
_OWED = (
    select(literal(1))
    .where(
        Delivery.project_id == _FAILING.c.project_id,
        Delivery.origin == _FAILING.c.origin,
        Delivery.status == DeliveryStatus.PENDING,
    )
    .limit(COUNTED_CALLBACKS)
    .correlate(_FAILING)
    .subquery()
)
_WAITING = select(func.count().label("waiting")).select_from(_OWED).lateral()
_HOSTS = (
    select(
        _FAILING.c.origin,
        _FAILING.c.failures,
        _FAILING.c.failing_since,
        _FAILING.c.probe_at,
        _FAILING.c.reason,
        _WAITING.c.waiting,
    )
    .join(_WAITING, true())
    .order_by(_FAILING.c.failing_since, _FAILING.c.origin)
)
_GATES = select(Gate.provider, Gate.slots, Gate.closed_reason, Gate.probe_at).where(
    Gate.pool == ACCOUNT
)
