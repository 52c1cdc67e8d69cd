"""Poll: ask Flux about a job whose webhook is late, lost or impossible.

The first question comes when webhooks have usually arrived, further ones at an interval. When Flux
says after the deadline that it has no result, the job fails as `upstream_timeout`, and a late
webhook may still promote it. No answer says nothing: the questions go on, but not for ever. A
question holds no bytes of the job: a worker that dies over one says nothing of the job either, and
the job is asked about again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Float, Integer, Row, bindparam, func, select, update

from service.clock import seconds
from service.constants import constant
from service.database import Database, Transaction
from service.errors import FluxUnavailable
from service.faults import fault_point
from service.logs import get_log
from service.models import HeardBy, jobs
from service.moves import Moves
from service.states import ErrorCode, Status
from service.upstream import InProgress, Result

log = get_log(__name__)

#: When a job is given up whose questions nobody answers, in upstream deadlines: an hour by default.
#: Outages of a web service seldom last longer, and meanwhile the job holds a slot.
GIVE_UP_AFTER_DEADLINES = 4


class Flux(Protocol):
    """Asking costs nothing and may be repeated."""

    def result(self, provider: str, task_id: str, polling_url: str | None) -> Result:
        """Say how a task stands, or raise FluxUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """A generating job that is due to be asked about."""

    job_id: UUID
    attempt_number: int
    provider: str
    model: str
    task_id: str
    polling_url: str | None
    #: The upstream deadline has passed: this is the last question that is answered.
    overdue: bool
    #: This is the last one even if it is not.
    hopeless: bool


@dataclass(frozen=True)
class Poll:
    """The step of the poll lane."""

    database: Database
    moves: Moves
    flux: Flux
    lease_seconds: float
    #: Further questions about a job of a provider and model, seconds apart.
    interval_seconds: Callable[[str, str], float]
    deadline_seconds: float

    def claim(self, limit: int) -> list[Question]:
        """Take generating jobs whose time to ask has come."""
        wanted = {
            "most": limit,
            "lease_seconds": self.lease_seconds,
            "deadline_seconds": self.deadline_seconds,
            "give_up_seconds": self.deadline_seconds * GIVE_UP_AFTER_DEADLINES,
        }
        with self.database.transaction() as tx:
            rows = tx.rows(_CLAIM, wanted)
            if rows:
                fault_point("poll.before_claim_commit")
        if rows:
            fault_point("poll.after_claim")
        return [_question(row) for row in rows]

    def act(self, claim: Question) -> Result | FluxUnavailable:
        """Ask once."""
        began = time.monotonic()
        answer: Result | FluxUnavailable
        try:
            answer = self.flux.result(claim.provider, claim.task_id, claim.polling_url)
        except FluxUnavailable as error:
            answer = error
        except Exception as error:
            # a bug of ours must not keep the job from its deadline
            log.exception("poll_crashed", job_id=str(claim.job_id))
            answer = FluxUnavailable(f"internal error ({type(error).__name__})")
        fault_point("poll.after_answer")
        log.info(
            "poll_attempt",
            job_id=str(claim.job_id),
            task_id=claim.task_id,
            outcome=type(answer).__name__.lower(),
            said=answer.word if isinstance(answer, InProgress) else None,
            reason=str(answer) if isinstance(answer, FluxUnavailable) else None,
            duration_ms=round((time.monotonic() - began) * 1000),
        )
        return answer

    def record(self, ended: list[tuple[Question, Result | FluxUnavailable]]) -> None:
        """Move the jobs that have a result, plan the next question for the others."""
        with self.database.transaction() as tx:
            for question, answer in sorted(ended, key=lambda pair: pair[0].job_id):
                if isinstance(answer, FluxUnavailable | InProgress):
                    self._go_on(tx, question, answer)
                else:
                    self.moves.take_result(
                        tx, question.job_id, question.attempt_number, answer, HeardBy.POLL
                    )
            fault_point("poll.before_record_commit")
        fault_point("poll.after_record")

    def _go_on(
        self, tx: Transaction, question: Question, answer: InProgress | FluxUnavailable
    ) -> None:
        if isinstance(answer, InProgress):
            is_over, said = question.overdue, f"; last word: {answer.word}"
        else:
            is_over, said = question.hopeless, f" and does not answer: {answer}"
        if is_over:
            self.moves.fail(
                tx,
                question.job_id,
                ErrorCode.UPSTREAM_TIMEOUT,
                f"Flux had no result after {self.deadline_seconds:g} s{said}",
                attempt_number=question.attempt_number,
            )
            return
        tx.execute(
            update(jobs)
            .where(
                jobs.c.id == question.job_id,
                # no constant: a kept plan would walk the index of all that are generating
                jobs.c.status == Status.GENERATING,
                jobs.c.attempt_count == question.attempt_number,
            )
            .values(
                due_at=func.now()
                + seconds(self.interval_seconds(question.provider, question.model))
            )
        )


_DUE = (
    select(jobs.c.id)
    .where(jobs.c.status == constant(Status.GENERATING), jobs.c.due_at <= func.now())
    .order_by(jobs.c.due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
    .cte()
)
_WAITED = func.now() - jobs.c.submitted_at
_CLAIM = (
    update(jobs)
    .where(jobs.c.id.in_(select(_DUE.c.id)))
    .values(
        due_at=func.now() + seconds(bindparam("lease_seconds", type_=Float)),
        tries=jobs.c.tries + 1,
    )
    .returning(
        jobs.c.id,
        jobs.c.attempt_count,
        jobs.c.provider,
        jobs.c.model,
        jobs.c.task_id,
        jobs.c.polling_url,
        (seconds(bindparam("deadline_seconds", type_=Float)) <= _WAITED).label("overdue"),
        (seconds(bindparam("give_up_seconds", type_=Float)) <= _WAITED).label("hopeless"),
    )
)


def _question(row: Row[Any]) -> Question:
    return Question(
        job_id=row.id,
        attempt_number=row.attempt_count,
        provider=row.provider,
        model=row.model,
        task_id=row.task_id,
        polling_url=row.polling_url,
        overdue=row.overdue,
        hopeless=row.hopeless,
    )
