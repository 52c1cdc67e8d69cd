"""How fast callbacks leave, beside a bare loop that signs and posts, and past hosts in trouble.

Starts servers, one io worker and a sink of its own in a temporary folder, prints figures as JSON:

    python bench/callbacks.py --count 5000

Loop and worker take turns, three times; the figures are medians. `rate` is deliveries a second,
`cpu_ms` the CPU of the worker (or of the loop) for each. `good_p95` is how long callbacks to a well
host take, in seconds, while a dead and a slow one have 500 each. Ends with 1 if ours is slower than
half of the loop, or the well host waits longer than a second.
Linux only: it reads /proc.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, exists, func, insert, literal, select

from service.clients.outbound import AddressGuard, Outbound
from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.stack import running
from service.embedded.state import free_ports
from service.embedded.valkey import Valkey
from service.ids import Kind, new_id, public_id
from service.logs import configure_logs
from service.messages import Message
from service.models import Delivery, DeliveryStatus, Project
from service.settings import load_settings
from service.signing.callback import callback_headers, new_callback_secret
from service.steps.enqueue import JobRequest
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
WORKER = "celery --quiet -A workers.app worker -Q io -P threads -c 4 -n callbacks@%h"
LEAST_SHARE = 0.5
MOST_SECONDS = 1.0
TIMEOUT_SECONDS = 300.0
ROUNDS = 3
IN_TROUBLE = 500
SLOW_SECONDS = 20
GOOD = 100
BODY = json.dumps({"type": "job.succeeded", "data": {"text": "." * 2000}})
#: As many at a time as the worker has for one host.
LOOP_THREADS = 4
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=5000)
    arguments.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--loop", metavar="URL", help=argparse.SUPPRESS)
    wanted = arguments.parse_args()
    if wanted.sink:
        asyncio.run(sink())
    elif wanted.loop:
        sys.stdout.write(json.dumps(loop(wanted.loop, wanted.count)) + "\n")
    else:
        compare(wanted.count)


def compare(count: int) -> None:
    """Measure the loop and the worker in turn, then the worker in trouble."""
    configure_logs("warning")
    own = [sys.executable, __file__]
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-callbacks-") as folder,
        program([*own, "--sink"]) as (_, said),
        service(Path(folder)) as (wiring, job_id, worker_id),
    ):
        url = said
        bare, ours = [], []
        for number in range(ROUNDS):
            command = [*own, "--loop", url, "--count", str(count)]
            done = subprocess.run(command, check=True, capture_output=True)
            bare.append(json.loads(done.stdout))
            ours.append(deliver(wiring, job_id, worker_id, f"{url}fast{number}", count))
        good_p95 = in_trouble(wiring, job_id, url)
    loop, worker = middle(bare), middle(ours)
    share = round(worker["rate"] / loop["rate"], 2)
    found = {"ours": worker, "loop": loop, "share": share, "good_p95": good_p95}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.exit(share < LEAST_SHARE or good_p95 > MOST_SECONDS)


def deliver(wiring: Wiring, job_id: UUID, worker_id: int, url: str, count: int) -> dict[str, float]:
    """Measure the worker."""
    before, began = cpu_seconds(worker_id), time.monotonic()
    owe(wiring, job_id, url, count)
    wait_until_told(wiring, Delivery.url == url, count)
    return figures(count, time.monotonic() - began, cpu_seconds(worker_id) - before)


def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def in_trouble(wiring: Wiring, job_id: UUID, url: str) -> float:
    """Return how long 95 of 100 callbacks to a well host take, while others are in trouble."""
    (closed,) = free_ports()
    owe(wiring, job_id, f"http://127.0.0.1:{closed}/dead", IN_TROUBLE)
    owe(wiring, job_id, url.replace("127.0.0.1", "127.0.0.2") + "slow", IN_TROUBLE)
    for _ in range(GOOD):
        owe(wiring, job_id, f"{url}good", 1)
        time.sleep(0.05)
    wait_until_told(wiring, Delivery.url == f"{url}good", GOOD)
    took = func.extract("epoch", Delivery.completed_at - Delivery.created_at)
    with wiring.database.transaction() as tx:
        rows = tx.rows(select(took.label("seconds")).where(Delivery.url.endswith("/good")))
    return round(statistics.quantiles([float(row.seconds) for row in rows], n=20)[18], 3)


def owe(wiring: Wiring, job_id: UUID, url: str, count: int) -> None:
    """Owe an address so many callbacks, all due now."""
    with wiring.database.transaction() as tx:
        base = tx.scalar(select(func.coalesce(func.max(Delivery.seq), 100)))
        project_id = tx.scalar(select(Project.id))
        rows = [
            {"id": new_id(), "seq": base + 1 + number, "job_id": job_id, "project_id": project_id}
            for number in range(count)
        ]
        origin = url[: url.index("/", len("http://"))]
        same = insert(Delivery).values(
            type=literal("job.succeeded"),
            url=url,
            origin=origin,
            body=BODY,
            status=DeliveryStatus.PENDING,
            due_at=func.now(),
        )
        tx.execute(same, rows)
        tx.ring_after_commit(Message.DELIVER)


def wait_until_told(wiring: Wiring, these: ColumnElement[bool], count: int) -> None:
    """Wait until so many callbacks are delivered."""
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    owed = select(exists().where(Delivery.status == DeliveryStatus.PENDING, these))
    told = select(func.count()).where(Delivery.status == DeliveryStatus.DELIVERED, these)
    while time.monotonic() < give_up_at:
        with wiring.database.transaction() as tx:
            if not tx.scalar(owed):
                assert tx.scalar(told) == count  # noqa: S101 - or what is measured is not delivered
                return
        time.sleep(0.05)
    sys.exit(f"not all told after {TIMEOUT_SECONDS:g} s")


def loop(url: str, count: int) -> dict[str, float]:
    """Sign and post, and nothing else."""
    outbound = Outbound(AddressGuard([ip_network("127.0.0.0/8")]))
    secret = new_callback_secret()

    def one(_number: int) -> None:
        delivery_id = public_id(Kind.DELIVERY, new_id())
        outbound.post(
            url,
            body=BODY.encode(),
            headers=callback_headers(delivery_id, BODY, [secret], datetime.now(UTC)),
            total_seconds=15.0,
            connect_seconds=5.0,
            max_body_bytes=64 * 1024,
        )

    began, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(LOOP_THREADS) as pool:
        list(pool.map(one, range(count)))
    return figures(count, time.monotonic() - began, time.process_time() - cpu)


def figures(count: int, seconds: float, cpu: float) -> dict[str, float]:
    """Return rate and CPU of so many."""
    return {"rate": round(count / seconds, 1), "cpu_ms": round(cpu / count * 1000, 2)}


def cpu_seconds(process_id: int) -> float:
    """Return what a process has used of the CPU."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Sink(asyncio.Protocol):
    """Answers 200 to one request; below /slow after 20 s."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer when the request is whole."""
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: ([0-9]+)", head)
        if length and len(body) == int(length[1]):
            is_slow = b"/slow HTTP" in head
            asyncio.get_running_loop().call_later(SLOW_SECONDS * is_slow, self._answer)

    def _answer(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: sink\r\n\r\n")
        self._transport.close()


async def sink() -> None:
    """Serve two addresses of loopback until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", backlog=1000)
    port = server.sockets[0].getsockname()[1]
    await loop.create_server(Sink, "127.0.0.2", port, backlog=1000)
    sys.stdout.write(f"http://127.0.0.1:{port}/\n")
    sys.stdout.flush()
    await server.serve_forever()


@contextlib.contextmanager
def program(command: list[str]) -> Iterator[tuple[int, str]]:
    """Run a program as long as the block; yield its id and the first line that it says."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running_one:
        assert running_one.stdout is not None  # noqa: S101 - asked for
        try:
            yield running_one.pid, running_one.stdout.readline().strip()
        finally:
            running_one.kill()


@contextlib.contextmanager
def service(home: Path) -> Iterator[tuple[Wiring, UUID, int]]:
    """Yield a wiring on servers of its own, a job to owe callbacks for, and the worker's id."""
    home.chmod(0o755)  # a server that must not be root reaches its data only through open doors
    with contextlib.ExitStack() as started:
        found = started.enter_context(
            running(
                SeaweedFS(home / "s3", home / "s3.log", bucket="images"),
                Valkey(home / "valkey", home / "valkey.log", durable=False),
                Postgres(home / "postgres", home / "postgres.log", durable=False),
            )
        )
        os.environ |= found | {
            "SECRET_KEY": uuid4().hex,
            "PUBLIC_URL": "http://127.0.0.1:9",
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": "http://127.0.0.1:9/v1",
            "FLUX_API_KEY": "none",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "DARKROOM_HOME": str(home),
        }
        module = [sys.executable, "-m"]
        subprocess.run([*module, "alembic", "upgrade", "head"], cwd=ROOT, check=True)
        wiring = Wiring(load_settings())
        started.callback(wiring.database.dispose)
        key = wiring.keys.create("callbacks")
        project_id = wiring.keys.project(key.project)
        assert project_id is not None  # noqa: S101 - made above
        never = datetime(9000, 1, 1, tzinfo=UTC)
        request = JobRequest("flux-2-pro", {"prompt": "none"}, b"", start_at=never)
        job_id = wiring.enqueue.accept(project_id, request).row.id
        with (home / "worker.log").open("wb") as log:
            worker = subprocess.Popen([*module, *WORKER.split()], cwd=ROOT, stdout=log, stderr=log)
            started.callback(worker.wait)
            started.callback(worker.terminate)
            yield wiring, job_id, worker.pid


if __name__ == "__main__":
    main()
