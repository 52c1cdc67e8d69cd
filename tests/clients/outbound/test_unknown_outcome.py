"""After the first byte every fault is an unknown outcome, and comes in time. Real sockets."""

import logging
import socket
import ssl

import pytest
from fakes.outbound_calls import PATH, SECRET, post, takes_at_most
from fakes.scripted_peer import Script, ScriptedPeer, answer

from service.clients.outbound import Outbound
from service.errors import OutcomeUnknown


def reset(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def silent(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    peer.closing.wait(30)


BROKEN: dict[str, Script] = {
    "reset": reset,
    "closed": answer(b""),
    "not http": answer(b"220 mail.example.com ESMTP\r\n"),
    "http/2": answer(b"HTTP/2 200 OK\r\n\r\n"),
    "bad status": answer(b"HTTP/1.1 two hundred\r\n\r\n"),
    "cut in the status": answer(b"HTTP/1.1 200"),
    "cut in the head": answer(b"HTTP/1.1 200 OK\r\nContent-Len"),
    "no end of the head": answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
    "cut body": answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    "cut chunk": answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nshort"),
    "no last chunk": answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"),
    "bad chunk size": answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n"),
    "101 headers": answer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n"),
    "a line of 70 KB": answer(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
    "endless 100": answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000),
    "endless 103": answer(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 100_000),
    "endless trailer": answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 500_000
    ),
    "only 103": answer(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@pytest.mark.parametrize("behaviour", BROKEN)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_after_the_first_byte_every_fault_is_an_unknown_outcome(
    outbound: Outbound,
    server_tls: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
    behaviour: str,
    *,
    secure: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    tls = server_tls if secure else None
    with (
        ScriptedPeer(BROKEN[behaviour], tls=tls) as peer,
        takes_at_most(5.0),
        pytest.raises(OutcomeUnknown) as failure,
    ):
        post(outbound, peer.url + PATH, total_seconds=8.0)

    assert len(peer.requests) == 1
    assert peer.connections == 1
    assert str(peer.port) in str(failure.value)
    assert SECRET not in str(failure.value) + caplog.text


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Drip: " + b"x" * 1000, None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 40, None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000, 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 200, 200),
    ],
    ids=["head", "interim answers", "body", "chunks"],
)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_dripping_server_is_cut_at_the_total_time(
    outbound: Outbound,
    server_tls: ssl.SSLContext,
    data: bytes,
    status: int | None,
    *,
    secure: bool,
) -> None:
    def drips(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        quick = data.find(b"\r\n\r\n") + 4 if status else 0
        sock.sendall(data[:quick])
        peer.drip(sock, data[quick:])

    with (
        ScriptedPeer(drips, tls=server_tls if secure else None) as peer,
        takes_at_most(1.5),
        pytest.raises(OutcomeUnknown, match="longer") as failure,
    ):
        post(outbound, peer.url, total_seconds=0.6)

    assert failure.value.status == status


def test_a_silent_server_is_cut_at_the_total_time(outbound: Outbound) -> None:
    with ScriptedPeer(silent) as peer, takes_at_most(1.0), pytest.raises(OutcomeUnknown):
        post(outbound, peer.url, total_seconds=0.3)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_server_that_does_not_read_is_cut_at_the_total_time(
    outbound: Outbound, server_tls: ssl.SSLContext, *, secure: bool
) -> None:
    def reads_slowly(sock: socket.socket, peer: ScriptedPeer) -> None:
        while not peer.closing.wait(0.05):
            sock.recv(100)

    with (
        ScriptedPeer(reads_slowly, tls=server_tls if secure else None) as peer,
        takes_at_most(1.5),
        pytest.raises(OutcomeUnknown),
    ):
        post(outbound, peer.url, total_seconds=0.5, body=bytes(30_000_000))
