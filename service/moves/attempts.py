"""An attempt that is heard of: whether it moves its job, and which task it has become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Executable,
    Integer,
    Row,
    Uuid,
    and_,
    exists,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased

from service.constants import constant
from service.database import Transaction
from service.logs import get_log
from service.metrics import DUPLICATE_CHARGES
from service.models import Attempt, jobs
from service.moves.changes import known
from service.moves.values import Kept
from service.recordsets import records, recordset
from service.states import LIVE, AttemptOutcome

log = get_log(__name__)

_ENDED_AT = func.coalesce(Attempt.ended_at, func.now())


@dataclass(frozen=True)
class Speaker:
    """An attempt that is heard of, and how that moves its job."""

    terms: Mapping[str, Any]
    is_current: bool = True
    #: What is known of another attempt than the current one, whose job holds the facts.
    facts: Mapping[str, Any] = field(default_factory=dict)

    def kept(self, column: str, said: Any) -> Any:  # noqa: ANN401 - the column's own type
        """Return what the job's column holds from now on; what was known before stays."""
        if self.is_current:
            return Kept(said)
        found = self.facts[column]
        return said if found is None else found


class Named(NamedTuple):
    """What is known of an attempt now; None adds nothing to what was known before."""

    of_job: UUID
    of_attempt: int
    task_id: str | None
    cost: Decimal | None
    http_status: int | None = None


def move_by(
    tx: Transaction, job_id: UUID, number: int, act: Callable[[Speaker], Row[Any] | None]
) -> Row[Any] | None:
    """Let what is said of an attempt move its job, if the job waits for it."""
    current = Speaker({"attempt_number": number, **known(number)})
    row = act(current)
    if row is not None:
        return row
    # with the job's row locked nobody changes which attempt is the current one
    counts = select(jobs.c.attempt_count).where(jobs.c.id == job_id).with_for_update()
    if tx.scalar(counts) == number:
        return act(current)
    row_of = select(Attempt.provider, Attempt.task_id, Attempt.cost)
    attempt = tx.first(row_of.where(Attempt.job_id == job_id, Attempt.number == number))
    if attempt is None:
        return None
    facts = {"task_id": attempt.task_id, "cost_actual": attempt.cost}
    terms = {
        **facts,
        "attempt_count": number,
        "provider": attempt.provider,
        "polling_url": None,
        **known(number),
    }
    row = act(Speaker(terms, is_current=False, facts=facts))
    if row is not None:
        is_live = or_(Attempt.outcome.is_(None), Attempt.outcome.in_(sorted(LIVE)))
        others = update(Attempt).where(Attempt.job_id == job_id, Attempt.number != number, is_live)
        tx.execute(others.values(outcome=AttemptOutcome.WRITTEN_OFF, ended_at=_ENDED_AT))
    return row


def name(tx: Transaction, attempts: Sequence[Named], *, counts: bool) -> set[UUID]:
    """Write down which tasks attempts have become; a second task of a job is paid for nothing.

    Those that count are the current ones of their jobs, and accepted. Returns the jobs whose answer
    had not been written down before.
    """
    said = records([one._asdict() for one in attempts])
    rows = tx.rows(_named(counts=counts), {"said": said})
    for row in rows:
        if row.is_second:
            log.error("duplicate_charge", job_id=str(row.job_id), attempt=row.number)
            tx.count_after_commit(DUPLICATE_CHARGES.inc)
    return {row.job_id for row in rows if row.is_unheard}


@cache
def _named(*, counts: bool) -> Executable:
    said = recordset(
        "said",
        {
            "of_job": Uuid(),
            "of_attempt": Integer(),
            "task_id": Attempt.__table__.c.task_id.type,
            "cost": Attempt.__table__.c.cost.type,
            "http_status": Integer(),
        },
    )
    was = (
        select(
            Attempt.id,
            Attempt.task_id.label("was"),
            Attempt.http_status.is_(None).label("is_unheard"),
            *said.c,
        )
        .join(said, and_(Attempt.job_id == said.c.of_job, Attempt.number == said.c.of_attempt))
        .subquery("was")
    )
    other = aliased(Attempt)
    has_another = exists().where(
        other.job_id == Attempt.job_id,
        other.number != Attempt.number,
        other.task_id.is_not(None),
    )
    facts = {
        "task_id": func.coalesce(Attempt.task_id, was.c.task_id),
        "cost": func.coalesce(Attempt.cost, was.c.cost),
        "http_status": func.coalesce(Attempt.http_status, was.c.http_status),
        "ended_at": _ENDED_AT,
    }
    if counts:
        facts["outcome"] = constant(AttemptOutcome.ACCEPTED)
    matters = true() if counts else was.c.was.is_(None)
    is_second = and_(was.c.was.is_(None), Attempt.task_id.is_not(None), has_another)
    return (
        update(Attempt)
        .where(Attempt.id == was.c.id, matters)
        .values(facts)
        .returning(Attempt.job_id, Attempt.number, was.c.is_unheard, is_second.label("is_second"))
    )
