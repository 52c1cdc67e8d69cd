"""Many jobs withdrawn or tried again at one person's word."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select

from service.errors import CallerError, CreditsSpent, QueueFull
from service.logs import get_log
from service.models import jobs
from service.states import Status
from service.steps.enqueue.accept import Enqueue

#: A person waits for it, seconds; what is left then is said.
MAX_SECONDS = 10.0
#: In one transaction.
CANCELED_AT_A_TIME = 100

log = get_log(__name__)


@dataclass
class TriedAgain:
    """What became of jobs that were to be tried again."""

    count: int = 0
    #: Those that would not be accepted any more, and why the first of them.
    refused: int = 0
    refusal: CallerError | None = None
    #: Why the rest was not begun, if the project's limit is to blame.
    stopped: CallerError | None = None
    #: Neither tried nor refused.
    left: int = 0


@dataclass(frozen=True)
class Together:
    """Acts on one project's jobs, one after the other, for some seconds at most."""

    enqueue: Enqueue

    def cancel(self, project_id: UUID, job_ids: Sequence[UUID]) -> tuple[int, int]:
        """Withdraw jobs; return how many were, and how many were not looked at for want of time.

        One that has left the queue meanwhile is left alone.
        """
        count = seen = 0
        for some in _in_time(job_ids, CANCELED_AT_A_TIME):
            with self.enqueue.database.transaction() as tx:
                mine = {"of_project": project_id, "some": sorted(some)}
                for row in tx.rows(_WITHDRAWABLE, mine):
                    count += self.enqueue.withdraw(tx, row.id) is not None
            seen += len(some)
        log.info("jobs_canceled_together", project_id=str(project_id), jobs=count)
        return count, len(job_ids) - seen

    def retry(self, project_id: UUID, job_ids: Sequence[UUID]) -> TriedAgain:
        """Try ended jobs again, each at most once however often and by however many it is asked."""
        done = TriedAgain(left=len(job_ids))
        for (job_id,) in _in_time(job_ids):
            try:
                again = self.enqueue.retry(project_id, job_id, f"retried-together-{job_id.hex}")
            except (QueueFull, CreditsSpent) as error:
                done.stopped = error
                break
            except CallerError as error:
                done.refused += 1
                done.refusal = done.refusal or error
            else:
                done.count += not again.replayed
            done.left -= 1
        log.info("jobs_retried_together", project_id=str(project_id), jobs=done.count)
        return done


def _in_time(job_ids: Sequence[UUID], at_a_time: int = 1) -> Iterator[Sequence[UUID]]:
    end = time.monotonic() + MAX_SECONDS
    for start in range(0, len(job_ids), at_a_time):
        if time.monotonic() >= end:
            return
        yield job_ids[start : start + at_a_time]


#: Locked in the order of the ids: nobody waits in a circle.
_WITHDRAWABLE = (
    select(jobs.c.id)
    .where(
        jobs.c.project_id == bindparam("of_project"),
        jobs.c.id.in_(bindparam("some", expanding=True)),
        jobs.c.status == Status.QUEUED,
        ~jobs.c.resubmitted,
    )
    .order_by(jobs.c.id)
    .with_for_update()
)
