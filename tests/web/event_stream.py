"""A client of server-sent events that reads HTTP/1.1 to the letter."""

import json
import socket
import time
from dataclasses import dataclass
from http.client import HTTPMessage, parse_headers
from typing import Any, Self

from web.gunicorn_process import GunicornProcess

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Event:
    """One event as a browser would hand it on."""

    id: int
    type: str
    data: dict[str, Any]


class EventStream:
    """One answer, read piece by piece; what is no chunk, or no event, is an error."""

    def __init__(self, connection: socket.socket, sent: bytes) -> None:
        self._connection = connection
        connection.sendall(sent)
        self._file = connection.makefile("rb")
        version, code, _ = self._file.readline().decode().split(" ", 2)
        assert version == "HTTP/1.1"
        self.status = int(code)
        self.headers: HTTPMessage = parse_headers(self._file)
        self.blocks: list[str] = []
        self._read = 0
        self.has_ended = False

    def read_block(self) -> str | None:
        """Return what comes up to the next empty line; None when the answer has ended."""
        if len(self.blocks) <= self._read and not self._read_chunk():
            return None
        self._read += 1
        return self.blocks[self._read - 1]

    def _read_chunk(self) -> bool:
        size = int(self._file.readline().strip() or b"-1", 16)
        assert size >= 0, "the connection ended before the answer did"
        text = self._file.read(size).decode()
        assert self._file.readline() == b"\r\n"
        if size == 0:
            self.has_ended = True
            return False
        assert text.endswith("\n\n")
        self.blocks += text.removesuffix("\n\n").split("\n\n")
        return True

    def event(self) -> Event | None:
        """Return the next event, past comments; None when the answer has ended."""
        assert self.status == 200
        give_up_at = time.monotonic() + TIMEOUT_SECONDS
        while (block := self.read_block()) is not None:
            assert time.monotonic() < give_up_at, "nothing but heartbeats"
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            if "data" in fields:
                return Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
        return None

    def events(self) -> list[Event]:
        """Return every event until the answer ends."""
        found = []
        while (event := self.event()) is not None:
            found.append(event)
        return found

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def follow(web: GunicornProcess, bearer: str, job_id: str, *headers: str) -> EventStream:
    """Open a stream of a job's timeline."""
    head = (f"GET /v1/jobs/{job_id}/events HTTP/1.1", "Host: darkroom", bearer)
    lines = [*head, "Accept: text/event-stream", *headers, "", ""]
    return EventStream(web.connect(), "\r\n".join(lines).encode())


def wait_for_end(stream: EventStream, timeout_seconds: float) -> float:
    """Read a stream to its end and return how long that took, in seconds."""
    began = time.monotonic()
    while stream.read_block() is not None:
        assert time.monotonic() - began < timeout_seconds
    return time.monotonic() - began
