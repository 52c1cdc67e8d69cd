"""HTTP/1.1 with lengths, as little of it as the floor needs: a server, and kept connections."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length:[ ]*(\d+)", re.IGNORECASE)
#: What a response's head may take.
_HEAD_BYTES = 16384

Handler = Callable[[str, bytes, bytes], Awaitable[tuple[int, bytes]]]


class Serving(asyncio.Protocol):
    """One connection of a caller; the handler gets path, head and body of each request."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._buffer = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Cut a request out; callers wait for the answer before they send the next."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        length = _length(head)
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        task = asyncio.create_task(self._answer(head, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, head: bytes, body: bytes) -> None:
        status, answer = await self._handler(head.split(b" ", 2)[1].decode(), head, body)
        self._transport.write(
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(answer)}\r\n\r\n".encode()
            + answer
        )


class Client:
    """Kept connections, as many for each host as there are requests at a time."""

    def __init__(self) -> None:
        self._idle: dict[str, list[_Connection]] = defaultdict(list)

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | bytearray = b""
    ) -> bytearray:
        """Return the body of an answer 2xx.

        Raises:
            RuntimeError: it was answered anything else.
            OSError: nobody answers.
        """
        parts = urlsplit(url)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{lines}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        idle = self._idle[parts.netloc]
        while True:
            is_fresh = not idle
            if idle:
                connection = idle.pop()
            else:
                _, connection = await asyncio.get_running_loop().create_connection(
                    _Connection, parts.hostname or "", parts.port or 80
                )
            try:
                status, answer = await connection.send(head, body)
            except ConnectionError:
                # one that the server has closed while it was idle
                if is_fresh:
                    raise
                continue
            idle.append(connection)
            if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
                raise RuntimeError(f"{method} {url}: {status} {answer[:300]!r}")
            return answer


class _Connection(asyncio.BufferedProtocol):
    """Reads a body straight to where it stays: an image is copied once, out of the kernel."""

    def __init__(self) -> None:
        self._head = memoryview(bytearray(_HEAD_BYTES))
        self._into = self._head
        self._filled = 0
        self._status = 0
        self._body: bytearray | None = None
        self._answer: asyncio.Future[tuple[int, bytearray]] | None = None
        self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def send(self, head: bytes, body: bytes | bytearray) -> tuple[int, bytearray]:
        if self._is_closed:
            raise ConnectionResetError("closed while idle")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines([head, body] if body else [head])
        return await self._answer

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's
        return self._into[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if self._body is None:
            self._begin_body()
        if self._body is not None and self._filled == len(self._body):
            answer, self._body = (self._status, self._body), None
            self._into, self._filled = self._head, 0
            if self._answer and not self._answer.done():
                self._answer.set_result(answer)

    def _begin_body(self) -> None:
        head, found, rest = bytes(self._head[: self._filled]).partition(b"\r\n\r\n")
        if found:
            self._status = int(head.split(b" ", 2)[1])
            self._body = bytearray(_length(head))
            self._into, self._filled = memoryview(self._body), len(rest)
            self._into[: len(rest)] = rest

    def connection_lost(self, _: Exception | None) -> None:
        self._is_closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("closed without an answer"))


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0
