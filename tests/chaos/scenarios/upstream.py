"""Upstream answers 500 to everything for a while."""

import time
from dataclasses import replace

from chaos.evidence import Evidence
from chaos.scenarios.figures import Figures
from chaos.scenarios.scenario import Size
from chaos.stage import Stage, until

#: Unknown outcomes in a row that close the gate.
_BREAKER_OPENS_AFTER = 5
PROBE_SECONDS = 15.0
_HEAL_SECONDS = 150


def answers_500(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """Refuse every submission for so long; the rest of the jobs wait for its end."""
    simulator = stage.around.simulator
    simulator.set_fault("refuse", args={"status": 500})
    orders = stage.callers.orders
    stage.callers.start(orders, min(10.0, size.seconds / 3))
    until(30, lambda: refused(stage) > 0)
    time.sleep(size.seconds)
    sent = refused(stage)
    simulator.clear_faults()
    figures.add("healed_after_seconds", stage.heal(_HEAL_SECONDS), most=_HEAL_SECONDS)
    probes = size.seconds // PROBE_SECONDS + 1
    most = stage.slots + _BREAKER_OPENS_AFTER + probes
    figures.add("submissions_while_upstream_answered_500", sent, most=most)
    evidence = replace(stage.evidence(), refused_unclearly=sent)
    ended = [job["status"] for job in evidence.jobs.values()]
    figures.add("succeeded", ended.count("succeeded"), least=len(orders) - sent)
    return evidence


def refused(stage: Stage) -> int:
    """Return how many submissions were answered 500 up to now."""
    said: dict[str, int] = stage.around.simulator.state()["submissions"]["refused"]
    return said.get("500", 0)
