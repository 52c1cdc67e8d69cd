"""How long a job belongs to the worker that is about to pay for it."""

import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, update

from service.clock import seconds
from service.database import Database
from service.models import jobs
from service.states import Status

#: A submission silent for longer than its deadline and this many timeouts is parked by the sweep.
PARK_AFTER_TIMEOUTS = 7 / 6


@dataclass(frozen=True)
class Lease:
    """From the intent to the send by this host's clock, and to the parking by the database's."""

    database: Database
    send_deadline_seconds: float
    timeout_seconds: float

    @property
    def silent_seconds(self) -> float:
        """After which the sweep takes the worker for dead; longer than send and answer can take."""
        return self.send_deadline_seconds + self.timeout_seconds * PARK_AFTER_TIMEOUTS

    @property
    def reading_seconds(self) -> float:
        """What reading pictures may take besides; leaves time to renew before the parking."""
        return self.timeout_seconds / 2

    def send_by(self) -> float:
        """Return when an intent of this moment must have been sent, on the monotonic clock."""
        return time.monotonic() + self.send_deadline_seconds

    def renew(self, job_id: UUID, attempt_number: int) -> float | None:
        """Begin the time of an attempt anew, before anything of it was sent.

        Returns:
            As `send_by`, or None if the job has been parked meanwhile.

        Raises:
            DatabaseUnavailable: it may have been renewed all the same; the old time counts.
        """
        send_by = self.send_by()
        with self.database.transaction() as tx:
            is_ours = tx.execute(
                update(jobs)
                .where(
                    jobs.c.id == job_id,
                    jobs.c.attempt_count == attempt_number,
                    jobs.c.status == Status.SUBMITTING,
                )
                .values(due_at=func.now() + seconds(self.silent_seconds))
            )
        return send_by if is_ours else None
