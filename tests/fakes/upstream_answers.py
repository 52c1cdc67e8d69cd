"""What an upstream may do to the paid POST, by class: scripts for a scripted peer."""

import re
import socket

from fakes.scripted_peer import Script, ScriptedPeer, answer


def http(status: int, body: bytes = b'{"detail": "no"}', *headers: bytes) -> bytes:
    """Return a whole answer."""
    lines = [b"HTTP/1.1 %d Whatever" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


def reset(sock: socket.socket, peer: ScriptedPeer) -> None:
    """Read the request and reset the connection."""
    peer.read_request(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def silent(sock: socket.socket, peer: ScriptedPeer) -> None:
    """Read the request and say nothing."""
    peer.read_request(sock)
    peer.closing.wait(30)


#: 2xx with an id, whatever else.
ACCEPTING: dict[str, Script] = {
    "200": answer(http(200, b'{"id": "t-1", "polling_url": "http://x/1", "cost": 4.5}')),
    "201": answer(http(201, b'{"id": "t-1", "cost": "4.5"}')),
    "202 with more": answer(http(202, b'{"id": "t-1", "cost": 4.5, "more": [1]}')),
}

#: What may hide an acceptance.
UNKNOWN: dict[str, Script] = {
    **{str(status): answer(http(status)) for status in (300, 304, 500, 501, 502, 504, 599)},
    **{
        str(status): answer(http(status, b"", b"Location: /elsewhere"))
        for status in (301, 302, 303, 307, 308)
    },
    "503 with Retry-After": answer(http(503, b"busy", b"Retry-After: 1")),
    **{f"{status} not in the table": answer(http(status)) for status in (406, 408, 409, 418, 451)},
    "reset": reset,
    "closed": answer(b""),
    "bad status line": answer(b"220 mail.example.com ESMTP\r\n"),
    "truncated": answer(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": "t-1"}'),
    "truncated refusal": answer(b"HTTP/1.1 422 No\r\nContent-Length: 100\r\n\r\n{"),
    "cut chunk": answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nshort"),
    "200 HTML": answer(http(200, b"<html>Welcome")),
    "200 bad JSON": answer(http(200, b'{"id": "t-1",')),
    "200 a list": answer(http(200, b'["t-1"]')),
    "200 too deep": answer(http(200, b"[" * 100_000)),
    "200 no id": answer(http(200, b'{"status": "Pending"}')),
    "200 an id that is no text": answer(http(200, b'{"id": 7}')),
    "200 an empty id": answer(http(200, b'{"id": ""}')),
    "200 an id that cannot be stored": answer(http(200, b'{"id": "t\\u0000\\ud800"}')),
    "200 an endless id": answer(http(200, b'{"id": "%b"}' % (b"t" * 10_000))),
    "204": answer(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "silence": silent,
}

#: A clear no to this request.
REFUSING: dict[str, Script] = {
    str(status): answer(http(status, b'{"detail": "width is odd\\u0000\\ud800"}'))
    for status in (400, 404, 405, 413, 415, 422)
}


def by_prompt(scripts: dict[str, Script]) -> Script:
    """Return a script that does to each request what is filed under its prompt."""

    def script(sock: socket.socket, peer: ScriptedPeer) -> None:
        said = b""
        while b'"prompt": "' not in said or said.endswith(b'"prompt": "'):
            said = sock.recv(65536, socket.MSG_PEEK)
        scripts[re.findall(rb'"prompt": "([^"]*)"', said)[0].decode()](sock, peer)

    return script
