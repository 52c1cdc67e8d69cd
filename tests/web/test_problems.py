"""Every error is a problem document (RFC 9457), and says nothing of our inside."""

import json
import re

from conftest import Api, named
from flask.testing import FlaskClient
from pydantic import SecretStr

from service.keys import NewKey
from service.settings import Settings
from service.web.app import create_app
from service.web.parsing import MAX_IMAGE_BODY_BYTES
from service.wiring import Wiring

KEYS = ["type", "title", "status", "detail", "code"]


def test_every_refusal_has_the_same_five_keys(api: Api) -> None:
    client, headers = api.client, api.headers()
    job = "/v1/jobs/job_01a20426707471eb952af02df5cfee09"
    said = {
        "not_found": client.get("/v1/nothing", headers=headers),
        "unauthorized": client.get("/v1/jobs"),
        "method_not_allowed": client.delete("/v1/jobs", headers=headers),
        "unsupported_media_type": client.post("/v1/jobs", data="x", headers=headers),
        "malformed_request": client.post(
            "/v1/jobs", data="{", headers={**headers, "Content-Type": "application/json"}
        ),
        "invalid_request": client.post("/v1/jobs", json={}, headers=headers),
        "bad_request": client.get("/v1/jobs?model=%00", headers=headers),
        "body_too_large": client.post(
            "/v1/jobs",
            data=b" " * (MAX_IMAGE_BODY_BYTES + 1),
            headers={**headers, "Content-Type": "application/json"},
        ),
    }
    assert api.get(job).json["code"] == "not_found"
    for code, answer in said.items():
        assert answer.content_type == "application/problem+json", code
        document = json.loads(answer.data)
        assert list(document)[:5] == KEYS, code
        assert (document["code"], document["status"]) == (code, answer.status_code)
        assert document["type"] == f"urn:darkroom:problem:{code}"
    errors = json.loads(said["invalid_request"].data)["errors"]
    assert [list(error) for error in errors] == [["pointer", "detail"]] * 2


def test_what_is_wrong_is_said_in_words_of_json(api: Api) -> None:
    job = {"model": "flux-2-pro", "input": {"prompt": "x"}}
    for path, body, said in (
        ("jobs", {}, "is required"),
        ("jobs", {**job, "model": 1}, "must be a string"),
        ("jobs", {**job, "input": None}, "must be an object"),
        ("jobs", {**job, "callback_events": {}}, "must be an array"),
        ("jobs", {**job, "callback_events": []}, "must have at least 1 item"),
        ("jobs", {**job, "priority": "x"}, "must be 'low', 'normal' or 'high'"),
        ("jobs", {**job, "metadata": {"": "x"}}, "must have at least 1 character"),
        ("jobs", {**job, "metadata": {"x": "y" * 257}}, "must have at most 256 characters"),
        (
            "jobs",
            {**job, "metadata": {str(n): "" for n in range(17)}},
            "must have at most 16 entries",
        ),
        ("jobs", {**job, "start_at": "2026-11-24T12:00:00+25:00"}, "must be a time that there is"),
        ("jobs", {**job, "start_at": "2026-02-30T12:00:00Z"}, "must be a time that there is"),
        ("batches", {"jobs": [1]}, "must be an object"),
        ("batches", {"jobs": [job] * 1001}, "must have at most 1000 items"),
        ("keys", {"scopes": "read"}, "must be an array"),
    ):
        details = [error["detail"] for error in api.post(f"/v1/{path}", body).json["errors"]]
        assert said in details, (path, body)


def test_a_form_is_not_taken_apart_whatever_its_length(client: FlaskClient) -> None:
    form = {"api_key": "x" * 300_000}
    refused = client.post("/login", data=form, headers={"Accept": "application/json"})
    assert refused.status_code == 413
    assert json.loads(refused.data)["code"] == "body_too_large"


def test_405_names_what_is_allowed(api: Api) -> None:
    for method in ("DELETE", "PUT", "PATCH"):
        answer = api.client.open("/v1/jobs", method=method, headers=api.headers())
        assert answer.status_code == 405
        assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_an_address_with_double_slashes_leads_nowhere(api: Api) -> None:
    for path in ("/v1//jobs", "/v1/jobs//"):
        answer = api.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (404, None), path


def test_head_is_get_without_its_body(api: Api) -> None:
    for path, status in (("/v1/jobs", 200), ("/healthz", 200), ("/v1/nothing", 404)):
        answer = api.client.head(path, headers=api.headers())
        assert (answer.status_code, answer.data) == (status, b""), path
        assert int(answer.headers["Content-Length"]) > 0
    refused = api.client.head("/v1/jobs/x/cancel", headers=api.headers())
    assert (refused.status_code, refused.data) == (405, b"")


def test_a_person_reads_a_page_and_a_program_a_document(client: FlaskClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert client.get("/nothing", headers=browser).content_type.startswith("text/html")
    for path, headers in (("/v1/nothing", browser), ("/nothing", {"Accept": "*/*"}), ("/x", {})):
        assert client.get(path, headers=headers).content_type == "application/problem+json"


def test_with_the_database_away_callers_are_told_when_to_come_again(
    settings: Settings, key: NewKey
) -> None:
    url = SecretStr("postgresql+psycopg://app:hush@127.0.0.1:9/none")
    client = create_app(Wiring(settings.model_copy(update={"database_url": url}))).test_client()
    api = Api(client, key.api_key)
    body = {"model": "flux-2-pro", "input": {"prompt": "x"}}
    for answer in (api.get("/v1/jobs"), api.post("/v1/jobs", body, Idempotency_Key="k")):
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "2"
        assert answer.content_type == "application/problem+json"
        for inside in ("hush", "127.0.0.1:9", "psycopg", "Error"):
            assert inside not in answer.get_data(as_text=True)


def test_a_fault_of_ours_shows_nothing_of_our_inside(settings: Settings, key: NewKey) -> None:
    url = SecretStr(named(settings.database_url.get_secret_value(), "postgres"))
    wiring = Wiring(settings.model_copy(update={"database_url": url}))
    answer = Api(create_app(wiring).test_client(), key.api_key).get("/v1/jobs")
    wiring.close()
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    text = answer.get_data(as_text=True).lower()
    for inside in ("select", "relation", "api_keys", "traceback", "sqlalchemy", "psycopg"):
        assert inside not in text


def test_a_request_id_of_the_caller_is_used_if_it_is_safe(client: FlaskClient) -> None:
    for safe in ("7", "order-7.A:b_c", "x" * 128):
        answer = client.get("/v1/nothing", headers={"X-Request-Id": safe})
        assert answer.headers["X-Request-Id"] == safe
    made = set()
    for odd in ("", "a b", "x" * 129, "é", "a;b", 'a"b', "a,b", "${jndi:x}", "a/b", "<b>"):
        answer = client.get("/healthz", headers={"X-Request-Id": odd})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"]), odd
        made.add(answer.headers["X-Request-Id"])
    assert len(made) == 10


def test_answers_are_kept_by_nobody_and_run_nothing(api: Api) -> None:
    for path in ("/v1/jobs", "/v1/nothing", "/healthz"):
        headers = api.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers
