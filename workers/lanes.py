"""The lanes of this worker process, and the shortest way to ring one."""

import threading
import time
from collections.abc import Callable, Mapping

from service.database import Ring
from service.lanes import Lane
from service.logs import get_log
from service.messages import Message

#: How long a worker that is told to stop waits for the acts under way, seconds.
DRAIN_SECONDS = 25.0
#: A lane that has not come round for so many looks is stuck: two minutes of looks. Looks are
#: counted and no clock is read: a process that was stopped from outside has not looked either.
LOOK_AT_LANES_SECONDS = 5.0
MISSED_LOOKS = 24

log = get_log(__name__)


class LocalLanes:
    """Rings a lane that runs in this process directly, and any other over the broker.

    What one lane leaves to the next mostly stays on this host. A lane that cannot keep up rings the
    others over the broker itself.
    """

    def __init__(self, broker: Ring) -> None:
        self.broker = broker
        self._running: Mapping[Message, Lane[object, object]] = {}
        self._draining = threading.Lock()

    def __call__(self, message: Message) -> None:
        """Ring once; never raises, never waits."""
        lane = self._running.get(message)
        if lane is None:
            self.broker(message)
        else:
            lane.ring()

    def start(self, lanes: Mapping[Message, Lane[object, object]]) -> None:
        """Begin to work: a worker looks for due rows at once, whoever rings."""
        for lane in lanes.values():
            lane.start()
        self._running = lanes

    def stop(self) -> None:
        """Claim no more, and let the acts under way end and be recorded, or hand them back.

        Whoever calls second waits for the first.
        """
        with self._draining:
            lanes, self._running = self._running, {}
            give_up_at = time.monotonic() + DRAIN_SECONDS
            for lane in lanes.values():
                lane.close()
            for lane in lanes.values():
                lane.join(max(0.0, give_up_at - time.monotonic()))


class LaneWatch:
    """Notices a lane that has died or is stuck: its process has to be started again."""

    def __init__(
        self, lanes: Mapping[Message, Lane[object, object]], end_process: Callable[[], object]
    ) -> None:
        """Watch lanes that run; `end_process` lets the supervisor start a new one."""
        self._lanes = lanes
        self._end_process = end_process
        self._turns: dict[Message, int] = {}
        self._missed: dict[Message, int] = {}

    def look(self) -> None:
        """Look at every lane; to be called every LOOK_AT_LANES_SECONDS."""
        for message, lane in self._lanes.items():
            turns = lane.turns
            came_round = turns != self._turns.get(message)
            self._turns[message] = turns
            self._missed[message] = 0 if came_round else self._missed[message] + 1
            if lane.has_died or self._missed[message] >= MISSED_LOOKS:
                log.critical("lane_lost", lane=message.stage, has_died=lane.has_died)
                self._end_process()
                return
