"""HTTP/1.1 as the stub and the load speak it: so little that it costs little beside a pipeline."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

#: Status, content type and body for path, head and body.
Answer = Callable[[str, bytes, bytes], tuple[int, str, bytes]]

_LENGTH = re.compile(rb"content-length:[ ]*(\d+)", re.IGNORECASE)


@dataclass
class Reader:
    """Cuts HTTP/1.1 messages with a length out of what comes in."""

    take: Callable[[bytes, bytes], None]
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        """Take what came; hand on each message that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self.take(head, body)


class Served(asyncio.Protocol):
    """One connection to a stub."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._reader = Reader(self._take)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._reader.feed(data)

    def _take(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        status, content_type, answer = self._answer(path, head, body)
        close = b"connection: close" in head.lower()
        self._transport.write(
            f"HTTP/1.1 {status} OK\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(answer)}\r\n"
            f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n".encode()
            + answer
        )
        if close:
            self._transport.close()


class Client(asyncio.Protocol):
    """One kept connection to a pipeline; one request at a time."""

    def __init__(self) -> None:
        self._reader = Reader(self._take)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.is_closed = False

    @classmethod
    async def connect(cls, host: str, port: int) -> "Client":
        """Return a client that is connected.

        Raises:
            OSError: nobody listens there.
        """
        _, client = await asyncio.get_running_loop().create_connection(cls, host, port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast("asyncio.Transport", transport)
        self._host = "{}:{}".format(*transport.get_extra_info("peername")[:2])

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._reader.feed(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Tell who waits."""
        self.is_closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("closed without an answer"))

    async def post(self, path: str, body: bytes, headers: str) -> tuple[int, bytes]:
        """Send one request; return status and body of the answer."""
        if self.is_closed:
            raise ConnectionResetError("closed while idle")
        self._answer = asyncio.get_running_loop().create_future()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        return await self._answer

    def close(self) -> None:
        """End it."""
        self._transport.close()

    def _take(self, head: bytes, body: bytes) -> None:
        if b"connection: close" in head.lower():
            self.is_closed = True
            self._transport.close()
        if self._answer and not self._answer.done():
            self._answer.set_result((int(head.split(b" ", 2)[1]), body))
