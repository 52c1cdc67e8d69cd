"""Who waits for news of a job: one look at the database for all of them in this process."""

import select
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from service.errors import DatabaseUnavailable
from service.logs import get_log
from service.steps.tail import News

#: Requests of one process that wait, or follow a job, at once. The kernel may give all of them to
#: one process; each has a thread that sleeps, so that they take none of anybody else.
PLACES = 512
LOOK_EVERY_SECONDS = 0.05
#: The more are waited for, the longer a look takes and the rarer it is; up to the second figure.
LOOK_SHARE = 0.05
SLOWEST_LOOK_SECONDS = 0.25
#: How often those who follow hear that we are still there, and their keys are looked at.
HEARTBEAT_SECONDS = 15.0
#: Behind every line of any timeline.
_NO_LINES = 2**31
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT

#: Set when this process is told to stop: who waits is answered while there is time.
LEAVING = threading.Event()

log = get_log(__name__)

Look = Callable[[Mapping[UUID, int]], Mapping[UUID, News]]


@dataclass(eq=False, slots=True)
class Watch:
    """One who waits for news of a job."""

    job_id: UUID
    #: The latest line that it has heard of.
    known: int
    #: Where its client hangs up; None where that cannot be known.
    connection: socket.socket | None = None
    #: With which key; None: the answer comes soon enough anyway.
    key_id: UUID | None = None
    #: New lines as they come; None when there is no more.
    news: SimpleQueue[list[Row[Any]] | None] = field(default_factory=SimpleQueue)
    has_place: bool = True


class Waiting:
    """Tells requests what becomes of their jobs."""

    def __init__(
        self,
        look: Look,
        living: Callable[[Collection[UUID]], set[UUID]],
        places: int,
        heartbeat_seconds: float,
    ) -> None:
        """Let at most `places` wait; `living` returns those of some keys that are still good."""
        self.heartbeat_seconds = heartbeat_seconds
        self._ask = look
        self._living = living
        self._places = threading.BoundedSemaphore(places)
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        self._looking = False
        self._keys_due_at = 0.0

    def wait(
        self,
        job_id: UUID,
        timeout_seconds: float,
        aside: AbstractContextManager[None],
        connection: socket.socket | None = None,
    ) -> bool:
        """Return True when the job has ended, False when time or places ran out, or we leave.

        `aside` is around the waiting itself, if there is a place for it. Nobody is waited for who
        has hung up.
        """
        watch = self._enter(Watch(job_id, _NO_LINES, connection))
        if watch is None:
            return False
        try:
            with aside:
                return _hears_the_end(watch, timeout_seconds) and not LEAVING.is_set()
        finally:
            self.leave(watch)

    def follow(
        self, job_id: UUID, known: int, key_id: UUID, connection: socket.socket | None = None
    ) -> Watch | None:
        """Return a watch that hears of every later line until its end; None without a place."""
        return self._enter(Watch(job_id, known, connection, key_id))

    def leave(self, watch: Watch) -> None:
        """Give a watch's place back, however often this is said."""
        with self._lock:
            self._watches.discard(watch)
            if watch.has_place:
                watch.has_place = False
                self._places.release()

    def _enter(self, watch: Watch) -> Watch | None:
        if LEAVING.is_set() or not self._places.acquire(blocking=False):
            return None
        with self._lock:
            self._watches.add(watch)
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="waiting", daemon=True).start()
        return watch

    def _look(self) -> None:
        while watches := self._all():
            began = time.monotonic()
            self._end(_gone(watches))
            try:
                self._tell(watches)
                if began >= self._keys_due_at:
                    self._end_revoked(watches)
                    self._keys_due_at = began + self.heartbeat_seconds
            except DatabaseUnavailable:
                # it may be back soon
                pass
            except Exception:
                # those who wait would otherwise never be woken again, nor those after them
                log.exception("waiting_crashed")
            if LEAVING.is_set():
                self._end(watches)
            took = time.monotonic() - began
            time.sleep(min(SLOWEST_LOOK_SECONDS, max(LOOK_EVERY_SECONDS, took / LOOK_SHARE)))

    def _all(self) -> list[Watch]:
        with self._lock:
            self._looking = bool(self._watches)
            return list(self._watches)

    def _tell(self, watches: list[Watch]) -> None:
        known: dict[UUID, int] = {}
        for watch in watches:
            known[watch.job_id] = min(watch.known, known.get(watch.job_id, _NO_LINES))
        found = self._ask(known)
        for watch in watches if found else ():
            news = found.get(watch.job_id)
            if news is None:
                continue
            lines = [line for line in news.lines if line.seq > watch.known]
            if lines:
                watch.known = lines[-1].seq
                watch.news.put(lines)
            if news.is_over:
                self._end([watch])

    def _end_revoked(self, watches: list[Watch]) -> None:
        used = {watch.key_id for watch in watches if watch.key_id is not None}
        if used:
            revoked = used - self._living(used)
            self._end([watch for watch in watches if watch.key_id in revoked])

    def _end(self, watches: list[Watch]) -> None:
        with self._lock:
            self._watches.difference_update(watches)
        for watch in watches:
            watch.news.put(None)


def _gone(watches: list[Watch]) -> list[Watch]:
    """Return those whose clients have hung up."""
    found = {watch.connection.fileno(): watch for watch in watches if watch.connection is not None}
    poll = select.poll()
    for number in found:
        if number >= 0:
            poll.register(number, select.POLLIN)
    return [found[number] for number, _ in poll.poll(0) if _has_hung_up(found[number].connection)]


def _has_hung_up(connection: socket.socket | None) -> bool:
    """Return whether what can be read is the end, and not the client's next request."""
    try:
        return connection is not None and not connection.recv(1, _PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _hears_the_end(watch: Watch, timeout_seconds: float) -> bool:
    try:
        return watch.news.get(timeout=timeout_seconds) is None
    except Empty:
        return False
