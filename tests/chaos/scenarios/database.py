"""PostgreSQL frozen, shut down, or killed again and again, while orders come in."""

import time
from collections.abc import Callable

from chaos.evidence import Evidence
from chaos.scenarios.figures import Figures
from chaos.scenarios.scenario import Size
from chaos.scenarios.seen import Watch
from chaos.stage import Stage, until

#: With these a service says what it can do; anything else is a hang or a crash of ours.
_WORDS = {"200", "202", "503"}
_ANSWER_SECONDS = 2.0
_BACK_SECONDS = 5.0
_GIVE_UP_SECONDS = 30.0
_HEAL_SECONDS = 90
_PAUSE_SECONDS = 1.0
#: As in production.
_RESULT_LIFETIME_SECONDS = 600


def frozen(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """Stop its processes, and let them go on."""

    def outage() -> None:
        with stage.around.postgres.frozen():
            time.sleep(size.seconds)

    return _play(stage, figures, [outage], size.seconds)


def shut_down(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """End it in order and start it again."""

    def outage() -> None:
        stage.around.postgres.shut_down()
        time.sleep(size.seconds)
        stage.around.postgres.start()

    return _play(stage, figures, [outage], size.seconds)


def crashes(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """Kill it and start it again, so many times."""

    def outage() -> None:
        stage.around.postgres.crash()
        time.sleep(_PAUSE_SECONDS)
        stage.around.postgres.start()

    return _play(stage, figures, [outage] * size.times, 3 * _PAUSE_SECONDS * size.times)


def _play(
    stage: Stage, figures: Figures, outages: list[Callable[[], None]], seconds: float
) -> Evidence:
    """Read and write all the while; `seconds` is about how long the outages last."""
    orders = stage.callers.orders
    # of the outages some last longer than a result of a run's scale lives
    stage.around.simulator.change(result_lifetime_seconds=_RESULT_LIFETIME_SECONDS)
    url = f"{stage.around.url}/v1/jobs?limit=1"
    with Watch(url, stage.callers.headers(orders[0].project)) as reads:
        stage.callers.start(orders, seconds + 2 * _BACK_SECONDS)
        time.sleep(_BACK_SECONDS)
        back_after = [_back_after_seconds(reads, outage) for outage in outages]
        healed_after_seconds = stage.heal(_HEAL_SECONDS)
    figures.add("answers_again_after_seconds", max(back_after), most=_BACK_SECONDS)
    figures.add("healed_after_seconds", healed_after_seconds, most=_HEAL_SECONDS)
    evidence = stage.evidence()
    answers = evidence.answers.values()
    _add(
        figures,
        "reads",
        [one.status for one in reads.said],
        [one.took_seconds for one in reads.said],
    )
    _add(
        figures,
        "orders",
        [said for one in answers for said in one.said],
        [took for one in answers for took in one.took_seconds],
    )
    return evidence


def _back_after_seconds(reads: Watch, outage: Callable[[], None]) -> float:
    outage()
    back_at = time.time()

    def answers() -> bool:
        return reads.first_after(back_at, "200") is not None

    until(_GIVE_UP_SECONDS, answers)
    after = reads.first_after(back_at, "200")
    return _GIVE_UP_SECONDS if after is None else after


def _add(figures: Figures, what: str, said: list[str], took: list[float]) -> None:
    figures.add(f"{what}_answered", len(said), least=1)
    figures.add(f"{what}_answered_503", said.count("503"))
    strange = sum(word not in _WORDS for word in said)
    figures.add(f"{what}_answered_otherwise", strange, most=0)
    figures.add(f"{what}_slowest_seconds", max(took, default=0.0), most=_ANSWER_SECONDS)
