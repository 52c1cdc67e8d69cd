"""The gate in front of the paid call: slots upstream, and reasons to send nothing at all.

One row per provider; its lock orders the claims of all hosts, so that slots are counted exactly.
Upstream allows 24 active tasks (BFL's integration guide); a 429 takes a slot away, each acceptance
gives one back. A bad key, an empty account or five unknown outcomes in a row close the gate; one
job at a time may then probe it.
"""

from sqlalchemy import CTE, case, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from service.clock import seconds
from service.database import Transaction
from service.logs import get_log
from service.models import Gate, Project, jobs
from service.states import HOLDS_SLOT, Status

log = get_log(__name__)

#: Unknown outcomes in a row that close the gate.
BREAKER_FAILURES = 5
BREAKER_REASON = "Flux does not say what becomes of our submissions"
BREAKER_PROBE_SECONDS = 15
#: A bad key or an empty account fails no job; it closes the gate for all.
ACCOUNT_STATUSES = {
    401: "Flux refuses our API key (401)",
    402: "the Flux account is out of credits (402)",
    403: "Flux refuses our API key (403)",
}
#: How often a bad key or an empty account is tried again.
ACCOUNT_PROBE_SECONDS = 60


def room(tx: Transaction, provider: str, max_active: int) -> int:
    """Lock the gate and return how many jobs may be sent now: slots, one probe, or none."""
    wanted = (
        select(Gate.slots, Gate.closed_reason, (Gate.probe_at <= func.now()).label("probe"))
        .where(Gate.provider == provider)
        .with_for_update()
    )
    gate = tx.first(wanted)
    if gate is None:
        new = upsert(Gate).values(provider=provider, slots=max_active)
        tx.execute(new.on_conflict_do_nothing())
        gate = tx.first(wanted)
    active = tx.scalar(
        select(func.count()).where(
            jobs.c.provider == provider, jobs.c.status.in_(sorted(HOLDS_SLOT))
        )
    )
    free: int = max(0, min(gate.slots, max_active) - int(active))
    if gate.closed_reason is None:
        return free
    return min(free, 1) if gate.probe else 0


def turns(provider: str, room: int) -> CTE:
    """Select and lock the `room` queued jobs whose turn it is.

    Projects take turns, and what a project has upstream already counts as turns taken. Within a
    project priority decides, then time. Costs the same however long the queue is.
    """
    held = (
        select(jobs.c.project_id, func.count().label("turns"))
        .where(jobs.c.provider == provider, jobs.c.status.in_(sorted(HOLDS_SLOT)))
        .group_by(jobs.c.project_id)
        .subquery()
    )
    urgency = (jobs.c.priority.desc(), jobs.c.due_at)
    next_of_project = (
        select(jobs.c.id, jobs.c.due_at, func.row_number().over(order_by=urgency).label("turn"))
        .where(
            jobs.c.project_id == Project.id,
            jobs.c.status == Status.QUEUED,
            jobs.c.due_at <= func.now(),
            jobs.c.provider == provider,
            or_(jobs.c.expires_at.is_(None), jobs.c.expires_at > func.now()),
        )
        .order_by(*urgency)
        .limit(room)
        .lateral()
    )
    fair = (
        select(next_of_project.c.id)
        .select_from(Project)
        .join(next_of_project, true())
        .outerjoin(held, held.c.project_id == Project.id)
        .order_by(func.coalesce(held.c.turns, 0) + next_of_project.c.turn, next_of_project.c.due_at)
        .limit(room)
    )
    return (
        select(jobs.c.id)
        .where(jobs.c.id.in_(fair), jobs.c.status == Status.QUEUED)
        # a caller may be withdrawing one of them right now
        .with_for_update(skip_locked=True)
        .cte("turns")
    )


def probe_sent(tx: Transaction, provider: str) -> None:
    """Note that a job goes through a closed gate, so that no second one follows at once."""
    wait = case(
        (Gate.closed_reason == BREAKER_REASON, BREAKER_PROBE_SECONDS), else_=ACCOUNT_PROBE_SECONDS
    )
    tx.execute(
        update(Gate)
        .where(Gate.provider == provider, Gate.closed_reason.is_not(None))
        .values(probe_at=func.now() + seconds(wait))
    )


def answered(tx: Transaction, provider: str, max_active: int) -> None:
    """Open the gate: upstream gave a definite answer. Costs nothing while all is well."""
    tx.execute(
        update(Gate)
        .where(
            Gate.provider == provider,
            (Gate.failures > 0) | Gate.closed_reason.is_not(None) | (Gate.slots < max_active),
        )
        .values(
            failures=0,
            closed_reason=None,
            probe_at=None,
            slots=func.least(Gate.slots + 1, max_active),
        )
    )


def shrink(tx: Transaction, provider: str) -> None:
    """Take a slot away after a 429; one always stays."""
    tx.execute(
        update(Gate).where(Gate.provider == provider).values(slots=func.greatest(Gate.slots - 1, 1))
    )


def close(tx: Transaction, provider: str, reason: str) -> None:
    """Send nothing more but a probe a minute: the account itself is refused."""
    log.error("gate_closed", provider=provider, reason=reason)
    tx.execute(
        update(Gate)
        .where(Gate.provider == provider)
        .values(closed_reason=reason, probe_at=func.now() + seconds(ACCOUNT_PROBE_SECONDS))
    )


def unanswered(tx: Transaction, provider: str) -> None:
    """Count an unknown outcome; too many in a row close the gate."""
    failures = Gate.failures + 1
    broken = failures >= BREAKER_FAILURES
    row = tx.first(
        update(Gate)
        .where(Gate.provider == provider)
        .values(
            failures=failures,
            closed_reason=case((broken, BREAKER_REASON), else_=Gate.closed_reason),
            probe_at=case(
                (broken, func.now() + seconds(BREAKER_PROBE_SECONDS)), else_=Gate.probe_at
            ),
        )
        .returning(Gate.failures)
    )
    if row is not None and row.failures == BREAKER_FAILURES:
        log.error("gate_closed", provider=provider, reason=BREAKER_REASON)
