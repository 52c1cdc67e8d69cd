"""Jobs over the broker: the same checks, one job for one key, and the answer by callback."""

from collections.abc import Iterator

import pytest
from celery import Celery
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink
from journeys.broker import broker
from journeys.running_service import RunningService
from journeys.services import StartService
from journeys.test_readme import blocks

INPUT = {"prompt": "a harbour in fog", "width": 256, "height": 256}


def send(service: RunningService, **letter: object) -> None:
    """Send as a Celery user does, who knows nothing of ours but three names."""
    app = Celery(broker=service.environment["CELERY_BROKER_URL"])
    kwargs = {"project": "default", **letter}
    app.send_task("darkroom.enqueue", kwargs=kwargs, queue="enqueue", ignore_result=True)
    app.close()


def jobs(service: RunningService) -> list[dict[str, object]]:
    found: list[dict[str, object]] = service.request("GET", "/v1/jobs").json()["data"]
    return found


@pytest.fixture(scope="module")
def fresh(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service that shares its broker with nobody who would take its letters."""
    with (
        broker(tmp_path_factory.mktemp("broker")) as valkey,
        start_service("web", "worker", CELERY_BROKER_URL=valkey.url) as service,
    ):
        yield service


def test_a_job_over_the_broker_becomes_an_image_and_one_callback(
    fresh: RunningService, caller: WebhookSink
) -> None:
    job = {"model": "flux-2-pro", "input": INPUT, "callback_url": caller.url}
    for _ in range(3):
        send(fresh, job=job, idempotency_key="order-1")
    (call,) = caller.wait_for(1, 30)
    document = call.json["data"]
    assert document["status"] == "succeeded"
    assert [one["id"] for one in jobs(fresh)] == [document["id"]]


def test_the_readmes_letter_becomes_a_job(fresh: RunningService) -> None:
    (snippet,) = (block for block in blocks("python") if "send_task" in block)
    exec(snippet, {"BROKER_URL": fresh.environment["CELERY_BROKER_URL"]})  # noqa: S102 - our own README
    wait_until(lambda: [one for one in jobs(fresh) if one["status"] == "succeeded"], bool, 30)


def test_what_is_not_accepted_is_answered_by_a_signed_callback(
    fresh: RunningService, caller: WebhookSink
) -> None:
    before = len(jobs(fresh))
    wrong = {"model": "flux-2-pro", "input": {"prompt": ""}, "callback_url": caller.url}
    send(fresh, job=wrong, idempotency_key="order-2")
    (call,) = caller.wait_for(1, 30)
    said = call.json
    assert said["type"] == "job.rejected"
    assert said["data"]["idempotency_key"] == "order-2"
    assert said["data"]["error"]["errors"][0]["pointer"] == "/input/prompt"
    assert call.headers["webhook-signature"].startswith("v1,")
    assert len(jobs(fresh)) == before


def test_a_wrong_key_is_answered_too_as_long_as_somebody_can_be_told(
    fresh: RunningService, caller: WebhookSink
) -> None:
    job = {"model": "flux-2-pro", "input": INPUT, "callback_url": caller.url}
    send(fresh, job=job, idempotency_key=17)
    (call,) = caller.wait_for(1, 30)
    rejection = call.json["data"]
    assert rejection["idempotency_key"] == "17"
    assert [one["pointer"] for one in rejection["error"]["errors"]] == ["/idempotency_key"]


def test_letters_that_mean_nothing_stop_nobody(fresh: RunningService, caller: WebhookSink) -> None:
    before = len(jobs(fresh))
    send(fresh, job={"model": "flux-2-pro"}, project="nobody")
    send(fresh, job=["no", "object"])
    send(fresh, unknown=1)
    send(fresh, job={"model": "flux-2-pro", "input": {"prompt": "\ud800"}})
    job = {"model": "flux-2-pro", "input": INPUT, "callback_url": caller.url}
    send(fresh, job=job)
    caller.wait_for(1, 30)
    assert len(jobs(fresh)) == before + 1


def test_a_letter_whose_worker_was_killed_becomes_one_job(fresh: RunningService) -> None:
    before = {one["id"] for one in jobs(fresh)}
    fresh.kill("worker")
    mark = fresh.environment["DARKROOM_HOME"] + "/mark"
    fresh.start("worker", FAULT_POINT="enqueue.before_commit", FAULT_ACTION="kill", FAULT_MARK=mark)
    send(fresh, job={"model": "flux-2-pro", "input": INPUT}, idempotency_key="once")
    wait_until(fresh.processes["worker"].poll, lambda code: code is not None, 30)
    assert {one["id"] for one in jobs(fresh)} == before
    fresh.start("worker")
    (new,) = wait_until(lambda: {one["id"] for one in jobs(fresh)} - before, bool, 60)
    assert fresh.ended(str(new))["status"] == "succeeded"
    assert len(jobs(fresh)) == len(before) + 1
