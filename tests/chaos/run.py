"""One run: orders come in, processes and servers die, all heals, and the checker judges."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import urllib3
from chaos.callers import Callers
from chaos.checker import Verdict, judge, owed
from chaos.evidence import Api, Evidence, NotYet, staged, stored
from chaos.nemesis import Nemesis, Wanted
from chaos.plan import make_orders
from chaos.programs import Programs
from chaos.sink import CallbackSink
from chaos.world import ROOT, World, world

from service.embedded.supervisor import RELEASE, read_procfile

_START_SECONDS = 60
_LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Report:
    """What a run came to."""

    wanted: Wanted
    verdict: Verdict
    #: From the last strike until nothing was owed any more, or until the patience was over.
    healed_after_seconds: float
    facts: dict[str, object]
    diary: list[str]

    @property
    def ok(self) -> bool:
        """Whether every promise was kept, in time."""
        return not self.verdict.findings

    def __str__(self) -> str:
        """Say it in words, findings first."""
        found = [f"{one.broken.name} {one.about}: {one.seen}" for one in self.verdict.findings]
        facts = json.dumps({**self.verdict.counts, **self.facts})
        word = "kept" if self.ok else f"BROKEN ({len(found)})"
        healed = f"healed {self.healed_after_seconds:.1f} s after the last strike"
        size = f"seed {self.wanted.seed}, {self.wanted.jobs} jobs"
        return "\n".join([*found, facts, f"{word}: {size}, {healed}"])


def run(wanted: Wanted, home: Path) -> Report:
    """Do it, with everything under `home`; call it from the main thread."""
    orders = make_orders(
        wanted.seed,
        wanted.jobs,
        wanted.projects,
        wanted.fault_share,
        account_faults=wanted.account_faults,
        every_job=wanted.every_job,
    )
    rudeness = {order.marker: order.callback for order in orders if order.callback}
    with (
        CallbackSink(rudeness) as sink,
        world(home, seed=wanted.seed, slots=wanted.slots, sink=sink) as around,
        Programs(_commands(wanted.workers), around.environment, ROOT, home) as programs,
        Nemesis(wanted, around, programs) as nemesis,
    ):
        keys = {}
        for project in sorted({order.project for order in orders}):
            keys[project], sink.secrets[project] = _new_key(around, project)
        _until(_START_SECONDS, lambda: _is_ready(around.url))
        callback_port = around.proxies["callers"].port
        with (
            Callers(around.url, keys, callback_port, orders) as callers,
            Api(f"http://127.0.0.1:{around.proxies['public'].target}", keys) as api,
        ):
            callers.start(0.9 * wanted.seconds)
            nemesis.break_things()
            over_at = time.monotonic()
            evidence = _heal(wanted, around, callers, api)
            healed_after_seconds = time.monotonic() - over_at
            evidence = replace(evidence, objects=stored(around.s3, evidence.jobs))
        answers = evidence.answers.values()
        facts: dict[str, object] = {
            "kills": nemesis.killer.kills,
            "stops": nemesis.killer.stops,
            "restarts": programs.restarts,
            "postgres_crashes": around.postgres.crashes,
            "broker_crashes": around.valkey.crashes,
            "commits_cut": around.proxies["database"].commits_cut,
            "answers": Counter(said for one in answers for said in one.said),
            "slowest_answer_seconds": round(max(one.slowest_seconds for one in answers), 2),
            "max_active_seen": evidence.max_active_seen,
        }
        return Report(wanted, judge(evidence), healed_after_seconds, facts, nemesis.diary)


def _heal(wanted: Wanted, around: World, callers: Callers, api: Api) -> Evidence:
    """Wait until nothing is owed any more, or the time is up; return what is known then."""
    deadline = time.monotonic() + wanted.heal_seconds
    _until(wanted.heal_seconds, lambda: callers.done and not api.alive())

    def all_heard() -> bool:
        heard = {(one.job_id, one.type) for one in around.sink.heard if one.taken}
        return heard.issuperset(owed(_gather(wanted, around, callers, api)))

    _until(deadline - time.monotonic(), lambda: all_heard() and not staged(around.home))
    return _gather(wanted, around, callers, api)


def _gather(wanted: Wanted, around: World, callers: Callers, api: Api) -> Evidence:
    """Read everything but the bucket."""
    jobs = api.jobs()
    return Evidence(
        orders=callers.orders,
        answers=callers.answers,
        jobs=jobs,
        events=api.events(jobs),
        ledger=around.simulator.ledger(),
        max_active_seen=int(around.simulator.state()["max_active_seen"]),
        slots=wanted.slots,
        heard=around.sink.heard,
        staged=staged(around.home),
    )


def _until(seconds: float, true: Callable[[], bool]) -> bool:
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
