"""What many open streams and waits cost everybody else.

Starts servers and a web process of its own in a temporary folder, and sends jobs and webhooks at a
steady pace; in turn with nobody else, and while others follow and wait for jobs, some of which end
meanwhile. Prints milliseconds, and the ratio of both:

    python bench/streams.py --streams 400 --waits 100

Ends with 1 if p99 of `POST /v1/jobs` is over 250 ms beside them. Linux only: it reads /proc.
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
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import urllib3

from service.embedded.postgres import Postgres
from service.embedded.stack import running
from service.embedded.state import free_ports
from service.embedded.valkey import Valkey
from service.ids import Kind, new_id, public_id
from service.logs import configure_logs
from service.settings import load_settings
from service.steps.enqueue import JobRequest
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
MOST_MS = 250.0
ROUNDS = 2
POSTS_A_SECOND = 20
WEBHOOKS_A_SECOND = 5
#: Followed jobs that end while it is measured.
ENDS_A_SECOND = 5
OPEN_SECONDS = 30.0
OPENED_AT_ONCE = 50
BODY = json.dumps({"model": "flux-2-pro", "input": {"prompt": "a stopwatch"}}).encode()
Seconds = list[float]


@dataclass(frozen=True)
class Service:
    """A web process, and its database."""

    wiring: Wiring
    project_id: UUID
    url: str
    api_key: str
    web: subprocess.Popen[bytes]

    def jobs(self, count: int) -> list[str]:
        """Hand in so many jobs that stay where they are."""
        request = JobRequest("flux-2-pro", {"prompt": "none"}, b"")
        accept = self.wiring.enqueue.accept
        return [public_id(Kind.JOB, accept(self.project_id, request).row.id) for _ in range(count)]

    def rss_mb(self) -> int:
        """Return the memory of all its processes."""
        children = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text("ascii")
        status = [Path(f"/proc/{child}/status").read_text("ascii") for child in children.split()]
        return sum(int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) for text in status) // 1024


def main() -> None:
    """Run it and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--streams", type=int, default=400)
    arguments.add_argument("--waits", type=int, default=100)
    arguments.add_argument("--seconds", type=int, default=20)
    arguments.add_argument("--listen", metavar="URL", help=argparse.SUPPRESS)
    wanted = arguments.parse_args()
    if wanted.listen:
        asyncio.run(listen(wanted.listen, **json.loads(sys.stdin.readline())))
    else:
        compare(wanted.streams, wanted.waits, wanted.seconds)


def compare(streams: int, waits: int, seconds: int) -> None:
    """Measure in turn, alone and beside those who follow and wait."""
    configure_logs("warning")
    alone: dict[str, Seconds] = {"POST /v1/jobs": [], "webhook": []}
    beside: dict[str, Seconds] = {"POST /v1/jobs": [], "webhook": []}
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-streams-") as folder,
        service(Path(folder)) as running_one,
    ):
        measured(running_one, 2, [])  # connections and caches are warm for all that follow
        rss = rss_before = running_one.rss_mb()
        for _ in range(ROUNDS):
            add(alone, measured(running_one, seconds, []))
            ending = running_one.jobs(seconds * ENDS_A_SECOND)
            with listeners(running_one, running_one.jobs(streams) + ending, waits):
                add(beside, measured(running_one, seconds, ending))
                rss = running_one.rss_mb()
        with listeners(running_one, running_one.jobs(streams), waits):
            stopped = stop_seconds(running_one)
    print(f"{streams} streams and {waits} waits, and streams of jobs that end meanwhile; ms:")
    for name, times in alone.items():
        print(row(name, times, beside[name]))
    print(f"memory of both processes, MB: {rss_before} alone, {rss} beside them")
    print(f"told to stop, all of it was gone after {stopped:.1f} s")
    sys.exit(cut(beside["POST /v1/jobs"], 99) > MOST_MS)


def add(to: dict[str, Seconds], found: dict[str, Seconds]) -> None:
    """Put figures to those that are there."""
    for name, times in found.items():
        to[name] += times


def row(name: str, alone: Seconds, beside: Seconds) -> str:
    """Return a line of the table."""
    cells = []
    for percent in (50, 99):
        one, other = cut(alone, percent), cut(beside, percent)
        cells.append(f"p{percent} {one:.1f} alone, {other:.1f} beside ({other / one:.2f} x)")
    return f"{name:14} {'   '.join(cells)}   n={len(beside)}"


def cut(times: Seconds, percent: int) -> float:
    """Return a percentile in milliseconds."""
    return statistics.quantiles(times, n=100)[percent - 1] * 1000


def measured(service: Service, seconds: int, ending: list[str]) -> dict[str, Seconds]:
    """Return how long requests took that are sent at a steady pace, however long they take."""
    headers = {"Authorization": f"Bearer {service.api_key}", "Content-Type": "application/json"}
    signer = service.wiring.webhook_signer
    with urllib3.PoolManager(retries=False, maxsize=50) as http, ThreadPoolExecutor(100) as pool:

        def post(_number: int) -> int:
            return http.request("POST", f"{service.url}/v1/jobs", body=BODY, headers=headers).status

        def webhook(_number: int) -> int:
            attempt = new_id()
            url = f"{service.url}/webhooks/flux/{signer.token(attempt)}"
            proof = {"X-Webhook-Secret": signer.secret(attempt)}
            return http.request("POST", url, body=b"{}", headers=proof).status

        def cancel(number: int) -> int:
            url = f"{service.url}/v1/jobs/{ending[number]}/cancel"
            return http.request("POST", url, headers=headers).status

        posts = pool.submit(paced, pool, post, POSTS_A_SECOND, POSTS_A_SECOND * seconds, 202)
        calls = pool.submit(
            paced, pool, webhook, WEBHOOKS_A_SECOND, WEBHOOKS_A_SECOND * seconds, 200
        )
        paced(pool, cancel, ENDS_A_SECOND, len(ending), 200)
        return {"POST /v1/jobs": posts.result(), "webhook": calls.result()}


def paced(
    pool: ThreadPoolExecutor, ask: Callable[[int], int], rate: int, count: int, expected: int
) -> Seconds:
    """Ask so often a second; return how long each took, from when it was due."""
    began = time.monotonic()

    def timed(number: int, due_at: float) -> float:
        assert ask(number) == expected  # noqa: S101 - or what is measured is no answer
        return time.monotonic() - due_at

    asked = []
    for number in range(count):
        due_at = began + number / rate
        time.sleep(max(0.0, due_at - time.monotonic()))
        asked.append(pool.submit(timed, number, due_at))
    return [one.result() for one in asked]


def stop_seconds(service: Service) -> float:
    """Stop the web process and return how long that took."""
    began = time.monotonic()
    service.web.terminate()
    service.web.wait(60)
    return time.monotonic() - began


@contextlib.contextmanager
def listeners(service: Service, follow: list[str], waits: int) -> Iterator[None]:
    """Follow jobs and wait for others in another process as long as the block."""
    with subprocess.Popen(
        [sys.executable, __file__, "--listen", service.url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        assert program.stdin is not None  # noqa: S101 - asked for
        assert program.stdout is not None  # noqa: S101 - likewise
        told = {"api_key": service.api_key, "follow": follow, "waits": waits}
        program.stdin.write(json.dumps(told) + "\n")
        program.stdin.flush()
        give_up = threading.Timer(OPEN_SECONDS, program.kill)
        give_up.start()
        opened = program.stdout.readline()
        give_up.cancel()
        assert opened == "open\n", "not all were let in"  # noqa: S101 - or too few are measured
        try:
            yield
        finally:
            program.kill()


async def listen(url: str, api_key: str, follow: list[str], waits: int) -> None:
    """Open everything, say so, and read until the process is ended."""
    host, port = url.removeprefix("http://").split(":")
    bearer = f"Host: {host}\r\nAuthorization: Bearer {api_key}\r\n"
    opened, door = asyncio.Semaphore(0), asyncio.Semaphore(OPENED_AT_ONCE)

    async def one(sent: str, expected: bytes) -> None:
        async with door:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent.encode())
            if expected:
                assert await reader.readline() == expected  # noqa: S101 - else it is not open
        opened.release()
        while await reader.read(65536):
            pass

    stream = f"{bearer}Accept: text/event-stream\r\n\r\n"
    length = f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
    wait = f"POST /v1/jobs HTTP/1.1\r\n{bearer}Prefer: wait=60\r\n{length}\r\n{BODY.decode()}"
    heads = [f"GET /v1/jobs/{job}/events HTTP/1.1\r\n{stream}" for job in follow]
    async with asyncio.TaskGroup() as all_of_them:
        for head in heads:
            all_of_them.create_task(one(head, b"HTTP/1.1 200 OK\r\n"))
        for _ in range(waits):
            all_of_them.create_task(one(wait, b""))
        for _ in range(len(follow) + waits):
            await opened.acquire()
        await asyncio.sleep(2)  # the waits have no head to tell that they are let in
        sys.stdout.write("open\n")
        sys.stdout.flush()


@contextlib.contextmanager
def service(home: Path) -> Iterator[Service]:
    """Run a web process with servers of its own."""
    home.chmod(0o755)  # a server that must not be root reaches its data only through open doors
    (port,) = free_ports()
    with contextlib.ExitStack() as started:
        found = started.enter_context(
            running(
                Valkey(home / "valkey", home / "valkey.log", durable=False),
                Postgres(home / "postgres", home / "postgres.log", durable=False),
            )
        )
        os.environ |= found | {
            "SECRET_KEY": uuid4().hex,
            "PORT": str(port),
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": "http://127.0.0.1:9/v1",
            "DARKROOM_HOME": str(home),
            "LOG_LEVEL": "warning",
        }
        module = [sys.executable, "-m"]
        subprocess.run([*module, "alembic", "upgrade", "head"], cwd=ROOT, check=True)
        wiring = Wiring(load_settings())
        started.callback(wiring.close)
        key = wiring.keys.create("streams")
        project_id = wiring.keys.project(key.project)
        assert project_id is not None  # noqa: S101 - made above
        command = "gunicorn service.web.wsgi:app --config service/web/gunicorn_conf.py"
        with (home / "web.log").open("wb") as log:
            web = subprocess.Popen([*module, *command.split()], cwd=ROOT, stdout=log, stderr=log)
        started.callback(web.kill)
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(url)
        yield Service(wiring, project_id, url, key.api_key, web)


def wait_until_it_answers(url: str) -> None:
    """Wait for the web process."""
    for _ in range(200):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if urllib3.request("GET", f"{url}/healthz", retries=False).status == 200:  # noqa: PLR2004 - HTTP's own
                return
        time.sleep(0.1)
    sys.exit("the web process does not answer")


if __name__ == "__main__":
    main()
