"""The Flux client: what each behaviour of the paid POST means, and where our key may go."""

import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_network

import pytest
from egress import audit
from fakes.scripted_peer import Script, ScriptedPeer, answer
from fakes.upstream_answers import ACCEPTING, REFUSING, UNKNOWN, http, silent

from service.clients.flux import PROVIDERS, FluxClient, Upstreams
from service.clients.outbound import AddressGuard, Outbound
from service.errors import FenceClosed, FluxUnavailable
from service.upstream import (
    Accepted,
    Ended,
    InProgress,
    NotSent,
    Ready,
    Refused,
    Result,
    SubmitOutcome,
    Unknown,
)

KEY = "canary-api-key"


def client(
    url: str,
    provider: str = "simulator",
    timeout_seconds: float = 5.0,
    *,
    is_overridden: bool = True,
) -> FluxClient:
    guard = AddressGuard([ip_network("127.0.0.0/8")], lookup=lambda _name: ["127.0.0.1"])
    audit.allow(url, KEY)
    return FluxClient(
        PROVIDERS[provider], url, is_overridden, KEY, Outbound(guard), timeout_seconds
    )


def submit(
    url: str, more: Mapping[str, str] | None = None, fence: Callable[[], None] = lambda: None
) -> SubmitOutcome:
    body = {"prompt": "a fox", **(more or {})}
    return client(url, timeout_seconds=0.5).submit("flux-2-pro", body, fence)


def outcome_of(script: Script, **more: str) -> SubmitOutcome:
    with ScriptedPeer(script) as peer:
        outcome = submit(peer.url, more)
    assert peer.connections == 1
    return outcome


@pytest.mark.parametrize("name", ACCEPTING)
def test_2xx_with_an_id_is_accepted(name: str) -> None:
    outcome = outcome_of(ACCEPTING[name])
    assert isinstance(outcome, Accepted)
    assert (outcome.task_id, str(outcome.cost)) == ("t-1", "4.5000")


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_may_have_been_accepted_is_unknown(name: str) -> None:
    assert isinstance(outcome_of(UNKNOWN[name]), Unknown)


@pytest.mark.parametrize("name", REFUSING)
def test_a_clear_no_is_refused_with_upstreams_words(name: str) -> None:
    outcome = outcome_of(REFUSING[name])
    assert isinstance(outcome, Refused)
    assert outcome.http_status == int(name)
    assert outcome.reason.startswith("width is odd")
    outcome.reason.encode()  # can be stored


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_account_is_refused(status: int) -> None:
    outcome = outcome_of(answer(http(status)))
    assert isinstance(outcome, Refused)
    assert outcome.http_status == status


RETRY_AFTER = {
    "none": ((), 1.0),
    "0": ((b"Retry-After: 0",), 1.0),
    "7": ((b"Retry-After: 7",), 7.0),
    "too long": ((b"Retry-After: 86400",), 60.0),
    "nonsense": ((b"Retry-After: soon",), 1.0),
    "twice": ((b"Retry-After: 7", b"Retry-After: 9"), 1.0),
    "past date": ((b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",), 1.0),
}


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_retry_after_of_a_429_is_honoured_within_bounds(name: str) -> None:
    headers, expected_seconds = RETRY_AFTER[name]
    outcome = outcome_of(answer(http(429, b"{}", *headers)))
    assert isinstance(outcome, Refused)
    assert outcome.retry_after_seconds == expected_seconds


def test_a_refused_connection_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert isinstance(submit(f"http://127.0.0.1:{port}"), NotSent)


def test_an_unknown_name_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert isinstance(submit("https://flux.partner.com/v1"), NotSent)


def test_a_failed_tls_handshake_is_not_sent() -> None:
    with ScriptedPeer(lambda sock, _peer: sock.sendall(http(200, b'{"id": "t-1"}'))) as peer:
        assert isinstance(submit(peer.url.replace("http:", "https:")), NotSent)


def test_an_address_that_is_no_url_is_not_sent() -> None:
    assert isinstance(submit("http://"), NotSent)


def test_a_closed_fence_sends_nothing() -> None:
    received: list[bytes] = []

    def listen(sock: socket.socket, _peer: ScriptedPeer) -> None:
        received.append(sock.recv(65536))

    def fence() -> None:
        raise FenceClosed("too late")

    with ScriptedPeer(listen) as peer, pytest.raises(FenceClosed):
        submit(peer.url, fence=fence)
    assert received == [b""]


def test_a_redirect_takes_neither_key_nor_job_elsewhere() -> None:
    with ScriptedPeer(answer(http(200, b'{"id": "t-1"}'))) as canary:
        location = b"Location: %b/flux-2-pro" % canary.url.encode()
        assert isinstance(outcome_of(answer(http(307, b"", location))), Unknown)
    assert canary.connections == 0


def test_upstreams_complaint_repeats_no_secret_of_ours() -> None:
    url, secret = "https://us.example/webhooks/flux/token-canary", "secret-canary"
    picture = "https://bucket.example/1.png?X-Amz-Signature=canary"
    echo = (
        '{"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required",'
        f'"input": {{"webhook_url": "{url}", "webhook_secret": "{secret}"}}}}]}}'
    )
    for said in (echo, f'{{"detail": {{"sent": ["{url}", "{secret}", "{KEY}", "{picture}"]}}}}'):
        for status in (422, 500):
            outcome = outcome_of(
                answer(http(status, said.encode())), webhook_url=url, webhook_secret=secret
            )
            assert isinstance(outcome, Refused | Unknown)
            assert "canary" not in outcome.reason


def test_upstreams_list_of_complaints_is_one_line_with_places() -> None:
    said = b'{"detail": [{"loc": ["body", "width"], "msg": "too small"}, {"msg": "and odd"}]}'
    outcome = outcome_of(answer(http(422, said)))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "width: too small; and odd"


@pytest.mark.parametrize(
    ("provider", "header"),
    [
        ("cometapi", b"Authorization: Bearer canary-api-key"),
        ("bfl", b"x-key: canary-api-key"),
        ("simulator", b"x-key: canary-api-key"),
    ],
)
def test_the_key_goes_where_each_provider_looks_for_it(provider: str, header: bytes) -> None:
    with ScriptedPeer(answer(http(200, b'{"id": "t-1"}'))) as peer:
        client(f"{peer.url}/base", provider).submit("flux-2-pro", {}, lambda: None)
    (request,) = peer.requests
    assert request.startswith(b"POST /base/flux-2-pro HTTP/1.1\r\n")
    assert header in request


# --- asking how a task stands ---------------------------------------------------------------


def result_of(said: bytes, *, status: int = 200) -> Result:
    with ScriptedPeer(answer(http(status, said))) as peer:
        return client(peer.url).result("t-1", None)


def test_a_poll_reads_upstreams_words_whatever_the_status() -> None:
    ready = b'{"id": "t-1", "status": "Ready", "result": {"sample": "http://x/1.png"}}'
    assert isinstance(result_of(ready), Ready)
    ended = b'{"id": "t-1", "status": "%b"}'
    assert isinstance(result_of(ended % b"Error", status=503), Ended)
    assert isinstance(result_of(ended % b"Content Moderated", status=422), Ended)
    assert result_of(b'{"status": "Task not found"}') == InProgress("Task not found")


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_gateways_error_says_nothing_of_the_task(status: int) -> None:
    with pytest.raises(FluxUnavailable):
        result_of(b'{"status": "error", "message": "rate limit exceeded"}', status=status)


@pytest.mark.parametrize("script", [answer(b""), answer(http(500)), answer(http(200, b"<html>"))])
def test_a_poll_without_an_answer_is_unavailable(script: Script) -> None:
    with ScriptedPeer(script) as peer, pytest.raises(FluxUnavailable):
        client(peer.url).result("t-1", None)


def test_an_id_is_asked_about_as_one_query_value() -> None:
    with ScriptedPeer(answer(http(200, b'{"status": "Pending"}'))) as peer:
        client(f"{peer.url}/v1").result("../t 1&key=x", None)
    assert peer.requests[0].startswith(b"GET /v1/get_result?id=..%2Ft%201%26key%3Dx HTTP/1.1\r\n")


def test_a_polling_url_of_the_same_origin_is_asked() -> None:
    with ScriptedPeer(answer(http(200, b'{"status": "Pending"}'))) as peer:
        client(f"{peer.url}/v1").result("t-1", f"{peer.url}/elsewhere?id=9")
    assert peer.requests[0].startswith(b"GET /elsewhere?id=9 HTTP/1.1\r\n")


@pytest.mark.parametrize("provider", ["cometapi", "bfl", "simulator"])
def test_the_key_is_never_shown_to_a_foreign_polling_url(provider: str) -> None:
    with (
        ScriptedPeer(silent) as canary,
        ScriptedPeer(answer(http(200, b'{"status": "Pending"}'))) as peer,
    ):
        port = canary.port
        for foreign in (
            f"{canary.url}/v1/get_result?id=t-1",
            f"http://127.0.0.1:{peer.port}@127.0.0.1:{port}/",
            f"http://localhost:{port}/",
            f"http://api.bfl.ai:{port}/",
            f"http://api.bfl.ai.partner.com:{port}/",
            f"https://evil-bfl.ai:{port}/",
            f"https://127.0.0.1:{port}/?.bfl.ai",
            f"https://127.0.0.1:{port}\\@api.bfl.ai/",
            "http://[::1",
            "",
        ):
            try:
                client(f"{peer.url}/v1", provider).result("t-1", foreign)
            except FluxUnavailable:
                continue
    assert canary.connections == 0
    assert all(request.startswith(b"GET /v1/get_result?id=t-1 ") for request in peer.requests)
    assert len(peer.requests) >= 8


def test_the_key_may_be_shown_to_the_providers_clusters() -> None:
    asked: list[str] = []

    def lookup(name: str) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    guard = AddressGuard([ip_network("127.0.0.0/8")], lookup=lookup)
    with ScriptedPeer(lambda _sock, _peer: None) as peer:
        flux = FluxClient(
            PROVIDERS["bfl"], "https://api.bfl.ai/v1", False, KEY, Outbound(guard), 1.0
        )
        with pytest.raises(FluxUnavailable):
            flux.result("t-1", f"https://api.us1.bfl.ai:{peer.port}/v1/get_result?id=t-1")
    assert asked == ["api.us1.bfl.ai"]


@pytest.mark.parametrize(("is_overridden", "expected"), [(False, "elsewhere"), (True, "base")])
def test_a_model_served_elsewhere_is_sent_there_unless_the_operator_names_the_base(
    *, is_overridden: bool, expected: str
) -> None:
    yes = answer(http(200, b'{"id": "t-1"}'))
    with ScriptedPeer(yes) as base, ScriptedPeer(yes) as elsewhere:
        audit.allow(elsewhere.url, KEY)
        flux = client(base.url, is_overridden=is_overridden)
        flux.submit("flux-2-pro", {"prompt": "a fox"}, lambda: None, server=elsewhere.url)
        flux.submit("flux-2-pro", {"prompt": "a fox"}, lambda: None)
    heard = {"base": len(base.requests), "elsewhere": len(elsewhere.requests)}
    assert heard == {"base": 1, "elsewhere": 0} | {expected: 1 + (expected == "base")}


def test_a_provider_that_is_not_paid_any_more_is_not_asked() -> None:
    with pytest.raises(FluxUnavailable, match="cometapi"):
        Upstreams({"bfl": client("http://127.0.0.1:9")}).result("cometapi", "t-1", None)
