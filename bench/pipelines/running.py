"""A pipeline as processes of its own, with an empty database, as long as a block lasts."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.embedded.process import Process
from service.embedded.state import free_ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
#: What tells a peer's callbacks from forged ones: as long as our own secrets.
PEER_SECRET = "whsec_cGVlcnMgb2YgdGhlIGJlbmNoLCBhbGwgd2l0aCBvbmU="  # noqa: S105 - opens nothing


@dataclass(frozen=True, slots=True)
class Caller:
    """What whoever hands in jobs has to know."""

    api_key: str
    callback_secret: str


class Pipeline(Protocol):
    """One way to do the job."""

    @property
    def name(self) -> str:
        """As the table shows it."""
        ...

    def environment(self, place: Path) -> Mapping[str, str]:
        """Return variables of its own; `place` is a folder that nobody else uses."""
        ...

    def prepare(self, environment: Mapping[str, str]) -> Caller:
        """Make the tables, in an empty database."""
        ...

    def commands(self) -> Mapping[str, Sequence[str]]:
        """Return the processes, by name; the web process listens on PORT of loopback."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """A pipeline that answers."""

    url: str
    caller: Caller
    pids: Mapping[str, int]
    environment: Mapping[str, str]


@contextlib.contextmanager
def running(
    pipeline: Pipeline, servers: Mapping[str, str], upstream_url: str, place: Path
) -> Iterator[Running]:
    """Run a pipeline; `servers` holds the variables of the servers and an empty DATABASE_URL."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (port,) = free_ports()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
        "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
        **servers,
        "FLUX_API_URL": f"{upstream_url}/v1",
        "PORT": str(port),
        "PUBLIC_URL": url,
        **pipeline.environment(place),
    }
    caller = pipeline.prepare(environment)
    with contextlib.ExitStack() as started:
        pids = {}
        for name, command in pipeline.commands().items():
            process = Process(name, command, env=environment, cwd=ROOT, log=place / f"{name}.log")
            started.callback(process.stop, signal.SIGTERM, 5)
            pids[name] = process.pid
            if name == "web":
                process.wait_until(lambda: _answers(port), START_SECONDS)
        yield Running(url, caller, pids, environment)


def execute(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command to its end; return what it printed."""
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        time.sleep(0.05)
        return True
    return False
