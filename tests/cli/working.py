"""Jobs brought to their end by the product's own steps, without broker and workers."""

import contextlib
import threading
from collections.abc import Iterator
from uuid import UUID

from factories import due_now, enqueue, job, run
from fakes.waiting import wait_until

from service.ids import Kind, public_id
from service.keys import NewKey
from service.states import TERMINAL
from service.wiring import Wiring


def finish(wiring: Wiring, *job_ids: UUID) -> None:
    """Bring queued jobs to their end, thumbnails and sidecars included."""

    def ended() -> bool:
        left = [job_id for job_id in job_ids if job(wiring, job_id).status not in TERMINAL]
        for job_id in left:
            due_now(wiring, job_id)
        run(wiring.submit)
        run(wiring.poll)
        run(wiring.store)
        return not left

    # jobs that earlier tests left behind may be served first
    wait_until(ended, bool, timeout_seconds=60)
    run(wiring.derive)


def stored_images(wiring: Wiring, key: NewKey, count: int) -> list[UUID]:
    """Return so many new jobs that have succeeded."""
    job_ids = [enqueue(wiring, key) for _ in range(count)]
    finish(wiring, *job_ids)
    return job_ids


@contextlib.contextmanager
def working(wiring: Wiring) -> Iterator[None]:
    """Do what is due, again and again, as the workers would."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            for step in (wiring.submit, wiring.poll, wiring.store, wiring.derive):
                run(step)
            # tells of batches whose last job has ended
            wiring.sweep()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def job_name(job_id: UUID) -> str:
    """Return a job's id as callers see it."""
    return public_id(Kind.JOB, job_id)
