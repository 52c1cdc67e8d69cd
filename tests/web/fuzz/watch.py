"""What hostile requests cost a web process, and whether others notice."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from fakes.waiting import wait_until
from web.fuzz.keep_alive import KeepAlive, with_body
from web.gunicorn_process import GunicornProcess

#: What both may come to, whatever is sent.
MAX_GROWTH_BYTES = 50 * 1024 * 1024
MAX_GOOD_SECONDS = 1.0
_ASK_EVERY_SECONDS = 0.1
#: gunicorn keeps an idle connection for 15 s.
_CLOSED_WITHIN_SECONDS = 30
#: Connections of pools, and the good caller's own.
_SPARE_DESCRIPTORS = 40
_PAGE_BYTES = 4096
_WARM_CLIENTS = 24
_WARM_REQUESTS = 1000


class Watch:
    """Asks for something good all the while, and compares the processes before and after."""

    def __init__(self, web: GunicornProcess, bearer: str) -> None:
        self._web = web
        name, _, value = bearer.partition(": ")
        self._asked = with_body("GET /v1/jobs?limit=1", {name: value}, None)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, name="good-caller")
        self.statuses: Counter[int] = Counter()
        self.slowest_seconds = 0.0
        self.processes = workers(web)
        # threads and the heaps that come with them are there after any busy minute
        with ThreadPoolExecutor(_WARM_CLIENTS) as clients:
            list(clients.map(self._ask, range(_WARM_REQUESTS)))
        self.statuses.clear()
        self.slowest_seconds = 0.0
        self._before = resident_bytes(self.processes)
        self._open = descriptors(self.processes)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if kind is None:
            self._judge()

    @property
    def growth_bytes(self) -> int:
        """How much more the one that grew most has than before."""
        now = resident_bytes(self.processes)
        return max(now[each] - self._before[each] for each in self.processes)

    def _ask_on(self) -> None:
        while not self._over.wait(_ASK_EVERY_SECONDS):
            self._ask()

    def _ask(self, _number: int = 0) -> None:
        began = time.monotonic()
        # a connection of its own each time: either process may be the one that hangs
        with KeepAlive(self._web) as connection:
            self.statuses[connection.ask(self._asked).status] += 1
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)

    def _judge(self) -> None:
        assert set(self.statuses) == {200}, self.statuses
        assert self.slowest_seconds < MAX_GOOD_SECONDS
        assert workers(self._web) == self.processes, "a process was lost"
        assert self.growth_bytes <= MAX_GROWTH_BYTES, f"{self.growth_bytes:,} bytes more"
        most = {each: count + _SPARE_DESCRIPTORS for each, count in self._open.items()}
        wait_until(
            lambda: descriptors(self.processes),
            lambda now: all(now[each] <= most[each] for each in now),
            _CLOSED_WITHIN_SECONDS,
        )
        assert "Traceback" not in self._web.log


def workers(web: GunicornProcess) -> list[int]:
    """Return the processes that answer."""
    master = web.process.pid
    return sorted(map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split()))


def resident_bytes(processes: Iterable[int]) -> dict[int, int]:
    """Return what each has in memory."""
    return {
        each: int(Path(f"/proc/{each}/statm").read_text().split()[1]) * _PAGE_BYTES
        for each in processes
    }


def descriptors(processes: Iterable[int]) -> dict[int, int]:
    """Return how many each has open."""
    return {each: len(list(Path(f"/proc/{each}/fd").iterdir())) for each in processes}
