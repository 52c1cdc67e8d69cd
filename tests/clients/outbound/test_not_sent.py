"""What fails before the first byte of a request is proved not sent. Real sockets on loopback."""

import contextlib
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme
from fakes.outbound_calls import PATH, post, takes_at_most
from fakes.scripted_peer import ScriptedPeer, answer, ok

from service.clients.outbound import AddressGuard, Outbound
from service.errors import NameNotResolved, NotSent


def test_before_send_runs_on_a_standing_connection_before_the_first_byte(
    outbound: Outbound,
) -> None:
    seen: list[int] = []
    with ScriptedPeer(answer(ok())) as peer:

        def fence() -> None:
            seen.append(len(peer.requests))

        outbound.post(
            peer.url,
            body=b"{}",
            headers={},
            total_seconds=2.0,
            connect_seconds=1.0,
            max_body_bytes=10,
            before_send=fence,
        )

    assert seen == [0]
    assert len(peer.requests) == 1


def test_nothing_is_sent_when_before_send_raises(outbound: Outbound) -> None:
    class TooLateError(Exception):
        pass

    received: list[bytes] = []

    def listen(sock: socket.socket, _peer: ScriptedPeer) -> None:
        received.append(sock.recv(65536))

    def fence() -> None:
        raise TooLateError  # the connection stands, so the peer will see its end

    with ScriptedPeer(listen) as peer, pytest.raises(TooLateError):
        outbound.post(
            peer.url,
            body=b"{}",
            headers={},
            total_seconds=2.0,
            connect_seconds=1.0,
            max_body_bytes=10,
            before_send=fence,
        )

    assert received == [b""]


def test_nothing_is_sent_when_before_send_used_up_the_time(outbound: Outbound) -> None:
    received: list[bytes] = []

    def listen(sock: socket.socket, _peer: ScriptedPeer) -> None:
        received.append(sock.recv(65536))

    with ScriptedPeer(listen) as peer, pytest.raises(NotSent, match="no time"):
        outbound.post(
            peer.url,
            body=b"{}",
            headers={},
            total_seconds=0.2,
            connect_seconds=0.2,
            max_body_bytes=10,
            before_send=lambda: time.sleep(0.3),  # time passes, nobody is waited for
        )

    assert received == [b""]


def test_a_refused_connection_is_not_sent(outbound: Outbound) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(NotSent, match="refused"):
        post(outbound, f"http://127.0.0.1:{port}{PATH}")


def test_a_full_backlog_is_not_sent_within_the_connect_time(outbound: Outbound) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):  # nobody accepts; the kernel lets one or two wait
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        with takes_at_most(1.0), pytest.raises(NotSent, match="took too long"):
            outbound.post(
                f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}",
                body=b"{}",
                headers={},
                total_seconds=10.0,
                connect_seconds=0.3,
                max_body_bytes=10,
            )


def test_an_unknown_name_is_its_own_kind_of_not_sent(ca_file: Path) -> None:
    def lookup(_name: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outbound = Outbound(AddressGuard([], lookup=lookup), ca_file=str(ca_file))

    with pytest.raises(NameNotResolved, match=r"hooks\.partner\.com"):
        post(outbound, "https://hooks.partner.com/")


def test_the_second_address_is_tried_when_the_first_refuses(ca_file: Path) -> None:
    guard = AddressGuard(
        [ip_network("127.0.0.0/8")], lookup=lambda _name: ["127.0.0.2", "127.0.0.3"]
    )
    with ScriptedPeer(answer(ok()), host="127.0.0.3") as peer:
        result = post(
            Outbound(guard, ca_file=str(ca_file)), f"http://hooks.partner.com:{peer.port}/"
        )

    assert result.peer == "127.0.0.3"


def wrong_certificates(authority: trustme.CA) -> dict[str, ssl.SSLContext]:
    past = datetime.now(UTC) - timedelta(days=1)
    leaves = {
        "expired": authority.issue_cert("127.0.0.1", not_after=past),
        "mismatch": authority.issue_cert("other.partner.com"),
        "issuer": trustme.CA().issue_cert("127.0.0.1"),
    }
    contexts = {}
    for name, leaf in leaves.items():
        contexts[name] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf.configure_cert(contexts[name])
    return contexts


@pytest.mark.parametrize("fault", ["expired", "mismatch", "issuer"])
def test_a_wrong_certificate_is_not_sent_and_the_reason_is_said(
    outbound: Outbound, authority: trustme.CA, fault: str
) -> None:
    tls = wrong_certificates(authority)[fault]
    with (
        ScriptedPeer(answer(ok()), tls=tls) as peer,
        pytest.raises(NotSent, match=fault) as failure,
    ):
        post(outbound, peer.url + PATH)

    assert "certificate" in str(failure.value)
    assert peer.requests == []


def test_plain_http_behind_https_is_not_sent(outbound: Outbound) -> None:
    def speaks_plainly(sock: socket.socket, _peer: ScriptedPeer) -> None:
        sock.recv(65536)
        sock.sendall(ok())

    with ScriptedPeer(speaks_plainly) as peer, pytest.raises(NotSent, match="TLS"):
        post(outbound, f"https://127.0.0.1:{peer.port}/")


def test_a_handshake_that_never_ends_is_not_sent_within_the_connect_time(
    outbound: Outbound,
) -> None:
    def drips_a_handshake(sock: socket.socket, peer: ScriptedPeer) -> None:
        sock.recv(65536)
        peer.drip(sock, b"\x16\x03\x03\x40\x00" + bytes(1000))

    with (
        ScriptedPeer(drips_a_handshake) as peer,
        takes_at_most(1.5),
        pytest.raises(NotSent, match="took too long"),
    ):
        outbound.post(
            f"https://127.0.0.1:{peer.port}{PATH}",
            body=b"{}",
            headers={},
            total_seconds=10.0,
            connect_seconds=0.5,
            max_body_bytes=10,
        )
