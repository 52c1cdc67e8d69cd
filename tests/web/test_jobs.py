"""`/v1/jobs` as the contract has it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from conftest import Api
from factories import enqueue, job, known_job, run
from fakes.simulator import Simulator
from web.stored_image import succeeded

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.states import Status
from service.wiring import Wiring

BODY = {"model": "flux-2-pro", "input": {"prompt": "a lighthouse", "width": 256, "height": 256}}

JOB_KEYS = [
    "id", "object", "status", "model", "input", "metadata", "priority", "on_unconfirmed",
    "batch_id", "retry_of", "parent_image_ids", "created_at", "start_at", "expires_at",
    "submitted_at", "generated_at", "completed_at", "upstream", "cost", "images", "error",
    "callback", "urls",
]  # fmt: skip
IMAGE_KEYS = [
    "id", "content_type", "width", "height", "bytes", "sha256", "bucket", "key", "seed", "url",
    "url_expires_at",
]  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_an_accepted_job_is_answered_202_with_its_place(api: Api) -> None:
    answer = api.post("/v1/jobs", BODY)
    assert answer.status_code == 202
    document = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{document['id']}"
    assert api.get(answer.headers["Location"]).json == document
    assert "Idempotent-Replayed" not in answer.headers


def test_a_job_shows_exactly_the_keys_of_the_contract(
    api: Api, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    called = {"callback_url": "http://127.0.0.1:9/hook", "callback_events": ["job.succeeded"]}
    job_id = succeeded(wiring, key, simulator, metadata={"order": "7"}, **called)
    document = api.get(f"/v1/jobs/{public_id(Kind.JOB, job_id)}").json
    assert list(document) == JOB_KEYS
    assert list(document["upstream"]) == ["provider", "task_id", "attempts"]
    assert list(document["cost"]) == ["estimated", "actual", "maybe_charged"]
    assert list(document["urls"]) == ["self", "events", "cancel", "web"]
    assert list(document["callback"]) == ["url", "events", "status"]
    assert document["callback"]["status"] == "pending"
    assert [list(image) for image in document["images"]] == [IMAGE_KEYS]
    for name in ("created_at", "submitted_at", "generated_at", "completed_at"):
        assert TIME.fullmatch(document[name]), name
    assert TIME.fullmatch(document["images"][0]["url_expires_at"])
    for name in ("estimated", "actual"):
        assert re.fullmatch(r"\d+(\.\d*[1-9])?", document["cost"][name]), name


def test_a_failed_job_says_why_in_three_keys(api: Api, wiring: Wiring, key: NewKey) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    job_id = enqueue(wiring, key, expires_at=past)
    wiring.sweep()
    document = api.get(f"/v1/jobs/{public_id(Kind.JOB, job_id)}").json
    assert document["status"] == "failed"
    assert list(document["error"]) == ["code", "message", "upstream_status"]
    assert document["error"]["code"] == "expired"
    assert document["callback"] is None


def test_text_of_any_script_is_answered_readably(api: Api) -> None:
    prompt = "ein Leuchtturm bei Dämmerung, 灯台 🖼"
    body = {**BODY, "input": {"prompt": prompt}, "metadata": {"größe": "日本"}}
    answer = api.post("/v1/jobs", body)
    assert prompt in answer.get_data(as_text=True)
    assert "größe" in answer.get_data(as_text=True)
    assert answer.json["input"] == {"prompt": prompt}


def test_times_of_a_request_come_back_in_utc(api: Api) -> None:
    body = {**BODY, "start_at": "2031-05-01T12:00:00.5+02:00", "expires_at": "2031-05-02t00:00:00z"}
    document = api.post("/v1/jobs", body).json
    assert document["start_at"] == "2031-05-01T10:00:00.500Z"
    assert document["expires_at"] == "2031-05-02T00:00:00.000Z"


def test_a_repeat_with_its_key_is_the_same_job(api: Api) -> None:
    first = api.post("/v1/jobs", BODY, Idempotency_Key="order-7")
    again = api.post("/v1/jobs", BODY, Idempotency_Key="order-7")
    assert again.status_code == 202
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(api.get("/v1/jobs").json["data"]) == 1


def test_a_quoted_key_is_the_bare_one(api: Api) -> None:
    first = api.post("/v1/jobs", BODY, Idempotency_Key="order-7")
    assert api.post("/v1/jobs", BODY, Idempotency_Key='"order-7"').json["id"] == first.json["id"]


def test_the_order_of_names_and_white_space_make_no_other_body(api: Api) -> None:
    first = api.post("/v1/jobs", BODY, Idempotency_Key="k").json
    text = (
        '{ "input": {"height": 256, "width": 256,\n"prompt": "a lighthouse"}, "model":"flux-2-pro"}'
    )
    headers = api.headers(Idempotency_Key="k", Content_Type="application/json")
    again = api.client.post("/v1/jobs", data=text, headers=headers)
    assert again.json == first


def test_a_key_with_another_body_is_refused_and_changes_nothing(api: Api) -> None:
    first = api.post("/v1/jobs", BODY, Idempotency_Key="k").json
    refused = api.post("/v1/jobs", {**BODY, "priority": "high"}, Idempotency_Key="k")
    assert refused.status_code == 422
    assert refused.json["code"] == "idempotency_key_reused"
    assert api.get(f"/v1/jobs/{first['id']}").json == first


def test_a_key_belongs_to_its_project(api: Api, other: Api) -> None:
    mine = api.post("/v1/jobs", BODY, Idempotency_Key="k")
    theirs = other.post("/v1/jobs", {**BODY, "priority": "low"}, Idempotency_Key="k")
    assert theirs.status_code == 202
    assert theirs.json["id"] != mine.json["id"]


def test_an_unusable_idempotency_key_is_refused(api: Api) -> None:
    for text in ("", " ", '""', "a" * 256, "schlüssel", "a\tb"):
        refused = api.post("/v1/jobs", BODY, Idempotency_Key=text)
        assert refused.status_code == 422, text
        assert refused.json["errors"][0]["pointer"] == "/headers/Idempotency-Key"
    assert api.get("/v1/jobs").json["data"] == []


def test_a_queued_job_can_be_withdrawn_and_a_paid_one_cannot(
    api: Api, wiring: Wiring, simulator: Simulator
) -> None:
    queued = api.post("/v1/jobs", BODY).json
    withdrawn = api.post(f"/v1/jobs/{queued['id']}/cancel")
    assert (withdrawn.status_code, withdrawn.json["status"]) == (200, "canceled")
    again = api.post(f"/v1/jobs/{queued['id']}/cancel")
    assert (again.status_code, again.json) == (200, withdrawn.json)

    simulator.set_fault("lose")
    paid = api.post("/v1/jobs", BODY).json
    run(wiring.submit)
    refused = api.post(f"/v1/jobs/{paid['id']}/cancel")
    assert (refused.status_code, refused.json["code"]) == (409, "not_cancelable")
    assert job(wiring, known_job(paid)).status is Status.GENERATING


def test_a_timeline_is_the_states_a_job_has_been_in(api: Api) -> None:
    queued = api.post("/v1/jobs", BODY).json
    api.post(f"/v1/jobs/{queued['id']}/cancel")
    lines = api.get(f"/v1/jobs/{queued['id']}/events").json["data"]
    assert [(line["seq"], line["type"]) for line in lines] == [
        (1, "job.queued"),
        (2, "job.canceled"),
    ]
    assert all(list(line) == ["seq", "type", "at", "message", "detail"] for line in lines)
    assert all(TIME.fullmatch(line["at"]) for line in lines)


ROUTES = [
    ("GET", "/v1/jobs/{job}"),
    ("GET", "/v1/jobs/{job}/events"),
    ("POST", "/v1/jobs/{job}/cancel"),
    ("GET", "/v1/images/{image}"),
    ("GET", "/v1/images/{image}/content"),
    ("GET", "/v1/images/{image}/content?proxy=1"),
    ("GET", "/v1/images/{image}/thumbnail"),
]


def test_another_projects_id_answers_as_one_that_was_never_given(
    api: Api, other: Api, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = succeeded(wiring, key, simulator)
    run(wiring.derive)
    _, images = wiring.browse.job(job(wiring, job_id).project_id, job_id)
    theirs = {"job": public_id(Kind.JOB, job_id), "image": public_id(Kind.IMAGE, images[0].id)}
    unknown = {"job": public_id(Kind.JOB, new_id()), "image": public_id(Kind.IMAGE, new_id())}

    def answer(caller: Api, method: str, path: str) -> tuple[int, bytes, list[Any]]:
        said = caller.client.open(path, method=method, headers=caller.headers())
        named = [pair for pair in said.headers if pair[0] != "X-Request-Id"]
        return said.status_code, said.data, named

    for method, route in ROUTES:
        assert answer(api, method, route.format(**theirs))[0] in {200, 302, 409}, route
        seen = answer(other, method, route.format(**theirs))
        assert seen[0] == 404, route
        assert seen == answer(other, method, route.format(**unknown)), route
    assert other.get("/v1/jobs").json["data"] == other.get("/v1/images").json["data"] == []


def test_what_is_no_id_answers_as_an_unknown_one(api: Api) -> None:
    unknown = api.get(f"/v1/jobs/{public_id(Kind.JOB, new_id())}").data
    hexed = new_id().hex
    for made_up in ("job_", "x", f"img_{hexed}", f"job_{hexed}0", f"JOB_{hexed}", f"job-{hexed}"):
        assert api.get(f"/v1/jobs/{made_up}").data == unknown, made_up
    for odd in (f"job_{hexed}%00", "job_..%2f..", "%ff%fe", "%F0%9F%96%BC", "a" * 3000):
        assert api.get(f"/v1/jobs/{odd}").status_code == 404, odd
