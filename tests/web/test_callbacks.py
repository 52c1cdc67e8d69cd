"""`/v1/callbacks`: an address for all jobs of a project, a test of it, the change of its secret."""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import Api
from factories import job, known_job, run
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.upstream_answers import http, reset
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink
from sqlalchemy import update
from standardwebhooks import Webhook

from service.keys import NewKey
from service.models import Project
from service.wiring import Wiring

BODY = {"model": "flux-2-pro", "input": {"prompt": "a lighthouse", "width": 256, "height": 256}}
EVERY_END = ["job.canceled", "job.failed", "job.succeeded"]


def put(api: Api, body: dict[str, Any]) -> Any:  # noqa: ANN401 - Flask's answer
    return api.client.put("/v1/callbacks", json=body, headers=api.headers())


def test_at_first_nobody_is_called_and_one_secret_signs(api: Api) -> None:
    assert api.get("/v1/callbacks").json == {
        "object": "callbacks", "url": None, "events": EVERY_END, "live_secrets": 1,
    }  # fmt: skip


def test_a_job_without_an_address_calls_where_its_project_wants(api: Api, wiring: Wiring) -> None:
    url = "http://127.0.0.1:9/all"
    assert put(api, {"url": url, "events": ["job.failed"]}).status_code == 200
    callback = api.post("/v1/jobs", BODY).json["callback"]
    assert (callback["url"], callback["events"]) == (url, ["job.failed"])


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ({"callback_url": None}, None),
        ({"callback_url": "http://127.0.0.1:9/mine"}, ("http://127.0.0.1:9/mine", EVERY_END)),
        (
            {"callback_events": ["job.generating"]},
            ("http://127.0.0.1:9/all", ["job.generating"]),
        ),
    ],
)
def test_what_a_job_says_of_callbacks_holds(
    api: Api, said: dict[str, Any], called: tuple[str, list[str]] | None
) -> None:
    put(api, {"url": "http://127.0.0.1:9/all", "events": ["job.failed"]})
    callback = api.post("/v1/jobs", {**BODY, **said}).json["callback"]
    assert (callback and (callback["url"], callback["events"])) == called


def test_no_address_is_chosen_again(api: Api) -> None:
    put(api, {"url": "http://127.0.0.1:9/all"})
    assert put(api, {"url": None}).json["url"] is None
    assert api.post("/v1/jobs", BODY).json["callback"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "ftp://caller.example/"}, "/url"),
        ({"url": "http://10.0.0.1/"}, "/url"),
        ({"url": "http://127.0.0.1:9/", "events": ["job.done"]}, "/events"),
        ({"url": "http://127.0.0.1:9/", "events": []}, "/events"),
        ({"url": None, "secret": "x"}, "/secret"),
    ],
)
def test_a_wrong_choice_is_named_and_changes_nothing(
    api: Api, body: dict[str, Any], pointer: str
) -> None:
    put(api, {"url": "http://127.0.0.1:9/all"})
    said = put(api, body)
    assert said.status_code == 422
    assert said.json["errors"][0]["pointer"] == pointer
    assert api.get("/v1/callbacks").json["url"] == "http://127.0.0.1:9/all"


def test_a_new_secret_and_the_one_before_sign_until_it_is_retired(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    rotated = api.post("/v1/callbacks/rotate-secret").json
    assert rotated["live_secrets"] == 2
    newest = rotated["callback_secret"]

    def signed_by(*secrets: str) -> list[bool]:
        with WebhookSink() as sink:
            document = api.post("/v1/jobs", {**BODY, "callback_url": sink.url}).json
            job_id = known_job(document)
            wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
            run(wiring.deliver)
            (call,) = sink.calls
        return [holds(secret, call.body, call.headers) for secret in secrets]

    assert signed_by(newest, key.callback_secret) == [True, True]
    assert api.post("/v1/callbacks/retire-secret").json["live_secrets"] == 1
    assert signed_by(newest, key.callback_secret) == [True, False]
    assert api.post("/v1/callbacks/retire-secret").json["live_secrets"] == 1


def holds(secret: str, body: bytes, headers: Any) -> bool:  # noqa: ANN401 - a mapping of any kind
    try:
        Webhook(secret).verify(body, dict(headers))
    except Exception:  # noqa: BLE001 - the library has several
        return False
    return True


def test_no_more_than_two_secrets_are_live(api: Api) -> None:
    counts = [api.post("/v1/callbacks/rotate-secret").json["live_secrets"] for _ in range(3)]
    assert counts == [2, 2, 2]


def test_a_test_is_signed_and_says_that_it_was_taken(api: Api, key: NewKey) -> None:
    with WebhookSink() as sink:
        said = api.post("/v1/callbacks/test", {"url": sink.url}).json
        (call,) = sink.calls
    assert (said["delivered"], said["said"], said["http_status"]) == (True, "taken (200)", 200)
    event = Webhook(key.callback_secret).verify(call.body, dict(call.headers))
    assert event["type"] == "callback.test"


def test_without_a_url_the_projects_address_is_tested(api: Api) -> None:
    assert api.post("/v1/callbacks/test", {}).status_code == 422
    with WebhookSink() as sink:
        put(api, {"url": sink.url})
        assert api.post("/v1/callbacks/test", {}).json["url"] == sink.url
        assert len(sink.calls) == 1


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (301, {"Location": "https://final.example/"}, "redirected to https://final.example/ (301)"),
        (302, {}, "redirected to nowhere (302)"),
        (413, {}, "does not take the"),
        (404, {}, "answered 404: there is nothing at this path"),
        (500, {}, "answered 500: the address is there, and its program failed"),
        (418, {}, "answered 418: only 2xx is success"),
    ],
)
def test_a_test_explains_what_came_of_it(
    api: Api, status: int, headers: dict[str, str], words: str
) -> None:
    with WebhookSink(status, headers=headers) as sink:
        said = api.post("/v1/callbacks/test", {"url": sink.url}).json
    assert said["delivered"] is False
    assert words in said["said"]


def test_a_test_explains_what_went_wrong_on_the_way(api: Api) -> None:
    with ScriptedPeer(reset) as peer:
        assert "broke the connection" in words_for(api, peer.url)
    with ScriptedPeer(answer(http(200, b"late"))) as peer:
        gone = peer.url
    assert "connecting to" in words_for(api, gone)
    assert "refused: " in words_for(api, "http://10.1.2.3/")


def words_for(api: Api, url: str) -> str:
    found: str = api.post("/v1/callbacks/test", {"url": url}).json["said"]
    return found


def test_a_chosen_address_that_may_not_be_called_any_more_keeps_no_job_out(
    api: Api, wiring: Wiring
) -> None:
    put(api, {"url": "http://127.0.0.1:9/hook"})
    with wiring.database.transaction() as tx:
        tx.execute(update(Project).values(callback_url="http://10.0.0.1/hook"))
    body = {"model": "flux-2-pro", "input": {"prompt": "x"}}
    assert api.post("/v1/jobs", body).status_code == 202
    named = {**body, "callback_url": "http://10.0.0.1/hook"}
    assert api.post("/v1/jobs", named).json["errors"][0]["pointer"] == "/callback_url"


def test_one_projects_test_leaves_a_place_to_the_others(api: Api, other: Api) -> None:
    with ScriptedPeer(silent) as peer, ThreadPoolExecutor() as pool, WebhookSink() as sink:
        first = pool.submit(api.post, "/v1/callbacks/test", {"url": peer.url})
        wait_until(lambda: len(peer.requests), lambda count: count == 1)
        assert api.post("/v1/callbacks/test", {"url": sink.url}).status_code == 503
        assert other.post("/v1/callbacks/test", {"url": sink.url}).json["delivered"]
        peer.closing.set()
        assert first.result().json["delivered"] is False
    with WebhookSink() as sink:
        assert api.post("/v1/callbacks/test", {"url": sink.url}).json["delivered"]


def silent(sock: socket.socket, peer: ScriptedPeer) -> None:
    peer.read_request(sock)
    peer.closing.wait(30)
