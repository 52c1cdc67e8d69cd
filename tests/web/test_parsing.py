"""The one reader of bodies: what it refuses, and that it refuses it fast."""

import base64
import io
import json
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from conftest import Api
from flask import Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from service.errors import BodyTooLarge, MalformedRequest
from service.strict_json import MAX_DEPTH, MAX_TOKENS, parse_object, read_moment
from service.web.parsing import MAX_IMAGE_BODY_BYTES, read_body

VECTORS = Path(__file__).parents[1] / "vectors" / "job_bodies.jsonl"


def vectors() -> list[dict[str, Any]]:
    """Return the recorded bodies, and those too big to record."""
    found = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    for case in found:
        packed = case.pop("zlib_base64", None)
        text = case.pop("text", "").encode()
        case["body"] = text if packed is None else zlib.decompress(base64.b64decode(packed))
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    many = {"many": dict.fromkeys(map(str, range(10_000)), 1)}
    # every one of these hashes to the same as an integer; as strings they must not
    flood = {"flood": {str(number * (2**61 - 1)): 1 for number in range(3000)}}
    big = [
        ("many parts", "multipart/form-data; boundary=x", 415, part * 50_000 + b"--x--"),
        ("a media type of a thousand letters", "a" * 1000, 415, b"{}"),
        *(
            (rule, "application/json", 422, _job(metadata=names).encode())
            for rule, names in (many | flood).items()
        ),
        ("many unknown fields", "application/json", 422, _job(**many["many"]).encode()),
        ("more values than a job has", "application/json", 400, b"[%s1]" % (b"1," * MAX_TOKENS)),
        ("30 MB and a byte", "application/json", 413, b" " * 30_000_001),
    ]
    names = ("rule", "content_type", "status", "body")
    return found + [dict(zip(names, case, strict=True)) for case in big]


def _job(**more: object) -> str:
    return json.dumps({"model": "flux-2-pro", "input": {"prompt": "x"}, **more})


def post(api: Api, body: bytes, content_type: str = "application/json") -> Any:  # noqa: ANN401 - werkzeug's
    return api.client.post("/v1/jobs", data=body, headers=api.headers(Content_Type=content_type))


def test_every_recorded_body_is_answered_as_its_rule_says(api: Api) -> None:
    for case in vectors():
        began = time.monotonic()
        answer = post(api, case["body"], case["content_type"])
        assert answer.status_code == case["status"], (case["rule"], answer.data)
        assert time.monotonic() - began < 2, case["rule"]
        assert len(answer.data) < 20_000, case["rule"]
        if answer.status_code == 202:
            continue
        assert answer.content_type == "application/problem+json", case["rule"]
        named = {error["pointer"] for error in answer.json.get("errors", [])}
        assert named >= set(case.get("pointers", [])), case["rule"]


def test_what_is_meant_by_an_unknown_field_is_suggested(api: Api) -> None:
    refused = post(api, _job(calback_url="https://example.com/").encode())
    assert refused.json["errors"] == [
        {"pointer": "/calback_url", "detail": "unknown field; did you mean callback_url?"}
    ]


def test_the_catalogues_errors_come_with_those_of_the_shape(api: Api) -> None:
    wrong = {"input": {"prompt": "x", "width": -1}, "callback_events": ["job.exploded"]}
    errors = post(api, _job(**wrong).encode()).json["errors"]
    assert {error["pointer"] for error in errors} == {"/input/width", "/callback_events"}


def test_no_error_is_named_twice(api: Api) -> None:
    for body in (_job(model="flux-9", priority="x"), _job(input=7), _job(callback_url="ftp://x")):
        pointers = [error["pointer"] for error in post(api, body.encode()).json["errors"]]
        assert len(pointers) == len(set(pointers)), body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["model", "input", "callback_url", "callback_events", "metadata", "priority", "start_at",
     "expires_at", "on_unconfirmed", "webhook_url"]
)  # fmt: skip
INPUTS = st.dictionaries(
    st.sampled_from(["prompt", "width", "height", "seed", "input_image", "output_format"])
    | st.text(),
    JSON,
    max_size=4,
)
BODIES = (
    JSON
    | st.fixed_dictionaries(
        {"model": st.just("flux-2-pro") | JSON, "input": INPUTS | JSON},
        optional={"metadata": JSON, "start_at": st.text() | st.datetimes().map(str)},
    )
    | st.dictionaries(FIELDS, JSON, max_size=5)
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=BODIES)
def test_no_json_is_a_fault_of_ours(api: Api, body: object) -> None:
    answer = post(api, json.dumps(body).encode())
    assert answer.status_code in {202, 400, 422}, answer.data


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()[:-1]))
def test_no_bytes_are_a_fault_of_ours(raw: bytes) -> None:
    try:
        value = parse_object(raw)
    except MalformedRequest:
        return
    assert value == json.loads(raw)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.lists(st.booleans()),
    )
)
def test_sound_json_is_read_as_it_is(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode()) == value
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        # each backslash of a string without an end once cost a look at all the rest of it
        '{"a":"' + '\\"' * 50_000,
        '{"a":"' + '\\"' * 50_000 + "\\",
        "[],[]," * 1_000_000,
        '""' * 1_000_000,
        "{" * 2_000_000,
        '{"a":' + "9" * 2_000_000 + "}",
    ],
    ids=["open string", "open escape", "many lists", "many strings", "deep", "long number"],
)
def test_a_hostile_body_is_refused_in_time_linear_in_its_length(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(MalformedRequest):
        parse_object(text.encode())
    assert time.monotonic() - began < 1


def test_one_image_of_upstreams_largest_size_is_read() -> None:
    image = base64.b64encode(bytes(20 * 1024 * 1024)).decode()
    body = _job(input={"prompt": "x", "input_image": image}).encode()
    assert len(body) < MAX_IMAGE_BODY_BYTES
    assert parse_object(body)["input"]["input_image"] == image


def test_whoever_sends_too_much_is_told_of_uploads(api: Api) -> None:
    refused = post(api, b" " * (MAX_IMAGE_BODY_BYTES + 1))
    assert (refused.status_code, refused.json["code"]) == (413, "body_too_large")
    assert "POST /v1/uploads" in refused.json["detail"]


def test_brackets_inside_of_strings_are_no_nesting() -> None:
    text = '{"a":"' + "[" * 100 + '\\"' + "{" * 100 + '"}'
    assert parse_object(text.encode())["a"].startswith("[[")


def test_nesting_is_taken_to_its_limit_and_no_further() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * depth + b"1" + b"}" * depth

    assert parse_object(nested(MAX_DEPTH))
    with pytest.raises(MalformedRequest, match="deeper"):
        parse_object(nested(MAX_DEPTH + 1))


def _request(**environment: object) -> Request:
    return Request({**EnvironBuilder(method="POST").get_environ(), **environment})


def test_a_body_beyond_the_limit_is_not_read_at_all() -> None:
    stream = io.BytesIO(b"x" * 1000)
    request = _request(**{"wsgi.input": stream, "CONTENT_LENGTH": "10000000000"})
    with pytest.raises(BodyTooLarge):
        read_body(request, 100)
    assert stream.tell() == 0


def test_a_body_of_unsaid_length_is_read_no_further_than_the_limit() -> None:
    stream = io.BytesIO(b"x" * 10_000_000)
    unsaid = {"wsgi.input": stream, "CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    with pytest.raises(BodyTooLarge):
        read_body(_request(**unsaid), 100)
    assert stream.tell() == 101


def test_a_body_that_ends_early_is_not_taken_for_whole() -> None:
    for terminated in ({}, {"wsgi.input_terminated": True}):
        request = _request(
            **{"wsgi.input": io.BytesIO(b'{"a":1}'), "CONTENT_LENGTH": "50"}, **terminated
        )
        with pytest.raises(MalformedRequest):
            read_body(request, 100)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00+00:00"),
        ("2026-11-22t12:00:00z", "2026-11-22T12:00:00+00:00"),
        ("2026-11-22 12:00:00+05:30", "2026-11-22T06:30:00+00:00"),
        ("2026-11-22T12:00:00.123456789-01:00", "2026-11-22T13:00:00.123456+00:00"),
        ("1970-01-01T00:00:00+14:00", "1969-12-31T10:00:00+00:00"),
        ("9998-12-31T23:59:59-14:00", "9999-01-01T13:59:59+00:00"),
    ],
)
def test_a_moment_is_read_into_utc(text: str, utc: str) -> None:
    assert read_moment(text).isoformat() == utc


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "1760000000", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22T12:00Z",
        "20261122T120000Z", "2026-W47-7T12:00:00Z", "2026-11-22T24:01:00Z", "2026-11-22T12:00:60Z",
        "2026-02-30T12:00:00Z", "2026-11-22T12:00:00+25:00", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00", "٢٠٢٦-11-22T12:00:00Z", "2026-11-22T12:00:00Z\n",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are for callers
        read_moment(text)
