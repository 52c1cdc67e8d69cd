"""What is left of an account: asked for with our key where it is told, and never guessed."""

from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest
from egress import audit
from fakes.scripted_peer import Script, ScriptedPeer, answer
from fakes.simulator import API_KEY, Simulator
from fakes.upstream_answers import http, reset, silent

from service.clients.flux import PROVIDERS, FluxClient
from service.clients.outbound import AddressGuard, Outbound
from service.errors import FluxUnavailable
from service.upstream import Accepted

KEY = "canary-api-key"


def client(url: str, provider: str = "simulator", key: str = KEY) -> FluxClient:
    guard = AddressGuard([ip_network("127.0.0.0/8")], lookup=lambda _name: ["127.0.0.1"])
    audit.allow(url, key)
    return FluxClient(PROVIDERS[provider], url, True, key, Outbound(guard), 5.0)


def test_the_simulators_balance_falls_by_what_it_charges(simulator: Simulator) -> None:
    flux = client(f"{simulator.url}/v1", key=API_KEY)
    before = flux.balance()
    assert before is not None
    body: Mapping[str, Any] = {"prompt": "a fox", "width": 256, "height": 256}
    answered = flux.submit("flux-2-pro", body, lambda: None)
    assert isinstance(answered, Accepted)
    assert flux.balance() == before - (answered.cost or 0)


@pytest.mark.parametrize(
    ("said", "balance"),
    [
        (b"12.5", "12.5000"),
        (b"7.000000000000001", "7.0000"),
        (b"1000000", "1000000.0000"),
        (b"-3", "-3.0000"),
    ],
)
def test_a_balance_is_what_upstream_says(said: bytes, balance: str) -> None:
    with ScriptedPeer(answer(http(200, b'{"credits": %b}' % said))) as peer:
        assert client(f"{peer.url}/v1", "bfl").balance() == Decimal(balance)
    (request,) = peer.requests
    assert request.startswith(b"GET /v1/credits HTTP/1.1\r\n")
    assert b"x-key: canary-api-key" in request


NO_BALANCE: dict[str, Script] = {
    "another form": answer(http(200, b'{"balance": 5}')),
    "no number": answer(http(200, b'{"credits": "many"}')),
    "no amount": answer(http(200, b'{"credits": true}')),
    "endless": answer(http(200, b'{"credits": 1e300}')),
    "a list": answer(http(200, b"[5]")),
    "HTML": answer(http(200, b"<html>")),
    "404": answer(http(404, b'{"credits": 5}')),
    "403": answer(http(403)),
    "500": answer(http(500)),
    "reset": reset,
}


@pytest.mark.parametrize("said", NO_BALANCE)
def test_what_is_no_balance_is_none(said: str) -> None:
    with ScriptedPeer(NO_BALANCE[said]) as peer, pytest.raises(FluxUnavailable):
        client(peer.url).balance()


def test_a_provider_that_tells_no_balance_is_not_asked() -> None:
    with ScriptedPeer(silent) as peer:
        assert client(peer.url, "cometapi").balance() is None
    assert peer.connections == 0
