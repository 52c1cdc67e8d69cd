"""Submit: the paid call. At most one POST per attempt, at most one live attempt per job.

Claim commits the intent before anything is sent. Act sends once, over a fresh connection, if it
gets to it before the send deadline. Record writes down what is known; what may have been accepted
is never sent again (README, "The paid call").
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update

from service import gate
from service.clock import seconds
from service.database import Database, Transaction
from service.errors import FenceClosed
from service.faults import fault_point
from service.generation import Catalogue
from service.ids import new_id
from service.logs import get_log
from service.models import Attempt, jobs
from service.moves import Moves, note
from service.states import AttemptOutcome, ErrorCode, Status
from service.upstream import Accepted, NotSent, Refused, SubmitOutcome, Unknown

log = get_log(__name__)

MAX_BACKOFF_SECONDS = 60.0
#: A submission silent for longer than its deadline and this many timeouts is parked by the sweep.
PARK_AFTER_TIMEOUTS = 7 / 6

TOO_MANY_REQUESTS = 429
#: A bad key or an empty account fails no job; it closes the gate for all.
ACCOUNT_STATUSES = {
    401: "Flux refuses our API key (401)",
    402: "the Flux account is out of credits (402)",
    403: "Flux refuses our API key (403)",
}


class Flux(Protocol):
    """The paid call."""

    def submit(
        self, path: str, body: Mapping[str, Any], before_send: Callable[[], None]
    ) -> SubmitOutcome:
        """Send once and say what became of it."""
        ...


#: Returns `webhook_url` and `webhook_secret` of an attempt, or nothing where Flux cannot call us.
WebhookAddress = Callable[[UUID], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Intent:
    """A job whose one POST is ours to send, until `send_by` on the monotonic clock."""

    job_id: UUID
    attempt_id: UUID
    attempt_number: int
    model: str
    input: Mapping[str, Any]
    tries: int
    send_by: float


@dataclass(frozen=True)
class Submit:
    """The step of the submit lane."""

    database: Database
    moves: Moves
    catalogue: Catalogue
    flux: Flux
    webhook_address: WebhookAddress
    provider: str
    max_active: int
    send_deadline_seconds: float
    timeout_seconds: float
    unconfirmed_grace_seconds: float
    poll_after_seconds: float

    def claim(self, limit: int) -> list[Intent]:
        """Commit the intent to pay for as many queued jobs as there are slots and an open gate."""
        send_by = time.monotonic() + self.send_deadline_seconds
        with self.database.transaction() as tx:
            room = min(limit, gate.room(tx, self.provider, self.max_active))
            intents = self._take(tx, room, send_by) if room else []
        if intents:
            fault_point("submit.after_intent")
        return intents

    def act(self, claim: Intent) -> SubmitOutcome:
        """Send the paid POST, once."""
        began = time.monotonic()

        def fence() -> None:
            if time.monotonic() > claim.send_by:
                raise FenceClosed("too late after the intent; nothing was sent")

        try:
            path = self.catalogue[claim.model].path
            body = {**claim.input, **self.webhook_address(claim.attempt_id)}
            outcome = self.flux.submit(path, body, fence)
        except FenceClosed as error:
            outcome = NotSent(str(error))
        except Exception as error:
            # a bug of ours after the first byte could mean a paid job: fail safe
            log.exception("submit_crashed", job_id=str(claim.job_id))
            outcome = Unknown(type(error).__name__)
        fault_point("submit.after_send")
        log.info(
            "submit_attempt",
            job_id=str(claim.job_id),
            attempt=claim.attempt_number,
            outcome=type(outcome).__name__.lower(),
            duration_ms=round((time.monotonic() - began) * 1000),
            task_id=outcome.task_id if isinstance(outcome, Accepted) else None,
            reason=None if isinstance(outcome, Accepted) else outcome.reason,
        )
        return outcome

    def record(self, ended: list[tuple[Intent, SubmitOutcome]]) -> None:
        """Write down every outcome; a webhook may have moved the job on already."""
        with self.database.transaction() as tx:
            for intent, outcome in ended:
                match outcome:
                    case Accepted():
                        self._accepted(tx, intent, outcome)
                    case NotSent():
                        _close_attempt(tx, intent, AttemptOutcome.NOT_SENT, error=outcome.reason)
                        self._requeue(tx, intent, outcome.reason, _backoff_seconds(intent.tries))
                    case Refused():
                        self._refused(tx, intent, outcome)
                    case Unknown():
                        self._unknown(tx, intent, outcome)
        fault_point("submit.after_record")

    def _take(self, tx: Transaction, room: int, send_by: float) -> list[Intent]:
        waiting = (
            select(jobs.c.id)
            .where(
                jobs.c.status == Status.QUEUED,
                jobs.c.due_at <= func.now(),
                jobs.c.provider == self.provider,
                or_(jobs.c.expires_at.is_(None), jobs.c.expires_at > func.now()),
            )
            .order_by(jobs.c.priority.desc(), jobs.c.due_at)
            .limit(room)
            .with_for_update(skip_locked=True)
        )
        silent = self.send_deadline_seconds + self.timeout_seconds * PARK_AFTER_TIMEOUTS
        rows = tx.rows(
            update(jobs)
            .where(jobs.c.id.in_(waiting.scalar_subquery()), jobs.c.status == Status.QUEUED)
            .values(
                status=Status.SUBMITTING,
                due_at=func.now() + seconds(silent),
                attempt_count=jobs.c.attempt_count + 1,
                event_seq=jobs.c.event_seq + 1,
            )
            .returning(*jobs.c)
        )
        if not rows:
            return []
        gate.probe_sent(tx, self.provider)
        intents = [
            Intent(row.id, new_id(), row.attempt_count, row.model, row.input, row.tries, send_by)
            for row in rows
        ]
        tx.execute(
            insert(Attempt).values(
                [
                    {
                        "id": intent.attempt_id,
                        "job_id": intent.job_id,
                        "number": intent.attempt_number,
                        "provider": self.provider,
                    }
                    for intent in intents
                ]
            )
        )
        note(tx, rows, Status.SUBMITTING, "Sending it to Flux")
        return intents

    def _accepted(self, tx: Transaction, intent: Intent, outcome: Accepted) -> None:
        gate.answered(tx, self.provider, self.max_active)
        _close_attempt(
            tx,
            intent,
            AttemptOutcome.ACCEPTED,
            task_id=outcome.task_id,
            http_status=outcome.http_status,
            cost=outcome.cost,
        )
        facts: dict[str, Any] = {
            "task_id": outcome.task_id,
            "polling_url": outcome.polling_url,
            "cost_actual": outcome.cost,
            "submitted_at": func.now(),
        }
        moved = self.moves.move(
            tx,
            intent.job_id,
            Status.GENERATING,
            "Flux accepted it",
            attempt_number=intent.attempt_number,
            detail={"task_id": outcome.task_id},
            due_at=func.now() + seconds(self.poll_after_seconds),
            **facts,
        )
        if moved is None:
            # the webhook overtook the answer: keep its state, add what only the answer knew
            tx.execute(
                update(jobs)
                .where(
                    jobs.c.id == intent.job_id,
                    jobs.c.attempt_count == intent.attempt_number,
                    jobs.c.submitted_at.is_(None),
                )
                .values(**facts)
            )

    def _refused(self, tx: Transaction, intent: Intent, outcome: Refused) -> None:
        _close_attempt(
            tx,
            intent,
            AttemptOutcome.REFUSED,
            http_status=outcome.http_status,
            error=outcome.reason,
        )
        if outcome.http_status == TOO_MANY_REQUESTS:
            gate.shrink(tx, self.provider)
            wait = outcome.retry_after_seconds
            self._requeue(tx, intent, "Flux has no free slot (429)", wait)
        elif outcome.http_status in ACCOUNT_STATUSES:
            reason = ACCOUNT_STATUSES[outcome.http_status]
            gate.close(tx, self.provider, reason)
            self._requeue(tx, intent, reason, 1.0)
        else:
            gate.answered(tx, self.provider, self.max_active)
            self.moves.fail(
                tx,
                intent.job_id,
                ErrorCode.UPSTREAM_REJECTED,
                f"Flux refused the request: {outcome.reason}",
                attempt_number=intent.attempt_number,
                upstream_status=outcome.http_status,
            )

    def _requeue(self, tx: Transaction, intent: Intent, reason: str, wait: float) -> None:
        self.moves.move(
            tx,
            intent.job_id,
            Status.QUEUED,
            f"Back in the queue, nothing was charged: {reason}",
            attempt_number=intent.attempt_number,
            tries=intent.tries + 1,
            due_at=func.now() + seconds(wait),
        )

    def _unknown(self, tx: Transaction, intent: Intent, outcome: Unknown) -> None:
        gate.unanswered(tx, self.provider)
        moved = self.moves.move(
            tx,
            intent.job_id,
            Status.UNCONFIRMED,
            f"Sent, but Flux's answer was lost ({outcome.reason}); waiting for its webhook",
            attempt_number=intent.attempt_number,
            due_at=func.now() + seconds(self.unconfirmed_grace_seconds),
        )
        if moved is not None:
            _close_attempt(
                tx,
                intent,
                AttemptOutcome.UNKNOWN,
                http_status=outcome.http_status,
                error=outcome.reason,
            )


def _close_attempt(tx: Transaction, intent: Intent, outcome: AttemptOutcome, **facts: Any) -> None:  # noqa: ANN401
    tx.execute(
        update(Attempt)
        .where(Attempt.id == intent.attempt_id)
        .values(outcome=outcome, ended_at=func.now(), **facts)
    )


def _backoff_seconds(tries: int) -> float:
    """Return 1 s doubling to a minute, half of it by chance, so that hosts do not march in step."""
    ceiling = min(MAX_BACKOFF_SECONDS, 2.0 ** min(tries, 10))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
