"""A process is killed at each named point; the job ends right and is paid for once."""

from uuid import uuid4

import pytest
import urllib3
from fakes.pictures import as_base64, drawn
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink
from journeys.running_service import RunningService

from service.faults import POINTS

#: The process that each step runs in; the others run in the worker.
ELSEWHERE = {"upload": "web", "enqueue": "web", "receive": "web", "derive": "images"}
#: Points that a job meets only if its webhook is lost.
POLLED = {"poll.after_claim"}
#: Killed here nothing was sent, and nobody can know that it was not: the job is never sent again.
NEVER_SENT = {"submit.after_intent"}
#: Killed here nothing was promised: the caller saw no answer, and repeats.
NOT_ACCEPTED = {"upload.after_put", "enqueue.before_commit", "enqueue.after_commit"}
PICTURE = as_base64(drawn("PNG", (256, 256)))


def hand_in(service: RunningService, prompt: str, callback_url: str) -> str | None:
    """Hand in a job with an idempotency key; None if the connection broke."""
    body = {
        "model": "flux-2-pro",
        "input": {"prompt": prompt, "width": 256, "height": 256, "input_image": PICTURE},
        "callback_url": callback_url,
    }
    try:
        answer = service.request("POST", "/v1/jobs", body, Idempotency_Key=prompt)
    except urllib3.exceptions.ProtocolError:
        return None
    return str(answer.json()["id"])


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(
    point: str, service: RunningService, simulator: Simulator, caller: WebhookSink
) -> None:
    victim = ELSEWHERE.get(point.partition(".")[0], "worker")
    prompt = f"killed at {point} {uuid4().hex}"
    if point in POLLED:
        simulator.set_fault("lose", match={"prompt_contains": prompt})
    service.kill(victim)
    service.start(victim, FAULT_POINT=point)

    job_id = hand_in(service, prompt, caller.url)
    assert (job_id is None) == (point in NOT_ACCEPTED)
    wait_until(lambda: point in service.log(victim), bool, 20)
    service.kill(victim)
    service.start(victim)
    job_id = job_id or hand_in(service, prompt, caller.url)
    assert job_id is not None

    job = service.ended(job_id)
    paid = [line for line in simulator.ledger("accepted") if line["request"]["prompt"] == prompt]
    if point in NEVER_SENT:
        assert (job["status"], len(paid)) == ("failed", 0)
        assert job["error"]["code"] == "submission_unconfirmed"
        assert job["cost"]["maybe_charged"] is True
    else:
        assert (job["status"], len(paid), len(job["images"])) == ("succeeded", 1, 1)
    wait_until(lambda: service.job(job_id)["callback"]["status"], "delivered".__eq__, 15)
    assert len({call.headers["webhook-id"] for call in caller.calls}) == 1
    assert len({call.body for call in caller.calls}) == 1
    if victim == "images":
        wait_for_thumbnail(service, job["images"][0]["id"])


def wait_for_thumbnail(service: RunningService, image_id: str) -> None:
    wait_until(
        lambda: service.request("GET", f"/v1/images/{image_id}/thumbnail").headers["Content-Type"],
        "image/webp".__eq__,
        20,
    )
