"""Lanes that are told to stop, and lanes whose database is away: what is known is not lost."""

import threading
from collections.abc import Callable

import pytest
from fakes.ringing import Ringing
from fakes.rows import Rows, recorded, running
from fakes.waiting import wait_until

from service import lanes
from service.errors import DatabaseUnavailable
from service.lanes import Lane
from service.messages import Message


def test_closing_ends_and_records_what_is_under_way_and_claims_no_more() -> None:
    step, go_on = Rows(1, 2, 3), threading.Event()
    for number in (1, 2):
        step.on_act[number] = lambda: go_on.wait(10)
    lane = Lane(Message.STORE, step, capacity=2, look_every_seconds=0.02, ring_others=Ringing())
    lane.start()
    wait_until(lambda: step.acting, {1, 2}.__eq__)
    lane.close()
    assert not lane.join(0.1)
    go_on.set()
    assert lane.join(10)
    assert sorted(step.recorded) == [1, 2]
    assert step.due.get_nowait() == 3


def closed_under_way(step: Rows, hand_back: Callable[[list[int]], None] | None) -> Lane[int, str]:
    """Return a lane that was closed while it acts on 1 and has done 2."""
    lane = Lane(
        Message.STORE,
        step,
        capacity=2,
        look_every_seconds=60,
        ring_others=Ringing(),
        hand_back=hand_back,
    )
    lane.start()
    wait_until(lambda: (step.acting, step.recorded), ({1, 2}, [2]).__eq__)
    lane.close()
    return lane


def test_what_has_not_ended_in_time_is_handed_back_and_what_has_ended_is_not() -> None:
    step, go_on, back = Rows(1, 2), threading.Event(), list[int]()
    step.on_act[1] = lambda: go_on.wait(10)
    lane = closed_under_way(step, back.extend)
    assert not lane.join(0.01)
    assert back == [1]
    go_on.set()
    assert lane.join(10)
    assert sorted(step.recorded) == [1, 2]
    assert back == [1]


def test_what_must_not_be_begun_twice_is_not_handed_back() -> None:
    step, go_on = Rows(1, 2), threading.Event()
    step.on_act[1] = lambda: go_on.wait(10)
    lane = closed_under_way(step, None)
    assert not lane.join(0.01)
    go_on.set()
    assert lane.join(10)


def test_a_database_that_is_away_keeps_nobody_who_hands_back() -> None:
    step, go_on = Rows(1, 2), threading.Event()
    step.on_act[1] = lambda: go_on.wait(10)

    def refuse(_claims: list[int]) -> None:
        raise DatabaseUnavailable("OperationalError")

    lane = closed_under_way(step, refuse)
    assert not lane.join(0.01)
    go_on.set()
    assert lane.join(10)


def test_a_lane_comes_round_while_it_has_nothing_to_do_and_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "RECORD_RETRY_SECONDS", 0.01)
    step, back = Rows(), threading.Event()
    with running(step, look_every_seconds=0.02) as lane:
        wait_until(lambda: lane.turns, (3).__le__)

        def refuse(_numbers: list[int]) -> None:
            if not back.is_set():
                raise DatabaseUnavailable("OperationalError")

        step.on_record = refuse
        step.due.put(1)
        lane.ring()
        wait_until(lambda: step.acting, {1}.__eq__)
        before = lane.turns
        wait_until(lambda: lane.turns, (before + 5).__le__)
        assert step.recorded == []
        back.set()
        recorded(step, 1)


def test_a_lane_that_hangs_does_not_come_round() -> None:
    step, go_on = Rows(), threading.Event()
    whole = step.claim

    def claim(limit: int) -> list[int]:
        step.acting.add(1)
        go_on.wait(10)
        return whole(limit)

    step.claim = claim  # type: ignore[method-assign] # the broken world, not a mock of ours
    with running(step, look_every_seconds=0.01) as lane:
        wait_until(lambda: step.acting, {1}.__eq__)
        before = lane.turns
        assert not go_on.wait(0.2)
        assert lane.turns == before
        go_on.set()
        wait_until(lambda: lane.turns, (before + 1).__le__)


def test_outcomes_wait_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "RECORD_RETRY_SECONDS", 0.01)
    step, away = Rows(1, 2), iter([True] * 5)

    def refuse(_numbers: list[int]) -> None:
        if next(away, False):
            raise DatabaseUnavailable("OperationalError")

    step.on_record = refuse
    with running(step):
        recorded(step, 1, 2)


def test_outcomes_are_let_go_only_when_the_lane_is_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "RECORD_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(lanes, "RECORD_PATIENCE_SECONDS", 0.1)
    step, refused = Rows(1), threading.Semaphore(0)

    def refuse(_numbers: list[int]) -> None:
        refused.release()
        raise DatabaseUnavailable("OperationalError")

    step.on_record = refuse
    with running(step) as lane:
        # far more often than its patience would allow a stopping lane
        for _ in range(50):
            assert refused.acquire(timeout=10)
        lane.close()
        assert lane.join(10)


def test_a_database_that_is_away_at_the_claim_is_asked_again() -> None:
    step, away = Rows(1), iter([True] * 3)
    whole = step.claim

    def claim(limit: int) -> list[int]:
        if next(away, False):
            raise DatabaseUnavailable("OperationalError")
        return whole(limit)

    step.claim = claim  # type: ignore[method-assign] # the broken world, not a mock of ours
    with running(step, look_every_seconds=0.02):
        recorded(step, 1)
