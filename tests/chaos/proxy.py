"""A TCP proxy that a test may make misbehave while connections are open."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from enum import StrEnum
from typing import Any, Self

from service.embedded.state import free_ports

#: PostgreSQL's CommandComplete for COMMIT: type, length of what follows, tag.
COMMIT_COMPLETE = b"C\x00\x00\x00\x0bCOMMIT\x00"

_CHUNK_BYTES = 65_536
_MOST_CONNECTIONS = 512
_PATIENCE_SECONDS = 10.0
_NO_LINGER = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What becomes of the bytes."""

    PASS = "pass"
    #: Each piece is held up for `delay_seconds`.
    LATENCY = "latency"
    #: Connections are reset, new ones at once.
    CUT = "cut"
    #: A connection is reset in place of PostgreSQL's answer that a COMMIT is done, for `share` of
    #: them; all else passes.
    CUT_AFTER_COMMIT = "cut after commit"
    #: What the client says arrives; it hears nothing back.
    HALF_OPEN = "half-open"
    #: Connections are taken and nothing passes in either direction.
    BLACK_HOLE = "black hole"
    #: Open connections are reset and nobody listens.
    REFUSE = "refuse"


class TcpProxy:
    """Stands on a port of its own before port `target` of the loopback, which may change.

    All connections are carried by one thread. What is held up in one mode goes on its way in the
    next, as it does on a network that recovers.
    """

    def __init__(self, target: int = 0, *, seed: int = 0) -> None:
        self.target = target
        (self.port,) = free_ports()
        #: How many connections were reset in place of the answer to a COMMIT.
        self.commits_cut = 0
        self._mode = Mode.PASS
        self._share = 1.0
        self._delay_seconds = 0.0
        self._chance = random.Random(seed)  # noqa: S311 - it guards nothing
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._carrying: dict[asyncio.Task[Any], list[asyncio.StreamWriter]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._run(self._listen())

    def set(self, mode: Mode, *, share: float = 1.0, delay_seconds: float = 0.1) -> None:
        """Switch over; returns once it holds."""
        self._run(self._switch(mode, share, delay_seconds))

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        return self._mode

    def cut(self) -> None:
        """Reset the connections of this moment, once."""
        self._run(self._reset_all())

    def close(self) -> None:
        """Reset every connection, free the port, end the thread. Twice is harmless."""
        if self._loop.is_closed():
            return
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True, limit=_CHUNK_BYTES
        )

    async def _switch(self, mode: Mode, share: float, delay_seconds: float) -> None:
        before, self._mode = self._mode, mode
        self._share, self._delay_seconds = share, delay_seconds
        self._changed.set()
        self._changed = asyncio.Event()
        if mode is Mode.REFUSE and self._server:
            self._server.close()
        if mode in {Mode.CUT, Mode.REFUSE}:
            await self._reset_all()
        if before is Mode.REFUSE and mode is not Mode.REFUSE:
            await self._listen()

    async def _reset_all(self) -> None:
        for task, writers in list(self._carrying.items()):
            for writer in writers:
                _reset(writer)
            task.cancel()

    async def _end(self) -> None:
        if self._server:
            self._server.close()
        tasks = list(self._carrying)
        await self._reset_all()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._mode is Mode.CUT or len(self._carrying) >= _MOST_CONNECTIONS:
            _reset(writer)
            return
        writers = self._carrying[task] = [writer]
        try:
            await self._passage(to_client=False)
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            writers.append(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back, to_client=False))
                both.create_task(self._pump(there, writer, to_client=True))
        except* OSError:
            for each in writers:
                _reset(each)
        except* asyncio.CancelledError:
            pass
        finally:
            del self._carrying[task]
            for each in writers:
                each.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, to_client: bool
    ) -> None:
        tail = b""
        while chunk := await source.read(_CHUNK_BYTES):
            await self._passage(to_client=to_client)
            if to_client and COMMIT_COMPLETE in tail + chunk and self._cuts_commit():
                self.commits_cut += 1
                raise ConnectionResetError
            tail = chunk[1 - len(COMMIT_COMPLETE) :]
            sink.write(chunk)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()

    def _cuts_commit(self) -> bool:
        return self._mode is Mode.CUT_AFTER_COMMIT and self._chance.random() < self._share

    async def _passage(self, *, to_client: bool) -> None:
        """Return when the mode lets bytes through in this direction."""
        if self._mode is Mode.LATENCY:
            await asyncio.sleep(self._delay_seconds)
        while self._mode is Mode.BLACK_HOLE or (to_client and self._mode is Mode.HALF_OPEN):
            await self._changed.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with an RST; what was not sent yet is dropped."""
    with contextlib.suppress(OSError):
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
