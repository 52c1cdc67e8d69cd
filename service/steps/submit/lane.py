"""Submit: the paid call. At most one POST per attempt, at most one live attempt per job.

Claim commits the intent before anything is sent. Act sends once, over a fresh connection, if it
gets to it before the send deadline. Record writes down what is known; what may have been accepted
is never sent again (README, "The paid call").
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import (
    Executable,
    Float,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service import gate, turns
from service.clock import seconds
from service.constants import constant
from service.database import Database, Transaction
from service.errors import DatabaseUnavailable
from service.faults import fault_point
from service.ids import new_id
from service.logs import get_log
from service.models import Attempt, jobs
from service.states import Status
from service.steps.submit.lease import Lease
from service.steps.submit.outcomes import Outcomes
from service.steps.submit.send import Intent, Send
from service.steps.submit.slips import Slips
from service.timeline import noted
from service.upstream import Accepted, Refused, SubmitOutcome, Unknown

log = get_log(__name__)


@dataclass(frozen=True)
class Submit:
    """The step of the submit lane."""

    database: Database
    send: Send
    lease: Lease
    slips: Slips
    outcomes: Outcomes
    #: Says why nothing may be bought now, if so: it could not be kept, or not be heard of.
    may_spend: Callable[[], str | None]
    #: Those that we pay, by preference.
    providers: Sequence[str]
    #: Tasks that each of them may hold of us, in all and of the models with slots of their own.
    limits: gate.Slots
    probes: gate.Probes
    #: Intents of ours of which nobody knows whether they are committed.
    unclear: list[Intent] = field(default_factory=list)

    def claim(self, limit: int) -> list[Intent]:
        """Commit the intent to pay for as many queued jobs as there are slots and an open gate."""
        self._inherit()
        open_to = self.providers if self.may_spend() is None else ()
        intents = self._recovered()
        for provider in open_to:
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
            # circle
            in_order = sorted(ended, key=lambda pair: pair[0].job_id)
            self._tell_gates(tx, self.outcomes.write(tx, in_order))
            fault_point("submit.before_record_commit")
        fault_point("submit.after_record")
        self.slips.drop(intent.attempt_id for intent, _ in ended)
        fault_point("submit.after_drop")

    def _tell_gates(self, tx: Transaction, news: list[tuple[Intent, SubmitOutcome]]) -> None:
        answers: Counter[tuple[str, str]] = Counter()
        for intent, outcome in sorted(news, key=lambda pair: pair[0].provider):
            match outcome:
                case Unknown():
                    gate.unanswered(tx, intent.provider, self.probes)
                case Refused(http_status=status) if status == gate.TOO_MANY_REQUESTS:
                    gate.shrink(tx, intent.provider, intent.pool)
                case Refused(http_status=status) if status in gate.ACCOUNT_STATUSES:
                    reason = gate.ACCOUNT_STATUSES[status]
                    gate.close(tx, intent.provider, reason, self.probes)
                case Accepted() | Refused():
                    answers[intent.provider, intent.pool] += 1
        for (provider, pool), count in sorted(answers.items()):
            gate.answered(tx, provider, pool, self.limits, count=count)

    def _claim_of(self, provider: str, limit: int) -> list[Intent]:
        send_by = self.lease.send_by()
        attempt_ids = [new_id() for _ in range(limit)]
        self.slips.hold(attempt_ids)
        taken: list[Intent] = []
        try:
            with self.database.transaction() as tx:
                room = gate.room(tx, provider, self.limits)
                free = {pool: min(limit, slots) for pool, slots in room.items()}
                if free[gate.ACCOUNT]:
                    taken = self._take(tx, provider, free, send_by, attempt_ids)
                if taken:
                    fault_point("submit.before_claim_commit")
        except DatabaseUnavailable:
            self.unclear.extend(taken)
            raise
        finally:
            self.slips.release(attempt_ids[len(taken) :])
        return taken

    def _recovered(self) -> list[Intent]:
        """Return the intents whose commit was not acknowledged, and happened all the same (F3)."""
        if not self.unclear:
            return []
        asked = {intent.attempt_id for intent in self.unclear}
        with self.database.transaction() as tx:
            there = {row.id for row in tx.rows(select(Attempt.id).where(Attempt.id.in_(asked)))}
        found = [intent for intent in self.unclear if intent.attempt_id in there]
        self.unclear.clear()
        self.slips.release(asked - there)
        return found

    def _inherit(self) -> None:
        """Record what killed workers of this host knew of their intents and did not record."""
        with self.slips.left() as known:
            intents = {one.attempt_id: one for one in self._intents(known)} if known else {}
            for attempt_id, outcome in known.items():
                facts = {"attempt_id": str(attempt_id), "outcome": type(outcome).__name__.lower()}
                if attempt_id not in intents:
                    # rolled back with its claim, or with the whole database
                    log.warning("submit_inherited_in_vain", **facts, said=str(outcome))
                    continue
                try:
                    self.record([(intents[attempt_id], outcome)])
                    log.info("submit_inherited", **facts, job_id=str(intents[attempt_id].job_id))
                except DatabaseUnavailable:
                    raise
                except Exception:
                    # one of them must not keep the lane from all others; the sweep finds its job
                    log.exception("submit_inherit_crashed", **facts)

    def _intents(self, attempt_ids: Iterable[UUID]) -> list[Intent]:
        begun = (
            select(
                jobs.c.id.label("job_id"),
                jobs.c.project_id,
                Attempt.id.label("attempt_id"),
                Attempt.number.label("attempt_number"),
                Attempt.provider,
                jobs.c.pool,
                jobs.c.model,
                jobs.c.input,
                jobs.c.tries,
            )
            .join_from(Attempt, jobs, Attempt.job_id == jobs.c.id)
            .where(Attempt.id.in_(list(attempt_ids)))
        )
        with self.database.transaction() as tx:
            return [Intent(**row._asdict(), send_by=0.0) for row in tx.rows(begun)]

    def _take(
        self,
        tx: Transaction,
        provider: str,
        free: gate.Slots,
        send_by: float,
        attempt_ids: Sequence[UUID],
    ) -> list[Intent]:
        asked = {
            **turns.asked(provider, free),
            "silent_seconds": self.lease.silent_seconds,
            "attempt_ids": attempt_ids,
        }
        rows = tx.rows(_TAKE, asked)
        if rows and free[gate.ACCOUNT] == 1:
            # behind a closed gate there is room for one at most
            gate.probe_sent(tx, provider, self.probes)
        return [Intent(**row._asdict(), provider=provider, send_by=send_by) for row in rows]


def _take() -> Executable:
    """Take whose turn it is, with an attempt and a line for each, in one statement."""
    taken = (
        update(jobs)
        .where(jobs.c.id.in_(select(turns.turns().c.id)))
        .values(
            status=constant(Status.SUBMITTING),
            due_at=func.now() + seconds(bindparam("silent_seconds", type_=Float)),
            attempt_count=jobs.c.attempt_count + constant(1),
            event_seq=jobs.c.event_seq + constant(1),
        )
        .returning(
            jobs.c.id,
            jobs.c.project_id,
            jobs.c.event_seq,
            jobs.c.attempt_count,
            jobs.c.pool,
            jobs.c.model,
            jobs.c.input,
            jobs.c.tries,
        )
        .cte("taken")
    )
    ids = (
        func.unnest(bindparam("attempt_ids", type_=ARRAY(Uuid)))
        .table_valued(column("attempt_id", Uuid), with_ordinality="place", name="ids")
        .render_derived()
    )
    numbered = select(taken, func.row_number().over().label("place")).subquery()
    begun = (
        select(numbered, ids.c.attempt_id).join(ids, ids.c.place == numbered.c.place).cte("begun")
    )
    attempt = select(
        begun.c.attempt_id, begun.c.id, begun.c.attempt_count, bindparam("of_provider", type_=Text)
    )
    attempts = (
        insert(Attempt)
        .from_select(["id", "job_id", "number", "provider"], attempt)
        .returning(Attempt.id)
        .cte("attempts_begun")
    )
    line = select(
        begun.c.id.label("of_job"),
        literal("Sending it to Flux").label("told_message"),
        func.jsonb_build_object("attempt", begun.c.attempt_count).label("told_detail"),
    ).subquery()
    return select(
        begun.c.id.label("job_id"),
        begun.c.project_id,
        begun.c.attempt_id,
        begun.c.attempt_count.label("attempt_number"),
        begun.c.pool,
        begun.c.model,
        begun.c.input,
        begun.c.tries,
    ).add_cte(attempts, noted(begun, Status.SUBMITTING, line))


_TAKE = _take()
