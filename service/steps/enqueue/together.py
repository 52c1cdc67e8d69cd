"""Many jobs withdrawn or tried again at one person's word."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from service.errors import CallerError, CreditsSpent, NotCancelable, NotFound, QueueFull
from service.logs import get_log
from service.steps.enqueue.accept import Enqueue

#: A person waits for it, seconds; what is left then is said.
MAX_SECONDS = 10.0

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
        for job_id in _in_time(job_ids):
            seen += 1
            try:
                self.enqueue.cancel(project_id, job_id)
            except (NotCancelable, NotFound):
                continue
            count += 1
        log.info("jobs_canceled_together", project_id=str(project_id), jobs=count)
        return count, len(job_ids) - seen

    def retry(self, project_id: UUID, job_ids: Sequence[UUID]) -> TriedAgain:
        """Try ended jobs again, each at most once however often and by however many it is asked."""
        done = TriedAgain(left=len(job_ids))
        for job_id in _in_time(job_ids):
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


def _in_time(job_ids: Sequence[UUID]) -> Iterator[UUID]:
    end = time.monotonic() + MAX_SECONDS
    for job_id in job_ids:
        if time.monotonic() >= end:
            return
        yield job_id
