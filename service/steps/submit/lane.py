"""Submit: the paid call. At most one POST per attempt, at most one live attempt per job.

Claim commits the intent before anything is sent. Act sends once, over a fresh connection, if it
gets to it before the send deadline. Record writes down what is known; what may have been accepted
is never sent again (README, "The paid call").
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, func, insert, select, update

from service import gate
from service.clock import seconds
from service.database import Database, Transaction
from service.errors import DatabaseUnavailable
from service.faults import fault_point
from service.ids import new_id
from service.logs import get_log
from service.metrics import SUBMISSIONS
from service.models import Attempt, jobs
from service.moves import Moves, note
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.submit.lease import Lease
from service.steps.submit.send import Intent, Send
from service.upstream import Accepted, NotSent, Refused, SubmitOutcome, Unknown, Unusable

log = get_log(__name__)

MAX_BACKOFF_SECONDS = 60.0

TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class Submit:
    """The step of the submit lane."""

    database: Database
    moves: Moves
    send: Send
    lease: Lease
    #: False while results that S3 does not take nearly fill this host's spool.
    may_spend: Callable[[], bool]
    #: Those that we pay, by preference.
    providers: Sequence[str]
    #: Tasks that each of them may hold of us, in all and of the models with slots of their own.
    limits: gate.Slots
    unconfirmed_grace_seconds: float
    #: First question about a job of a model, seconds after its submission.
    poll_after_seconds: Callable[[str], float]
    #: Intents of ours of which nobody knows whether they are committed.
    unclear: list[Intent] = field(default_factory=list)

    def claim(self, limit: int) -> list[Intent]:
        """Commit the intent to pay for as many queued jobs as there are slots and an open gate."""
        if not self.may_spend():
            log.warning("submit_held", reason="the spool of results is nearly full")
            return []
        intents = self._recovered()
        for provider in self.providers:
            try:
                if len(intents) < limit:
                    intents += self._claim_of(provider, limit - len(intents))
            except Exception:
                # what is committed has to be sent: nobody else ever will
                if not intents:
                    raise
                log.exception("submit_claim_cut_short", provider=provider)
                break
        if intents:
            fault_point("submit.after_intent")
        return intents

    def act(self, claim: Intent) -> SubmitOutcome:
        """Send the paid POST, once."""
        return self.send(claim)

    def record(self, ended: list[tuple[Intent, SubmitOutcome]]) -> None:
        """Write down every outcome; a webhook may have moved the job on already."""
        with self.database.transaction() as tx:
            # rows in one order, a job before its attempt, and the gates last: nobody waits in a
            # circle. What was written down before, its commit unacknowledged, is not told again.
            news = [
                (intent, outcome)
                for intent, outcome in sorted(ended, key=lambda pair: pair[0].job_id)
                if self._write(tx, intent, outcome)
            ]
            for intent, outcome in sorted(news, key=lambda pair: pair[0].provider):
                self._tell_gate(tx, intent, outcome)
        fault_point("submit.after_record")

    def _write(self, tx: Transaction, intent: Intent, outcome: SubmitOutcome) -> bool:
        """Write down an outcome; False if that changes nothing."""
        tx.count_after_commit(SUBMISSIONS.labels(outcome=type(outcome).__name__.lower()).inc)
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

    def _tell_gate(self, tx: Transaction, intent: Intent, outcome: SubmitOutcome) -> None:
        match outcome:
            case Unknown():
                gate.unanswered(tx, intent.provider)
            case Refused(http_status=status) if status == TOO_MANY_REQUESTS:
                gate.shrink(tx, intent.provider, intent.pool)
            case Refused(http_status=status) if status in gate.ACCOUNT_STATUSES:
                gate.close(tx, intent.provider, gate.ACCOUNT_STATUSES[status])
            case Accepted() | Refused():
                gate.answered(tx, intent.provider, intent.pool, self.limits)

    def _claim_of(self, provider: str, limit: int) -> list[Intent]:
        send_by = self.lease.send_by()
        taken: list[Intent] = []
        try:
            with self.database.transaction() as tx:
                room = gate.room(tx, provider, self.limits)
                free = {pool: min(limit, slots) for pool, slots in room.items()}
                taken = self._take(tx, provider, free, send_by) if free[gate.ACCOUNT] else []
        except DatabaseUnavailable:
            self.unclear.extend(taken)
            raise
        return taken

    def _recovered(self) -> list[Intent]:
        """Return the intents whose commit was not acknowledged, and happened all the same (F3)."""
        if not self.unclear:
            return []
        asked = [intent.attempt_id for intent in self.unclear]
        with self.database.transaction() as tx:
            there = {row.id for row in tx.rows(select(Attempt.id).where(Attempt.id.in_(asked)))}
        found = [intent for intent in self.unclear if intent.attempt_id in there]
        self.unclear.clear()
        return found

    def _take(
        self, tx: Transaction, provider: str, free: gate.Slots, send_by: float
    ) -> list[Intent]:
        rows = tx.rows(
            update(jobs)
            .where(jobs.c.id.in_(select(gate.turns(provider, free).c.id)))
            .values(
                status=Status.SUBMITTING,
                due_at=func.now() + seconds(self.lease.silent_seconds),
                attempt_count=jobs.c.attempt_count + 1,
                event_seq=jobs.c.event_seq + 1,
            )
            .returning(*jobs.c)
        )
        if not rows:
            return []
        gate.probe_sent(tx, provider)
        intents = [
            Intent(
                job_id=row.id,
                project_id=row.project_id,
                attempt_id=new_id(),
                attempt_number=row.attempt_count,
                provider=provider,
                pool=row.pool,
                model=row.model,
                input=row.input,
                tries=row.tries,
                send_by=send_by,
            )
            for row in rows
        ]
        begun = [
            {"id": one.attempt_id, "job_id": one.job_id, "number": one.attempt_number}
            for one in intents
        ]
        tx.execute(insert(Attempt).values([{**one, "provider": provider} for one in begun]))
        note(tx, rows, Status.SUBMITTING, "Sending it to Flux")
        return intents

    def _accepted(self, tx: Transaction, intent: Intent, outcome: Accepted) -> bool:
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
            due_at=func.now() + seconds(self.poll_after_seconds(intent.model)),
            **facts,
        )
        if moved is None:
            # a webhook overtook the answer: keep its state, add what only the answer knew
            mine = and_(jobs.c.id == intent.job_id, jobs.c.attempt_count == intent.attempt_number)
            kept = {name: func.coalesce(jobs.c[name], fact) for name, fact in facts.items()}
            tx.execute(update(jobs).where(mine).values(kept))
        return _close_attempt(
            tx,
            intent,
            AttemptOutcome.ACCEPTED,
            task_id=outcome.task_id,
            http_status=outcome.http_status,
            cost=outcome.cost,
        )

    def _not_sent(self, tx: Transaction, intent: Intent, outcome: NotSent) -> bool:
        moved = self._requeue(tx, intent, outcome.reason, _backoff_seconds(intent.tries))
        return moved and _close_attempt(tx, intent, AttemptOutcome.NOT_SENT, error=outcome.reason)

    def _unusable(self, tx: Transaction, intent: Intent, outcome: Unusable) -> bool:
        moved = self.moves.fail(
            tx,
            intent.job_id,
            ErrorCode.INTERNAL,
            f"It could not be sent, nothing was charged: {outcome.reason}",
            attempt_number=intent.attempt_number,
        )
        return moved is not None and _close_attempt(
            tx, intent, AttemptOutcome.NOT_SENT, error=outcome.reason
        )

    def _refused(self, tx: Transaction, intent: Intent, outcome: Refused) -> bool:
        status = outcome.http_status
        if status == TOO_MANY_REQUESTS:
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
            tx, intent, AttemptOutcome.REFUSED, http_status=status, error=outcome.reason
        )

    def _requeue(self, tx: Transaction, intent: Intent, reason: str, wait: float) -> bool:
        moved = self.moves.move(
            tx,
            intent.job_id,
            Status.QUEUED,
            f"Back in the queue, nothing was charged: {reason}",
            attempt_number=intent.attempt_number,
            tries=intent.tries + 1,
            due_at=func.now() + seconds(wait),
        )
        return moved is not None

    def _unknown(self, tx: Transaction, intent: Intent, outcome: Unknown) -> bool:
        moved = self.moves.move(
            tx,
            intent.job_id,
            Status.UNCONFIRMED,
            f"Sent, but Flux's answer was lost ({outcome.reason}); waiting for its webhook",
            attempt_number=intent.attempt_number,
            due_at=func.now() + seconds(self.unconfirmed_grace_seconds),
        )
        return moved is not None and _close_attempt(
            tx,
            intent,
            AttemptOutcome.UNKNOWN,
            http_status=outcome.http_status,
            error=outcome.reason,
        )


def _close_attempt(tx: Transaction, intent: Intent, outcome: AttemptOutcome, **facts: Any) -> bool:  # noqa: ANN401
    """Write down what the attempt's worker knows; False if it did so before."""
    mine = and_(Attempt.id == intent.attempt_id, Attempt.http_status.is_(None))
    closed = update(Attempt).where(mine).values(outcome=outcome, ended_at=func.now(), **facts)
    return bool(tx.execute(closed))


def _backoff_seconds(tries: int) -> float:
    """Return 1 s doubling to a minute, half of it by chance, so that hosts do not march in step."""
    ceiling = min(MAX_BACKOFF_SECONDS, 2.0 ** min(tries, 10))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
