"""Names to addresses within a time limit, which the C library's resolver does not know."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from service.errors import NameNotResolved

Lookup = Callable[[str], Sequence[str]]
"""Turns a name into textual addresses, in its own time; raises OSError if it cannot."""

_MAX_LOOKUPS = 32  # at once; each may sit in the C library for half a minute


def system_lookup(name: str) -> list[str]:
    """Ask the operating system once; every address it knows, in its order of preference."""
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in answers]


class Resolver:
    """Runs look-ups in daemon threads, so that neither a caller nor our exit waits for them.

    One at a time for each name: a name whose servers are silent must not use up the look-ups of the
    others. Who asks for it meanwhile hears the same answer.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._slots = threading.BoundedSemaphore(_MAX_LOOKUPS)
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Sequence[str]]] = {}

    def __call__(self, name: str, timeout_seconds: float) -> Sequence[str]:
        """Return the addresses of `name`, at least one.

        Raises:
            NameNotResolved: no answer, an empty one, or none within `timeout_seconds`.
        """
        deadline = time.monotonic() + timeout_seconds
        answer = self._ask(name, timeout_seconds)
        try:
            addresses = answer.result(timeout=max(deadline - time.monotonic(), 0))
        except TimeoutError:
            raise NameNotResolved(
                f"resolving {name} took longer than {timeout_seconds:g} s"
            ) from None
        except OSError as error:
            raise NameNotResolved(f"{name} does not resolve: {error.strerror}") from None
        if not addresses:
            raise NameNotResolved(f"{name} has no address")
        return addresses

    def _ask(self, name: str, timeout_seconds: float) -> "Future[Sequence[str]]":
        """Begin a look-up, or join the one that is under way."""
        with self._lock:
            if name in self._under_way:
                return self._under_way[name]
        if not self._slots.acquire(timeout=max(timeout_seconds, 0)):
            raise NameNotResolved(f"too many names are being resolved at once, {name} has to wait")
        with self._lock:
            if name in self._under_way:
                self._slots.release()
                return self._under_way[name]
            answer = self._under_way[name] = Future()
        threading.Thread(
            target=self._work, args=(name, answer), name=f"resolve {name}", daemon=True
        ).start()
        return answer

    def _work(self, name: str, answer: "Future[Sequence[str]]") -> None:
        try:
            addresses = self._lookup(name)
        except OSError as error:
            self._end(name)
            answer.set_exception(error)
        else:
            self._end(name)
            answer.set_result(addresses)

    def _end(self, name: str) -> None:
        """Let the next look-up of a name begin, before anybody hears of this one."""
        with self._lock:
            del self._under_way[name]
        self._slots.release()
