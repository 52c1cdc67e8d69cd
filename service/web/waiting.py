"""Answers that wait for a job: one query for all who wait in this process."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from service.errors import DatabaseUnavailable
from service.logs import get_log
from service.states import TERMINAL, Status

LOOK_EVERY_SECONDS = 0.05

#: Set when this process is told to stop: who waits is answered while there is time.
LEAVING = threading.Event()

log = get_log(__name__)


class Waiting:
    """Wakes requests when their jobs have ended."""

    def __init__(
        self, statuses: Callable[[Sequence[UUID]], Mapping[UUID, Status]], places: int
    ) -> None:
        """Let at most `places` requests wait, so that the others find a thread."""
        self._statuses = statuses
        self._places = threading.BoundedSemaphore(places)
        self._lock = threading.Lock()
        self._waiting: dict[UUID, list[threading.Event]] = {}
        self._looking = False

    def wait(self, job_id: UUID, timeout_seconds: float) -> bool:
        """Return True when the job has ended, False when time or places ran out, or we leave."""
        if LEAVING.is_set() or not self._places.acquire(blocking=False):
            return False
        ended = threading.Event()
        try:
            with self._lock:
                self._waiting.setdefault(job_id, []).append(ended)
                if not self._looking:
                    self._looking = True
                    threading.Thread(target=self._look, name="waiting", daemon=True).start()
            return ended.wait(timeout_seconds) and not LEAVING.is_set()
        finally:
            with self._lock:
                self._waiting[job_id].remove(ended)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]
            self._places.release()

    def _look(self) -> None:
        while True:
            with self._lock:
                asked = list(self._waiting)
                if not asked:
                    self._looking = False
                    return
            try:
                found = self._statuses(asked)
            except DatabaseUnavailable:
                found = {}
            except Exception:
                # those who wait would otherwise never be woken again, nor those after them
                log.exception("waiting_crashed")
                found = {}
            with self._lock:
                over = {job_id for job_id, status in found.items() if status in TERMINAL}
                for job_id in asked if LEAVING.is_set() else over:
                    for ended in self._waiting.get(job_id, []):
                        ended.set()
            time.sleep(LOOK_EVERY_SECONDS)
