"""How much a worker's memory grows with the images it stores.

Starts servers, a simulator and one io worker of its own in a temporary folder, sends small jobs
through to warm it up and then large ones all at once, and prints figures as JSON, sizes in MB. Ends
with 1 if the worker grew by more than it may. Linux only: it reads /proc.

    python bench/store_memory.py --jobs 50 --megabytes 20
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

import urllib3
from sqlalchemy import func, select

from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.simulator import Simulator
from service.embedded.stack import running
from service.embedded.valkey import Valkey
from service.logs import configure_logs
from service.models import Project, jobs
from service.settings import load_settings
from service.states import TERMINAL, Status
from service.steps.enqueue import JobRequest
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
ALLOWED_GROWTH_MB = 50.0
WARM_UP_JOBS = 32
TIMEOUT_SECONDS = 300.0
STOP_SECONDS = 40
FORMATS = ("png", "jpeg", "webp")
WORKER = "celery --quiet -A workers.app worker -Q io -P threads -c 4 -n memory@%h"


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=50)
    arguments.add_argument("--megabytes", type=int, default=20)
    wanted = arguments.parse_args()
    configure_logs("warning")
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-memory-") as folder,
        service(Path(folder)) as (
            wiring,
            simulator_url,
            worker,
        ),
    ):
        set_image_bytes(simulator_url, 0)
        store(wiring, WARM_UP_JOBS)
        before = memory(worker)["VmRSS"]
        forget_peak(worker)
        set_image_bytes(simulator_url, wanted.megabytes * 1_000_000)
        began = time.monotonic()
        stored = store(wiring, wanted.jobs)
        seconds = time.monotonic() - began
        after = memory(worker)
    figures = {
        "jobs": wanted.jobs,
        "succeeded": stored,
        "megabytes_each": wanted.megabytes,
        "seconds": round(seconds, 1),
        "before": before,
        "peak": after["VmHWM"],
        "after": after["VmRSS"],
        "peak_growth": round(after["VmHWM"] - before, 1),
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.exit(stored != wanted.jobs or figures["peak_growth"] > ALLOWED_GROWTH_MB)


@contextlib.contextmanager
def service(home: Path) -> Iterator[tuple[Wiring, str, int]]:
    """Yield a wiring on servers of its own, the simulator's address, and the worker's process."""
    home.chmod(0o755)  # a server that must not be root reaches its data only through open doors
    with contextlib.ExitStack() as started:
        found = started.enter_context(
            running(
                SeaweedFS(home / "s3", home / "s3.log", bucket="images"),
                Valkey(home / "valkey", home / "valkey.log", durable=False),
                Postgres(home / "postgres", home / "postgres.log", durable=False),
                Simulator(home / "simulator", home / "simulator.log", environment=os.environ),
            )
        )
        module = [sys.executable, "-m"]
        os.environ |= found | {
            "SECRET_KEY": uuid4().hex,
            "PUBLIC_URL": "http://127.0.0.1:9",
            "POLL_AFTER_SECONDS": "1",
            "POLL_INTERVAL_SECONDS": "1",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "DARKROOM_HOME": str(home),
        }
        subprocess.run([*module, "alembic", "upgrade", "head"], cwd=ROOT, check=True)
        with (home / "worker.log").open("wb") as log:
            worker = started.enter_context(process([*module, *WORKER.split()], log))
            wiring = Wiring(load_settings())
            started.callback(wiring.database.dispose)
            yield wiring, found["FLUX_API_URL"].removesuffix("/v1"), worker.pid


@contextlib.contextmanager
def process(command: list[str], log: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as long as the block."""
    with subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as program:
        try:
            yield program
        finally:
            program.terminate()
            try:
                program.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                program.kill()


def set_image_bytes(simulator_url: str, count: int) -> None:
    """Have the images of further tasks so large."""
    with urllib3.PoolManager(retries=False) as http:
        settings = {"image_bytes": count}
        answer = http.request("PUT", f"{simulator_url}/control/settings", json=settings)
    if answer.status != 200:  # noqa: PLR2004 - HTTP's own
        sys.exit(f"the simulator refused: {answer.data!r}")


def store(wiring: Wiring, count: int) -> int:
    """Hand in so many jobs at once, wait for their end, and return how many succeeded."""
    key = wiring.keys.create("memory")
    with wiring.database.transaction() as tx:
        project_id: UUID = tx.scalar(select(Project.id).where(Project.name == key.project))
    mine = []
    for number in range(count):
        # the simulator keeps what it has drawn: three drawings are enough
        wanted = {"prompt": "much", "seed": 1, "output_format": FORMATS[number % len(FORMATS)]}
        sha256 = hashlib.sha256(uuid4().bytes).digest()
        request = JobRequest(model="flux-2-pro", input=wanted, sha256=sha256)
        mine.append(wiring.enqueue.accept(project_id, request).row.id)
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while True:
        counts = dict.fromkeys(Status, 0)
        with wiring.database.transaction() as tx:
            found = select(jobs.c.status, func.count()).where(jobs.c.id.in_(mine))
            counts |= {row[0]: row[1] for row in tx.rows(found.group_by(jobs.c.status))}
        if sum(counts[status] for status in TERMINAL) == count:
            return counts[Status.SUCCEEDED]
        if time.monotonic() > give_up_at:
            sys.exit(f"not done after {TIMEOUT_SECONDS:g} s: {counts}")
        time.sleep(0.2)


def memory(process_id: int) -> dict[str, float]:
    """Return a process's resident memory, now and at most, in MB."""
    text = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    found = re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: round(int(count) / 1000, 1) for name, count in found}


def forget_peak(process_id: int) -> None:
    """Count a process's largest size from now on."""
    Path(f"/proc/{process_id}/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    main()
