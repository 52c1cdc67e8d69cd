"""Real answers are what `/openapi.json` says they are, field by field."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from conftest import Api
from factories import all_came_to, enqueue, project_id, webhook
from fakes.simulator import Simulator
from PIL import Image
from sqlalchemy import update
from web.described import check, document, problems
from web.facade import Facade
from web.stored_image import succeeded

from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import Project, Scope
from service.steps.deliver import Try
from service.upstream import Refused
from service.wiring import Wiring

INPUT = {"prompt": "a lighthouse", "width": 256, "height": 256}
BODY = {"model": "flux-2-pro", "input": INPUT}
UNKNOWN = "0" * 32


@pytest.fixture
def described(api: Api) -> dict[str, Any]:
    return document(api)


@pytest.fixture
def judge(described: dict[str, Any]) -> Callable[[Any], str]:
    """Judges an answer and names what it was an answer of."""
    return lambda answer: check(described, answer)


def picture(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("L", (64, 64)).save(file, kind)
    return file.getvalue()


def test_answers_about_jobs(api: Api, judge: Callable[[Any], str]) -> None:
    made = api.post("/v1/jobs", {**BODY, "metadata": {"a": "b"}}, Idempotency_Key="one")
    place = f"/v1/jobs/{made.json['id']}"
    answers = [
        made,
        api.post("/v1/jobs", {**BODY, "metadata": {"a": "b"}}, Idempotency_Key="one"),
        api.post("/v1/jobs", BODY, Idempotency_Key="one"),
        api.post("/v1/jobs", BODY),
        api.get("/v1/jobs?limit=1"),
        api.get(place),
        api.get(f"{place}/events"),
        api.post(f"{place}/cancel"),
        api.post(
            "/v1/jobs", {**BODY, "metadata": {"a": "b"}}, Idempotency_Key="one", Prefer="wait=1"
        ),
        api.get(f"/v1/jobs/job_{UNKNOWN}"),
        api.get("/v1/jobs?limit=x&status=x"),
        api.get("/v1/jobs?model=%00"),
        api.post("/v1/jobs", {"model": 7}),
        api.client.post("/v1/jobs", data="{", headers=api.headers(Content_Type="application/json")),
        api.client.post("/v1/jobs", data="{}", headers=api.headers(Content_Type="text/plain")),
    ]
    assert [judge(answer).rsplit(" ", 1)[1] for answer in answers] == [
        "202", "202", "422", "202", "200", "200", "200", "200", "200", "404", "422", "400",
        "422", "400", "415",
    ]  # fmt: skip
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert "Link" in answers[4].headers
    assert answers[8].headers["Preference-Applied"] == "wait=1"


def test_answers_about_a_job_that_brought_an_image(
    api: Api, judge: Callable[[Any], str], wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    hook = "http://127.0.0.1:9/hook"
    one = public_id(Kind.JOB, succeeded(wiring, key, simulator, callback_url=hook))
    image_id = api.get(f"/v1/jobs/{one}").json["images"][0]["id"]
    place = f"/v1/images/{image_id}"
    tag = api.get(f"{place}/content?proxy=1").headers["ETag"]
    answers = [
        api.get(f"/v1/jobs/{one}"),
        api.get(f"/v1/jobs/{one}/events"),
        api.get("/v1/jobs"),
        api.get("/v1/images"),
        api.get(place),
        api.get(f"{place}/content"),
        api.get(f"{place}/content?proxy=1"),
        api.get(f"{place}/content?proxy=1", Range="bytes=0-9"),
        api.get(f"{place}/content?proxy=1", Range="bytes=99999999-"),
        api.get(f"{place}/content?proxy=1", If_None_Match=tag),
        api.get(f"{place}/content?proxy=2"),
        api.get(f"{place}/thumbnail"),
        api.get(f"/v1/images/img_{UNKNOWN}/thumbnail"),
        api.get("/v1/events"),
        api.get("/v1/events?after=now"),
        api.get("/v1/events?after=x"),
    ]
    assert [judge(answer).rsplit(" ", 1)[1] for answer in answers] == [
        "200", "200", "200", "200", "200", "302", "200", "206", "416", "304", "422", "302", "404",
        "200", "200", "422",
    ]  # fmt: skip
    assert len(answers[13].json["data"]) == 1


def test_answers_about_a_job_that_failed(
    api: Api, judge: Callable[[Any], str], wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, Refused(422, "no such size"))])
    answer = api.get(f"/v1/jobs/{public_id(Kind.JOB, job_id)}")
    assert judge(answer)
    assert answer.json["error"]["upstream_status"] == 422
    assert judge(api.post(f"{answer.request.path}/cancel")).endswith("409")


def test_answers_about_callbacks(
    api: Api, judge: Callable[[Any], str], wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    wiring.enqueue.cancel(project_id(wiring, key), job_id)
    all_came_to(wiring, Try(error="connecting failed: refused"))
    all_came_to(wiring, Try(http_status=302, location="http://elsewhere.example"))
    place = f"/v1/deliveries/{api.get('/v1/deliveries').json['data'][0]['id']}"
    url = {"url": "http://127.0.0.1:9/hook"}
    answers = [
        api.get("/v1/deliveries"),
        api.get(place),
        api.post(f"{place}/redeliver"),
        api.get(f"/v1/deliveries/dlv_{UNKNOWN}"),
        api.post("/v1/deliveries/redeliver", {"since": "2026-11-22T12:00:00Z"}),
        api.post("/v1/deliveries/redeliver", {}),
        api.get("/v1/callbacks"),
        api.client.put("/v1/callbacks", json=url, headers=api.headers()),
        api.client.put("/v1/callbacks", json={"url": "ftp://x"}, headers=api.headers()),
        api.post("/v1/callbacks/rotate-secret"),
        api.post("/v1/callbacks/retire-secret"),
        api.post("/v1/callbacks/test", {}),
    ]
    assert [judge(answer).rsplit(" ", 1)[1] for answer in answers] == [
        "200", "200", "202", "404", "202", "422", "200", "200", "422", "200", "200", "200",
    ]  # fmt: skip


def test_a_callback_is_what_the_document_says(
    described: dict[str, Any], api: Api, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    hook = "http://127.0.0.1:9/hook"
    succeeded(wiring, key, simulator, callback_url=hook)
    (delivery,) = api.get("/v1/deliveries").json["data"]
    body = api.get(f"/v1/deliveries/{delivery['id']}").json["body"]
    called = described["paths"]["/v1/jobs"]["post"]["callbacks"]["called"]
    (request,) = (one["post"]["requestBody"] for one in called.values())
    schema = request["content"]["application/json"]["schema"]
    assert problems(described, schema, json.loads(body)) == []


def test_answers_about_uploads_models_and_prices(api: Api, judge: Callable[[Any], str]) -> None:
    headers = api.headers(Content_Type="image/png")
    made: Any = api.client.post("/v1/uploads", data=picture(), headers=headers)
    answers = [
        made,
        api.client.post("/v1/uploads", data=b"no", headers=headers),
        api.client.post("/v1/uploads", data=b"no", headers=api.headers(Content_Type="text/plain")),
        api.get(f"/v1/uploads/{made.json['id']}"),
        api.get(f"/v1/uploads/upl_{UNKNOWN}"),
        api.get("/v1/models"),
        *(api.get(f"/v1/models/{one['name']}") for one in api.get("/v1/models").json["data"]),
        api.get("/v1/models/flux-9"),
        api.post("/v1/price", BODY),
        api.post("/v1/price", {"model": "flux-kontext-max", "input": {"prompt": "x"}}),
        api.post("/v1/price", {**BODY, "input": {}}),
    ]
    statuses = [judge(answer).rsplit(" ", 1)[1] for answer in answers]
    assert statuses[:6] == ["201", "422", "415", "200", "404", "200"]
    assert statuses[-4:] == ["404", "200", "200", "422"]


def test_answers_in_fluxs_words(
    flux: Facade, judge: Callable[[Any], str], wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    accepted = flux.post("flux-2-pro", INPUT)
    hooked = {**INPUT, "webhook_url": "http://127.0.0.1:9/hook", "webhook_secret": "s3cret"}
    ready = public_id(Kind.JOB, succeeded(wiring, key, simulator))
    result = flux.result(ready)
    sample = result.json["result"]["sample"].removeprefix(wiring.settings.base_url)
    answers = [
        accepted,
        replace(flux, prefix="/flux").post("flux-2-pro", hooked),
        flux.post("flux-2-pro", {}),
        replace(flux, proof={}).post("flux-2-pro", INPUT),
        flux.post("flux-9", INPUT),
        result,
        flux.result(accepted.json["id"]),
        flux.result("x"),
        flux.client.get("/v1/get_result", headers=flux.proof),
        flux.client.get(sample),
        flux.client.get("/flux/samples/x/sample.png"),
    ]
    assert [judge(answer).rsplit(" ", 1)[1] for answer in answers] == [
        "200", "200", "422", "403", "404", "200", "200", "200", "422", "200", "403",
    ]  # fmt: skip


def test_answers_without_a_key(
    api: Api, judge: Callable[[Any], str], wiring: Wiring, key: NewKey
) -> None:
    client = api.client
    job_id = enqueue(wiring, key)
    wiring.submit.claim(1)
    sent = webhook(wiring, job_id)
    headers = {"X-Webhook-Secret": sent.secrets[0]}
    answers = [
        client.get("/healthz"),
        client.get("/healthz?challenge=" + "0" * 32),
        client.get("/readyz"),
        client.get("/metrics"),
        client.get("/openapi.json"),
        client.post(f"/webhooks/flux/{sent.token}", data=sent.body, headers=headers),
        client.post("/webhooks/flux/x", data=b"{}"),
        client.get("/v1/jobs"),
    ]
    assert [judge(answer).rsplit(" ", 1)[1] for answer in answers] == [
        "200", "200", "200", "200", "200", "200", "401", "401",
    ]  # fmt: skip


def test_answers_to_whoever_may_not_or_not_now(
    api: Api, judge: Callable[[Any], str], wiring: Wiring
) -> None:
    reader = Api(api.client, wiring.keys.create("default", scopes=[Scope.READ]).api_key)
    refused = reader.post("/v1/jobs", BODY)
    assert judge(refused).endswith("403")
    with wiring.database.transaction() as tx:
        tx.execute(update(Project).values(requests_per_minute=1))
    late = [reader.get("/v1/jobs") for _ in range(2)][-1]
    assert judge(late).endswith("429")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(late.headers.keys())
