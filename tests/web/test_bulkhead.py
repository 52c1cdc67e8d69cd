"""However busy callers keep us, Flux's webhooks and probes find a thread."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from fakes.waiting import wait_until
from sqlalchemy import func, select
from web.gunicorn_process import GunicornProcess, heard, request, status_of
from web.kept_image import kept_image

from service.ids import Kind, new_id, public_id
from service.models import FluxWebhook
from service.settings import load_settings
from service.web.bulkhead import ZIPS
from service.wiring import Wiring

NARROW = Path(__file__).with_name("narrow_gunicorn_conf.py")
PLACES = 2
CALLERS = 12
WEBHOOKS = 20
#: Several times what they take; the callers in front keep their places for longer.
LIMIT_SECONDS = 5.0


@pytest.fixture(scope="module")
def narrow(
    web_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornProcess]:
    log = tmp_path_factory.mktemp("narrow") / "web.log"
    with GunicornProcess(web_environment, log, NARROW) as web:
        yield web


@pytest.fixture(scope="module")
def wiring(web_environment: dict[str, str]) -> Iterator[Wiring]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in web_environment.items():
            patch.setenv(name, value)
        wiring = Wiring(load_settings())
        # what it connects with later is read then
        yield wiring
        wiring.close()


@pytest.fixture
def bearer(wiring: Wiring) -> str:
    return f"Authorization: Bearer {wiring.keys.create('default').api_key}"


def half_a_body(web: GunicornProcess, bearer: str) -> socket.socket:
    """Begin a request and keep its thread waiting for the rest of it."""
    connection = web.connect()
    line = request("POST /v1/jobs", bearer, "Content-Type: application/json", "Content-Length: 2")
    connection.sendall(line + b"{")
    return connection


def has_answer(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(10)


def test_webhooks_and_probes_are_answered_while_callers_take_all_they_can(
    narrow: GunicornProcess, wiring: Wiring, bearer: str
) -> None:
    signer = wiring.webhook_signer

    def webhook(_number: int) -> int:
        attempt = new_id()
        path = f"POST /webhooks/flux/{signer.token(attempt)}"
        proof = f"X-Webhook-Secret: {signer.secret(attempt)}"
        return narrow.status(request(path, proof, "Content-Length: 2", body=b"{}"))

    with ExitStack() as stack:
        callers = [stack.enter_context(half_a_body(narrow, bearer)) for _ in range(CALLERS)]

        def in_front() -> list[socket.socket]:
            return [caller for caller in callers if not has_answer(caller)]

        began = time.monotonic()
        with ThreadPoolExecutor(WEBHOOKS) as pool:
            assert set(pool.map(webhook, range(WEBHOOKS))) == {200}
        assert narrow.status(request("GET /healthz")) == 200
        assert time.monotonic() - began < LIMIT_SECONDS
        # whoever finds no place is told when to come again, the first two still have theirs
        front = wait_until(in_front, lambda waiting: len(waiting) == PLACES)
        for caller in set(callers) - set(front):
            answer = heard(caller)
            assert status_of(answer) == 503
            assert b"Retry-After: 2" in answer
            assert b"application/problem+json" in answer
        for caller in front:
            caller.sendall(b"}")
            assert status_of(heard(caller)) == 422
    with wiring.database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(FluxWebhook)) == WEBHOOKS
    # places are given back, after answers and after refusals
    for _ in range(2 * PLACES):
        assert narrow.status(request("GET /v1/jobs", bearer)) == 200


def test_who_sends_slowly_keeps_no_place(narrow: GunicornProcess, bearer: str) -> None:
    line = ("POST /v1/jobs", bearer, "Content-Type: application/json")
    drip = request(*line, "Content-Length: 200")
    endless = request(*line, "Transfer-Encoding: chunked", body=b"50\r\n{")
    with ExitStack() as stack:
        for sent in (drip, endless):
            connection = stack.enter_context(narrow.connect())
            connection.sendall(sent)
        for _ in range(2 * PLACES):
            assert narrow.status(request("GET /v1/jobs", bearer)) == 200


def test_a_zip_whose_client_takes_nothing_keeps_no_place_and_none_that_has_gone(
    narrow: GunicornProcess, wiring: Wiring, bearer: str
) -> None:
    key = wiring.keys.create("default")
    # more than the sockets between us take in
    ids = [public_id(Kind.IMAGE, kept_image(wiring, key, bytes(9_000_000))) for _ in range(2)]
    form = f"api_key={key.api_key}".encode()
    typed = "Content-Type: application/x-www-form-urlencoded"
    entered = narrow.say(request("POST /login", typed, f"Content-Length: {len(form)}", body=form))
    cookie = re.findall(rb"Set-Cookie: ([^;]+)", entered)[0].decode()
    asked = request(f"GET /images.zip?image={ids[0]}&image={ids[1]}", f"Cookie: {cookie}")
    with ExitStack() as stack:
        for _ in range(ZIPS):
            client = stack.enter_context(narrow.connect())
            client.sendall(asked)
            assert client.recv(12) == b"HTTP/1.1 200"
        for _ in range(2 * PLACES):
            assert narrow.status(request("GET /v1/jobs", bearer)) == 200
        refused = narrow.say(asked)
        assert status_of(refused) == 503
        assert b"Retry-After: 15" in refused
    whole = wait_until(lambda: narrow.say(asked), lambda answer: status_of(answer) == 200)
    assert whole.count(b"PK\x03\x04") == len(ids) + 1
    # with the last, empty chunk: nothing is missing
    assert whole.endswith(b"\r\n0\r\n\r\n")
