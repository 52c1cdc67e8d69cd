"""What closes the gate is counted once, whoever finds it out, and never locked in a circle."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from factories import ACCEPTED, Rewire, ago, due_now, enqueue, gate_row, hear, put, webhook
from fakes.waiting import wait_until
from sqlalchemy import select, text, update

from service import gate
from service.database import Transaction
from service.keys import NewKey
from service.models import Gate, jobs
from service.states import Status
from service.steps.submit import Intent
from service.upstream import Refused, SubmitOutcome, Unknown
from service.wiring import Wiring

PROVIDER = "simulator"


def claimed(wiring: Wiring, key: NewKey, count: int) -> list[Intent]:
    for _ in range(count):
        enqueue(wiring, key)
    intents = wiring.submit.claim(count)
    assert len(intents) == count
    return intents


def park(wiring: Wiring, intents: list[Intent]) -> None:
    for intent in intents:
        due_now(wiring, intent.job_id)
    wiring.sweep()


@pytest.mark.parametrize(
    ("outcome", "failures", "slots"),
    [
        (Unknown("reset"), 3, 20),
        (Unknown("answered 503", 503), 3, 20),
        (Refused(429, "full"), 2, 19),
        (ACCEPTED, 0, 21),
        (Refused(422, "no"), 0, 21),
    ],
)
def test_an_outcome_that_is_written_down_twice_is_counted_once(
    wiring: Wiring, key: NewKey, outcome: SubmitOutcome, failures: int, slots: int
) -> None:
    (intent,) = claimed(wiring, key, 1)
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).values(failures=2, slots=20))
    for _ in range(3):
        wiring.submit.record([(intent, outcome)])
        row = gate_row(wiring)
        assert (row.failures, row.slots, row.closed_reason) == (failures, slots, None)


def test_submissions_that_fell_silent_close_the_gate(wiring: Wiring, key: NewKey) -> None:
    first, *others = claimed(wiring, key, gate.BREAKER_FAILURES)
    park(wiring, others)
    assert (gate_row(wiring).failures, gate_row(wiring).closed_reason) == (4, None)
    park(wiring, [first])
    assert (gate_row(wiring).failures, gate_row(wiring).closed_reason) == (5, gate.BREAKER_REASON)
    enqueue(wiring, key)
    assert wiring.submit.claim(1) == []


def test_a_silent_submission_is_counted_once_whoever_is_first(wiring: Wiring, key: NewKey) -> None:
    swept, recorded, heard = claimed(wiring, key, 3)
    wiring.submit.record([(recorded, Unknown("reset"))])
    hear(wiring, webhook(wiring, heard.job_id))
    put(wiring, swept.job_id, due_at=None)
    park(wiring, [swept])
    wiring.submit.record([(one, Unknown("reset")) for one in (swept, recorded, heard)])
    wiring.sweep()
    assert gate_row(wiring).failures == 2


def answer(wiring: Wiring, outcome: SubmitOutcome, intents: list[Intent]) -> None:
    """Give each of them the same answer, one after another."""
    for intent in intents:
        wiring.submit.record([(intent, outcome)])


def test_half_of_the_last_twenty_close_the_gate(wiring: Wiring, key: NewKey) -> None:
    intents = claimed(wiring, key, 21)
    for _ in range(9):
        answer(wiring, Unknown("reset"), [intents.pop()])
        answer(wiring, ACCEPTED, [intents.pop()])
        assert (gate_row(wiring).failures, gate_row(wiring).closed_reason) == (0, None)
    answer(wiring, Unknown("reset"), [intents.pop()])
    assert gate_row(wiring).closed_reason == gate.BREAKER_REASON


def test_what_lies_longer_back_than_the_last_twenty_counts_no_more(
    wiring: Wiring, key: NewKey
) -> None:
    for count in (3, 3, 3):
        intents = claimed(wiring, key, count + 1)
        answer(wiring, Unknown("reset"), intents[:count])
        answer(wiring, ACCEPTED, intents[count:])
    assert gate_row(wiring).recent == 0b1110_1110_1110
    for _ in range(12):
        answer(wiring, ACCEPTED, claimed(wiring, key, 1))
    put_all_aside(wiring)
    answer(wiring, Unknown("reset"), claimed(wiring, key, 1))
    # two of the first three have fallen out
    assert gate_row(wiring).recent == 0b1101_1100_0000_0000_0001
    assert gate_row(wiring).closed_reason is None


def test_a_gate_that_is_opened_again_starts_its_count_anew(wiring: Wiring, key: NewKey) -> None:
    intents = claimed(wiring, key, 6)
    answer(wiring, Unknown("reset"), intents[:5])
    assert gate_row(wiring).closed_reason == gate.BREAKER_REASON
    answer(wiring, ACCEPTED, intents[5:])
    row = gate_row(wiring)
    assert (row.closed_reason, row.failures, row.recent) == (None, 0, 0)


def test_an_answer_locks_and_writes_nothing_while_all_is_well(wiring: Wiring, key: NewKey) -> None:
    (intent,) = claimed(wiring, key, 1)
    version = select(text("xmin::text")).select_from(Gate).where(Gate.pool == gate.ACCOUNT)
    with wiring.database.transaction() as tx, ThreadPoolExecutor(1) as pool:
        before = tx.scalar(version)
        tx.rows(select(Gate.pool).with_for_update())
        pool.submit(wiring.submit.record, [(intent, ACCEPTED)]).result(30)
        assert tx.scalar(version) == before


@pytest.mark.parametrize(
    ("outcomes", "low", "high"),
    [([Unknown("reset")] * 5, 290, 300), ([Refused(402, "no")], 690, 700)],
)
def test_a_closed_gate_is_probed_as_often_as_the_settings_say(
    rewire: Rewire, key: NewKey, outcomes: list[SubmitOutcome], low: float, high: float
) -> None:
    wiring = rewire(breaker_probe_seconds=300.0, account_probe_seconds=700.0)
    intents = claimed(wiring, key, len(outcomes))
    waiting = enqueue(wiring, key)
    for intent, outcome in zip(intents, outcomes, strict=True):
        wiring.submit.record([(intent, outcome)])
    for _ in range(2):
        assert low < gate_row(wiring).probe_at.timestamp() - time.time() <= high
        with wiring.database.transaction() as tx:
            tx.execute(update(Gate).values(probe_at=ago(1)))
        due_now(wiring, waiting)
        (probe,) = wiring.submit.claim(5)
        put(wiring, probe.job_id, status=Status.CANCELED)
        waiting = enqueue(wiring, key)


def put_all_aside(wiring: Wiring) -> None:
    """Let no job hold a slot any more."""
    with wiring.database.transaction() as tx:
        tx.execute(update(jobs).values(status=Status.CANCELED))


def gate_is_free(tx: Transaction, pool: str) -> bool:
    row = select(Gate.pool).where(Gate.provider == PROVIDER, Gate.pool == pool)
    return len(tx.rows(row.with_for_update(skip_locked=True))) == 1


def test_who_records_answers_takes_the_gate_after_all_jobs(wiring: Wiring, key: NewKey) -> None:
    """As the sweep does: else the two could each hold what the other waits for."""
    intents = sorted(claimed(wiring, key, 2), key=lambda intent: intent.job_id)
    outcomes: list[SubmitOutcome] = [Unknown("reset"), ACCEPTED]
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as pool:
        with wiring.database.transaction() as tx:
            last = intents[-1].job_id
            assert wiring.moves.move(tx, last, Status.STORING, "a webhook") is not None
            recorded = pool.submit(wiring.submit.record, list(zip(intents, outcomes, strict=True)))
            wait_until(lambda: tx.scalar(waits), (1).__le__)
            assert gate_is_free(tx, gate.ACCOUNT)
        recorded.result(10)


TELLS: dict[str, Callable[[Transaction, gate.Slots], object]] = {
    "refused for now": lambda tx, _limits: gate.shrink(tx, PROVIDER, "own"),
    "answered": lambda tx, limits: gate.answered(tx, PROVIDER, "own", limits),
    "claimed": lambda tx, limits: gate.room(tx, PROVIDER, limits),
}


@pytest.mark.parametrize("tell", TELLS)
def test_the_gate_of_the_account_is_locked_before_those_of_its_pools(
    wiring: Wiring, tell: str
) -> None:
    limits = {gate.ACCOUNT: 24, "own": 6}

    def act() -> None:
        with wiring.database.transaction() as tx:
            TELLS[tell](tx, limits)

    with wiring.database.transaction() as tx:
        gate.room(tx, PROVIDER, limits)
        # a table that is known to be small is scanned as it lies: here the account's row comes last
        for pool in ("own", gate.ACCOUNT):
            tx.execute(update(Gate).where(Gate.pool == pool).values(slots=3))
        tx.execute(text("ANALYZE gates"))
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as workers:
        with wiring.database.transaction() as tx:
            assert gate_is_free(tx, gate.ACCOUNT)
            told = workers.submit(act)
            wait_until(lambda: tx.scalar(waits), (1).__le__)
            assert gate_is_free(tx, "own")
        told.result(10)
