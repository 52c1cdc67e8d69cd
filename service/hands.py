"""Hands: threads that are there again and again for short work, as many as it takes.

They are daemons: work that hangs must not keep a process that ends, as the threads of
`concurrent.futures` would.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any

#: A thread that nobody needs for so long ends.
IDLE_SECONDS = 10.0

Work = Callable[[], Any]


class Hands:
    """The threads of one owner."""

    def __init__(self, name: str) -> None:
        """Begin with none; each is called `name`."""
        self._name = name
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._lock = threading.Lock()
        #: Threads that wait, less the work that was given to them.
        self._idle = 0

    def give(self, work: Work) -> None:
        """Have it done now, in whichever thread; it must not raise."""
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
                self._work.put(work)
                return
        threading.Thread(target=self._run, args=[work], name=self._name, daemon=True).start()

    def _run(self, work: Work) -> None:
        while True:
            work()
            with self._lock:
                self._idle += 1
            try:
                work = self._work.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        return
                # something was given to one of us in the last moment
                work = self._work.get()
