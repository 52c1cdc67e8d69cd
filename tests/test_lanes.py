"""Lanes: one slow or broken row never holds up the others, and no wake-up is needed twice."""

import threading

from fakes.ringing import Ringing
from fakes.rows import Rows, recorded, running
from fakes.waiting import wait_until

from service.messages import Message


def test_it_works_off_what_is_due_at_the_start_and_what_comes_later() -> None:
    step = Rows(*range(7))
    with running(step) as lane:
        recorded(step, *range(7))
        step.due.put(7)
        lane.ring()
        recorded(step, *range(8))


def test_a_slow_act_does_not_hold_up_the_others() -> None:
    step, go_on = Rows(*range(6)), threading.Event()
    step.on_act[0] = lambda: go_on.wait(10)
    with running(step):
        recorded(step, 1, 2, 3, 4, 5)
        go_on.set()
        recorded(step, *range(6))


def test_no_more_than_its_capacity_at_a_time() -> None:
    step, go_on = Rows(*range(9)), threading.Event()
    for number in range(9):
        step.on_act[number] = lambda: go_on.wait(10)
    with running(step, capacity=3) as lane:
        wait_until(lambda: len(step.acting), (3).__eq__)
        lane.ring()
        step.due.put(9)
        assert not go_on.wait(0.1)
        assert len(step.acting) == 3
        go_on.set()
        recorded(step, *range(10))


def crash() -> None:
    raise ZeroDivisionError


def test_a_crash_of_an_act_spoils_its_own_row_only() -> None:
    step = Rows(*range(6))
    step.on_act[2] = crash
    with running(step) as lane:
        recorded(step, 0, 1, 3, 4, 5)
        step.due.put(6)
        lane.ring()
        recorded(step, 0, 1, 3, 4, 5, 6)


def test_a_crash_while_recording_one_row_spoils_that_row_only() -> None:
    step, together = Rows(*range(4)), threading.Barrier(4)
    for number in range(4):
        step.on_act[number] = lambda: together.wait(10)

    def refuse_two(numbers: list[int]) -> None:
        if 2 in numbers:
            raise ZeroDivisionError

    step.on_record = refuse_two
    with running(step, capacity=4) as lane:
        recorded(step, 0, 1, 3)
        step.due.put(4)
        step.on_act[4] = lambda: None
        lane.ring()
        recorded(step, 0, 1, 3, 4)


def test_a_crash_while_claiming_is_over_with_the_next_look() -> None:
    step, claims = Rows(1), iter([crash, crash])
    whole = step.claim

    def claim(limit: int) -> list[int]:
        next(claims, lambda: None)()
        return whole(limit)

    step.claim = claim  # type: ignore[method-assign] # the broken world, not a mock of ours
    with running(step, look_every_seconds=0.02):
        recorded(step, 1)


def test_rings_while_it_is_busy_are_one() -> None:
    step, go_on = Rows(1), threading.Event()
    step.on_act[1] = lambda: go_on.wait(10)
    with running(step) as lane:
        wait_until(lambda: step.acting, {1}.__eq__)
        step.due.put(2)

        def ring_often(_numbers: list[int]) -> None:
            for _ in range(1000):
                lane.ring()

        step.on_record = ring_often
        go_on.set()
        recorded(step, 1, 2)
    assert len(step.claims) < 10


def test_it_looks_by_itself_when_nobody_rings() -> None:
    step = Rows()
    with running(step, look_every_seconds=0.05):
        wait_until(lambda: len(step.claims), (1).__le__)
        step.due.put(1)
        recorded(step, 1)


def test_a_small_batch_rings_nobody() -> None:
    ringing, step = Ringing(), Rows(1)
    with running(step, capacity=2, ringing=ringing):
        recorded(step, 1)
    assert ringing.rung == []


def test_a_full_batch_rings_the_others_but_not_for_every_row() -> None:
    ringing, step = Ringing(), Rows(*range(200))
    with running(step, capacity=2, ringing=ringing):
        recorded(step, *range(200))
    assert 1 <= len(ringing.rung) < 20
    assert set(ringing.rung) == {Message.SUBMIT}
