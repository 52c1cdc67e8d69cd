"""What a scripted API or bucket answers, and what it was asked."""

import itertools
import socket
from collections.abc import Iterator

from fakes.scripted_peer import Script, ScriptedPeer

LAST = b"Connection: close\r\n"
BUSY = b"HTTP/1.1 503 Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n%b\r\n" % LAST
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
NOTHING = b""


def in_turn(*answers: bytes) -> Script:
    """Return a script that gives each connection the next answer, and the last one for ever."""
    left: Iterator[bytes] = itertools.chain(answers, itertools.repeat(answers[-1]))

    def script(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        sock.sendall(next(left))

    return script


def header(request: bytes, name: str) -> str | None:
    """Return a header's value."""
    for line in request.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
        if line.lower().startswith(f"{name}: "):
            return line.partition(": ")[2]
    return None
