"""`/v1/deliveries`: whoever asks why a callback did not come finds the answer here."""

from typing import Any
from uuid import UUID

import pytest
from conftest import Api
from factories import ago, all_came_to, deliveries, enqueue, job, run
from fakes.ringing import Ringing
from fakes.webhook_sink import WebhookSink
from sqlalchemy import update

from service.documents import when
from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.messages import Message
from service.models import Delivery
from service.steps.deliver import Try
from service.wiring import Wiring

WELL, GONE = Try(http_status=200, answer="thank you"), Try(http_status=410)
MOVED = Try(http_status=302, location="http://elsewhere.example/hook")
KEYS = [
    "id", "object", "job_id", "batch_id", "type", "sequence", "url", "status", "tries",
    "created_at", "next_try_at", "completed_at", "host", "urls",
]  # fmt: skip


def owed(wiring: Wiring, key: NewKey, url: str = "http://127.0.0.1:9/hook") -> UUID:
    """Return the job of a callback that is owed."""
    job_id = enqueue(wiring, key, callback_url=url)
    wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
    return job_id


def tried(wiring: Wiring, key: NewKey, *came: Try) -> str:
    """Return the id of a callback that came to this, one try after the other."""
    job_id = owed(wiring, key)
    for one in came:
        all_came_to(wiring, one)
    (row,) = deliveries(wiring, job_id)
    return public_id(Kind.DELIVERY, row.id)


def shown(api: Api, delivery_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/deliveries/{delivery_id}").json
    return found


def test_a_delivery_shows_its_bytes_and_every_try(api: Api, wiring: Wiring, key: NewKey) -> None:
    delivery_id = tried(wiring, key, WELL)
    document = shown(api, delivery_id)
    assert list(document) == [*KEYS, "body", "attempts"]
    assert (document["status"], document["tries"]) == ("delivered", 1)
    assert document["next_try_at"] is None
    (attempt,) = document["attempts"]
    assert (attempt["http_status"], attempt["answer"]) == (200, "thank you")
    assert document["body"].startswith('{"type":"job.canceled"')


def test_where_a_redirect_would_have_led_is_shown(api: Api, wiring: Wiring, key: NewKey) -> None:
    document = shown(api, tried(wiring, key, MOVED))
    assert document["status"] == "pending"
    assert document["next_try_at"] is not None
    assert document["attempts"][0]["location"] == MOVED.location


def test_its_owner_sees_why_a_host_fails(api: Api, wiring: Wiring, key: NewKey) -> None:
    document = shown(api, tried(wiring, key, Try(error="connecting failed: refused")))
    assert document["host"]["failures"] == 1
    assert document["host"]["reason"] == "connecting failed: refused"


def test_the_list_is_newest_first_in_pages_and_filters(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    given_up, taken = tried(wiring, key, GONE), tried(wiring, key, WELL)
    first = api.get("/v1/deliveries?limit=1").json
    assert [one["id"] for one in first["data"]] == [taken]
    assert list(first["data"][0]) == KEYS
    second = api.get(f"/v1/deliveries?limit=1&cursor={first['next']}").json
    assert [one["id"] for one in second["data"]] == [given_up]
    assert second["next"] is None
    only = api.get("/v1/deliveries?status=exhausted").json["data"]
    assert [one["id"] for one in only] == [given_up]
    of_job = api.get(f"/v1/deliveries?job_id={only[0]['job_id']}").json["data"]
    assert [one["id"] for one in of_job] == [given_up]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("status=late", "/status"), ("job_id=7", "/job_id"), ("created_after=now", "/created_after")],
)
def test_a_wrong_filter_is_named(api: Api, query: str, pointer: str) -> None:
    answer = api.get(f"/v1/deliveries?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == pointer


def test_what_was_given_up_is_sent_again_with_the_same_id_and_bytes(
    api: Api, wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    with WebhookSink(410) as sink:
        job_id = owed(wiring, key, sink.url)
        run(wiring.deliver)
        (row,) = deliveries(wiring, job_id)
        ringing.rung.clear()
        answer = api.post(f"/v1/deliveries/{public_id(Kind.DELIVERY, row.id)}/redeliver")
        assert answer.status_code == 202
        assert answer.json["status"] == "pending"
        assert ringing.rung == [Message.DELIVER]
        run(wiring.deliver)
        first, second = sink.calls
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_asked_for_again_the_schedule_begins_anew(api: Api, wiring: Wiring, key: NewKey) -> None:
    delivery_id = tried(wiring, key, GONE)
    api.post(f"/v1/deliveries/{delivery_id}/redeliver")
    for _ in wiring.settings.callback_schedule_seconds:
        assert shown(api, delivery_id)["status"] == "pending"
        with wiring.database.transaction() as tx:
            tx.execute(update(Delivery).values(due_at=ago(1)))
        all_came_to(wiring, Try(http_status=500))
    assert shown(api, delivery_id)["status"] == "exhausted"


def test_all_that_were_given_up_since_a_time_are_sent_again(
    api: Api, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    given_up = {tried(wiring, key, GONE) for _ in range(3)}
    tried(wiring, other_key, GONE)
    tried(wiring, key, WELL)
    later = api.post("/v1/deliveries/redeliver", {"since": when(ago(-60))})
    assert (later.status_code, later.json) == (202, {"redelivered": 0})
    assert api.post("/v1/deliveries/redeliver", {"since": when(ago(60))}).json == {"redelivered": 3}
    pending = api.get("/v1/deliveries?status=pending").json["data"]
    assert {one["id"] for one in pending} == given_up


@pytest.mark.parametrize("body", [{}, {"since": "yesterday"}, {"since": 7}, {"sinse": "x"}])
def test_a_wrong_wish_sends_nothing_again(api: Api, body: dict[str, Any]) -> None:
    answer = api.post("/v1/deliveries/redeliver", body)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] in {"/since", "/sinse"}


def test_another_projects_delivery_is_as_unknown_as_a_made_up_one(
    api: Api, wiring: Wiring, other_key: NewKey
) -> None:
    theirs = tried(wiring, other_key, GONE)
    made_up = public_id(Kind.DELIVERY, new_id())
    for path in ("/v1/deliveries/{}", "/v1/deliveries/{}/redeliver"):
        ask = api.post if path.endswith("redeliver") else api.get
        answers = [ask(path.format(one)) for one in (theirs, made_up, "nonsense")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.data for answer in answers}) == 1
    assert api.get("/v1/deliveries").json["data"] == []
