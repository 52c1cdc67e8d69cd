"""The gunicorn worker: a client that sends slowly, or never ends, keeps a thread for a while only.

gunicorn's threads wait for a request's next byte as long as it takes, so a few dozen connections
that send a byte now and then would stop the service. A proxy that takes in whole requests before it
passes them on does better still; what took longer than the deadline only loses its connection.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FrameType
from typing import Any

from gunicorn import util  # type: ignore[import-untyped] # no types in the library
from gunicorn.http.errors import (  # type: ignore[import-untyped] # likewise
    InvalidHeader,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import (  # type: ignore[import-untyped] # likewise
    TConn,
    ThreadWorker,
)

from service.web.deadlines import DEADLINES
from service.web.waiting import LEAVING

#: From a request's first byte to its last; 30 MB take 24 s at 10 Mbit/s.
REQUEST_SECONDS = 25.0
#: After its answer a client that still sends is listened to so long, lest it misses the answer.
LINGER_SECONDS = 0.5
CLOSING_THREADS = 8


class DeadlineWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Threads as in gthread; what of a request has not come in time does not come any more."""

    def init_process(self) -> None:
        """Start the watch with the process, after the fork."""
        self._closing = ThreadPoolExecutor(CLOSING_THREADS, "closing")
        DEADLINES.watch()
        super().init_process()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to leave, on SIGTERM."""
        LEAVING.set()
        super().handle_exit(sig, frame)

    def handle(self, conn: TConn) -> Any:  # noqa: ANN401 - gunicorn's own answer
        """Read and answer one request."""
        DEADLINES.to_send(conn.sock, REQUEST_SECONDS)
        conn.close = partial(self._close, conn)
        try:
            return super().handle(conn)
        finally:
            DEADLINES.lift(conn.sock)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ANN401
        """Answer 400 to a transfer coding that nobody knows: the fault is the client's."""
        if isinstance(exc, UnsupportedTransferCoding):
            exc = InvalidHeader("Transfer-Encoding")
        super().handle_error(req, client, addr, exc)

    def _close(self, conn: TConn, *, graceful: bool = False) -> None:
        """Close a connection; gunicorn would linger in the thread that takes in all others."""
        if graceful:
            conn.sock.setblocking(True)
            self._closing.submit(util.close_graceful, conn.sock, LINGER_SECONDS)
        else:
            util.close(conn.sock)
