"""Checks of what may not answer: whoever asks waits a moment, never for a socket's own timeout."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Found = TypeVar("Found")


class NoAnswer(Exception):
    """The check has not ended in time; it goes on, and nobody starts it again until it has."""


class Probe(Generic[Found]):
    """One check, made in a thread of its own, by one at a time for all who ask."""

    def __init__(self, check: Callable[[], Found]) -> None:
        """Prepare; `check` is first made when somebody asks."""
        self._check = check
        self._lock = threading.Lock()
        self._latest: Future[Found] | None = None

    def begin(self) -> Future[Found]:
        """Return the check under way, or a new one."""
        with self._lock:
            if self._latest is None or self._latest.done():
                self._latest = Future()
                threading.Thread(
                    target=self._run, args=[self._latest], name="probe", daemon=True
                ).start()
            return self._latest

    def _run(self, future: Future[Found]) -> None:
        try:
            future.set_result(self._check())
        except Exception as error:  # noqa: BLE001 - raised again where it is asked for
            future.set_exception(error)


def outcome(check: Future[Found], give_up_at: float) -> Found:
    """Return what a check found, or raise what it raised.

    Raises:
        NoAnswer: it has not ended by `give_up_at` on the monotonic clock.
    """
    try:
        return check.result(max(0.0, give_up_at - time.monotonic()))
    except TimeoutError as error:
        raise NoAnswer("does not answer") from error
