"""What upstream says of an attempt, and what that means to its job.

It speaks of the job's current attempt, but where a job was sent again an earlier one may be heard
of first, or both. The first result wins, whichever attempt it comes from, and its attempt becomes
the current one; nothing is expected of the others any more. What they still turn out to have cost
is kept in their rows: an attempt beside the current one that has a task was paid for nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Row, and_, bindparam, exists, func, literal, or_, select, update
from sqlalchemy.orm import aliased

from service.database import Transaction
from service.documents import Document
from service.logs import get_log
from service.messages import Message
from service.metrics import DUPLICATE_CHARGES, RESULTS
from service.models import Attempt, HeardBy, jobs
from service.moves.changes import Changes, known
from service.moves.values import After, Kept
from service.states import LIVE, AttemptOutcome, Status
from service.upstream import Accepted, Ended, InProgress, Ready, Result

log = get_log(__name__)

#: A URL that says it lives longer is not believed: its job would be tried for ever, seconds.
MAX_RESULT_LIFETIME_SECONDS = 86_400.0
_MAX_RESULT_LIFETIME = timedelta(seconds=MAX_RESULT_LIFETIME_SECONDS)

_ENDED_AT = func.coalesce(Attempt.ended_at, func.now())


@dataclass(frozen=True)
class _Speaker:
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


@dataclass(frozen=True)
class Moves(Changes):
    """Moves jobs, by themselves and by what upstream says."""

    #: How long a result URL lives when it does not say so itself.
    result_lifetime_seconds: float

    def take_result(
        self,
        tx: Transaction,
        job_id: UUID,
        attempt_number: int,
        result: Result,
        heard_by: HeardBy,
    ) -> bool:
        """Act on what upstream said of a job, by webhook or poll; True if the job moved."""

        def act(speaker: _Speaker) -> Row[Any] | None:
            match result:
                case InProgress():
                    return self._expect(tx, job_id, speaker, result, heard_by)
                case Ended():
                    return self._end(tx, job_id, speaker, result, heard_by)
                case Ready():
                    return self._store(tx, job_id, speaker, result, heard_by)

        row = _moved(tx, job_id, attempt_number, act)
        has_moved = row is not None
        if has_moved or result.task_id is not None:
            cost = result.cost if isinstance(result, Ready) else None
            _name(tx, job_id, attempt_number, result.task_id, cost, counts=has_moved)
        if has_moved and not isinstance(result, InProgress):
            tx.count_after_commit(RESULTS.labels(heard_by=heard_by).inc)
            # a slot is free again
            tx.ring_after_commit(Message.SUBMIT)
        return has_moved

    def take_yes(
        self,
        tx: Transaction,
        job_id: UUID,
        attempt_number: int,
        yes: Accepted,
        ask_after_seconds: float,
    ) -> None:
        """Act on the answer to an attempt's POST; the first question comes after so long."""
        facts = {
            "task_id": yes.task_id,
            "polling_url": yes.polling_url,
            "cost_actual": yes.cost,
        }

        def act(speaker: _Speaker) -> Row[Any] | None:
            return self.move(
                tx,
                job_id,
                Status.GENERATING,
                "Flux accepted it",
                detail={"task_id": yes.task_id},
                due_at=After(ask_after_seconds),
                submitted_at=After(0),
                **{**speaker.terms, **facts},
            )

        counts = _moved(tx, job_id, attempt_number, act) is not None
        if not counts:
            # a webhook overtook the answer: keep its state, add what only the answer knew
            mine = and_(jobs.c.id == job_id, jobs.c.attempt_count == attempt_number)
            known_now = {**facts, "submitted_at": func.now()}
            kept = {name: func.coalesce(jobs.c[name], fact) for name, fact in known_now.items()}
            counts = tx.execute(update(jobs).where(mine).values(kept)) > 0
        _name(tx, job_id, attempt_number, yes.task_id, yes.cost, counts=counts)

    def _expect(
        self,
        tx: Transaction,
        job_id: UUID,
        speaker: _Speaker,
        result: InProgress,
        heard_by: HeardBy,
    ) -> Row[Any] | None:
        """Take a word on the task, whatever it means, for upstream's yes: it knows the task."""
        if result.task_id is None:
            # nobody could ask about it
            return None
        row = self.move(
            tx,
            job_id,
            Status.GENERATING,
            f"Flux has accepted it, heard by {heard_by}",
            detail={"heard_by": heard_by, "task_id": result.task_id},
            due_at=After(0),
            submitted_at=After(0),
            **{**speaker.terms, "task_id": result.task_id},
        )
        if row is not None:
            tx.ring_after_commit(Message.POLL)
        return row

    def _end(
        self, tx: Transaction, job_id: UUID, speaker: _Speaker, result: Ended, heard_by: HeardBy
    ) -> Row[Any] | None:
        if not speaker.is_current:
            # the current attempt may still bring an image
            return None
        return self.fail(
            tx,
            job_id,
            result.code,
            result.message,
            detail={"heard_by": heard_by, **result.details, **_besides(result)},
            task_id=speaker.kept("task_id", result.task_id),
            **speaker.terms,
        )

    def _store(
        self, tx: Transaction, job_id: UUID, speaker: _Speaker, result: Ready, heard_by: HeardBy
    ) -> Row[Any] | None:
        row = self.move(
            tx,
            job_id,
            Status.STORING,
            f"Flux has the image ready, heard by {heard_by}",
            takes_over=not speaker.is_current,
            detail={"heard_by": heard_by, **_besides(result)},
            due_at=After(0),
            generated_at=After(0),
            heard_by=heard_by,
            # what a spool may hold is of another result
            kept_by=None,
            result_url=result.url,
            result_expires_at=self._dies(result),
            result=result.facts,
            **{
                **speaker.terms,
                "task_id": speaker.kept("task_id", result.task_id),
                "cost_actual": speaker.kept("cost_actual", result.cost),
            },
        )
        if row is not None:
            tx.ring_after_commit(Message.STORE)
        return row

    def _dies(self, result: Ready) -> After | datetime:
        if result.expires_at is None:
            return After(min(self.result_lifetime_seconds, MAX_RESULT_LIFETIME_SECONDS))
        is_believed = result.expires_at - datetime.now(UTC) <= _MAX_RESULT_LIFETIME
        return result.expires_at if is_believed else After(MAX_RESULT_LIFETIME_SECONDS)


def _moved(
    tx: Transaction, job_id: UUID, number: int, act: Callable[[_Speaker], Row[Any] | None]
) -> Row[Any] | None:
    """Let what is said of an attempt move its job, if the job waits for it."""
    current = _Speaker({"attempt_number": number, **known(number)})
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
    row = act(_Speaker(terms, is_current=False, facts=facts))
    if row is not None:
        is_live = or_(Attempt.outcome.is_(None), Attempt.outcome.in_(sorted(LIVE)))
        others = update(Attempt).where(Attempt.job_id == job_id, Attempt.number != number, is_live)
        tx.execute(others.values(outcome=AttemptOutcome.WRITTEN_OFF, ended_at=_ENDED_AT))
    return row


def _name(
    tx: Transaction,
    job_id: UUID,
    number: int,
    task_id: str | None,
    cost: Decimal | None,
    *,
    counts: bool,
) -> None:
    """Write down which task an attempt has become; a second task of a job is paid for nothing."""
    facts = {"of_job": job_id, "of_attempt": number, "said_task_id": task_id, "said_cost": cost}
    if tx.scalar(_named(counts=counts), facts):
        log.error("duplicate_charge", job_id=str(job_id), attempt=number)
        tx.count_after_commit(DUPLICATE_CHARGES.inc)


@cache
def _named(*, counts: bool) -> Executable:
    was = (
        select(Attempt.id, Attempt.task_id)
        .where(Attempt.job_id == bindparam("of_job"), Attempt.number == bindparam("of_attempt"))
        .subquery("was")
    )
    other = aliased(Attempt)
    has_another = exists().where(
        other.job_id == bindparam("of_job"),
        other.number != bindparam("of_attempt"),
        other.task_id.is_not(None),
    )
    task_id = bindparam("said_task_id", type_=Attempt.task_id.type)
    facts = {
        "task_id": func.coalesce(Attempt.task_id, task_id),
        "cost": func.coalesce(Attempt.cost, bindparam("said_cost", type_=Attempt.cost.type)),
        "ended_at": _ENDED_AT,
    }
    if counts:
        facts["outcome"] = AttemptOutcome.ACCEPTED
    matters = literal(counts) | was.c.task_id.is_(None)
    is_new = and_(was.c.task_id.is_(None), Attempt.task_id.is_not(None), has_another)
    return update(Attempt).where(Attempt.id == was.c.id, matters).values(facts).returning(is_new)


def _besides(result: Ready | Ended) -> Document:
    return {"upstream": result.other} if result.other else {}
