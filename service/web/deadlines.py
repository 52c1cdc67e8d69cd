"""By when the client of a connection must have sent, or taken, what a thread waits for."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LOOK_EVERY_SECONDS = 0.5


class Deadlines:
    """The deadlines of one process; a connection has one at most."""

    def __init__(self) -> None:
        self._of: dict[socket.socket, tuple[float, int]] = {}

    def watch(self) -> None:
        """Keep them from now on, in a thread of their own."""
        threading.Thread(target=self._watch, name="slow-clients", daemon=True).start()

    def to_send(self, connection: socket.socket, seconds: float) -> None:
        """Have reads end so long from now as if the client had gone; an answer is still written."""
        self._of[connection] = (time.monotonic() + seconds, socket.SHUT_RD)

    def to_take(self, connection: socket.socket, seconds: float) -> None:
        """Have the connection end so long from now."""
        self._of[connection] = (time.monotonic() + seconds, socket.SHUT_RDWR)

    def lift(self, connection: socket.socket) -> None:
        """Forget a connection's deadline, if it has one."""
        self._of.pop(connection, None)

    @contextmanager
    def taking(self, connection: socket.socket, seconds: float) -> Iterator[None]:
        """Have the connection end if the block takes longer."""
        self.to_take(connection, seconds)
        try:
            yield
        finally:
            self.lift(connection)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            now = time.monotonic()
            for connection, (deadline, how) in list(self._of.items()):
                if deadline < now:
                    with suppress(OSError):
                        connection.shutdown(how)


#: Those of this process.
DEADLINES = Deadlines()


def taken_in_time(
    pieces: Iterator[bytes], connection: socket.socket | None, seconds: float
) -> Iterator[bytes]:
    """Yield the same; a client that takes longer for one of them loses its connection."""
    if connection is None:
        yield from pieces
        return
    for piece in pieces:
        with DEADLINES.taking(connection, seconds):
            yield piece
    # the end of the answer is written when this is over; gunicorn's thread then lifts it
    DEADLINES.to_take(connection, seconds)
