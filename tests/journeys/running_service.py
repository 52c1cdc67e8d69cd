"""The whole service as the Procfile runs it, with processes that a test may kill."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import urllib3
from fakes.waiting import wait_until

from service.embedded.state import free_ports
from service.embedded.supervisor import read_procfile

Found = TypeVar("Found")

ROOT = Path(__file__).parents[2]
ENDED = {"succeeded", "failed", "canceled"}
BODY = {"model": "flux-2-pro", "input": {"prompt": "a harbour in fog", "width": 256, "height": 256}}


class RunningService:
    """Web, workers and beat as real processes, and a caller with a key."""

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        (port,) = free_ports()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **environment,
            "PORT": str(port),
            "PUBLIC_URL": self.url,
        }
        self.environment["PATH"] = f"{sysconfig.get_path('scripts')}:{self.environment['PATH']}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = read_procfile(ROOT / "Procfile")
        self._logs = logs
        self._http = urllib3.PoolManager(retries=False, timeout=70, maxsize=40)
        key = json.loads(self.command("keys", "create", "--json"))
        self.api_key: str = key["api_key"]
        self.callback_secret: str = key["callback_secret"]

    def command(self, *arguments: str) -> str:
        """Run the product's command line and return what it printed."""
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def start(self, *names: str, **more: str) -> None:
        """Start processes of the Procfile, with more variables."""
        for name in names:
            with (self._logs / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    shlex.split(self._commands[name]),
                    cwd=ROOT,
                    env={**self.environment, **more},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        if "web" in names:
            wait_until(self._answers, bool, 20)

    def kill(self, *names: str) -> None:
        """Kill processes and all they started, as power loss would."""
        for name in names:
            process = self.processes.pop(name)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        return (self._logs / f"{name}.log").read_text(errors="replace")

    def request(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """Ask the API."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._http.request(
            method,
            self.url + path,
            body=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.api_key}",
                **({"Content-Type": "application/json"} if body is not None else {}),
                **named,
            },
        )

    def enqueue(self, **more: object) -> str:
        """Hand in a job, again while the service is too busy to take it, and return its id."""
        body, key = {**BODY, **more}, uuid4().hex
        answer = wait_until(
            lambda: self.request("POST", "/v1/jobs", body, Idempotency_Key=key),
            lambda answer: answer.status != 503,
        )
        assert answer.status == 202, answer.data
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job as the API shows it."""
        document: dict[str, Any] = self.request("GET", f"/v1/jobs/{job_id}").json()
        return document

    def ended(self, job_id: str, timeout_seconds: float = 30) -> dict[str, Any]:
        """Wait for a job's end and return it."""
        return wait_until(
            lambda: self.job(job_id), lambda job: job["status"] in ENDED, timeout_seconds
        )

    def timeline(self, job_id: str) -> list[str]:
        """Return the types of a job's events."""
        lines = self.request("GET", f"/v1/jobs/{job_id}/events").json()["data"]
        return [line["type"].removeprefix("job.") for line in lines]

    def close(self) -> None:
        """End everything that still runs."""
        self.kill(*self.processes)
        self._http.clear()

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False


@contextlib.contextmanager
def running_service(
    environment: Mapping[str, str], logs: Path, *names: str
) -> Iterator[RunningService]:
    """Run the named processes and end them, whatever became of them."""
    service = RunningService(environment, logs)
    try:
        service.start(*names)
        yield service
    finally:
        service.close()


def in_parallel(count: int, work: Callable[[int], Found]) -> list[Found]:
    """Call `work(i)` in so many threads at once; return the results in order, or raise."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(work, range(count)))
