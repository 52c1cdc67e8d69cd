"""Webhooks that do not come, come late, or come while nothing can be written down."""

import time

from chaos.evidence import Evidence
from chaos.scenarios.figures import Figures
from chaos.scenarios.scenario import Size
from chaos.scenarios.seen import accepted
from chaos.stage import Stage, until

_HANDED_IN_SECONDS = 10.0
_LATE_SECONDS = 30.0
_HEAL_SECONDS = 150


def none_at_all(stage: Stage, _size: Size, figures: Figures) -> Evidence:
    """Call no webhook: all that is heard is heard by asking."""
    stage.around.simulator.set_fault("lose")
    stage.callers.start(stage.callers.orders, _HANDED_IN_SECONDS)
    evidence = _healed(stage, figures)
    figures.add("webhooks", _webhooks(stage), most=0)
    return evidence


def all_late(stage: Stage, _size: Size, figures: Figures) -> Evidence:
    """Call each webhook half a minute after its image is ready."""
    stage.around.simulator.set_fault("late", args={"seconds": _LATE_SECONDS})
    stage.callers.start(stage.callers.orders, _HANDED_IN_SECONDS)
    evidence = _healed(stage, figures)
    # those still to come find jobs that have ended, and change nothing
    jobs = len(evidence.orders)
    until(2 * _LATE_SECONDS, lambda: _webhooks(stage) >= jobs)
    figures.add("webhooks", _webhooks(stage), least=jobs)
    return stage.evidence()


def without_database(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """Have upstream accept all of them, and end them while the database is shut down."""
    simulator, database = stage.around.simulator, stage.around.postgres
    orders = stage.callers.orders
    # the last job must be accepted before the first one ends
    begin_seconds = max(10.0, len(orders) / 20)
    simulator.change(
        min_seconds=begin_seconds,
        max_seconds=begin_seconds + 0.4 * size.seconds,
        result_lifetime_seconds=600,
    )
    stage.callers.start(orders, 0.4 * begin_seconds)
    until(begin_seconds, lambda: len(accepted(stage)) == len(orders))
    heard_before = _webhooks(stage)
    figures.add("accepted_before_the_database_went", len(accepted(stage)))
    database.shut_down()
    time.sleep(size.seconds)
    database.start()
    heard = _webhooks(stage) - heard_before
    figures.add("webhooks_answered_without_a_database", heard, least=len(orders) / 2)
    return _healed(stage, figures)


def _healed(stage: Stage, figures: Figures) -> Evidence:
    figures.add("healed_after_seconds", stage.heal(_HEAL_SECONDS), most=_HEAL_SECONDS)
    evidence = stage.evidence()
    ended = [job["status"] for job in evidence.jobs.values()]
    figures.add("succeeded", ended.count("succeeded"), least=len(evidence.orders))
    return evidence


def _webhooks(stage: Stage) -> int:
    """Return how many calls were answered 2xx."""
    lines = stage.around.simulator.ledger("webhook")
    return sum(line["outcome"] == "delivered" for line in lines)
