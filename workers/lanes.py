"""The lanes of this worker process, and the shortest way to ring one."""

import time
from collections.abc import Mapping

from service.database import Ring
from service.lanes import Lane
from service.messages import Message

#: How long a worker that is told to stop waits for the acts under way, seconds.
DRAIN_SECONDS = 25.0


class LocalLanes:
    """Rings a lane that runs in this process directly, and any other over the broker.

    What one lane leaves to the next mostly stays on this host. A lane that cannot keep up rings the
    others over the broker itself.
    """

    def __init__(self, broker: Ring) -> None:
        self.broker = broker
        self._running: Mapping[Message, Lane[object, object]] = {}

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
        """Claim no more, and let the acts under way end and be recorded."""
        lanes, self._running = self._running, {}
        give_up_at = time.monotonic() + DRAIN_SECONDS
        for lane in lanes.values():
            lane.close()
        for lane in lanes.values():
            lane.join(max(0.0, give_up_at - time.monotonic()))
