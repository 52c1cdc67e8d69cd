"""A connected socket under one deadline, in the shape that `http.client` asks for.

A socket's own timeout starts anew with every byte received, so a server that drips one byte a
second holds its reader for ever. Here every send and receive gets what is left of the whole.
"""

import io
import math
import select
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER_BYTES = 65536


class Wire:
    """Sends and receives until `deadline` (monotonic seconds) and up to `max_received_bytes`.

    Raises TimeoutError past the deadline, ConnectionAbortedError past the bytes. `ended` tells that
    a read met the end of what the peer sends.
    """

    def __init__(self, sock: socket.socket, deadline: float, max_received_bytes: int) -> None:
        # what is there is taken at once; a socket with a timeout would ask before each step
        sock.setblocking(False)
        self._sock = sock
        self._deadline = deadline
        self._receivable_bytes = max_received_bytes
        self.ended = False

    def sendall(self, data: bytes) -> None:
        """Send all of `data`; how much of it left is not known after an error."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._in_time(partial(self._sock.send, rest), select.POLLOUT) :]

    def receive_into(self, buffer: "WriteableBuffer") -> int:
        """Fill `buffer` with what has come, at least one byte; 0 at the end."""
        received = self._in_time(partial(self._sock.recv_into, buffer), select.POLLIN)
        self.ended = received == 0
        self._receivable_bytes -= received
        if self._receivable_bytes < 0:
            raise ConnectionAbortedError("more was sent than an answer of this kind can hold")
        return received

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the receiving side as the file that `http.client.HTTPResponse` reads."""
        assert mode == "rb", mode  # noqa: S101 - http.client asks for nothing else
        return io.BufferedReader(_Received(self), _BUFFER_BYTES)

    def close(self) -> None:
        """Do nothing: `http.client` closes before the body is read; the exchange owns it."""

    def _in_time(self, step: Callable[[], int], event: int) -> int:
        """Return what a step moves as soon as the socket lets it move something.

        TLS may have to read in order to send, and the other way round.
        """
        while True:
            left_seconds = self._deadline - time.monotonic()
            if left_seconds <= 0:
                raise TimeoutError
            try:
                return step()
            except BlockingIOError:
                self._wait(event, left_seconds)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, left_seconds)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, left_seconds)

    def _wait(self, event: int, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._sock, event)
        poll.poll(math.ceil(seconds * 1000))


class _Received(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._wire.receive_into(buffer)
