"""Why a queued job waits: who is before it, the slots, the gate, and what keeps workers back.

The order is the claim's (`service.turns`): projects take turns, and what one has upstream
already counts as turns taken. So of every other project only so many jobs can be before this one
as its own turn is late, which is what bounds the count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    and_,
    bindparam,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from service import gate
from service.clock import seconds
from service.database import Transaction
from service.deployment import may_not_buy
from service.documents import PRIORITY_NAMES
from service.models import HELD_PULSE, Deployment, Gate, Project, Pulse, jobs
from service.pulses import SWEEP_PULSE
from service.states import HOLDS_SLOT, Status

#: Beyond, a place in the queue is only "more than".
MAX_COUNTED = 1_000
#: What a worker says every few seconds has ended when it has not been said for so long.
_SAID_SECONDS = 15.0
_UNVERIFIED = "this database has not been compared with its mark in the bucket lately"


@dataclass(frozen=True, slots=True)
class Slots:
    """Jobs that may be upstream at a time, and those that are."""

    count: int
    busy: int


@dataclass(frozen=True, slots=True)
class Line:
    """What stands between a queued job and its submission."""

    #: Due jobs that go first; more than MAX_COUNTED are MAX_COUNTED + 1; None before it is due.
    before: int | None
    account: Slots
    #: Of the model's own; None where it takes everybody's.
    pool: Slots | None
    #: Of its project, where that has a limit.
    project: Slots | None
    #: Why the gate is closed, when one job may try it, and how often, seconds; None: it is open.
    closed_reason: str | None
    probe_at: datetime | None
    probe_every_seconds: float
    #: Why workers send nothing, as they or the deployment say, in words for people.
    held: Sequence[str]
    #: Since the clock of all work last ticked; None if it never did.
    sweep_age_seconds: float | None


def line_of(tx: Transaction, job: Row[Any], limits: gate.Slots, probes: gate.Probes) -> Line:
    """Return why a queued job waits."""
    gates = {row.pool: row for row in tx.rows(_GATES, {"of_provider": job.provider})}
    active = tx.rows(_ACTIVE)
    now = tx.first(_STANDING, {"of_project": job.project_id})
    account = gates.get(gate.ACCOUNT)
    upstream = [row for row in active if row.provider == job.provider]
    of_pool = [row for row in upstream if row.pool == job.pool]
    mine = _sum(row for row in active if row.project_id == job.project_id)
    reason = account.closed_reason if account else None
    is_broken = reason == gate.BREAKER_REASON
    return Line(
        before=_before(tx, job, mine) if job.due_at <= now.at else None,
        account=Slots(_count(account, limits, gate.ACCOUNT), _sum(upstream)),
        pool=Slots(_count(gates.get(job.pool), limits, job.pool), _sum(of_pool))
        if job.pool in limits and job.pool != gate.ACCOUNT
        else None,
        project=None if now.max_active is None else Slots(now.max_active, mine),
        closed_reason=reason,
        probe_at=account.probe_at if account else None,
        probe_every_seconds=probes.breaker_seconds if is_broken else probes.account_seconds,
        held=_held(now),
        sweep_age_seconds=None if now.swept_at is None else (now.at - now.swept_at).total_seconds(),
    )


def _before(tx: Transaction, job: Row[Any], turns_taken: int) -> int:
    """Count the due jobs that the claim takes first."""
    asked = {
        "of_project": job.project_id,
        "of_provider": job.provider,
        "of_pool": job.pool,
        "of_priority": job.priority,
        "of_due_at": job.due_at,
        "most": _MANY,
    }
    own: int = min(tx.scalar(_OWN, asked), _MANY)
    if own == _MANY:
        return own
    others: int = tx.scalar(_OTHERS, {**asked, "turn": turns_taken + own + 1})
    return min(own + others, _MANY)


def _waiting(*conditions: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a Select
    return select(jobs.c.due_at).where(
        jobs.c.provider == bindparam("of_provider"),
        jobs.c.pool == bindparam("of_pool"),
        jobs.c.status == Status.QUEUED,
        jobs.c.due_at <= func.now(),
        *conditions,
    )


def _own() -> Any:  # noqa: ANN401 - a Select
    """Select how many of its own project are before a job, by priority: each is one index walk."""
    mine = bindparam("of_priority", type_=Integer)
    parts = [
        _waiting(
            jobs.c.project_id == bindparam("of_project"),
            jobs.c.priority == priority,
            or_(mine < priority, and_(mine == priority, jobs.c.due_at < bindparam("of_due_at"))),
        ).limit(_MOST)
        for priority in PRIORITY_NAMES
    ]
    few = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(func.count()).select_from(few)


def _others() -> Any:  # noqa: ANN401 - a Select
    """Select how many jobs of other projects have a turn that is sooner than the one given."""
    turn = bindparam("turn", type_=Integer)
    held = (
        select(jobs.c.project_id, func.count().label("turns"))
        .where(jobs.c.status.in_(sorted(HOLDS_SLOT)))
        .group_by(jobs.c.project_id)
        .subquery()
    )
    taken = func.coalesce(held.c.turns, 0)
    urgency = (jobs.c.priority.desc(), jobs.c.due_at)
    waiting = (
        _waiting(jobs.c.project_id == Project.id)
        .add_columns(func.row_number().over(order_by=urgency).label("place"))
        .order_by(*urgency)
        .limit(func.greatest(turn - taken, 0))
        .lateral()
    )
    theirs = taken + waiting.c.place
    sooner = or_(theirs < turn, and_(theirs == turn, waiting.c.due_at < bindparam("of_due_at")))
    allowed = or_(Project.max_active.is_(None), theirs <= Project.max_active)
    few = (
        select(waiting.c.due_at)
        .select_from(Project)
        .outerjoin(held, held.c.project_id == Project.id)
        .join(waiting, sooner)
        .where(Project.id != bindparam("of_project"), allowed)
        .limit(_MOST)
        .subquery()
    )
    return select(func.count()).select_from(few)


def _held(now: Row[Any]) -> list[str]:
    if now.held_reason is not None:
        return [now.held_reason]
    if now.may_not_buy:
        return [_UNVERIFIED]
    return [name.removeprefix(HELD_PULSE) for name in now.told or ()]


def _count(row: Row[Any] | None, limits: gate.Slots, pool: str) -> int:
    return limits[pool] if row is None else min(row.slots, limits[pool])


def _sum(rows: Any) -> int:  # noqa: ANN401 - some rows of _ACTIVE
    return sum(row.active for row in rows)


_MANY = MAX_COUNTED + 1
_MOST = bindparam("most", type_=Integer)
_OWN = _own()
_OTHERS = _others()
_GATES = select(Gate.pool, Gate.slots, Gate.closed_reason, Gate.probe_at).where(
    Gate.provider == bindparam("of_provider")
)
_ACTIVE = (
    select(jobs.c.provider, jobs.c.pool, jobs.c.project_id, func.count().label("active"))
    .where(jobs.c.status.in_(sorted(HOLDS_SLOT)))
    .group_by(jobs.c.provider, jobs.c.pool, jobs.c.project_id)
)
_TOLD = select(func.array_agg(aggregate_order_by(Pulse.name, Pulse.name))).where(
    Pulse.name.startswith(HELD_PULSE, autoescape=True),
    Pulse.at > func.now() - seconds(_SAID_SECONDS),
)
_STANDING = select(
    func.now().label("at"),
    Project.max_active,
    may_not_buy().label("may_not_buy"),
    select(func.max(Deployment.held_reason)).scalar_subquery().label("held_reason"),
    select(Pulse.at).where(Pulse.name == SWEEP_PULSE).scalar_subquery().label("swept_at"),
    _TOLD.scalar_subquery().label("told"),
).where(Project.id == bindparam("of_project"))
