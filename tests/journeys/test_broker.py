"""The broker is down, flushed, killed: only time is lost."""

import functools
import time
from pathlib import Path

from fakes.simulator import Simulator
from fakes.waiting import wait_until
from journeys.broker import broker
from journeys.running_service import ENDED, RunningService, in_parallel
from journeys.services import StartService

JOBS = 200
SLOTS = 24


def test_a_job_handed_in_while_the_broker_is_down_is_accepted_at_once_and_done(
    start_service: StartService, tmp_path: Path
) -> None:
    """Web rings the worker beside it, and does not notice."""
    with broker(tmp_path) as valkey, start_service(CELERY_BROKER_URL=valkey.url) as service:
        bells = Path(service.environment["DARKROOM_HOME"]) / "spool" / "bells"
        wait_until(lambda: list(bells.glob("[!.]*")), bool)
        valkey.kill()
        began = time.monotonic()
        job_ids = [service.enqueue() for _ in range(3)]
        assert time.monotonic() - began < 3 * 0.5
        valkey.start()
        assert [service.ended(job_id)["status"] for job_id in job_ids] == ["succeeded"] * 3
        assert "ring_failed" not in service.log("web")


def test_two_hundred_jobs_end_although_the_broker_is_flushed_and_killed(
    start_service: StartService, simulator: Simulator, tmp_path: Path
) -> None:
    """Never more than 24 upstream, each paid once, and every worker hears the new broker."""
    before = len(simulator.ledger("accepted"))
    with (
        broker(tmp_path) as valkey,
        start_service(CELERY_BROKER_URL=valkey.url, LOG_LEVEL="debug") as service,
    ):
        job_ids = in_parallel(JOBS, lambda _: service.enqueue())
        wait_until(lambda: ended(service, job_ids), lambda count: count >= JOBS // 5, 60)
        valkey.flush()
        wait_until(lambda: ended(service, job_ids), lambda count: count >= 2 * JOBS // 5, 60)
        valkey.kill()
        heard_before = {name: heard(service, name) for name in ("worker", "images")}
        valkey.start()
        jobs = [service.ended(job_id, 90) for job_id in job_ids]
        assert {job["status"] for job in jobs} == {"succeeded"}
        # a worker that came back takes doorbells again: one for each new image and sweep
        last = service.enqueue()
        assert service.ended(last)["status"] == "succeeded"
        for name, count in heard_before.items():
            wait_until(functools.partial(heard, service, name), count.__lt__, 15)
    assert len(simulator.ledger("accepted")) - before == JOBS + 1
    assert simulator.state()["max_active_seen"] <= SLOTS


def ended(service: RunningService, job_ids: list[str]) -> int:
    """Return how many jobs have ended."""
    found, cursor = set(), ""
    while True:
        answer = service.request("GET", f"/v1/jobs?limit=200{cursor}")
        if answer.status == 503:  # busy: asked again
            return 0
        page = answer.json()
        found |= {job["id"] for job in page["data"] if job["status"] in ENDED}
        if page["next"] is None:
            return len(found & set(job_ids))
        cursor = f"&cursor={page['next']}"


def heard(service: RunningService, name: str) -> int:
    """Return how many doorbells a worker has taken."""
    return service.log(name).count("message_heard")
