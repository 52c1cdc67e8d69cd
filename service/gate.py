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
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Float,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from service.clock import seconds
from service.constants import constants
from service.database import Transaction
from service.deployment import may_not_buy
from service.logs import get_log
from service.models import Gate, jobs
from service.states import HOLDS_SLOT

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
#: The same as what a statement is built by, once.
Limits = tuple[tuple[str, int], ...]
ACCOUNT = ""


def room(tx: Transaction, provider: str, limits: Slots) -> Slots:
    """Lock the provider's gates and return how many jobs may be sent now, in all and per pool.

    A pool takes its slots out of the account's. Behind a closed gate there is room for one probe,
    or none. Jobs of a pool that has lost its limit are let through as the account allows. A
    deployment that is held or unverified has room for nothing.
    """
    gates = {row.pool: row for row in tx.rows(_CLAIMED, {"of_provider": provider})}
    missing = sorted(limits.keys() - gates.keys())
    if any(row.may_not_buy for row in gates.values()) or (missing and tx.scalar(_MAY_NOT_BUY)):
        return dict.fromkeys({ACCOUNT, *limits}, 0)
    if missing:
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


def probe_sent(tx: Transaction, provider: str, probes: Probes) -> None:
    """Note that a job goes through a closed gate, so that no second one follows at once."""
    waits = {"breaker_seconds": probes.breaker_seconds, "account_seconds": probes.account_seconds}
    tx.execute(_PROBE_SENT, {"of_provider": provider, **waits})


def answered(tx: Transaction, provider: str, pool: str, limits: Slots, *, count: int = 1) -> None:
    """Open the gate: upstream gave definite answers. Locks nothing while all is well."""
    known = tuple(sorted(limits.items()))
    answers = {"of_provider": provider, "of_pools": [ACCOUNT, pool], "answers": count}
    if tx.scalar(_is_unwell(known), answers):
        tx.rows(_LOCKED, {"of_provider": provider})
        shift = 2 ** min(count, BREAKER_RECENT)
        tx.execute(_get_well(known), {**answers, "shift": shift})


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
#: The same, with what holds all of them.
_CLAIMED = _LOCKED.add_columns(may_not_buy().label("may_not_buy")).with_for_update(of=Gate)
_ACTIVE = (
    select(jobs.c.pool, func.count().label("active"))
    .where(jobs.c.provider == bindparam("of_provider"), jobs.c.status.in_(constants(HOLDS_SLOT)))
    .group_by(jobs.c.pool)
)
_PROBE_SENT = (
    update(Gate)
    .where(
        Gate.provider == bindparam("of_provider"),
        Gate.pool == ACCOUNT,
        Gate.closed_reason.is_not(None),
    )
    .values(
        probe_at=func.now()
        + seconds(
            case(
                (Gate.closed_reason == BREAKER_REASON, bindparam("breaker_seconds", type_=Float)),
                else_=bindparam("account_seconds", type_=Float),
            )
        )
    )
)


def _grown(limits: Limits) -> ColumnElement[int]:
    more = Gate.slots + bindparam("answers", type_=Integer)
    return func.least(more, case(dict(limits), value=Gate.pool, else_=Gate.slots))


def _unwell(limits: Limits) -> ColumnElement[bool]:
    return and_(
        Gate.provider == bindparam("of_provider"),
        Gate.pool == any_(bindparam("of_pools", type_=ARRAY(Text))),
        or_(
            Gate.failures > 0,
            Gate.recent > 0,
            Gate.closed_reason.is_not(None),
            Gate.slots != _grown(limits),
        ),
    )


@cache
def _is_unwell(limits: Limits) -> Executable:
    return select(exists().where(_unwell(limits)))


@cache
def _get_well(limits: Limits) -> Executable:
    well = {"failures": 0, "closed_reason": None, "probe_at": None, "slots": _grown(limits)}
    # what is opened again starts anew: else the next unknown outcome would close it at once
    shifted = Gate.recent * bindparam("shift", type_=Integer) % 2**BREAKER_RECENT
    recent = case((Gate.closed_reason.is_(None), shifted), else_=0)
    return update(Gate).where(_unwell(limits)).values(**well, recent=recent)
