"""A client as quick as a fuzzer wants one: raw requests, one connection, answers cut apart."""

import contextlib
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from web.gunicorn_process import GunicornProcess

_HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n(.*?)\r\n\r\n", re.DOTALL)
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_CLOSES = re.compile(rb"^connection: *close", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """One answer; status 0 where the connection ended instead."""

    status: int = 0
    head: bytes = b""
    body: bytes = b""


class KeepAlive:
    """One connection after the other, each for as long as the service keeps it."""

    def __init__(self, web: GunicornProcess) -> None:
        self._web = web
        self._connection: socket.socket | None = None

    def ask(self, sent: bytes, *, is_head: bool = False) -> Answer:
        """Send one request and return its answer; what ended an idle connection is tried anew."""
        is_fresh = self._connection is None
        answer = self._try(sent, is_head=is_head)
        return answer if answer.status or is_fresh else self._try(sent, is_head=is_head)

    @property
    def place(self) -> tuple[str, int] | None:
        """Our end of the connection, which tells it from a later one."""
        return self._connection.getsockname() if self._connection else None

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _try(self, sent: bytes, *, is_head: bool) -> Answer:
        if self._connection is None:
            self._connection = self._web.connect()
        try:
            # it may have been answered before it was sent to its end
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.sendall(sent)
            answer = self._read(self._connection, is_head=is_head)
        except ConnectionResetError:
            answer = Answer()
        if not answer.status or _CLOSES.search(answer.head):
            self.close()
        return answer

    @staticmethod
    def _read(connection: socket.socket, *, is_head: bool) -> Answer:
        got = b""
        while True:
            found = _HEAD.match(got)
            if found and found[1] == b"100":
                got = got[found.end() :]
                continue
            if found:
                break
            part = connection.recv(65536)
            if not part:
                return Answer()
            got += part
        status, head, body = int(found[1]), found[2], got[found.end() :]
        length = _LENGTH.search(head)
        if is_head or status in {204, 304} or length is None:
            return Answer(status, head, body)
        while len(body) < int(length[1]) and (part := connection.recv(65536)):
            body += part
        return Answer(status, head, body)


def with_body(line: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return a request that leaves its connection open."""
    named = {"Host": "darkroom", **headers}
    if body is not None:
        named.setdefault("Content-Length", str(len(body)))
    head = [f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + (body or b"")
