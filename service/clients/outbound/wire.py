"""A connected socket under one deadline, in the shape that `http.client` asks for.

A socket's own timeout starts anew with every byte received, so a server that drips one byte a
second holds its reader for ever. Here every send and receive gets what is left of the whole.
"""

import io
import socket
import time
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
        self._sock = sock
        self._deadline = deadline
        self._receivable_bytes = max_received_bytes
        self.ended = False

    def sendall(self, data: bytes) -> None:
        """Send all of `data`; how much of it left is not known after an error."""
        rest = memoryview(data)
        while rest:
            self._arm()
            rest = rest[self._sock.send(rest) :]

    def receive_into(self, buffer: "WriteableBuffer") -> int:
        """Fill `buffer` with what has come, at least one byte; 0 at the end."""
        self._arm()
        received = self._sock.recv_into(buffer)
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

    def _arm(self) -> None:
        left_seconds = self._deadline - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError
        self._sock.settimeout(left_seconds)


class _Received(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._wire.receive_into(buffer)
