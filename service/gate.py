"""The gate in front of the paid call: slots upstream, and reasons to send nothing at all.

One row per provider, and one for each model with slots of its own; their locks order the claims of
all hosts, so that slots are counted exactly. Upstream allows 24 active tasks, 6 of them of
flux-kontext-max (BFL's integration guide); a 429 takes a slot away, each acceptance gives one back.
A bad key, an empty account or too many unknown outcomes close the gate; one job at a time may then
probe it.

Whoever locks rows of jobs as well comes here after them: a claim, which comes here first, waits for
no job. The account's gate is locked before those of its pools.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    column,
    exists,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from service.clock import seconds
from service.database import Transaction
from service.deployment import may_not_buy
from service.logs import get_log
from service.models import Gate, Project, jobs
from service.states import HOLDS_SLOT, Status

log = get_log(__name__)

#: Unknown outcomes that close the gate: so many in a row, or so many of the latest.
BREAKER_FAILURES = 5
BREAKER_RECENT_FAILURES = 10
BREAKER_RECENT = 20
BREAKER_REASON = "Flux does not say what becomes of our submissions"
TOO_MANY_REQUESTS = 429
#: A bad key or an empty account fails no job; it closes the gate for all.
ACCOUNT_STATUSES = {
    401: "Flux refuses our API key (401)",
    402: "the Flux account is out of credits (402)",
    403: "Flux refuses our API key (403)",
}


@dataclass(frozen=True)
class Probes:
    """How often one job may try whether a closed gate can be opened, by why it is closed."""

    breaker_seconds: float
    account_seconds: float


#: Free slots, or limits of them, by pool; the empty pool stands for the whole account.
Slots = Mapping[str, int]
ACCOUNT = ""


def room(tx: Transaction, provider: str, limits: Slots) -> Slots:
    """Lock the provider's gates and return how many jobs may be sent now, in all and per pool.

    A pool takes its slots out of the account's. Behind a closed gate there is room for one probe,
    or none. Jobs of a pool that has lost its limit are let through as the account allows. A
    deployment that is held or unverified has room for nothing.
    """
    if tx.scalar(_MAY_NOT_BUY):
        return dict.fromkeys({ACCOUNT, *limits}, 0)
    gates = {row.pool: row for row in tx.rows(_LOCKED, {"of_provider": provider})}
    if missing := sorted(limits.keys() - gates.keys()):
        new = [{"provider": provider, "pool": pool, "slots": limits[pool]} for pool in missing]
        tx.execute(upsert(Gate).values(new).on_conflict_do_nothing())
        gates = {row.pool: row for row in tx.rows(_LOCKED, {"of_provider": provider})}
    active: dict[str, int] = {
        row.pool: row.active for row in tx.rows(_ACTIVE, {"of_provider": provider})
    }
    account = gates.pop(ACCOUNT)
    free = max(0, min(account.slots, limits[ACCOUNT]) - sum(active.values()))
    if account.closed_reason is not None:
        free = min(free, 1) if account.probe else 0
    found = {ACCOUNT: free}
    for pool, gate in gates.items():
        most = min(gate.slots, limits[pool]) if pool in limits else account.slots
        found[pool] = max(0, min(free, most - active.get(pool, 0)))
    return found


def turns() -> CTE:
    """Select and lock the queued jobs whose turn it is, no more of any pool than it has free.

    Projects take turns, and what a project has upstream already counts as turns taken. Within a
    project priority decides, then time; none has more upstream than it may. Costs the same however
    long the queue is. Takes the parameters of `asked`.
    """
    of_provider = jobs.c.provider == bindparam("of_provider")
    pools = (
        func.unnest(
            bindparam("pools", type_=ARRAY(Text)), bindparam("free_of_pools", type_=ARRAY(Integer))
        )
        .table_valued(column("pool", Text), column("free", Integer), name="pools")
        .render_derived()
    )
    # at all providers: a project's own limit is one for all of them
    held = (
        select(jobs.c.project_id, func.count().label("turns"))
        .where(jobs.c.status.in_(sorted(HOLDS_SLOT)))
        .group_by(jobs.c.project_id)
        .subquery()
    )
    urgency = (jobs.c.priority.desc(), jobs.c.due_at)
    waiting = (
        select(jobs.c.id, jobs.c.priority, jobs.c.due_at)
        .where(
            jobs.c.project_id == Project.id,
            jobs.c.status == Status.QUEUED,
            jobs.c.due_at <= func.now(),
            of_provider,
            jobs.c.pool == pools.c.pool,
            or_(jobs.c.expires_at.is_(None), jobs.c.expires_at > func.now()),
        )
        .order_by(*urgency)
        # what a pool has no slots for takes nobody's turn
        .limit(pools.c.free)
        .lateral()
    )
    in_project = func.row_number().over(
        partition_by=Project.id, order_by=(waiting.c.priority.desc(), waiting.c.due_at)
    )
    turn = func.coalesce(held.c.turns, 0) + in_project
    queue = (
        select(
            waiting.c.id,
            waiting.c.due_at,
            pools.c.pool,
            pools.c.free,
            Project.max_active,
            turn.label("turn"),
        )
        .select_from(Project)
        .join(pools, true())
        .join(waiting, true())
        .outerjoin(held, held.c.project_id == Project.id)
        .subquery()
    )
    in_pool = func.row_number().over(
        partition_by=queue.c.pool, order_by=(queue.c.turn, queue.c.due_at)
    )
    allowed = or_(queue.c.max_active.is_(None), queue.c.turn <= queue.c.max_active)
    placed = select(queue, in_pool.label("place")).where(allowed).subquery()
    fair = (
        select(placed.c.id)
        .where(placed.c.place <= placed.c.free)
        .order_by(placed.c.turn, placed.c.due_at)
        .limit(bindparam("free_in_all", type_=Integer))
    )
    return (
        select(jobs.c.id)
        .where(jobs.c.id.in_(fair), jobs.c.status == Status.QUEUED)
        # a caller may be withdrawing one of them right now
        .with_for_update(skip_locked=True)
        .cte("turns")
    )


def asked(provider: str, free: Slots) -> Mapping[str, object]:
    """Return the parameters of `turns`."""
    return {
        "of_provider": provider,
        "pools": [*free],
        "free_of_pools": [*free.values()],
        "free_in_all": free[ACCOUNT],
    }


def probe_sent(tx: Transaction, provider: str, probes: Probes) -> None:
    """Note that a job goes through a closed gate, so that no second one follows at once."""
    is_broken = Gate.closed_reason == BREAKER_REASON
    wait = case((is_broken, probes.breaker_seconds), else_=probes.account_seconds)
    tx.execute(
        update(Gate)
        .where(_account(provider), Gate.closed_reason.is_not(None))
        .values(probe_at=func.now() + seconds(wait))
    )


def answered(tx: Transaction, provider: str, pool: str, limits: Slots) -> None:
    """Open the gate: upstream gave a definite answer. Locks nothing while all is well."""
    grown = func.least(Gate.slots + 1, case(limits, value=Gate.pool, else_=Gate.slots))
    unwell = and_(
        Gate.provider == provider,
        Gate.pool.in_({ACCOUNT, pool}),
        or_(
            Gate.failures > 0,
            Gate.recent > 0,
            Gate.closed_reason.is_not(None),
            Gate.slots != grown,
        ),
    )
    if tx.scalar(select(exists().where(unwell))):
        tx.rows(_LOCKED, {"of_provider": provider})
        well = {"failures": 0, "closed_reason": None, "probe_at": None, "slots": grown}
        # what is opened again starts anew: else the next unknown outcome would close it at once
        recent = case((Gate.closed_reason.is_(None), _shifted(Gate.recent, 1)), else_=0)
        tx.execute(update(Gate).where(unwell).values(**well, recent=recent))


def shrink(tx: Transaction, provider: str, pool: str) -> None:
    """Take a slot of the pool away after a 429; one always stays."""
    tx.rows(_LOCKED, {"of_provider": provider})
    tx.execute(
        update(Gate)
        .where(Gate.provider == provider, Gate.pool == pool)
        .values(slots=func.greatest(Gate.slots - 1, 1))
    )


def close(tx: Transaction, provider: str, reason: str, probes: Probes) -> None:
    """Send nothing more but a probe now and then: the account itself is refused."""
    log.error("gate_closed", provider=provider, reason=reason)
    probe_at = func.now() + seconds(probes.account_seconds)
    tx.execute(
        update(Gate).where(_account(provider)).values(closed_reason=reason, probe_at=probe_at)
    )


def unanswered(tx: Transaction, provider: str, probes: Probes, count: int = 1) -> None:
    """Count unknown outcomes; too many in a row, or of the latest, close the gate."""
    gate = next(
        (row for row in tx.rows(_LOCKED, {"of_provider": provider}) if row.pool == ACCOUNT), None
    )
    if gate is None:
        return
    counted = min(count, BREAKER_RECENT)
    failures = gate.failures + count
    recent = _shifted(gate.recent, counted) + 2**counted - 1
    values: dict[str, Any] = {"failures": failures, "recent": recent}
    if failures >= BREAKER_FAILURES or recent.bit_count() >= BREAKER_RECENT_FAILURES:
        if gate.closed_reason != BREAKER_REASON:
            log.error("gate_closed", provider=provider, reason=BREAKER_REASON)
        values["closed_reason"] = BREAKER_REASON
        values["probe_at"] = func.now() + seconds(probes.breaker_seconds)
    tx.execute(update(Gate).where(_account(provider)).values(values))


def _shifted(recent: Any, count: int) -> Any:  # noqa: ANN401 - a number or a column of numbers
    """Make room for outcomes in the bits of the latest; the oldest fall out."""
    return recent * 2**count % 2**BREAKER_RECENT


def _account(provider: str) -> ColumnElement[bool]:
    return and_(Gate.provider == provider, Gate.pool == ACCOUNT)


_MAY_NOT_BUY = select(may_not_buy())
_LOCKED = (
    select(
        Gate.pool,
        Gate.slots,
        Gate.failures,
        Gate.recent,
        Gate.closed_reason,
        (Gate.probe_at <= func.now()).label("probe"),
    )
    .where(Gate.provider == bindparam("of_provider"))
    # the account's first, whoever locks
    .order_by(Gate.pool)
    .with_for_update()
)
_ACTIVE = (
    select(jobs.c.pool, func.count().label("active"))
    .where(jobs.c.provider == bindparam("of_provider"), jobs.c.status.in_(sorted(HOLDS_SLOT)))
    .group_by(jobs.c.pool)
)
