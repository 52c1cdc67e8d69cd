"""A step over a list of numbers, and a lane that works it off."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fakes.ringing import Ringing
from fakes.waiting import wait_until

from service.lanes import Lane
from service.messages import Message


class Rows:
    """A test says what acting on and recording each number does."""

    def __init__(self, *numbers: int) -> None:
        self.due: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in numbers:
            self.due.put(number)
        self.on_act: dict[int, Callable[[], object]] = {}
        self.on_record: Callable[[list[int]], object] = lambda _numbers: None
        self.claims: list[int] = []
        self.acting: set[int] = set()
        self.recorded: list[int] = []

    def claim(self, limit: int) -> list[int]:
        found: list[int] = []
        while len(found) < limit:
            try:
                found.append(self.due.get_nowait())
            except queue.Empty:
                break
        self.claims.append(len(found))
        return found

    def act(self, claim: int) -> str:
        self.acting.add(claim)
        self.on_act.get(claim, lambda: None)()
        return f"done {claim}"

    def record(self, ended: list[tuple[int, str]]) -> None:
        self.on_record([number for number, _ in ended])
        assert all(said == f"done {number}" for number, said in ended)
        self.recorded += [number for number, _ in ended]


@contextmanager
def running(
    step: Rows, *, capacity: int = 2, look_every_seconds: float = 60, ringing: Ringing | None = None
) -> Iterator[Lane[int, str]]:
    lane = Lane(
        Message.SUBMIT,
        step,
        capacity=capacity,
        look_every_seconds=look_every_seconds,
        ring_others=ringing or Ringing(),
    )
    lane.start()
    yield lane
    lane.close()
    assert lane.join(10)


def recorded(step: Rows, *numbers: int) -> None:
    wait_until(lambda: sorted(step.recorded), list(numbers).__eq__)
