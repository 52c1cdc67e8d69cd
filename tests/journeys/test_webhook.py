"""What becomes of a job whose webhook is early, doubled, late, lost or forged."""

from uuid import uuid4

import pytest
from fakes.simulator import Simulator
from journeys.running_service import RunningService

STRAIGHT = ["queued", "submitting", "generating", "storing", "succeeded"]
OVERTAKEN = ["queued", "submitting", "storing", "succeeded"]


def times_paid(simulator: Simulator, prompt: str) -> int:
    """Count what upstream charged for; the jobs of other tests may have no prompt."""
    return sum(line["request"].get("prompt") == prompt for line in simulator.ledger("accepted"))


def follow(
    service: RunningService, simulator: Simulator, fault: str, **args: object
) -> tuple[list[str], str]:
    """Run one job under a fault; return its timeline and how its result was heard of."""
    prompt = f"a harbour in fog {uuid4().hex}"
    simulator.set_fault(fault, match={"prompt_contains": prompt}, args=args)
    job_id = service.enqueue(input={"prompt": prompt, "width": 256, "height": 256})
    job = service.ended(job_id)
    assert job["status"] == "succeeded", job["error"]
    assert len(job["images"]) == 1
    assert job["upstream"]["task_id"] is not None
    assert times_paid(simulator, prompt) == 1
    lines = service.request("GET", f"/v1/jobs/{job_id}/events").json()["data"]
    heard = next(line for line in lines if line["type"] == "job.storing")
    return service.timeline(job_id), heard["detail"]["heard_by"]


def test_a_webhook_before_our_commit_is_not_overwritten(
    service: RunningService, simulator: Simulator
) -> None:
    assert follow(service, simulator, "webhook_first") == (OVERTAKEN, "webhook")


def test_a_doubled_webhook_has_one_effect(service: RunningService, simulator: Simulator) -> None:
    assert follow(service, simulator, "double", times=5) == (STRAIGHT, "webhook")


def test_a_lost_webhook_is_healed_by_polling(service: RunningService, simulator: Simulator) -> None:
    assert follow(service, simulator, "lose") == (STRAIGHT, "poll")


def test_a_late_webhook_changes_nothing_after_the_poll(
    service: RunningService, simulator: Simulator
) -> None:
    assert follow(service, simulator, "late", seconds=5) == (STRAIGHT, "poll")


def test_a_forged_webhook_is_refused_and_the_true_one_taken(
    service: RunningService, simulator: Simulator
) -> None:
    assert follow(service, simulator, "forge") == (STRAIGHT, "webhook")
    assert "webhook_rejected" in service.log("web")


def test_the_old_vocabulary_is_understood(service: RunningService, simulator: Simulator) -> None:
    assert follow(service, simulator, "old_words") == (STRAIGHT, "webhook")


def test_a_word_on_the_progress_is_no_end(service: RunningService, simulator: Simulator) -> None:
    states, heard_by = follow(service, simulator, "progress")
    assert states == STRAIGHT
    # one that overtakes the answer has the job asked about at once
    assert heard_by in {"webhook", "poll"}


@pytest.mark.parametrize("fault", ["accept_then_reset", "accept_truncate", "accept_no_id"])
def test_a_job_whose_answer_was_lost_is_found_by_its_webhook_and_paid_once(
    service: RunningService, simulator: Simulator, fault: str
) -> None:
    prompt = f"a harbour in fog {uuid4().hex}"
    simulator.set_fault(fault, match={"prompt_contains": prompt})
    job = service.ended(service.enqueue(input={"prompt": prompt, "width": 256, "height": 256}))
    assert job["status"] == "succeeded"
    assert times_paid(simulator, prompt) == 1
