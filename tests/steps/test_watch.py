"""Watch: what /readyz and /metrics say comes from the tables and is right."""

from datetime import timedelta

import pytest
from factories import ACCEPTED, ago, enqueue, put
from sqlalchemy import Engine, event, update
from steps.owing import owed

from service.keys import NewKey
from service.models import Delivery, Gate
from service.states import TERMINAL, Status
from service.steps import watch
from service.upstream import Refused
from service.wiring import Wiring


def test_an_empty_service_is_healthy_but_for_its_clock(wiring: Wiring) -> None:
    health = wiring.watch.health()
    assert set(health.live_jobs) == {status.value for status in set(Status) - TERMINAL}
    assert set(health.live_jobs.values()) == {0}
    assert set(health.oldest_due_seconds.values()) == {0.0}
    assert (health.closed_gates, health.next_url_dies_in_seconds) == ({}, None)
    assert health.sweep_age_seconds is None
    wiring.sweep(by_beat=True)
    age = wiring.watch.health().sweep_age_seconds
    assert age is not None
    assert 0 <= age < 5


def test_jobs_slots_and_ages_are_counted(wiring: Wiring, key: NewKey) -> None:
    for status in Status:
        put(wiring, enqueue(wiring, key), status=status, due_at=ago(30))
    put(wiring, enqueue(wiring, key), due_at=ago(-60))
    put(wiring, enqueue(wiring, key), status=Status.STORING, result_expires_at=ago(-100))
    health = wiring.watch.health()
    assert health.live_jobs == {
        "queued": 2, "submitting": 1, "unconfirmed": 1, "generating": 1, "storing": 2
    }  # fmt: skip
    assert health.slots_in_use == {"simulator": 3}
    for lane in ("submit", "poll", "store"):
        assert 29 < health.oldest_due_seconds[lane] < 40
    assert health.oldest_due_seconds["deliver"] == 0
    assert health.next_url_dies_in_seconds is not None
    assert 90 < health.next_url_dies_in_seconds <= 100


def test_of_a_long_queue_no_more_is_read_than_some_thousand_jobs(
    wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "COUNTED_JOBS", 2)
    for _ in range(3):
        put(wiring, enqueue(wiring, key), due_at=ago(30))
    statements: list[str] = []

    @event.listens_for(Engine, "before_cursor_execute")
    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        statements.append(statement)

    try:
        health = wiring.watch.health()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert health.live_jobs["queued"] == 2
    assert 29 < health.oldest_due_seconds["submit"] < 40
    (oldest,) = (one for one in statements if "lane" in one)
    _, submit, *_ = oldest.split("AS lane")
    assert "LIMIT" in submit


def test_of_callbacks_the_oldest_of_any_host_is_told(wiring: Wiring, key: NewKey) -> None:
    for place, due_at in enumerate((ago(-60), ago(10), ago(30), ago(-90))):
        for later in (timedelta(0), timedelta(minutes=1)):
            job_id = owed(wiring, key, f"http://127.0.0.1:{place + 1}/hook")
            with wiring.database.transaction() as tx:
                mine = update(Delivery).where(Delivery.job_id == job_id)
                tx.execute(mine.values(due_at=due_at + later))
    assert 29 < wiring.watch.health().oldest_due_seconds["deliver"] < 40


def test_a_closed_gate_is_told_with_its_reason(wiring: Wiring, key: NewKey) -> None:
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, Refused(402, "no credits"))])
    assert "402" in wiring.watch.health().closed_gates["simulator"]
    enqueue(wiring, key)
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).values(probe_at=ago(1)))
    (probe,) = wiring.submit.claim(1)
    wiring.submit.record([(probe, ACCEPTED)])
    assert wiring.watch.health().closed_gates == {}
