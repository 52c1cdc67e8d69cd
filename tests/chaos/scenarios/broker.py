"""The broker loses everything, is killed, is down, says nothing: only time may be lost."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import redis
from chaos.evidence import Evidence
from chaos.plan import Order
from chaos.proxy import Mode
from chaos.scenarios.figures import Figures, percentile
from chaos.scenarios.scenario import Size
from chaos.scenarios.seen import accepted_at, taken_at
from chaos.stage import Stage
from kombu import Connection, Queue

#: The workers say then which doorbells they heard: nothing else tells that they listen again.
SETTINGS = {"LOG_LEVEL": "debug"}
_HEARD = b"message_heard"
_QUEUES = ("io", "images")

_FLUSH_EVERY_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_BACK_SECONDS = 10.0
_P99_SECONDS = 0.5
_SWEEP_SECONDS = 1.0
_START_SECONDS = 3.0
_HEAL_SECONDS = 90


def play(stage: Stage, size: Size, figures: Figures) -> Evidence:
    """Flush it, kill it so many times, leave it down, make it a black hole; a quarter each."""
    broker, proxy = stage.around.broker, stage.around.proxies["broker"]
    quarters = _parts(stage.callers.orders, 4)

    def kill() -> None:
        broker.crash()
        time.sleep(_PAUSE_SECONDS)
        broker.start()

    def leave_down() -> None:
        broker.shut_down()
        time.sleep(size.seconds)
        broker.start()

    def fall_silent() -> None:
        proxy.set(Mode.BLACK_HOLE)
        time.sleep(size.seconds)
        proxy.set(Mode.PASS)

    stage.callers.start(next(quarters), size.seconds)
    flushes = int(size.seconds / _FLUSH_EVERY_SECONDS)
    for _ in range(flushes):
        time.sleep(_FLUSH_EVERY_SECONDS)
        _flush(broker.server.environment[broker.variable])
    figures.add("flushes", flushes)
    back = [
        _back_after_seconds(stage, kill, part, _BACK_SECONDS)
        for part in _parts(next(quarters), size.times)
    ]
    figures.add("kills", broker.crashes, least=size.times)
    figures.add("workers_back_after_a_kill_seconds", max(back), most=_BACK_SECONDS)
    for name, outage in (("being_down", leave_down), ("a_black_hole", fall_silent)):
        whole_seconds = size.seconds + _BACK_SECONDS
        after = _back_after_seconds(stage, outage, next(quarters), whole_seconds)
        figures.add(f"workers_back_after_{name}_seconds", after, most=_BACK_SECONDS)
    figures.add("healed_after_seconds", stage.heal(_HEAL_SECONDS), most=_HEAL_SECONDS)
    evidence = stage.evidence()
    _add_orders(figures, evidence)
    return evidence


def _add_orders(figures: Figures, evidence: Evidence) -> None:
    answers = evidence.answers.values()
    at_once = sum(one.said[:1] == ["202"] for one in answers)
    figures.add("answered_202_at_once", at_once, least=len(evidence.orders))
    took = [seconds for one in answers for seconds in one.took_seconds]
    figures.add("answer_p99_seconds", percentile(took, 0.99), most=_P99_SECONDS)
    figures.add("answer_slowest_seconds", max(took))
    sent, taken = accepted_at(evidence.ledger), taken_at(evidence)
    waited = [sent[marker] - taken[marker] for marker in sent.keys() & taken.keys()]
    figures.add("started_after_p99_seconds", percentile(waited, 0.99))
    most = _SWEEP_SECONDS + _START_SECONDS
    figures.add("started_after_slowest_seconds", max(waited), most=most)


def _back_after_seconds(
    stage: Stage, outage: Callable[[], None], orders: Sequence[Order], seconds: float
) -> float:
    """Return how long after the outage every worker has heard a doorbell again."""
    stage.callers.start(orders, seconds, threads=2)
    outage()
    back_at = time.monotonic()
    logs = [
        stage.around.home / f"{name}.log"
        for name in stage.programs.commands
        if name == "images" or name.startswith("worker-")
    ]
    read = {log: log.stat().st_size for log in logs}
    while read and time.monotonic() < back_at + 3 * _BACK_SECONDS:
        time.sleep(0.1)
        for log, place in list(read.items()):
            with log.open("rb") as lines:
                lines.seek(place)
                if _HEARD in lines.read():
                    del read[log]
    return time.monotonic() - back_at


def _flush(url: str) -> None:
    """Lose every message, and on Valkey the queues as well."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            client.flushall()
        return
    with Connection(url) as connection:
        for name in _QUEUES:
            Queue(name, channel=connection.default_channel).purge()


def _parts(orders: Sequence[Order], count: int) -> Iterator[Sequence[Order]]:
    """Yield them in so many parts of about the same size."""
    edges = [round(place * len(orders) / count) for place in range(count + 1)]
    return (orders[first:last] for first, last in itertools.pairwise(edges))
