"""What upstream says of an attempt, and what that means to its job.

It speaks of the job's current attempt, but where a job was sent again an earlier one may be heard
of first, or both. The first result wins, whichever attempt it comes from, and its attempt becomes
the current one; nothing is expected of the others any more. What they still turn out to have cost
is kept in their rows: an attempt beside the current one that has a task was paid for nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from service.database import Transaction
from service.documents import Document
from service.messages import Message
from service.metrics import RESULTS
from service.models import HeardBy
from service.moves.attempts import Named, Speaker, move_by, name
from service.moves.values import After
from service.moves.yeses import Yeses
from service.states import AttemptOutcome, Status
from service.upstream import Ended, InProgress, Ready, Result

#: A URL that says it lives longer is not believed: its job would be tried for ever, seconds.
MAX_RESULT_LIFETIME_SECONDS = 86_400.0
_MAX_RESULT_LIFETIME = timedelta(seconds=MAX_RESULT_LIFETIME_SECONDS)


@dataclass(frozen=True)
class Moves(Yeses):
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
        *,
        attempt: Row[Any] | None = None,
    ) -> bool:
        """Act on what upstream said of a job, by webhook or poll; True if the job moved.

        Whoever has read the attempt's row in this transaction gives it: mostly it says all already.
        """

        def act(speaker: Speaker) -> Row[Any] | None:
            match result:
                case InProgress():
                    return self._expect(tx, job_id, speaker, result, heard_by)
                case Ended():
                    return self._end(tx, job_id, speaker, result, heard_by)
                case Ready():
                    return self._store(tx, job_id, speaker, result, heard_by)

        row = move_by(tx, job_id, attempt_number, act)
        has_moved = row is not None
        if has_moved or result.task_id is not None:
            cost = result.cost if isinstance(result, Ready) else None
            if attempt is None or not _says_all(attempt, cost):
                name(tx, [Named(job_id, attempt_number, result.task_id, cost)], counts=has_moved)
        if has_moved and not isinstance(result, InProgress):
            tx.count_after_commit(RESULTS.labels(heard_by=heard_by).inc)
            # a slot is free again; who stores rings submit, mostly in the same process
            tx.ring_after_commit(Message.STORE if isinstance(result, Ready) else Message.SUBMIT)
        return has_moved

    def _expect(
        self,
        tx: Transaction,
        job_id: UUID,
        speaker: Speaker,
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
        self, tx: Transaction, job_id: UUID, speaker: Speaker, result: Ended, heard_by: HeardBy
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
        self, tx: Transaction, job_id: UUID, speaker: Speaker, result: Ready, heard_by: HeardBy
    ) -> Row[Any] | None:
        return self.move(
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

    def _dies(self, result: Ready) -> After | datetime:
        if result.expires_at is None:
            return After(min(self.result_lifetime_seconds, MAX_RESULT_LIFETIME_SECONDS))
        is_believed = result.expires_at - datetime.now(UTC) <= _MAX_RESULT_LIFETIME
        return result.expires_at if is_believed else After(MAX_RESULT_LIFETIME_SECONDS)


def _says_all(attempt: Row[Any], cost: Decimal | None) -> bool:
    """Return whether an attempt's row needs no word more; while it is the current one, it stays so.

    It is accepted and has its task, which mostly the answer to its POST has said before.
    """
    has_task = attempt.outcome is AttemptOutcome.ACCEPTED and attempt.task_id is not None
    return has_task and (cost is None or attempt.cost is not None)


def _besides(result: Ready | Ended) -> Document:
    return {"upstream": result.other} if result.other else {}
