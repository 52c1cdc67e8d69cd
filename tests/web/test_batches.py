"""`/v1/batches` and retry, as callers see them."""

from conftest import Api
from fakes.simulator import Simulator
from sqlalchemy import update
from web.stored_image import succeeded

from service.ids import Kind, new_id, public_id, read_id
from service.keys import NewKey
from service.models import jobs
from service.states import Status
from service.wiring import Wiring

ONE = {"model": "flux-2-pro", "input": {"prompt": "a fox", "width": 256, "height": 256}}


def test_a_batch_is_accepted_repeated_listed_and_withdrawn(api: Api) -> None:
    body = {"jobs": [ONE] * 3, "metadata": {"order": "17"}}
    made = api.post("/v1/batches", body, Idempotency_Key="k")
    assert made.status_code == 202
    assert made.headers["Location"] == f"/v1/batches/{made.json['id']}"
    assert made.json["counts"]["total"] == made.json["counts"]["queued"] == 3
    assert len(set(made.json["job_ids"])) == 3
    again = api.post("/v1/batches", body, Idempotency_Key="k")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == made.json
    assert api.post("/v1/batches", {"jobs": [ONE]}, Idempotency_Key="k").status_code == 422
    seen = api.get(f"/v1/batches/{made.json['id']}").json
    assert seen == {name: value for name, value in made.json.items() if name != "job_ids"}
    assert api.get("/v1/batches").json["data"] == [seen]
    of_batch = api.get(f"/v1/jobs?batch={made.json['id']}").json["data"]
    assert [job["id"] for job in reversed(of_batch)] == made.json["job_ids"]
    assert {job["batch_id"] for job in of_batch} == {made.json["id"]}
    canceled = api.post(f"/v1/batches/{made.json['id']}/cancel")
    assert canceled.json["counts"]["canceled"] == 3


def test_batches_have_pages(api: Api) -> None:
    ids = [api.post("/v1/batches", {"jobs": [ONE]}).json["id"] for _ in range(3)]
    first = api.get("/v1/batches?limit=2").json
    second = api.get(f"/v1/batches?limit=2&cursor={first['next']}").json
    assert [one["id"] for one in first["data"] + second["data"]] == ids[::-1]
    assert second["next"] is None


def test_a_batch_has_one_to_a_thousand_jobs(api: Api) -> None:
    wrong: list[object] = [[], [ONE] * 1001, [{}] * 1001, [1] * 1001, None, {}, "x"]
    for given in wrong:
        answer = api.post("/v1/batches", {"jobs": given})
        assert answer.status_code == 422
        assert answer.json["errors"][0]["pointer"] == "/jobs"


def test_all_that_is_wrong_with_a_batch_is_said_at_once(api: Api) -> None:
    answer = api.post(
        "/v1/batches",
        {
            "jobs": [ONE, 1, {**ONE, "callback_url": "ftp://a"}, {**ONE, "priority": "x"}],
            "callback_url": "nowhere",
        },
    )
    assert {error["pointer"] for error in answer.json["errors"]} == {
        "/jobs/1",
        "/jobs/2/callback_url",
        "/jobs/3/priority",
        "/callback_url",
    }


def test_what_is_no_batch_is_not_found(api: Api) -> None:
    for made_up in (public_id(Kind.BATCH, new_id()), "bat_", "x", public_id(Kind.JOB, new_id())):
        assert api.get(f"/v1/batches/{made_up}").status_code == 404
        assert api.post(f"/v1/batches/{made_up}/cancel").status_code == 404
        again = api.post("/v1/deliveries/redeliver", {"batch_id": made_up})
        assert again.status_code == 404


def test_callbacks_of_a_batch_are_sent_again_together(api: Api, wiring: Wiring) -> None:
    loud = {**ONE, "callback_url": "http://127.0.0.1:9/job"}
    body = {"jobs": [loud, ONE], "callback_url": "http://127.0.0.1:9/batch"}
    made = api.post("/v1/batches", body).json
    api.post(f"/v1/batches/{made['id']}/cancel")
    wiring.sweep()
    types = {one["type"]: one["batch_id"] for one in api.get("/v1/deliveries").json["data"]}
    assert types == {"job.canceled": made["id"], "batch.completed": made["id"]}
    again = api.post("/v1/deliveries/redeliver", {"batch_id": made["id"]})
    assert again.json == {"redelivered": 2}
    (event,) = [
        one for one in api.get("/v1/events").json["data"] if one["type"] == "batch.completed"
    ]
    assert event["data"]["id"] == made["id"]


def test_an_ended_job_is_tried_again_as_a_new_one(
    api: Api, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = succeeded(wiring, key, simulator)
    old = api.get(f"/v1/jobs/{public_id(Kind.JOB, job_id)}").json
    new = api.post(f"/v1/jobs/{old['id']}/retry", Idempotency_Key="again")
    assert new.status_code == 202
    assert new.json["retry_of"] == old["id"] != new.json["id"]
    assert (new.json["model"], new.json["input"]) == (old["model"], old["input"])
    replayed = api.post(f"/v1/jobs/{old['id']}/retry", Idempotency_Key="again")
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert replayed.json["id"] == new.json["id"]
    another = api.post(f"/v1/jobs/{old['id']}/retry")
    assert another.json["id"] != new.json["id"]


def test_a_repeat_of_a_retry_finds_the_new_job_though_the_old_one_came_back(
    api: Api, wiring: Wiring
) -> None:
    old = api.post("/v1/jobs", ONE).json["id"]
    api.post(f"/v1/jobs/{old}/cancel")
    new = api.post(f"/v1/jobs/{old}/retry", Idempotency_Key="again").json["id"]
    with wiring.database.transaction() as tx:
        came_back = update(jobs).where(jobs.c.id == read_id(Kind.JOB, old))
        tx.execute(came_back.values(status=Status.GENERATING))
    assert api.post(f"/v1/jobs/{old}/retry", Idempotency_Key="again").json["id"] == new
    for key in ("another", None):
        named = {} if key is None else {"Idempotency_Key": key}
        assert api.post(f"/v1/jobs/{old}/retry", **named).json["code"] == "not_retryable"


def test_a_job_that_goes_on_is_not_tried_again(api: Api) -> None:
    made = api.post("/v1/jobs", ONE).json
    answer = api.post(f"/v1/jobs/{made['id']}/retry")
    assert (answer.status_code, answer.json["code"]) == (409, "not_retryable")
    api.post(f"/v1/jobs/{made['id']}/cancel")
    assert api.post(f"/v1/jobs/{made['id']}/retry").status_code == 202
    assert api.post(f"/v1/jobs/{public_id(Kind.JOB, new_id())}/retry").status_code == 404
    assert read_id(Kind.JOB, made["id"]) is not None
