"""Every recorded body and header against every route that takes a body, on a real web process."""

import base64
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from web.fuzz.keep_alive import Answer, KeepAlive, with_body
from web.gunicorn_process import GunicornProcess
from web.things import made, path_of, rules

from service.keys import NewKey
from service.web.app import create_app
from service.web.flux_problems import speaks_flux
from service.wiring import Wiring

VECTORS = Path(__file__).parents[1] / "vectors"
GOOD = b'{"model": "flux-2-pro", "input": {"prompt": "x"}}'
#: Rule, content type, what is expected, and the bytes.
Case = tuple[str, str, str, bytes]
TAKING = ("POST", "PUT", "PATCH")
#: Recorded as malformed, but its names are those of upstream's body, where it is a good one.
GOOD_FOR_FLUX = {"width = 1e3"}


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def bodies() -> list[Case]:
    """Return every recorded body."""
    return [
        (
            case["rule"],
            case["content_type"],
            case["expect"],
            case["text"].encode()
            if "text" in case
            else zlib.decompress(base64.b64decode(case["zlib_base64"])),
        )
        for case in read("malformed_bodies.jsonl")
    ]


def headers() -> list[tuple[str, str]]:
    """Return target and value; what is long is recorded as a letter and a count."""
    return [
        (
            case["target"],
            "".join(part if isinstance(part, str) else part[0] * part[1] for part in case["parts"]),
        )
        for case in read("headers.jsonl")
    ]


@pytest.fixture(scope="module")
def key(web_wiring: Wiring) -> NewKey:
    return web_wiring.keys.create("default")


@pytest.fixture(scope="module")
def app(web_wiring: Wiring) -> Flask:
    return create_app(web_wiring)


@pytest.fixture(scope="module")
def lines(app: Flask, web_wiring: Wiring, key: NewKey) -> list[str]:
    """Method and path of every route that takes a body."""
    things = made(web_wiring, key)
    return [
        f"{method} {path_of(app, rule, things)}"
        for rule in rules(app)
        for method in sorted((rule.methods or set()) & set(TAKING))
    ]


@pytest.fixture
def connection(web: GunicornProcess) -> Iterator[KeepAlive]:
    with KeepAlive(web) as connection:
        yield connection


def proof(key: NewKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.api_key}", "Accept": "application/json"}


def is_worded(line: str, answer: Answer) -> bool:
    """Tell whether a refusal says what it is in the way of its path."""
    path = line.split()[1]
    if b"Content-Type: text/html" in answer.head:
        return not path.startswith(("/v1/", "/flux/", "/webhooks/"))
    document = json.loads(answer.body)
    if speaks_flux(path):
        return "detail" in document or "id" in document
    return b"application/problem+json" in answer.head and bool(document["code"])


@pytest.mark.parametrize("case", bodies(), ids=lambda case: case[0][:40])
def test_a_malformed_body_is_refused_in_words_on_every_route(
    connection: KeepAlive,
    key: NewKey,
    lines: list[str],
    case: Case,
) -> None:
    rule, content_type, expect, body = case
    declared = {"Content-Type": content_type} if content_type else {}
    for line in lines:
        answer = connection.ask(with_body(line, {**proof(key), **declared}, body))
        assert 200 <= answer.status < 500, (line, answer)
        if answer.status >= 400:
            assert is_worded(line, answer), (line, answer)
        if expect.startswith("4") and line in {"POST /v1/jobs", "POST /v1/price"}:
            assert 400 <= answer.status < 500, (line, answer)
        if line.startswith("POST /flux/v1/") and "model" not in rule and rule not in GOOD_FOR_FLUX:
            assert answer.status in {400, 413, 415, 422}, (line, answer)


@pytest.mark.parametrize(("target", "value"), headers(), ids=lambda text: text[:30])
def test_a_recorded_header_is_refused_or_inert_on_every_route(
    web: GunicornProcess, key: NewKey, lines: list[str], target: str, value: str
) -> None:
    for line in ["GET /v1/jobs", *lines]:
        sent = hostile(line, key, target, value)
        if sent is None:
            continue
        with KeepAlive(web) as connection:
            answer = connection.ask(sent)
        assert 200 <= answer.status < 500, (line, answer)
        for name in (b"x-injected", b"\nx: y"):
            assert name not in answer.head.lower(), (line, answer)
    for written in web.log.splitlines():
        assert re.match(r"\{|\[\d{4}-", written), written


def hostile(line: str, key: NewKey, target: str, value: str) -> bytes | None:
    """Return a good request for a line with a recorded value where its target says."""
    named = {**proof(key), "Content-Type": "application/json"}
    value = value.replace("KEY", key.api_key).replace("GOOD", key.api_key)
    if target == "(request line)":
        return with_body(value.removesuffix(" HTTP/1.1"), named, None)
    if target == "Authorization (sent twice)":
        first, _, second = value.partition(" | ")
        return with_body(line, {**named, "Authorization": first, "authorization": second}, GOOD)
    if target == "Content-Length and Transfer-Encoding":
        length, _, coding = value.partition(" | ")
        return with_body(
            line, {**named, "Content-Length": length, "Transfer-Encoding": coding}, GOOD
        )
    if target in {"job metadata value", "prompt as S3 user metadata", "callback_url path"}:
        body = {"model": "flux-2-pro", "input": {"prompt": value}, "metadata": {"k": value}}
        if target == "callback_url path":
            body["callback_url"] = "https://example.com" + value
        return with_body(line, named, json.dumps(body).encode())
    if target == "Content-Disposition filename":
        part = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{value}"\r\n\r\nx'
        return with_body(
            line,
            {**named, "Content-Type": "multipart/form-data; boundary=b"},
            f"{part}\r\n--b--\r\n".encode(),
        )
    return with_body(line, {**named, target: value}, GOOD)
