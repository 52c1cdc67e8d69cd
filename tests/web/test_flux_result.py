"""get_result answers upstream's words; its sample is our stored copy for whoever has the link."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import boto3
import pytest
from conftest import Api
from factories import ACCEPTED, deliveries, due_now, hear, job, known_job, put, run, webhook
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from flask.testing import FlaskClient
from web.facade import BASE_URL, Facade

from service.ids import Kind, new_id, public_id, read_id
from service.keys import NewKey
from service.signing.links import SAMPLE_LIFETIME
from service.states import Status
from service.wiring import Wiring

NOTHING = {"result": None, "progress": None, "details": None, "preview": None}


def at_flux(wiring: Wiring, accepted: dict[str, str]) -> UUID:
    """Let upstream accept a job."""
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    return known_job(accepted)


def finish(wiring: Wiring, accepted: dict[str, str], simulator: Simulator) -> UUID:
    """Take a job to its end, with a picture of the simulator's."""
    simulator.set_fault("lose")
    job_id = known_job(accepted)
    run(wiring.submit)

    def polled() -> Status:
        due_now(wiring, job_id)
        run(wiring.poll)
        status: Status = job(wiring, job_id).status
        return status

    wait_until(polled, Status.STORING.__eq__)
    run(wiring.store)
    return job_id


def test_a_job_is_pending_until_its_bytes_are_safe(
    flux: Facade, wiring: Wiring, simulator: Simulator
) -> None:
    accepted = flux.submit()
    pending = {"id": accepted["id"], "status": "Pending", **NOTHING}
    for status in (
        Status.QUEUED,
        Status.SUBMITTING,
        Status.UNCONFIRMED,
        Status.GENERATING,
        Status.STORING,
    ):
        put(wiring, known_job(accepted), status=status)
        assert flux.poll(accepted) == pending
    put(wiring, known_job(accepted), status=Status.QUEUED)
    finish(wiring, accepted, simulator)
    assert flux.poll(accepted)["status"] == "Ready"


def test_a_job_that_is_brought_back_is_pending_again_until_its_true_end(
    flux: Facade, wiring: Wiring
) -> None:
    accepted = flux.submit(webhook_url="http://127.0.0.1:9/hook")
    job_id = known_job(accepted)
    (intent,) = wiring.submit.claim(1)
    for _ in ("silent", "grace over"):
        due_now(wiring, job_id)
        wiring.sweep()
    assert flux.poll(accepted)["details"]["code"] == "submission_unconfirmed"
    wiring.submit.record([(intent, ACCEPTED)])
    pending = {"id": accepted["id"], "status": "Pending", **NOTHING}
    assert flux.poll(accepted) == pending
    reasons = {"Moderation Reasons": ["Violence"]}
    hear(wiring, webhook(wiring, job_id, status="Content Moderated", result=None, details=reasons))
    assert flux.poll(accepted)["status"] == "Content Moderated"
    assert flux.poll(accepted)["details"] == reasons
    told = [json.loads(one.body)["status"] for one in deliveries(wiring, job_id)]
    assert told == ["Error", "Content Moderated"]


def test_ready_holds_what_upstream_said_and_our_own_copy(
    api: Api, flux: Facade, wiring: Wiring, simulator: Simulator
) -> None:
    accepted = flux.submit(seed=7, output_format="png")
    row = job(wiring, finish(wiring, accepted, simulator))
    ready = flux.poll(accepted)
    assert list(ready) == ["id", "status", *NOTHING, "cost"]
    assert (ready["id"], ready["status"], ready["cost"]) == (accepted["id"], "Ready", 3.0)
    sample = ready["result"].pop("sample")
    assert ready["result"] == row.result
    assert {"seed", "prompt", "start_time"} <= set(ready["result"])
    assert sample.startswith(f"{BASE_URL}/flux/samples/")
    assert sample.endswith("/sample.png")
    image = api.get(f"/v1/jobs/{accepted['id']}").json["images"][0]
    fetched = flux.follow(sample)
    assert (fetched.status_code, fetched.content_type) == (200, "image/png")
    assert hashlib.sha256(fetched.data).hexdigest() == image["sha256"]


def test_the_sample_serves_ranges_and_heads_and_is_inert(
    flux: Facade, wiring: Wiring, simulator: Simulator
) -> None:
    accepted = flux.submit()
    finish(wiring, accepted, simulator)
    sample = flux.poll(accepted)["result"]["sample"]
    whole = flux.follow(sample)
    assert sample.endswith(".jpeg")
    assert whole.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    # a page of another site shows it with <img>
    assert whole.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    part = flux.follow(sample, Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    for odd in ("lines=1-2", "bytes=0-1,5-6", "bytes=x"):
        ignored = flux.follow(sample, Range=odd)
        assert (ignored.status_code, ignored.data) == (200, whole.data), odd
    assert flux.follow(sample, Range="bytes=99999999-").status_code == 416
    known = flux.follow(sample, If_None_Match=whole.headers["ETag"])
    assert known.status_code == 304
    head = flux.client.head(sample.removeprefix(BASE_URL))
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.data))


def test_a_link_that_has_ended_or_is_not_ours_opens_nothing(
    flux: Facade, wiring: Wiring, simulator: Simulator
) -> None:
    accepted = flux.submit()
    row = job(wiring, finish(wiring, accepted, simulator))
    sample = flux.poll(accepted)["result"]["sample"]
    *_, token, name = sample.split("/")
    links, now = wiring.links, datetime.now(UTC)
    opened = links.sample(token, now)
    assert opened is not None
    ended = links.sample_token(*opened, now - SAMPLE_LIFETIME - timedelta(seconds=1))
    polling = links.result_token(row.project_id, row.id)
    for closed in (ended, polling, token[:-1], f"{token}0", "x", token.swapcase()):
        refused = flux.follow(f"{BASE_URL}/flux/samples/{closed}/{name}")
        assert (refused.status_code, list(refused.json)) == (403, ["detail"]), closed
    unknown = links.sample_token(row.project_id, new_id(), now)
    missing = flux.follow(f"{BASE_URL}/flux/samples/{unknown}/{name}")
    assert (missing.status_code, missing.json) == (404, {"detail": "Not Found"})
    image = wiring.browse.image(*opened)
    boto3.client("s3").delete_object(Bucket=image.bucket, Key=image.key)
    lost = flux.follow(sample)
    assert (lost.status_code, lost.json) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("word", ["Request Moderated", "Content Moderated"])
def test_moderation_is_said_in_upstreams_words_with_its_reasons(
    flux: Facade, wiring: Wiring, word: str
) -> None:
    for details in ({"Moderation Reasons": ["Violence", "Gore"], "more": 1}, None):
        accepted = flux.submit()
        job_id = at_flux(wiring, accepted)
        hear(wiring, webhook(wiring, job_id, status=word, result=None, details=details))
        answer = {"id": accepted["id"], "status": word, **NOTHING, "details": details}
        assert flux.poll(accepted) == answer


def test_every_other_end_is_an_error_with_our_code(flux: Facade, wiring: Wiring) -> None:
    failed = flux.submit()
    hear(wiring, webhook(wiring, at_flux(wiring, failed), status="Error", result=None))
    said = flux.poll(failed)
    assert (said["status"], said["result"]) == ("Error", None)
    assert said["details"]["code"] == "upstream_error"
    assert said["details"]["message"]

    withdrawn = flux.submit()
    row = job(wiring, known_job(withdrawn))
    wiring.enqueue.cancel(row.project_id, row.id)
    said = flux.poll(withdrawn)
    assert (said["status"], said["details"]["code"]) == ("Error", "canceled")


def test_an_id_that_is_not_the_callers_is_not_found(
    flux: Facade, client: FlaskClient, other_key: NewKey
) -> None:
    accepted = flux.submit()
    assert flux.result(accepted["id"]).json["status"] == "Pending"
    stranger = Facade(client, {"x-key": other_key.api_key})
    unknown = public_id(Kind.JOB, new_id())
    asked = [(stranger, accepted["id"])]
    asked += [(flux, odd) for odd in (unknown, "", "x", "job_", "4c057b10-0000", "é" * 500)]
    for caller, job_id in asked:
        answer = caller.result(job_id)
        said = {"id": job_id, "status": "Task not found", **NOTHING}
        assert (answer.status_code, answer.json) == (200, said)


def test_a_polling_url_opens_its_own_job_alone(
    flux: Facade, wiring: Wiring, other_key: NewKey
) -> None:
    one, other = flux.submit(), flux.submit()
    token = one["polling_url"].partition("token=")[2]
    assert flux.poll(one)["id"] == one["id"]
    for job_id, said in ((other["id"], token), (one["id"], token[:-1]), (one["id"], "")):
        refused = flux.follow(f"{BASE_URL}/v1/get_result?id={job_id}&token={said}")
        assert refused.status_code == 403, said
    # a key besides does no harm, be it a stranger's
    followed = flux.follow(one["polling_url"], x_key=other_key.api_key)
    assert followed.json["status"] == "Pending"
    # an image's link is no job's
    row = job(wiring, known_job(one))
    sample = wiring.links.sample_token(row.project_id, row.id, datetime.now(UTC))
    refused = flux.follow(f"{BASE_URL}/v1/get_result?id={one['id']}&token={sample}")
    assert refused.status_code == 403
    assert read_id(Kind.JOB, one["id"]) == row.id
