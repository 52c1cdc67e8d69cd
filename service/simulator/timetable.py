"""Runs calls later, on a few threads that never keep the process alive."""

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable


class Timetable:
    """A clock thread hands calls that are due to a fixed number of worker threads."""

    def __init__(self, name: str, threads: int) -> None:
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = threading.Condition()
        self._due: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._order = itertools.count()
        threading.Thread(target=self._watch, name=f"{name}-clock", daemon=True).start()
        for number in range(threads):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Run `call` once `seconds` have passed, or later if all threads are busy."""
        if seconds <= 0:
            self._due.put(call)
            return
        with self._changed:
            heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), call))
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while True:
                wait = self._later[0][0] - time.monotonic() if self._later else None
                if wait is not None and wait <= 0:
                    self._due.put(heapq.heappop(self._later)[2])
                else:
                    self._changed.wait(wait)

    def _work(self) -> None:
        while True:
            call = self._due.get()
            try:
                call()
            except Exception as problem:  # noqa: BLE001 - one bad call must not cost a thread
                threading.excepthook(
                    threading.ExceptHookArgs(
                        (type(problem), problem, problem.__traceback__, threading.current_thread())
                    )
                )
