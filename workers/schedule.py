"""What beat rings, and how often."""

from typing import Any

from celery import Celery
from celery.beat import ScheduleEntry, Scheduler

from service.messages import Message
from service.queue import CelerySender

#: How often expired uploads are looked for.
DISCARD_INTERVAL_SECONDS = 600.0


class Clock(Scheduler):
    """Beat's scheduler; it rings as everybody does.

    Celery's own waits for a silent broker, and goes on with a connection to RabbitMQ that is dead.
    """

    def __init__(self, app: Celery, **named: Any) -> None:  # noqa: ANN401 - as Celery has it
        super().__init__(app, **named)
        self._ring = CelerySender(app.conf.broker_url)

    @property
    def producer(self) -> Any:  # noqa: ANN401 - there is none
        """Nothing: Celery's would connect first."""
        return None

    def apply_async(self, entry: ScheduleEntry, *_: object, **__: object) -> None:
        """Ring once; never waits."""
        self._ring(Message(str(entry.task)))


def beat_schedule(sweep_interval_seconds: float) -> dict[str, Any]:
    """Return beat's entries."""
    return {
        "sweep": {"task": Message.SWEEP.value, "schedule": sweep_interval_seconds},
        "discard": {"task": Message.DISCARD.value, "schedule": DISCARD_INTERVAL_SECONDS},
    }
