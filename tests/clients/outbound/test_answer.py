"""What comes back whole. Real sockets on loopback."""

import contextlib
import gzip
import random
import socket
from datetime import UTC, datetime

import pytest
from fakes.outbound_calls import post, takes_at_most
from fakes.scripted_peer import ScriptedPeer, answer, ok

from service.clients.outbound import Outbound
from service.errors import OutcomeUnknown


def test_an_endless_body_is_cut_at_the_cap(outbound: Outbound) -> None:
    def endless(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65536)

    with ScriptedPeer(endless) as peer, takes_at_most(2.0):
        result = post(outbound, peer.url)

    assert (result.status, len(result.body), result.truncated) == (200, 65536, True)


def test_a_body_of_just_the_cap_is_not_truncated(outbound: Outbound) -> None:
    with ScriptedPeer(answer(ok(b"x" * 65536))) as peer:
        result = post(outbound, peer.url)

    assert (len(result.body), result.truncated) == (65536, False)


def test_chunks_are_joined_and_compression_is_left_alone(outbound: Outbound) -> None:
    packed = gzip.compress(bytes(1_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"5\r\n" + packed[:5] + b"\r\n%x;a=b\r\n" % len(packed[5:]) + packed[5:] + b"\r\n"
    with ScriptedPeer(answer(head + chunks + b"0\r\nTrailer: x\r\n\r\n")) as peer:
        result = post(outbound, peer.url)

    assert result.body == packed


def test_repeated_headers_are_kept_apart_and_case_does_not_matter(outbound: Outbound) -> None:
    data = b"HTTP/1.1 429 Slow\r\nretry-after: 5\r\nRETRY-AFTER: 10\r\nX: \xfc\r\n\r\n"
    with ScriptedPeer(answer(data)) as peer:
        result = post(outbound, peer.url)

    assert result.headers.getlist("Retry-After") == ["5", "10"]
    assert result.headers["x"] == "\xfc"
    now = datetime.now(UTC)
    assert result.retry_after_seconds(base_seconds=3, cap_seconds=60, now=now) == 3


def test_interim_answers_are_skipped(outbound: Outbound) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    with ScriptedPeer(answer(interim + ok(b"final"))) as peer:
        result = post(outbound, peer.url)

    assert (result.status, result.body) == (200, b"final")
    assert "Link" not in result.headers


def test_an_early_answer_counts_although_the_body_was_not_read(outbound: Outbound) -> None:
    def answers_early(sock: socket.socket, _peer: ScriptedPeer) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        # Closing with unread data resets the connection under the sender's hands.

    with ScriptedPeer(answers_early) as peer:
        result = post(outbound, peer.url, body=bytes(20_000_000))

    assert (result.status, result.body) == (413, b"big")


@pytest.mark.parametrize("status", [101, 204, 300, 301, 302, 303, 304, 307, 308, 401, 410, 500])
def test_every_status_is_an_answer_and_no_redirect_is_followed(
    outbound: Outbound, status: int
) -> None:
    with ScriptedPeer(answer(ok())) as canary:
        data = (
            f"HTTP/1.1 {status} X\r\nLocation: {canary.url}/\r\nUpgrade: x\r\n"
            f'Alt-Svc: http/1.1="127.0.0.1:{canary.port}"\r\nRefresh: 0; url={canary.url}\r\n\r\n'
        )
        with ScriptedPeer(answer(data.encode())) as peer:
            result = post(outbound, peer.url)

    assert result.status == status
    assert (peer.connections, canary.connections) == (1, 0)


def test_garbage_gives_an_answer_or_an_error_of_ours(outbound: Outbound) -> None:
    dice = random.Random(11)  # noqa: S311 - a test's choice, no secret
    whole = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: keep-alive\r\n\r\n5\r\nhello\r\n-5\r\n\r\n0\r\n\r\n"
    )
    scripts = []
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(len(data))] = dice.choice(b"\x00\r\n :-/0179aHx;\xff")
        scripts.append(bytes(data[: dice.randint(1, len(data))]))

    def garbage(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        sock.sendall(scripts[len(peer.requests) - 1])

    answered = 0
    with ScriptedPeer(garbage) as peer, takes_at_most(20.0):
        for _ in scripts:
            with contextlib.suppress(OutcomeUnknown):
                answered += len(post(outbound, peer.url).body) <= 65536
    assert peer.connections == 300
    assert 0 < answered < 300
