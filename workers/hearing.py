"""Notices a consumer that takes nothing from its broker although messages wait for it.

After a broker's restart a Celery worker now and then stays deaf for good. Lanes work on without
doorbells, only later; sweeps and thumbnails do not.
"""

from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery

from service.logs import get_log

LOOK_AT_QUEUES_SECONDS = 10.0
#: A minute: longer than Celery takes to find its broker again.
DEAF_LOOKS = 6

log = get_log(__name__)


class Hearing:
    """Watches one worker's consumer."""

    def __init__(
        self,
        celery: Celery,
        queues: Iterable[str],
        is_busy: Callable[[], bool],
        end_process: Callable[[], object],
    ) -> None:
        """Watch queues; `end_process` lets the supervisor start a new worker.

        Who `is_busy` with a task may have no child free for another, and is not deaf. Every task
        ends: whatever it asks has a timeout.
        """
        self._celery = celery
        self._queues = tuple(queues)
        self._is_busy = is_busy
        self._end_process = end_process
        self._has_heard = False
        self._deaf_looks = 0

    def hear(self) -> None:
        """Note that a message was taken."""
        self._has_heard = True

    def look(self) -> None:
        """Look whether messages wait that nobody takes; every LOOK_AT_QUEUES_SECONDS."""
        is_deaf = not (self._has_heard or self._is_busy()) and self._something_waits()
        self._has_heard = False
        self._deaf_looks = self._deaf_looks + 1 if is_deaf else 0
        if self._deaf_looks >= DEAF_LOOKS:
            log.critical("consumer_deaf", queues=self._queues)
            self._end_process()

    def _something_waits(self) -> bool:
        try:
            with self._celery.connection_for_read(connect_timeout=1.0) as connection:
                channel: Any = connection.default_channel
                return any(
                    channel.queue_declare(queue=queue, passive=True).message_count
                    for queue in self._queues
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, the broker does not answer
            log.debug("broker_unreached", reason=type(error).__name__)
            return False
