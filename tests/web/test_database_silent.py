"""The database is stopped, crashed or cut off: callers are told so, and Flux is thanked."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from chaos.proxy import Mode
from conftest import Api
from factories import attempt_id, enqueue, events, job
from fakes.own_postgres import OwnPostgres, own_postgres
from fakes.waiting import wait_until
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from web.browser import form_token, log_in

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.patience import WEB
from service.settings import Settings
from service.states import Status
from service.web.app import create_app
from service.wiring import Wiring

#: Several times what it takes, and well below what a silent connection takes by itself.
LIMIT_SECONDS = 5.0
BODY = {"model": "flux-2-pro", "input": {"prompt": "x"}}
READY = {"id": "task-1", "status": "Ready", "result": {"sample": "http://127.0.0.1:9/a.png"}}
#: What needs no database: the probes speak for themselves, and links and pages without content.
WITHOUT_DATABASE = {
    "static", "health.alive", "health.ready", "health.metrics", "webhooks.hear",
    "flux-samples.sample", "login.form", "openapi.document", "openapi.docs",
    "openapi.file", "shared.page", "shared.content",
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture
def wiring(server: OwnPostgres, settings: Settings) -> Iterator[Wiring]:
    """The parts of a web process over a database that may be stopped."""
    away = settings.model_copy(update={"database_url": SecretStr(server.url)})
    wiring = Wiring(away, ring=lambda _message: None, patience=WEB)
    yield wiring
    server.heal()
    wiring.close()


@pytest.fixture
def app(wiring: Wiring) -> Flask:
    return create_app(wiring)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def key(wiring: Wiring) -> NewKey:
    return wiring.keys.create(f"project-{uuid4().hex[:8]}")


def timed(ask: Any, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401
    began = time.monotonic()
    answer = ask(*arguments, **more)
    assert time.monotonic() - began < LIMIT_SECONDS
    return answer


def paths(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield a method and an address of every route that asks the database."""
    ids = {
        "job_id": Kind.JOB, "image_id": Kind.IMAGE, "upload_id": Kind.UPLOAD,
        "batch_id": Kind.BATCH, "delivery_id": Kind.DELIVERY, "key_id": Kind.KEY,
        "share_id": Kind.SHARE,
    }  # fmt: skip
    known = {name: public_id(kind, new_id()) for name, kind in ids.items()}
    urls = app.url_map.bind("darkroom")
    for rule in app.url_map.iter_rules():
        if rule.endpoint in WITHOUT_DATABASE:
            continue
        values = {name: known.get(name, "2-pro") for name in rule.arguments}
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, urls.build(rule.endpoint, values, method=method)


def test_every_route_says_503_in_time_while_the_database_is_stopped(
    server: OwnPostgres, app: Flask, client: FlaskClient, key: NewKey
) -> None:
    browser = log_in(client, key)
    form = {"api_key": key.api_key, **form_token(browser)}
    headers = {"Authorization": f"Bearer {key.api_key}", "X-Key": key.api_key}
    with server.frozen():
        for method, path in paths(app):
            of_a_page = not path.startswith(("/v1/", "/flux/", "/webhooks/"))
            answer = timed(
                browser.open, path + "?id=" + public_id(Kind.JOB, new_id()), method=method,
                headers=headers, **({"data": form} if of_a_page else {"json": BODY}),
            )  # fmt: skip
            assert answer.status_code == 503, path
            assert answer.headers["Retry-After"] == "2", path
            if path.startswith(("/v1/jobs", "/v1/images", "/v1/models", "/v1/price")):
                assert answer.content_type == "application/problem+json", path
        assert timed(browser.get, "/healthz").status_code == 200
        assert timed(browser.get, "/readyz").status_code == 503
        assert b"darkroom_database_up 0.0" in timed(browser.get, "/metrics").data
    api = Api(client, key.api_key)
    wait_until(lambda: api.get("/v1/jobs").status_code, lambda status: status == 200)


def test_a_job_whose_commit_was_not_heard_of_is_one_job_after_the_repeat(
    server: OwnPostgres, client: FlaskClient, key: NewKey
) -> None:
    api = Api(client, key.api_key)
    server.proxy.set(Mode.CUT_AFTER_COMMIT, share=1.0)
    first = timed(api.post, "/v1/jobs", BODY, Idempotency_Key="k")
    server.heal()
    # the look-up by our own id found it, or its own commit was cut too and the caller asks again
    assert first.status_code in {202, 503}
    again = wait_until(
        lambda: api.post("/v1/jobs", BODY, Idempotency_Key="k"),
        lambda answer: answer.status_code == 202,
    )
    (listed,) = api.get("/v1/jobs").json["data"]
    assert again.json["id"] == listed["id"]


def test_a_database_that_comes_and_goes_is_told_of_and_used_again(
    server: OwnPostgres, client: FlaskClient, key: NewKey
) -> None:
    api = Api(client, key.api_key)
    for number in range(2):
        server.crash()
        # a backend may answer once more before it sees that its postmaster is gone
        timed(wait_until, lambda: api.get("/v1/jobs").status_code, lambda status: status == 503)
        server.start()
        answer = timed(
            wait_until,
            lambda number=number: api.post("/v1/jobs", BODY, Idempotency_Key=f"n{number}"),
            lambda answer: answer.status_code == 202,
        )
        assert answer.json["status"] == "queued"
    assert len(api.get("/v1/jobs").json["data"]) == 2


def sent(wiring: Wiring, key: NewKey) -> tuple[UUID, str, dict[str, str]]:
    """Return a job whose paid POST may be on the wire, and how Flux calls back about it."""
    job_id = enqueue(wiring, key)
    wiring.submit.claim(100)
    attempt = attempt_id(wiring, job_id)
    signer = wiring.webhook_signer
    path = f"/webhooks/flux/{signer.token(attempt)}"
    return job_id, path, {"X-Webhook-Secret": signer.secret(attempt)}


@pytest.mark.parametrize("mode", [None, Mode.BLACK_HOLE, Mode.HALF_OPEN, Mode.REFUSE])
def test_a_webhook_is_thanked_for_in_time_whatever_the_database_does(
    server: OwnPostgres, wiring: Wiring, client: FlaskClient, key: NewKey, mode: Mode | None
) -> None:
    job_id, path, proof = sent(wiring, key)
    # a connection of the receiver's, made while all was well
    client.post(path, json={"status": "Pending"}, headers=proof)
    if mode is None:
        with server.frozen():
            assert timed(client.post, path, json=READY, headers=proof).status_code == 200
    else:
        server.proxy.set(mode)
        assert timed(client.post, path, json=READY, headers=proof).status_code == 200
        server.heal()
    # replayed, unless it was committed although nobody heard so; a connection that was cut half
    # may hold the row for a while
    wait_until(
        lambda: replayed(wiring) and job(wiring, job_id).status,
        lambda status: status is Status.STORING,
        timeout_seconds=30,
    )
    assert events(wiring, job_id).count("job.storing") == 1


def replayed(wiring: Wiring) -> bool:
    try:
        wiring.receive.replay()
    except Exception:  # noqa: BLE001
        return False
    return True
