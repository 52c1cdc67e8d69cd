"""Store: the image's bytes are safe in S3 before their URL dies.

Earliest deadline first; the job succeeds only after S3 has confirmed the bytes. What is kept on a
disk has no deadline any more: it comes after the others, and only where that disk is.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import case, func, select, update

from service import poison
from service.clock import seconds
from service.database import Database, Transaction
from service.faults import fault_point
from service.ids import new_id
from service.logs import get_log
from service.messages import Message
from service.metrics import READY_TO_STORED_SECONDS
from service.models import jobs
from service.moves import Change, Moves
from service.recordsets import records
from service.states import ErrorCode, Status
from service.steps.store.born import BEAR, Born
from service.steps.store.bring import (
    Again,
    Bring,
    Kept,
    Lost,
    Outcome,
    Refused,
    Ripe,
    Spool,
    Stored,
)
from service.steps.store.due import asked, claim, ripe_from
from service.steps.store.tidy import say_alive, tidy

log = get_log(__name__)

#: A result that is gone or no image may be a fault that goes away: so many tries, about eight
#: seconds, before it is final.
MAX_TRIES = 6
#: S3's no to one object may be the network's fault (BadDigest): so many, over a minute, are final.
MAX_REFUSALS = 12
MAX_BACKOFF_SECONDS = 10.0
#: When S3 is offered again what is kept; a bucket that is well takes all of it in seconds.
KEPT_RETRY_SECONDS = 2.0


@dataclass(frozen=True)
class Store:
    """The step of the store lane."""

    database: Database
    moves: Moves
    bring: Bring
    deaths: poison.Deaths
    #: Where the image rows say the bytes are.
    bucket: str
    lease_seconds: float

    def claim(self, limit: int) -> list[Ripe]:
        """Take the results whose URLs die first, then those that are kept on this host."""
        self.deaths.count()
        wanted = asked(
            limit,
            self._spool.id,
            max_suspects=0 if self.deaths.suspects else 1,
            lease_seconds=self.lease_seconds,
        )
        with self.database.transaction() as tx:
            rows = tx.rows(claim(is_well=self.bring.vitals.bucket_is_well), wanted)
            spared = poison.spare(tx, self.moves, rows)
            if rows:
                if rows[0].submit_waits:
                    # each has given its slot back
                    tx.ring_after_commit(Message.SUBMIT)
                fault_point("store.before_claim_commit")
        self.deaths.suspects.update(row.id for row in spared if row.deaths)
        if rows:
            fault_point("store.after_claim")
        return [ripe_from(row) for row in spared]

    def act(self, claim: Ripe) -> Outcome:
        """Bring the bytes to S3."""
        began = time.monotonic()
        outcome: Outcome
        try:
            with self.deaths.risked(claim.job_id):
                outcome = self.bring(claim)
        except Exception as error:
            # a bug of ours, likely about this very file: it must not come back for ever
            log.exception("store_crashed", job_id=str(claim.job_id))
            outcome = Again(f"internal error ({type(error).__name__})", ErrorCode.RESULT_INVALID)
        log.info(
            "store_attempt",
            job_id=str(claim.job_id),
            outcome=type(outcome).__name__.lower(),
            bytes=outcome.bytes if isinstance(outcome, Stored) else None,
            reason=None if isinstance(outcome, Stored) else outcome.reason,
            duration_ms=round((time.monotonic() - began) * 1000),
        )
        return outcome

    def record(self, ended: list[tuple[Ripe, Outcome]]) -> None:
        """Commit what S3 has confirmed; plan the next try of the others."""
        with self.database.transaction() as tx:
            in_order = sorted(ended, key=lambda pair: pair[0].job_id)
            self._succeed(
                tx, [(ripe, outcome) for ripe, outcome in in_order if isinstance(outcome, Stored)]
            )
            for ripe, outcome in in_order:
                if not isinstance(outcome, Stored):
                    self._take(tx, ripe, outcome)
            if any(isinstance(outcome, Kept | Refused) for _, outcome in ended):
                say_alive(tx, self._spool.id)
            fault_point("store.before_record_commit")
        fault_point("store.after_record")
        for ripe, outcome in ended:
            if isinstance(outcome, Stored):
                self._spool.drop(ripe.job_id)

    def tidy(self) -> None:
        """Have this host's spool and the table agree."""
        tidy(self.database, self._spool)

    @property
    def _spool(self) -> Spool:
        return self.bring.spool

    def _take(self, tx: Transaction, ripe: Ripe, outcome: Kept | Refused | Lost | Again) -> None:
        match outcome:
            case Kept():
                self._keep(tx, ripe)
            case Refused():
                self._offer_again(tx, ripe, outcome.reason)
            case Lost():
                self._lose(tx, ripe, ErrorCode.RESULT_EXPIRED, outcome.reason)
            case Again(code=ErrorCode() as code) if ripe.tries + 1 >= MAX_TRIES:
                self._lose(tx, ripe, code, outcome.reason)
            case Again():
                self._try_again(tx, ripe)

    def _succeed(self, tx: Transaction, ended: Sequence[tuple[Ripe, Stored]]) -> None:
        if not ended:
            return
        born = [
            Born(ripe, stored, self.bucket, new_id(), datetime.now(UTC)) for ripe, stored in ended
        ]
        changes = [
            Change(
                one.ripe.job_id,
                "The image is in the bucket, its checksum confirmed",
                {"kept_by": None},
                one.ripe.attempt_number,
                one.detail,
                one.shown,
            )
            for one in born
        ]
        moved = self.moves.move_all(tx, Status.SUCCEEDED, changes)
        new = [one for one in born if one.ripe.job_id in moved]
        if not new:
            return
        rows = [one.columns(moved[one.ripe.job_id]) for one in new]
        tx.execute(BEAR, {"said": records(rows)})
        for row in moved.values():
            waited = (row.completed_at - row.generated_at).total_seconds()
            tx.count_after_commit(partial(READY_TO_STORED_SECONDS.observe, waited))
        tx.ring_after_commit(Message.DERIVE)
        if any(one.ripe.rationed for one in new):
            # more of them may wait, and S3 takes them
            tx.ring_after_commit(Message.STORE)

    def _keep(self, tx: Transaction, ripe: Ripe) -> None:
        wait = seconds(KEPT_RETRY_SECONDS)
        self._go_on(tx, ripe, func.now() + wait, kept_by=self._spool.id)

    def _offer_again(self, tx: Transaction, ripe: Ripe, reason: str) -> None:
        if ripe.refusals + 1 >= MAX_REFUSALS:
            said = f"S3 does not take the image: {reason}"
            self._give_up(tx, ripe, ErrorCode.INTERNAL, said, maybe_charged=True)
            return
        then = func.now() + _backoff(ripe.refusals)
        self._go_on(tx, ripe, then, kept_by=self._spool.id, refusals=jobs.c.refusals + 1)

    def _lose(self, tx: Transaction, ripe: Ripe, code: ErrorCode, reason: str) -> None:
        self._give_up(tx, ripe, code, f"The image was lost: {reason}")

    def _give_up(
        self,
        tx: Transaction,
        ripe: Ripe,
        code: ErrorCode,
        message: str,
        **columns: Any,  # noqa: ANN401 - the columns' own types
    ) -> None:
        """Fail the job, unless somebody else has it by now or keeps the bytes."""
        mine = select(jobs.c.kept_by).where(
            jobs.c.id == ripe.job_id, jobs.c.due_at == ripe.leased_until
        )
        row = tx.first(mine.with_for_update())
        if row is None or row.kept_by not in {None, self._spool.id}:
            self._try_again(tx, ripe)
            return
        self.moves.fail(
            tx,
            ripe.job_id,
            code,
            message,
            attempt_number=ripe.attempt_number,
            **columns,
        )

    def _try_again(self, tx: Transaction, ripe: Ripe) -> None:
        wait = _backoff(ripe.tries)
        dies_at = jobs.c.result_expires_at
        # as long as the URL lives, one more try comes before its death
        soon = func.greatest(seconds(0.25), func.least(wait, dies_at - seconds(1.0) - func.now()))
        then = func.now() + case((dies_at > func.now(), soon), else_=wait)
        self._go_on(tx, ripe, then, tries=jobs.c.tries + 1)

    def _go_on(
        self,
        tx: Transaction,
        ripe: Ripe,
        due_at: Any,  # noqa: ANN401 - a SQL expression
        **columns: Any,  # noqa: ANN401 - the columns' own types
    ) -> None:
        """Leave a job in storing; who has lost the lease leaves the plan to who has it."""
        is_ours = jobs.c.due_at == ripe.leased_until
        tx.execute(
            update(jobs)
            .where(
                jobs.c.id == ripe.job_id,
                jobs.c.status == Status.STORING,
                jobs.c.attempt_count == ripe.attempt_number,
            )
            .values(
                due_at=case((is_ours, due_at), else_=jobs.c.due_at),
                **poison.SURVIVED,
                **columns,
            )
        )


def _backoff(times: int) -> Any:  # noqa: ANN401 - a SQL interval
    return seconds(min(MAX_BACKOFF_SECONDS, 0.25 * 2.0 ** min(times, 10)))
