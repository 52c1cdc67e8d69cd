"""The clock by which unconfirmed submissions are given up.

It stands still while nobody sweeps, as with the database away or no worker alive, and while Flux
could not reach us: what nobody could hear of is no proof of anything.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, literal, select, update

from service.clock import seconds
from service.constants import constant
from service.database import Transaction
from service.models import Pulse, jobs
from service.pulses import beat
from service.states import Status
from service.vitals import RECEIVER_FORGOTTEN_SECONDS, RECEIVER_PULSE

PULSE = "grace"
#: What is longer between two sweeps, two intervals of beat besides, is a pause.
PAUSE_SECONDS = 5.0
#: A receiver that was not reached for this long is away.
RECEIVER_SILENT_SECONDS = 30.0


@dataclass(frozen=True)
class GraceClock:
    """Puts off the end of every grace by the time that did not count."""

    #: How long a submission may be proved by a webhook.
    seconds: float
    sweep_interval_seconds: float
    #: Whether Flux is told to call us at all.
    webhooks_wanted: bool

    def tick(self, tx: Transaction) -> None:
        """Look how long it has been since the last tick; sweeps tick one after another."""
        since = func.now() - Pulse.at
        pause = seconds(PAUSE_SECONDS + 2 * self.sweep_interval_seconds)
        lost = case((self._is_unreachable(), since), (since > pause, since - pause))
        lost_time = tx.scalar(select(lost).where(Pulse.name == PULSE))
        if lost_time:
            self._put_off(tx, lost_time)
        beat(tx, PULSE)

    def _is_unreachable(self) -> ColumnElement[bool]:
        if not self.webhooks_wanted:
            return literal(False)
        heard = Pulse.__table__.alias("heard")
        silent = func.now() - heard.c.at
        return exists().where(
            heard.c.name == RECEIVER_PULSE,
            silent > seconds(RECEIVER_SILENT_SECONDS),
            silent < seconds(RECEIVER_FORGOTTEN_SECONDS),
        )

    def _put_off(self, tx: Transaction, lost_time: Any) -> None:  # noqa: ANN401 - an interval
        waiting = (
            select(jobs.c.id)
            .where(jobs.c.status == constant(Status.UNCONFIRMED))
            # who holds a row is moving it
            .with_for_update(skip_locked=True)
            .cte()
        )
        # what was parked meanwhile has not waited for so long
        latest = func.now() + seconds(self.seconds)
        tx.execute(
            update(jobs)
            .where(jobs.c.id.in_(select(waiting.c.id)))
            .values(due_at=func.least(jobs.c.due_at + lost_time, latest))
        )
