"""Told to stop, every process ends what it can, leaves the rest to others, and is gone in time."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from fakes.silent_peer import silent_peer
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from journeys.running_service import BODY, RunningService
from journeys.services import StartService

from service.ids import Kind, read_id

#: What is promised, and what a busy machine may add.
LIMIT_SECONDS = 30.0 + 15.0
#: No lease ends while a test runs: what goes on was handed over.
LONG_LEASE = {"LEASE_SECONDS": "300"}


def tell_to_stop(service: RunningService, *names: str) -> None:
    for name in names:
        os.kill(service.processes[name].pid, signal.SIGTERM)


def gone(service: RunningService, name: str) -> int:
    """Wait for a process's end and return its exit code."""
    return service.processes.pop(name).wait(LIMIT_SECONDS)


def downloading(service: RunningService, simulator: Simulator, bytes_per_second: int) -> str:
    """Hand in a job whose first download is slow, and wait for that to begin."""
    prompt = f"slow {uuid4().hex}"
    simulator.set_fault(
        "slow",
        match={"prompt_contains": prompt},
        times=1,
        args={"bytes_per_second": bytes_per_second},
    )
    job_id = service.enqueue(input={"prompt": prompt, "width": 256, "height": 256})
    acts = Path(service.environment["DARKROOM_HOME"]) / "spool" / "acts"
    act = read_id(Kind.JOB, job_id)
    assert act is not None
    wait_until(lambda: list(acts.glob(f"*/{act.hex}")), bool, 30)
    return job_id


def test_a_worker_ends_and_records_what_it_has_begun_and_begins_nothing_more(
    start_service: StartService, simulator: Simulator
) -> None:
    with start_service("web", "worker", "beat", **LONG_LEASE) as service:
        job_id = downloading(service, simulator, bytes_per_second=4000)
        bells = Path(service.environment["DARKROOM_HOME"]) / "spool" / "bells"
        assert len(list(bells.glob("[!.]*"))) == 1
        tell_to_stop(service, "worker")
        wait_until(lambda: list(bells.iterdir()), [].__eq__)
        assert gone(service, "worker") == 0
        assert service.job(job_id)["status"] == "succeeded"
        assert service.job(service.enqueue())["status"] == "queued"


def test_what_does_not_end_in_time_is_handed_on_even_by_a_worker_that_never_heard_its_broker(
    start_service: StartService, simulator: Simulator
) -> None:
    with silent_peer() as port:
        deaf = {"CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}
        with start_service("web", "worker", **LONG_LEASE, **deaf) as service:
            job_id = downloading(service, simulator, bytes_per_second=50)
            tell_to_stop(service, "worker")
            gone(service, "worker")
            assert service.job(job_id)["status"] == "storing"
            service.start("worker")
            assert service.ended(job_id)["status"] == "succeeded"


def test_all_processes_end_by_themselves_and_a_caller_who_waits_is_answered(
    start_service: StartService,
) -> None:
    with start_service() as service, ThreadPoolExecutor(1) as caller:
        assert service.ended(service.enqueue())["status"] == "succeeded"
        tell_to_stop(service, "worker", "beat", "images")
        assert {gone(service, name) for name in ("worker", "beat", "images")} == {0}
        answer = caller.submit(service.request, "POST", "/v1/jobs", BODY, Prefer="wait=60")

        jobs = "/v1/jobs?status=queued"
        wait_until(lambda: service.request("GET", jobs).json()["data"], bool)
        tell_to_stop(service, "web")
        assert gone(service, "web") == 0
        assert answer.result(LIMIT_SECONDS).status == 202
