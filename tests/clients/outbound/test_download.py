"""A result comes whole and checked, or not at all. Real sockets on loopback."""

import hashlib
import socket
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from fakes.scripted_peer import Script, ScriptedPeer, answer, ok

from service.clients.outbound import AddressGuard, Download, Outbound
from service.errors import (
    AddressForbidden,
    DownloadFailed,
    ResultExpired,
    ResultInvalid,
    ServiceError,
)

IMAGE = bytes(range(256)) * 2000
SECRET = "canary-51bd"


def fetch(
    outbound: Outbound,
    url: str,
    sink: Callable[[bytes], object],
    *,
    total_seconds: float = 5.0,
    max_bytes: int = 1_000_000,
) -> Download:
    return outbound.download(
        url, sink, total_seconds=total_seconds, connect_seconds=1.0, max_bytes=max_bytes
    )


def moved(location: str, status: int = 302) -> Script:
    return answer(f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n\r\n".encode())


def paths(peer: ScriptedPeer) -> list[str]:
    return [request.split(b" ")[1].decode() for request in peer.requests]


def test_the_bytes_pass_through_with_their_hash(outbound: Outbound) -> None:
    got = bytearray()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(IMAGE)
    with ScriptedPeer(answer(head + IMAGE)) as peer:
        result = fetch(outbound, f"{peer.url}/image.png?sig={SECRET}", got.extend)

    assert got == IMAGE
    assert result.size_bytes == len(IMAGE)
    assert result.sha256 == hashlib.sha256(IMAGE).hexdigest()
    assert result.headers["content-type"] == "image/png"
    assert paths(peer) == [f"/image.png?sig={SECRET}"]


def redirects(*locations: str) -> Script:
    """Answer the first requests with these places, then with the image."""

    def script(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        turn = len(peer.requests) - 1
        if turn < len(locations):
            place = locations[turn].replace("PORT", str(peer.port))
            sock.sendall(f"HTTP/1.1 307 Moved\r\nLocation: {place}\r\n\r\n".encode())
        else:
            sock.sendall(ok(IMAGE))

    return script


def test_three_redirects_are_followed_relative_ones_too(outbound: Outbound) -> None:
    got = bytearray()
    with ScriptedPeer(redirects("/b?x=1", "c#part", "http://127.0.0.1:PORT/d")) as peer:
        fetch(outbound, f"{peer.url}/a", got.extend)

    assert got == IMAGE
    assert paths(peer) == ["/a", "/b?x=1", "/c", "/d"]


def test_a_fourth_redirect_is_not_followed(outbound: Outbound) -> None:
    with (
        ScriptedPeer(redirects("/b", "/c", "/d", "/e")) as peer,
        pytest.raises(DownloadFailed, match="more than 3"),
    ):
        fetch(outbound, f"{peer.url}/a", len)

    assert paths(peer) == ["/a", "/b", "/c", "/d"]


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:CANARY/",
        "//127.0.0.1:CANARY/",
        "http://localhost:CANARY/",
        "http://2130706433:CANARY/",
        "http://127.1:CANARY/",
        "http://[::ffff:127.0.0.1]:CANARY/",
        "http://127.0.0.2:CANARY\\@127.0.0.1:CANARY/",
        "http://user@127.0.0.1:CANARY/",
        "gopher://127.0.0.1:CANARY/_FLUSHALL",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_to_a_forbidden_place_is_refused(ca_file: Path, place: str) -> None:
    guard = AddressGuard([ip_network("127.0.0.2/32")])
    outbound = Outbound(guard, ca_file=str(ca_file))
    with ScriptedPeer(answer(ok(IMAGE))) as canary:
        script = moved(place.replace("CANARY", str(canary.port)))
        with ScriptedPeer(script, host="127.0.0.2") as peer, pytest.raises(AddressForbidden):
            fetch(outbound, peer.url, len)

    assert (peer.connections, canary.connections) == (1, 0)


FAULTS: dict[str, tuple[bytes, type[ServiceError]]] = {
    "403": (b"HTTP/1.1 403 Forbidden\r\n\r\n", ResultExpired),
    "404": (b"HTTP/1.1 404 Not Found\r\n\r\n", ResultExpired),
    "410": (b"HTTP/1.1 410 Gone\r\n\r\n", ResultExpired),
    "400": (b"HTTP/1.1 400 Bad\r\n\r\n", DownloadFailed),
    "429": (b"HTTP/1.1 429 Slow\r\n\r\n", DownloadFailed),
    "500": (b"HTTP/1.1 500 Oh\r\n\r\n", DownloadFailed),
    "503": (b"HTTP/1.1 503 Oh\r\n\r\n", DownloadFailed),
    "206": (b"HTTP/1.1 206 Part\r\nContent-Length: 1\r\n\r\nx", DownloadFailed),
    "304": (b"HTTP/1.1 304 Same\r\n\r\n", DownloadFailed),
    "no place": (b"HTTP/1.1 302 Found\r\n\r\n", DownloadFailed),
    "no url": (b"HTTP/1.1 302 Found\r\nLocation: //[\r\n\r\n", DownloadFailed),
    "short": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", DownloadFailed),
    "short chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort",
        DownloadFailed,
    ),
    "nothing": (b"", DownloadFailed),
    "said too large": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n", ResultInvalid),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_error_and_none_shows_the_url(outbound: Outbound, fault: str) -> None:
    data, kind = FAULTS[fault]
    with ScriptedPeer(answer(data)) as peer, pytest.raises(kind) as failure:
        fetch(outbound, f"{peer.url}/image.png?sig={SECRET}", len)

    assert type(failure.value) is kind
    assert SECRET not in str(failure.value)


def test_a_refused_connection_is_a_failed_download(outbound: Outbound) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(DownloadFailed, match="refused"):
        fetch(outbound, f"http://127.0.0.1:{port}/?sig={SECRET}", len)


def test_an_endless_result_stops_at_the_limit(outbound: Outbound) -> None:
    got = bytearray()

    def endless(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(bytes(65536))

    with ScriptedPeer(endless) as peer, pytest.raises(ResultInvalid, match="1000000 bytes"):
        fetch(outbound, peer.url, got.extend)

    assert len(got) <= 1_000_000


def test_a_dripping_result_is_cut_at_the_total_time_redirects_included(outbound: Outbound) -> None:
    def drips(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        if len(peer.requests) == 1:
            peer.closing.wait(0.6)
            sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n")
        else:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            peer.drip(sock, bytes(1000))

    started = time.monotonic()
    with ScriptedPeer(drips) as peer, pytest.raises(DownloadFailed, match="longer"):
        fetch(outbound, peer.url, len, total_seconds=0.8)

    assert time.monotonic() - started < 1.25


def test_what_the_sink_raises_passes_through(outbound: Outbound) -> None:
    def full(_data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with ScriptedPeer(answer(ok(IMAGE))) as peer, pytest.raises(OSError, match="No space"):
        fetch(outbound, peer.url, full)
