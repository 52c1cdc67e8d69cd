"""The service in its world, with callers and their view of it: what every run begins with."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import urllib3
from chaos.callers import Callers
from chaos.evidence import Api, Evidence, NotYet, staged, stored
from chaos.plan import Order
from chaos.programs import Programs
from chaos.sink import CallbackSink
from chaos.world import ROOT, MakeBroker, World, valkey, world

from service.embedded.supervisor import RELEASE, read_procfile

_START_SECONDS = 60
_LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Stage:
    """A service that runs and takes orders."""

    slots: int
    around: World
    programs: Programs
    callers: Callers
    api: Api

    def heal(self, seconds: float) -> float:
        """Wait until nothing is owed any more, or so long; return how long it took, seconds."""
        began = time.monotonic()
        until(seconds, lambda: self.callers.done and not self.api.alive())

        # what the service says it has told, the checker compares with what callers heard
        until(
            began + seconds - time.monotonic(),
            lambda: not staged(self.around.home) and not self.api.calling(),
        )
        return time.monotonic() - began

    def evidence(self) -> Evidence:
        """Return all that is known."""
        known = self._gather()
        return replace(known, objects=stored(self.around.s3, known.jobs))

    def _gather(self) -> Evidence:
        """Read everything but the bucket."""
        jobs = self.api.jobs()
        return Evidence(
            orders=self.callers.orders,
            answers=self.callers.answers,
            jobs=jobs,
            events=self.api.events(jobs),
            ledger=self.around.simulator.ledger(),
            max_active_seen=int(self.around.simulator.state()["max_active_seen"]),
            slots=self.slots,
            heard=self.around.sink.heard,
            staged=staged(self.around.home),
        )


@contextlib.contextmanager
def stage(
    home: Path,
    orders: Sequence[Order],
    *,
    seed: int,
    slots: int,
    workers: int,
    settings: Mapping[str, str] | None = None,
    make_broker: MakeBroker = valkey,
) -> Iterator[Stage]:
    """Start everything under `home`, from the main thread, until the service is ready."""
    rudeness = {order.marker: order.callback for order in orders if order.callback}
    with (
        CallbackSink(rudeness) as sink,
        world(
            home,
            seed=seed,
            slots=slots,
            sink=sink,
            settings=settings or {},
            make_broker=make_broker,
        ) as around,
        Programs(_commands(workers), around.environment, ROOT, home) as programs,
    ):
        keys = {}
        for project in sorted({order.project for order in orders}):
            keys[project], sink.secrets[project] = _new_key(around, project)
        until(_START_SECONDS, lambda: _is_ready(around.url))
        with (
            Callers(around.url, keys, around.proxies["callers"].port, orders) as callers,
            Api(f"http://127.0.0.1:{around.proxies['public'].target}", keys) as api,
        ):
            yield Stage(slots, around, programs, callers, api)


def until(seconds: float, true: Callable[[], bool]) -> bool:
    """Ask again and again, for so long; what is not answered yet counts as no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return True
        except NotYet:
            pass
        time.sleep(_LOOK_EVERY_SECONDS)
    return False


def _is_ready(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/readyz", retries=False, timeout=3).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _commands(workers: int) -> dict[str, str]:
    """Return the Procfile's processes, with several workers."""
    commands = read_procfile(ROOT / "Procfile")
    del commands[RELEASE]
    worker = commands.pop("worker")
    return commands | {f"worker-{number}": worker for number in range(workers)}


def _new_key(around: World, project: str) -> tuple[str, str]:
    """Return a new API key and the callback secret of its project."""
    done = subprocess.run(
        [sys.executable, "-m", "service", "keys", "create", "--project", project, "--json"],
        cwd=ROOT,
        env=dict(around.environment),
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    return found["api_key"], found["callback_secret"]
