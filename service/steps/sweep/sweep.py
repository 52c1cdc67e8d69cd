"""Sweep: nothing that is due is forgotten, whatever was lost on the way.

Runs every second or so, on any host, any number at a time: each move is a compare-and-set and only
one sweep works at once. It ends waits that nobody else can end, and rings the lanes that have due
rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Exists, Row, exists, func, select, update

from service import gate
from service.constants import constant
from service.database import Database, Transaction
from service.faults import fault_point
from service.generation import Catalogue
from service.logs import get_log
from service.messages import Message
from service.models import Attempt, Delivery, DeliveryStatus, Image, jobs
from service.moves import After, Moves
from service.pulses import SWEEP_PULSE, beat
from service.settings import OnUnconfirmed
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.sweep.complete import complete
from service.steps.sweep.grace import GraceClock
from service.steps.sweep.settle import settle
from service.timeline import note

log = get_log(__name__)

#: Rows ended per sweep and kind; the next sweep goes on.
BATCH = 200
#: Any number that no other advisory lock of this database uses.
_LOCK = 0x6461726B


def due(message: Message) -> Exists:
    """Return whether a lane has a row whose time has come."""
    match message:
        case Message.SUBMIT:
            return _due_job(Status.QUEUED)
        case Message.POLL:
            return _due_job(Status.GENERATING)
        case Message.STORE:
            return _due_job(Status.STORING)
        case Message.DELIVER:
            return exists().where(
                Delivery.status == constant(DeliveryStatus.PENDING), Delivery.due_at <= func.now()
            )
        case _:
            return exists().where(Image.due_at <= func.now())


LANES = (Message.SUBMIT, Message.POLL, Message.STORE, Message.DELIVER, Message.DERIVE)


@dataclass(frozen=True)
class Sweep:
    """The clock's step."""

    database: Database
    moves: Moves
    catalogue: Catalogue
    #: Those that we pay, by preference, and those that we know of but do not pay any more.
    providers: Sequence[str]
    retired_providers: Sequence[str]
    grace: GraceClock
    probes: gate.Probes

    def __call__(self, *, by_beat: bool = False) -> None:
        """Run once; does nothing while another sweep runs.

        Workers sweep by themselves too. Only what `by_beat` is set off is a sign that beat lives.
        """
        with self.database.transaction() as tx:
            if tx.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
                self._sweep(tx)
            if by_beat:
                beat(tx, SWEEP_PULSE)
        fault_point("sweep.after_commit")

    def _sweep(self, tx: Transaction) -> None:
        self.grace.tick(tx)
        parked = self._park_silent(tx)
        self._end_unconfirmed(tx)
        self._fail_expired(tx)
        self._reroute(tx)
        settle(tx)
        complete(tx, self.moves.documents.base_url)
        # gates after jobs, as everybody locks them
        for provider, count in sorted(parked.items()):
            gate.unanswered(tx, provider, self.probes, count)
        waiting = tx.first(select(*(due(lane).label(lane.name) for lane in LANES)))
        for lane in LANES:
            if waiting is not None and getattr(waiting, lane.name):
                tx.ring_after_commit(lane)

    def _park_silent(self, tx: Transaction) -> Mapping[str, int]:
        """A worker died, or lost the database, around the paid POST: it may have been accepted.

        Returns how many were parked, by provider.
        """
        parked: Counter[str] = Counter()
        for row in self._overdue(tx, Status.SUBMITTING):
            moved = self.moves.move(
                tx,
                row.id,
                Status.UNCONFIRMED,
                "The worker that sent it fell silent; waiting for Flux's webhook",
                attempt_number=row.attempt_count,
                due_at=After(self.grace.seconds),
            )
            if moved is not None:
                log.warning("submission_parked", job_id=str(row.id))
                self._close(tx, row, AttemptOutcome.UNKNOWN)
                parked[row.provider] += 1
        return parked

    def _end_unconfirmed(self, tx: Transaction) -> None:
        """The grace is over and nobody spoke up for the submission."""
        for row in self._overdue(tx, Status.UNCONFIRMED):
            if row.on_unconfirmed is OnUnconfirmed.RESUBMIT and not row.resubmitted:
                moved = self._send_once_more(tx, row)
            else:
                moved = self.moves.fail(
                    tx,
                    row.id,
                    ErrorCode.SUBMISSION_UNCONFIRMED,
                    "Flux never said whether it accepted the job; it was not sent again, "
                    "because it may have been charged",
                    attempt_number=row.attempt_count,
                )
            if moved is not None:
                log.error("submission_unconfirmed", job_id=str(row.id), becomes=moved.status.value)
                self._close(tx, row, AttemptOutcome.WRITTEN_OFF)
                fault_point("sweep.before_commit")

    def _send_once_more(self, tx: Transaction, row: Row[Any]) -> Row[Any] | None:
        return self.moves.move(
            tx,
            row.id,
            Status.QUEUED,
            "Flux never said whether it accepted the job; it is sent once more, as was asked for, "
            "though it may have been charged",
            attempt_number=row.attempt_count,
            due_at=After(0),
            resubmitted=True,
        )

    def _fail_expired(self, tx: Transaction) -> None:
        expired = (
            select(jobs.c.id, jobs.c.resubmitted)
            .where(jobs.c.status == constant(Status.QUEUED), jobs.c.expires_at <= func.now())
            .limit(constant(BATCH))
            .with_for_update(skip_locked=True)
        )
        for row in tx.rows(expired):
            sent = "sent once more" if row.resubmitted else "started"
            self.moves.fail(tx, row.id, ErrorCode.EXPIRED, f"It was not {sent} by its expires_at")

    def _reroute(self, tx: Transaction) -> None:
        """Nobody submits to a provider that is not paid any more: what waits for it goes on."""
        if not self.retired_providers:
            return
        for provider in self.providers:
            models = self.catalogue.models.values()
            served = [model.name for model in models if provider in model.providers]
            stranded = (
                select(jobs.c.id)
                .where(
                    jobs.c.status == constant(Status.QUEUED),
                    jobs.c.provider.in_(self.retired_providers),
                    jobs.c.model.in_(served),
                )
                .limit(constant(BATCH))
                .with_for_update(skip_locked=True)
                .cte()
            )
            rows = tx.rows(
                update(jobs)
                .where(jobs.c.id.in_(select(stranded.c.id)))
                .values(provider=provider, event_seq=jobs.c.event_seq + 1)
                .returning(jobs.c.id, jobs.c.event_seq, jobs.c.attempt_count)
            )
            if rows:
                log.info("jobs_rerouted", provider=provider, jobs=len(rows))
                note(tx, rows, Status.QUEUED, f"Goes to {provider}: its provider is not paid now")

    def _overdue(self, tx: Transaction, status: Status) -> list[Any]:
        return tx.rows(
            select(
                jobs.c.id,
                jobs.c.attempt_count,
                jobs.c.provider,
                jobs.c.on_unconfirmed,
                jobs.c.resubmitted,
            )
            .where(jobs.c.status == constant(status), jobs.c.due_at <= func.now())
            .limit(constant(BATCH))
            # who holds a row is moving it: the sweep neither waits nor closes a circle of waits
            .with_for_update(skip_locked=True)
        )

    def _close(self, tx: Transaction, row: Row[Any], outcome: AttemptOutcome) -> None:
        tx.execute(
            update(Attempt)
            .where(Attempt.job_id == row.id, Attempt.number == row.attempt_count)
            .values(outcome=outcome, ended_at=func.now())
        )


def _due_job(status: Status) -> Exists:
    return exists().where(jobs.c.status == constant(status), jobs.c.due_at <= func.now())
