"""A lane that is lost ends its process, and nothing else does."""

import threading

import pytest
from fakes.ringing import Ringing
from fakes.waiting import wait_until

from service.lanes import Lane
from service.messages import Message
from workers import lanes as workers_lanes
from workers.lanes import MISSED_LOOKS, LaneWatch

WAIT_SECONDS = 10


class Idle:
    """A step without rows, whose claims end when a test lets them."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.asked = threading.Event()

    def claim(self, _limit: int) -> list[object]:
        self.asked.set()
        self.go_on.wait(WAIT_SECONDS)
        return []

    def act(self, claim: object) -> object:
        return claim

    def record(self, ended: list[tuple[object, object]]) -> None:
        raise AssertionError(ended)


class Ended:
    """Counts how often the process was ended."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def lane(step: Idle, look_every_seconds: float = 0.01) -> Lane[object, object]:
    return Lane(
        Message.STORE,
        step,
        capacity=1,
        look_every_seconds=look_every_seconds,
        ring_others=Ringing(),
    )


def test_lanes_that_come_round_are_left_alone() -> None:
    ended, store = Ended(), lane(Idle())
    watch = LaneWatch({Message.STORE: store}, ended)
    store.start()
    for _ in range(2 * MISSED_LOOKS):
        before = store.turns
        wait_until(lambda: store.turns, (before + 1).__le__)
        watch.look()
    store.close()
    assert store.join(WAIT_SECONDS)
    assert ended.times == 0


def test_a_lane_that_is_stuck_for_many_looks_ends_the_process() -> None:
    ended, step = Ended(), Idle()
    step.go_on.clear()
    store = lane(step)
    watch = LaneWatch({Message.STORE: store}, ended)
    store.start()
    assert step.asked.wait(WAIT_SECONDS)
    for _ in range(MISSED_LOOKS):
        watch.look()
    assert ended.times == 0
    watch.look()
    assert ended.times == 1
    step.go_on.set()
    store.close()
    assert store.join(WAIT_SECONDS)


def test_a_lane_that_was_slow_once_starts_anew() -> None:
    ended, step = Ended(), Idle()
    step.go_on.clear()
    store = lane(step)
    watch = LaneWatch({Message.STORE: store}, ended)
    store.start()
    assert step.asked.wait(WAIT_SECONDS)
    for _ in range(MISSED_LOOKS):
        watch.look()
    before = store.turns
    step.go_on.set()
    wait_until(lambda: store.turns, (before + 1).__le__)
    watch.look()
    store.close()
    assert store.join(WAIT_SECONDS)
    assert ended.times == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lane_that_died_ends_the_process_at_once() -> None:
    class Vanishing(Idle):
        def claim(self, _limit: int) -> list[object]:
            raise SystemExit

    ended, store = Ended(), lane(Vanishing())
    watch = LaneWatch({Message.STORE: store}, ended)
    store.start()
    wait_until(lambda: store.has_died, bool)
    watch.look()
    assert ended.times == 1


def test_a_lane_that_was_closed_has_not_died() -> None:
    ended, store = Ended(), lane(Idle())
    store.start()
    store.close()
    assert store.join(WAIT_SECONDS)
    LaneWatch({Message.STORE: store}, ended).look()
    assert ended.times == 0


def test_two_minutes_of_looks_are_longer_than_any_wait_for_the_database() -> None:
    assert MISSED_LOOKS * workers_lanes.LOOK_AT_LANES_SECONDS >= 120
