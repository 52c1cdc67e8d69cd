"""S3 is away for longer than a result lives, with as much in flight as the slots allow."""

import json
import time

from chaos.evidence import Evidence, staged
from chaos.proxy import Mode
from chaos.scenarios.figures import Figures
from chaos.scenarios.scenario import Size
from chaos.scenarios.seen import Said, Watch, accepted
from chaos.stage import Stage, until

#: For each job in flight so many more are handed in while S3 is away.
LATER_SHARE = 0.5
_NOTICE_SECONDS = 15.0
_LAST_SUBMISSION_SECONDS = 5.0
_DRAIN_SECONDS = 30.0
_HEAL_SECONDS = 90
#: What is in flight when S3 goes ends in this time after its submission.
_GENERATION_SECONDS = (8.0, 20.0)


def refused(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """Nobody listens at its address."""
    return _play(stage, size, figures, Mode.REFUSE)


def black_hole(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """It takes connections and says nothing."""
    return _play(stage, size, figures, Mode.BLACK_HOLE)


def _play(stage: Stage, size: Size, figures: Figures, mode: Mode) -> Evidence:
    bucket, home = stage.around.proxies["bucket"], stage.around.home
    in_flight, later = stage.callers.orders[: size.jobs], stage.callers.orders[size.jobs :]
    shortest, longest = _GENERATION_SECONDS
    stage.around.simulator.change(min_seconds=shortest, max_seconds=longest)
    stage.callers.start(in_flight, shortest / 2)
    until(2 * shortest, lambda: len(accepted(stage)) >= len(in_flight))
    figures.add("in_flight", int(stage.around.simulator.state()["active"]))
    with Watch(f"{stage.around.url}/readyz") as health:
        away_at = time.time()
        bucket.set(mode)
        stage.callers.start(later, 0.8 * size.seconds)
        time.sleep(size.seconds)
        figures.add("waiting_on_disk", len(staged(home)))
        back_at = time.time()
        bucket.set(Mode.PASS)
        until(2 * _DRAIN_SECONDS, lambda: not staged(home))
        drained_after_seconds = time.time() - back_at
    closed_after = health.first(away_at, _tells_of_the_bucket)
    noticed_seconds = size.seconds if closed_after is None else closed_after
    figures.add("gate_closed_after_seconds", noticed_seconds, most=_NOTICE_SECONDS)
    sent = [at - away_at for at in accepted(stage).values() if away_at <= at < back_at]
    figures.add("submissions_while_away", len(sent))
    figures.add(
        "last_submission_after_gate_closed_seconds",
        max(sent, default=0.0) - noticed_seconds,
        most=_LAST_SUBMISSION_SECONDS,
    )
    figures.add("disk_empty_after_seconds", drained_after_seconds, most=_DRAIN_SECONDS)
    figures.add("healed_after_seconds", stage.heal(_HEAL_SECONDS), most=_HEAL_SECONDS)
    evidence = stage.evidence()
    ended = [job["status"] for job in evidence.jobs.values()]
    figures.add("succeeded", ended.count("succeeded"), least=len(evidence.orders))
    return evidence


def _tells_of_the_bucket(said: Said) -> bool:
    try:
        checks: dict[str, str] = json.loads(said.text)["checks"]
    except (ValueError, KeyError):
        return False
    return checks.get("bucket") != "ok"
