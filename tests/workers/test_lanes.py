"""Which way a ring takes from inside a worker."""

import threading

from fakes.ringing import Ringing

from service.lanes import Lane
from service.messages import Message
from workers.lanes import LocalLanes

WAIT_SECONDS = 10


class Noted:
    """A step that says when it was asked for due rows."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)

    def claim(self, _limit: int) -> list[object]:
        self.asked.release()
        return []

    def act(self, claim: object) -> object:
        return claim

    def record(self, ended: list[tuple[object, object]]) -> None:
        raise AssertionError(ended)


def lane(step: Noted, broker: Ringing) -> Lane[object, object]:
    return Lane(Message.STORE, step, capacity=1, look_every_seconds=600, ring_others=broker)


def test_a_lane_that_runs_here_is_rung_without_the_broker() -> None:
    step, broker = Noted(), Ringing()
    local = LocalLanes(broker)
    local.start({Message.STORE: lane(step, broker)})
    assert step.asked.acquire(timeout=WAIT_SECONDS)  # it looks once when it starts
    local(Message.STORE)
    assert step.asked.acquire(timeout=WAIT_SECONDS)
    local.stop()
    assert broker.rung == []


def test_other_lanes_are_rung_over_the_broker() -> None:
    step, broker = Noted(), Ringing()
    local = LocalLanes(broker)
    local.start({Message.STORE: lane(step, broker)})
    local(Message.DERIVE)
    local.stop()
    assert broker.rung == [Message.DERIVE]


def test_before_its_lanes_run_and_after_they_stopped_a_worker_rings_over_the_broker() -> None:
    broker = Ringing()
    local = LocalLanes(broker)
    local(Message.STORE)
    local.start({Message.STORE: lane(Noted(), broker)})
    local.stop()
    local(Message.STORE)
    assert broker.rung == [Message.STORE, Message.STORE]
