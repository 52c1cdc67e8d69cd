"""A job is followed from its acceptance to its image, live."""

import json

from journeys.running_service import RunningService


def test_the_whole_timeline_arrives_as_events_in_order_and_live(service: RunningService) -> None:
    job_id = service.enqueue()
    answer = service.request("GET", f"/v1/jobs/{job_id}/events", Accept="text/event-stream")
    assert answer.status == 200
    blocks = [block.split("\n") for block in answer.data.decode().strip().split("\n\n")]
    told = [dict(line.split(": ", 1) for line in block) for block in blocks if len(block) == 3]
    # the answer has ended, so the job has
    assert service.job(job_id)["status"] == "succeeded"
    lines = service.request("GET", f"/v1/jobs/{job_id}/events").json()["data"]
    assert [json.loads(event["data"]) for event in told] == lines
    assert [int(event["id"]) for event in told] == [line["seq"] for line in lines]
    assert [event["event"] for event in told] == [line["type"] for line in lines]
    assert told[-1]["event"] == "job.succeeded"
