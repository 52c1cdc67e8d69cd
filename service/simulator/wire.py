"""What a request said, and what goes back on the wire, faults included."""

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import formatdate
from enum import StrEnum
from http import HTTPStatus

_SLOW_STEP_SECONDS = 0.05


@dataclass(frozen=True)
class Request:
    """One request as it was read from the socket; repeated query names keep their first value."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes


class Ending(StrEnum):
    """What becomes of the connection once a reply has gone out."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True)
class Reply:
    """An answer and the way it is put on the wire; faults replace its fields.

    `Content-Length` always tells the length of `body`, whatever share of it is sent.

    Attributes:
        hold_seconds: How long nothing is sent; over sooner if the client leaves.
        after_webhook: Sent only once the task's first webhook call has ended.
        silent: Not a byte is sent.
        body_share: The share of the body that is sent, 0 to 1.
        bytes_per_second: The pace of the body; 0 is as fast as it goes.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hold_seconds: float = 0
    after_webhook: bool = False
    silent: bool = False
    body_share: float = 1
    bytes_per_second: int = 0
    ending: Ending = Ending.KEEP


def json_reply(status: int, content: object, **headers: str) -> Reply:
    """Make a JSON reply; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(content).encode()
    return Reply(status, body, {"Content-Type": "application/json", **named})


def detail(status: int, problem: object, **headers: str) -> Reply:
    """Make an error reply in upstream's shape."""
    return json_reply(status, {"detail": problem}, **headers)


def send(connection: socket.socket, reply: Reply, *, head_only: bool, close: bool) -> bool:
    """Put a reply on the wire and say whether the connection may be used again.

    Raises:
        OSError: The client left before all was sent.
    """
    if reply.hold_seconds and _client_left_within(connection, reply.hold_seconds):
        return False
    if not reply.silent:
        close = close or reply.ending is not Ending.KEEP
        head = _head(reply, close=close)
        body = b"" if head_only else reply.body[: round(len(reply.body) * reply.body_share)]
        if reply.bytes_per_second:
            connection.sendall(head)
            _send_slowly(connection, body, reply.bytes_per_second)
        else:
            connection.sendall(head + body)
    if reply.ending is Ending.RESET:
        _reset(connection)
    return reply.ending is Ending.KEEP


def _head(reply: Reply, *, close: bool) -> bytes:
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = ""
    headers = {
        "Date": formatdate(usegmt=True),
        **reply.headers,
        "Content-Length": str(len(reply.body)),
        "Connection": "close" if close else "keep-alive",
    }
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _client_left_within(connection: socket.socket, seconds: float) -> bool:
    patience = connection.gettimeout()
    connection.settimeout(seconds)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return False
    finally:
        connection.settimeout(patience)


def _send_slowly(connection: socket.socket, body: bytes, bytes_per_second: int) -> None:
    step = max(1, round(bytes_per_second * _SLOW_STEP_SECONDS))
    for start in range(0, len(body), step):
        connection.sendall(body[start : start + step])
        time.sleep(step / bytes_per_second)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The server would say goodbye with a FIN before it closes; only a bare close sends the RST.
    with contextlib.suppress(OSError):
        os.close(connection.detach())
