"""What an address may do to a callback: each is one try, noted in words, and the schedule holds."""

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from ssl import TLSVersion
from typing import Any

import pytest
import trustme
from factories import Rewire, deliveries, enqueue, job, run
from fakes.scripted_peer import Script, ScriptedPeer, answer
from fakes.upstream_answers import http, reset
from sqlalchemy import Row, select

from service.clients.outbound import Answer, Outbound
from service.keys import NewKey
from service.models import DeliveryAttempt, DeliveryStatus
from service.wiring import Wiring

SCHEDULE_SECONDS = [0, 1000]
JITTER = 0.1
#: One try in all; the real ones have fifteen times as long.
TOTAL_SECONDS = 1.0


def reset_at_once(sock: socket.socket, _peer: ScriptedPeer) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def reset_in_the_answer(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    reset_at_once(sock, peer)


def silent(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    peer.closing.wait(30)


def dripping(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    peer.drip(sock, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"." * 100_000)


def endless_headers(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while not peer.closing.is_set():
        sock.sendall(b"X-More: and more\r\n" * 1000)


def endless_body(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not peer.closing.is_set():
        sock.sendall(b"400\r\n" + b"." * 1024 + b"\r\n")


#: What the address does, and the status and words of the try that is noted.
TARGETS: dict[str, tuple[Script, int | None, str]] = {
    **{
        str(status): (answer(http(status, b"no")), status, "no")
        for status in (300, 400, 401, 403, 404, 405, 409, 413, 418, 429, 500, 502, 503, 599)
    },
    **{
        f"{status} to elsewhere": (
            answer(http(status, b"", b"Location: http://10.0.0.1/")),
            status,
            "http://10.0.0.1/",
        )
        for status in (301, 302, 303, 307, 308)
    },
    "304": (answer(b"HTTP/1.1 304 Not Modified\r\n\r\n"), 304, ""),
    "103, then nothing": (answer(b"HTTP/1.1 103 Early Hints\r\n\r\n"), None, "closed"),
    "101": (answer(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), 101, ""),
    "no HTTP": (answer(b"220 mail.example.com ESMTP\r\n"), None, ""),
    "closed without a word": (answer(b""), None, "closed"),
    "cut in its answer": (
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), None, "closed",
    ),
    "reset before the request": (reset_at_once, None, ""),
    "reset after the request": (reset, None, "broke the connection"),
    "reset in its answer": (reset_in_the_answer, None, ""),
    "silent": (silent, None, "took longer"),
    "dripping": (dripping, None, "took longer"),
    "endless headers": (endless_headers, None, ""),
    "too many headers": (
        answer(http(200, b"", *[b"X-%d: y" % n for n in range(500)])), None, "",
    ),
}  # fmt: skip


def try_once(
    rewire: Rewire, key: NewKey, url: str, *, ca_file: Path | None = None
) -> tuple[Wiring, Row[Any], Row[Any]]:
    """Call an address once; return the delivery and the try."""
    wiring = rewire(callback_schedule_seconds=SCHEDULE_SECONDS)
    outbound = Outbound(wiring.guard, ca_file=str(ca_file) if ca_file else None)

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return outbound.post(
            url,
            body=body,
            headers=headers,
            total_seconds=TOTAL_SECONDS,
            connect_seconds=TOTAL_SECONDS,
            max_body_bytes=64 * 1024,
        )

    job_id = enqueue(wiring, key, callback_url=url)
    wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
    began = time.monotonic()
    run(replace(wiring.deliver, post=post))
    assert time.monotonic() - began < 10 * TOTAL_SECONDS
    (delivery,) = deliveries(wiring, job_id)
    with wiring.database.transaction() as tx:
        (one,) = tx.rows(select(*DeliveryAttempt.__table__.c))
    return wiring, delivery, one


def assert_it_waits(delivery: Row[Any]) -> None:
    assert (delivery.status, delivery.tries) == (DeliveryStatus.PENDING, 1)
    wait_seconds = delivery.due_at.timestamp() - time.time()
    # the clock has gone on since, by less than the machine may have been busy
    assert (1 - JITTER) * 1000 - 30 <= wait_seconds <= (1 + JITTER) * 1000


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_an_address_does_is_one_try_and_the_next_is_as_planned(
    rewire: Rewire, key: NewKey, name: str
) -> None:
    script, status, words = TARGETS[name]
    with ScriptedPeer(script) as peer:
        _, delivery, one = try_once(rewire, key, f"{peer.url}/hook")
    assert_it_waits(delivery)
    assert one.http_status == status
    assert words in f"{one.error} {one.location} {one.answer}"
    assert (one.error is None) == (status is not None)
    assert peer.connections == 1


@pytest.mark.parametrize("size_bytes", [0, 2048, 64 * 1024, 10_000_000])
def test_a_success_is_one_however_long_its_body(
    rewire: Rewire, key: NewKey, size_bytes: int
) -> None:
    with ScriptedPeer(answer(http(200, b"." * size_bytes))) as peer:
        _, delivery, one = try_once(rewire, key, peer.url)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert len(one.answer) == min(size_bytes, 2048)


def test_a_body_without_an_end_is_read_to_its_limit(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(endless_body) as peer:
        _, delivery, _ = try_once(rewire, key, peer.url)
    assert delivery.status is DeliveryStatus.DELIVERED


def test_nobody_there_is_a_try(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(answer(b"")) as peer:
        gone = peer.url
    _, delivery, one = try_once(rewire, key, gone)
    assert_it_waits(delivery)
    assert "connecting to" in one.error


def no_tls(sock: socket.socket, _peer: ScriptedPeer) -> None:
    sock.recv(65536)
    sock.sendall(http(400))


def served_with(certificate: trustme.LeafCert, ciphers: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    if ciphers:
        context.maximum_version = TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    return context


AUTHORITY = trustme.CA()
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
#: What is wrong with an address's TLS, and the words for it; None serves no TLS at all.
BAD_TLS: dict[str, tuple[ssl.SSLContext | None, str]] = {
    "unknown authority": (
        served_with(trustme.CA().issue_cert("127.0.0.1")), "the certificate is refused, unable"
    ),
    "expired": (
        served_with(AUTHORITY.issue_cert("127.0.0.1", not_after=LONG_AGO)),
        "the certificate is refused, certificate has expired",
    ),
    "another name": (
        served_with(AUTHORITY.issue_cert("other.example.com")), "the certificate is refused, IP"
    ),
    "no TLS": (None, "no TLS is spoken there"),
    "no common cipher": (
        served_with(AUTHORITY.issue_cert("127.0.0.1"), ciphers="AES128-SHA"), "handshake"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_TLS)
def test_bad_tls_is_a_try_that_says_what_is_wrong_and_nothing_is_sent(
    rewire: Rewire, key: NewKey, tmp_path: Path, fault: str
) -> None:
    tls, words = BAD_TLS[fault]
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    script = answer(http(200)) if tls else no_tls
    with ScriptedPeer(script, tls=tls) as peer:
        url = f"https://127.0.0.1:{peer.port}/hook"
        _, delivery, one = try_once(rewire, key, url, ca_file=tmp_path / "ca.pem")
    assert_it_waits(delivery)
    assert words in one.error
    assert [request for request in peer.requests if b"webhook-id" in request] == []
