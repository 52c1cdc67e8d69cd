"""What is sent, and where to. Real sockets on loopback."""

import ssl
from pathlib import Path

import pytest
from fakes.outbound_calls import PATH, SECRET, post
from fakes.scripted_peer import ScriptedPeer, answer, ok

from service.clients.outbound import AddressGuard, Outbound
from service.errors import AddressForbidden, NotSent


def test_the_request_is_whole_and_says_what_it_must(outbound: Outbound) -> None:
    with ScriptedPeer(answer(ok(b"thanks"))) as peer:
        result = post(outbound, peer.url + PATH, body=b'{"a":1}')

    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST {PATH} HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Accept-Encoding: identity",
        "Connection: close",
        "Content-Length: 7",
        "Content-Type: application/json",
        f"Host: 127.0.0.1:{peer.port}",
        "User-Agent: Darkroom",
    ]
    assert body == b'{"a":1}'
    assert (result.status, result.body, result.truncated) == (200, b"thanks", False)
    assert result.peer == "127.0.0.1"
    assert 0 < result.elapsed_seconds < 2


def test_tls_asks_for_the_name_and_checks_the_certificate_for_it(
    outbound: Outbound, server_tls: ssl.SSLContext
) -> None:
    names: list[str | None] = []
    server_tls.sni_callback = lambda _sock, name, _context: names.append(name)
    try:
        with ScriptedPeer(answer(ok()), tls=server_tls) as peer:
            result = post(outbound, f"https://hooks.partner.com:{peer.port}/x")
    finally:
        server_tls.sni_callback = None

    assert result.status == 200
    assert names == ["hooks.partner.com"]
    assert f"Host: hooks.partner.com:{peer.port}\r\n".encode() in peer.requests[0]


def test_proxies_and_netrc_of_the_environment_are_not_used(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    with ScriptedPeer(answer(ok())) as proxy, ScriptedPeer(answer(ok())) as peer:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NETRC", str(netrc))
        post(outbound, peer.url)

    assert (proxy.connections, peer.connections) == (0, 1)
    assert b"uthorization" not in peer.requests[0]


def test_a_header_that_would_split_the_request_is_not_sent(outbound: Outbound) -> None:
    with ScriptedPeer(answer(ok())) as peer, pytest.raises(NotSent) as failure:
        outbound.get(
            peer.url,
            headers={"X-Key": f"{SECRET}\r\nX-Other: 1"},
            total_seconds=2.0,
            connect_seconds=1.0,
            max_body_bytes=10,
        )

    assert SECRET not in str(failure.value)
    assert peer.requests == []


def test_a_forbidden_address_gets_no_connection_unless_the_operator_named_it(
    ca_file: Path,
) -> None:
    outbound = Outbound(AddressGuard([]), ca_file=str(ca_file))
    with ScriptedPeer(answer(ok())) as peer:
        with pytest.raises(AddressForbidden):
            post(outbound, peer.url)
        assert peer.connections == 0
        result = outbound.post(
            f"http://localhost:{peer.port}/",
            body=b"",
            headers={},
            total_seconds=2.0,
            connect_seconds=1.0,
            max_body_bytes=10,
            guarded=False,
        )

    assert result.status == 200
    assert b"Content-Length: 0\r\n" in peer.requests[0]
