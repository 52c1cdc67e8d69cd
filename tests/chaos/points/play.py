"""Plays cases one after the other in one world, and judges each by what is known outside."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
import urllib3
from chaos.callers import Callers
from chaos.checker import Broken, judge
from chaos.evidence import Evidence
from chaos.plan import Order
from chaos.points.blow import QUICK, Blow
from chaos.points.cases import LATER, LATER_SECONDS, PROJECT, RELIEF, Case
from chaos.stage import Stage, stage, until

_HEAL_SECONDS = 40.0
_SLOTS = 24
#: Schedules so short that a case takes seconds; the grace is longer than the longest stop, and
#: than the longest wait for a webhook.
_SETTINGS = {
    "UNCONFIRMED_GRACE_SECONDS": "10",
    "POLL_AFTER_SECONDS": "2",
    "BREAKER_PROBE_SECONDS": "1",
}
#: Shares mean nothing among five jobs that all were under way at the point.
_SHARES = {Broken.UNCONFIRMED, Broken.REPEATED}


@dataclass(frozen=True)
class Outcome:
    """What a case came to."""

    case: Case
    #: Broken promises, in words.
    findings: Sequence[str]
    took_seconds: float

    def __str__(self) -> str:
        """Say it in one line, or one more for each finding."""
        word = "BROKEN" if self.findings else "kept"
        first = f"{word:6} {self.case} ({self.took_seconds:.1f} s)"
        return "\n       ".join([first, *self.findings])


def play(home: Path, cases: Sequence[Case], *, seed: int = 0) -> Iterator[Outcome]:
    """Play cases in a world under `home`; call it from the main thread."""
    orders = [order for case in cases for order in case.orders]
    with stage(home, orders, seed=seed, slots=_SLOTS, workers=1, settings=_SETTINGS) as on:
        on.around.simulator.change(**QUICK)
        late = {"prompt_contains": f"[{LATER}]"}
        on.around.simulator.set_fault("late", match=late, args={"seconds": LATER_SECONDS})
        for case in cases:
            began = time.monotonic()
            findings = list(_play(on, case))
            yield Outcome(case, findings, time.monotonic() - began)


def print_all(home: Path, cases: Sequence[Case]) -> int:
    """Play cases in a world under a new `home`, print each; return how many broke a promise."""
    home.mkdir(mode=0o755)
    broken = 0
    for outcome in play(home, cases):
        click.echo(str(outcome))
        broken += bool(outcome.findings)
    return broken


def _play(on: Stage, case: Case) -> Iterator[str]:
    with _scene(on, case.orders) as scene:
        blow = Blow(case, scene)
        blow.arm()
        scene.callers.start(case.orders, 0.0, threads=len(case.orders))
        is_met = blow.strike()
        scene.heal(_HEAL_SECONDS)
        evidence = scene.evidence()
        if not is_met:
            yield "the point was not met"
        if case.step == "derive" and not until(_HEAL_SECONDS, lambda: _all_drawn(scene, evidence)):
            yield "an image has no thumbnail"
        scene.programs.end(RELIEF)
    # callbacks about the jobs of an earlier case may still be repeated
    heard = [one for one in evidence.heard if one.job_id in evidence.jobs or not one.verified]
    verdict = judge(replace(evidence, heard=heard))
    for one in verdict.findings:
        if one.broken not in _SHARES:
            yield f"{one.broken.name} {one.about}: {one.seen}"
    if verdict.counts["unconfirmed_paid"]:
        yield "a job ended unconfirmed, and upstream was paid for it"


@contextlib.contextmanager
def _scene(on: Stage, orders: Sequence[Order]) -> Iterator[Stage]:
    """Return the stage as far as these orders are concerned."""
    port = on.around.proxies["callers"].port
    with (
        on.api.since(datetime.now(UTC)) as api,
        Callers(on.around.url, on.api.keys, port, orders) as callers,
    ):
        yield replace(on, callers=callers, api=api)


def _all_drawn(on: Stage, evidence: Evidence) -> bool:
    """Whether every image shows its thumbnail."""
    return all(
        urllib3.request(
            "GET",
            f"{on.around.url}/v1/images/{image['id']}/thumbnail",
            headers={"Authorization": f"Bearer {on.api.keys[PROJECT]}"},
            retries=False,
            timeout=5,
        ).headers.get("Content-Type")
        == "image/webp"
        for job in evidence.jobs.values()
        for image in job["images"]
    )
