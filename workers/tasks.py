"""One task per message. A task carries nothing: it wakes a lane, or does one lane's due rows."""

from collections.abc import Mapping
from typing import Protocol

from celery import Celery

from service.messages import Message
from service.wiring import Wiring

#: Images that one derive task takes at a time; the next ring takes the next.
DERIVE_BATCH = 4


class Bell(Protocol):
    """A lane, as far as a task knows it."""

    def ring(self) -> None:
        """Have it look for due rows now."""


def register(celery: Celery, wiring: Wiring, lanes: Mapping[Message, Bell]) -> None:
    """Give every message its task."""

    @celery.task(name=Message.SUBMIT.value)
    def submit() -> None:
        lanes[Message.SUBMIT].ring()

    @celery.task(name=Message.POLL.value)
    def poll() -> None:
        lanes[Message.POLL].ring()

    @celery.task(name=Message.STORE.value)
    def store() -> None:
        lanes[Message.STORE].ring()

    @celery.task(name=Message.DELIVER.value)
    def deliver() -> None:
        lanes[Message.DELIVER].ring()

    @celery.task(name=Message.DERIVE.value)
    def derive() -> None:
        step = wiring.derive
        while bare := step.claim(DERIVE_BATCH):
            if len(bare) == DERIVE_BATCH:
                wiring.sender(Message.DERIVE)
            step.record([(image, step.act(image)) for image in bare])

    @celery.task(name=Message.DISCARD.value)
    def discard() -> None:
        wiring.discard()

    @celery.task(name=Message.SWEEP.value)
    def sweep() -> None:
        wiring.sweep()
