"""One task per message. A task carries nothing: it wakes a lane, or does one lane's due rows."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from celery import Celery, current_task
from celery.exceptions import Reject

from service.errors import DatabaseUnavailable, TransientError
from service.logs import get_log
from service.messages import Message
from service.wiring import Wiring

#: Images that are derived at a time, and how long one task goes on with further ones, seconds: a
#: worker that is told to stop waits for its tasks.
DERIVE_BATCH = 4
DERIVE_SECONDS = 10.0
#: A job that can be neither accepted nor refused now is looked at again after so long.
LETTER_PAUSE_SECONDS = 1.0

log = get_log(__name__)


class Ringable(Protocol):
    """A lane, as far as a task knows it."""

    def ring(self) -> None:
        """Have it look for due rows now."""


def register(celery: Celery, wiring: Wiring, lanes: Mapping[Message, Ringable]) -> None:
    """Give every message its task."""
    for message, lane in lanes.items():
        celery.task(name=message.value, shared=False)(lane.ring)

    @celery.task(name=Message.ENQUEUE.value, shared=False, acks_late=True)
    def enqueue(**said: Any) -> None:  # noqa: ANN401 - as its sender has it
        try:
            wiring.letters.take(said, current_task.request.id)
        except TransientError as error:
            log.warning("letter_waits", reason=str(error))
            time.sleep(LETTER_PAUSE_SECONDS)
            raise Reject(requeue=True) from None

    @celery.task(name=Message.DERIVE.value, shared=False)
    def derive() -> None:
        step = wiring.derive
        turn_ends_at = time.monotonic() + DERIVE_SECONDS
        with _patient(Message.DERIVE):
            while time.monotonic() < turn_ends_at and (bare := step.claim(DERIVE_BATCH)):
                if len(bare) == DERIVE_BATCH:
                    wiring.sender(Message.DERIVE)
                step.record([(image, step.act(image)) for image in bare])

    @celery.task(name=Message.DISCARD.value, shared=False)
    def discard() -> None:
        with _patient(Message.DISCARD):
            wiring.discard()

    @celery.task(name=Message.SWEEP.value, shared=False)
    def sweep() -> None:
        with _patient(Message.SWEEP):
            wiring.sweep(by_beat=True)


@contextmanager
def _patient(message: Message) -> Iterator[None]:
    """Let a database that is away be one line in the log: the next ring tries again."""
    try:
        yield
    except DatabaseUnavailable as error:
        log.warning("task_waits_for_database", task=message.stage, reason=str(error))
