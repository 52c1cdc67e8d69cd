"""What is written down of an attempt: the move of its job, and the attempt's own row."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, update

from service import gate
from service.database import Transaction
from service.metrics import SUBMISSIONS
from service.models import Attempt
from service.moves import After, Moves, Yes, known
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.submit.send import Intent
from service.upstream import Accepted, NotSent, Refused, SubmitOutcome, Unknown, Unusable

MAX_BACKOFF_SECONDS = 60.0


@dataclass(frozen=True)
class Outcomes:
    """Writes down what became of an intent; a webhook or the sweep may have moved its job on."""

    moves: Moves
    unconfirmed_grace_seconds: float
    #: First question about a job of a provider and model, seconds after its submission.
    poll_after_seconds: Callable[[str, str], float]

    def write(
        self, tx: Transaction, ended: Sequence[tuple[Intent, SubmitOutcome]]
    ) -> list[tuple[Intent, SubmitOutcome]]:
        """Write outcomes down; return those that are news.

        What was written down before, its commit unacknowledged, is not told again.
        """
        for _, outcome in ended:
            tx.count_after_commit(SUBMISSIONS.labels(outcome=type(outcome).__name__.lower()).inc)
        yeses = [
            self._yes(intent, outcome) for intent, outcome in ended if isinstance(outcome, Accepted)
        ]
        taken = self.moves.take_yeses(tx, yeses)
        return [
            (intent, outcome)
            for intent, outcome in ended
            if (
                taken[intent.job_id]
                if intent.job_id in taken
                else self._write_one(tx, intent, outcome)
            )
        ]

    def _yes(self, intent: Intent, answer: Accepted) -> Yes:
        ask_after = self.poll_after_seconds(intent.provider, intent.model)
        return Yes(intent.job_id, intent.attempt_number, answer, ask_after)

    def _write_one(self, tx: Transaction, intent: Intent, outcome: SubmitOutcome) -> bool:
        match outcome:
            case Accepted():
                return self._accepted(tx, intent, outcome)
            case NotSent():
                return self._not_sent(tx, intent, outcome)
            case Unusable():
                return self._unusable(tx, intent, outcome)
            case Refused():
                return self._refused(tx, intent, outcome)
            case Unknown():
                return self._unknown(tx, intent, outcome)

    def _accepted(self, tx: Transaction, intent: Intent, outcome: Accepted) -> bool:
        self.moves.take_yes(tx, self._yes(intent, outcome))
        return _close_attempt(tx, intent, http_status=outcome.http_status)

    def _not_sent(self, tx: Transaction, intent: Intent, outcome: NotSent) -> bool:
        moved = self._requeue(tx, intent, outcome.reason, _backoff_seconds(intent.tries))
        return moved and _close_attempt(
            tx, intent, outcome=AttemptOutcome.NOT_SENT, error=outcome.reason
        )

    def _unusable(self, tx: Transaction, intent: Intent, outcome: Unusable) -> bool:
        moved = self.moves.fail(
            tx,
            intent.job_id,
            ErrorCode.INTERNAL,
            f"It could not be sent: {outcome.reason}",
            attempt_number=intent.attempt_number,
            **known(intent.attempt_number),
        )
        return moved is not None and _close_attempt(
            tx, intent, outcome=AttemptOutcome.NOT_SENT, error=outcome.reason
        )

    def _refused(self, tx: Transaction, intent: Intent, outcome: Refused) -> bool:
        status = outcome.http_status
        if status == gate.TOO_MANY_REQUESTS:
            wait = outcome.retry_after_seconds
            moved = self._requeue(tx, intent, "Flux has no free slot (429)", wait)
        elif status in gate.ACCOUNT_STATUSES:
            moved = self._requeue(tx, intent, gate.ACCOUNT_STATUSES[status], 1.0)
        else:
            failed = self.moves.fail(
                tx,
                intent.job_id,
                ErrorCode.UPSTREAM_REJECTED,
                f"Flux refused the request: {outcome.reason}",
                attempt_number=intent.attempt_number,
                upstream_status=status,
            )
            moved = failed is not None
        return moved and _close_attempt(
            tx, intent, outcome=AttemptOutcome.REFUSED, http_status=status, error=outcome.reason
        )

    def _requeue(self, tx: Transaction, intent: Intent, reason: str, wait: float) -> bool:
        moved = self.moves.move(
            tx,
            intent.job_id,
            Status.QUEUED,
            f"Back in the queue, nothing was charged: {reason}",
            attempt_number=intent.attempt_number,
            tries=intent.tries + 1,
            due_at=After(wait),
        )
        return moved is not None

    def _unknown(self, tx: Transaction, intent: Intent, outcome: Unknown) -> bool:
        moved = self.moves.move(
            tx,
            intent.job_id,
            Status.UNCONFIRMED,
            f"Sent, but Flux's answer was lost ({outcome.reason}); waiting for its webhook",
            attempt_number=intent.attempt_number,
            due_at=After(self.unconfirmed_grace_seconds),
        )
        return moved is not None and _close_attempt(
            tx,
            intent,
            outcome=AttemptOutcome.UNKNOWN,
            http_status=outcome.http_status,
            error=outcome.reason,
        )


_CLOSE = (
    update(Attempt)
    .where(Attempt.id == bindparam("of_attempt"), Attempt.http_status.is_(None))
    .values(ended_at=func.now())
)


def _close_attempt(tx: Transaction, intent: Intent, **facts: Any) -> bool:  # noqa: ANN401 - columns
    """Write down what the attempt's worker knows; False if it did so before."""
    return bool(tx.execute(_CLOSE, {"of_attempt": intent.attempt_id, **facts}))


def _backoff_seconds(tries: int) -> float:
    """Return 1 s doubling to a minute, half of it by chance, so that hosts do not march in step."""
    ceiling = min(MAX_BACKOFF_SECONDS, 2.0 ** min(tries, 10))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
