import hashlib

import boto3
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink
from journeys.running_service import RunningService
from standardwebhooks import Webhook


def test_a_job_ends_in_bucket_callback_and_gallery(
    service: RunningService,
    simulator: Simulator,
    caller: WebhookSink,
) -> None:
    before = len(simulator.ledger("accepted"))
    job_id = service.enqueue(callback_url=caller.url, metadata={"order": "17"})

    (call,) = caller.wait_for(1, 20)
    verified = Webhook(service.callback_secret).verify(call.body.decode(), dict(call.headers))
    assert verified["type"] == "job.succeeded"
    assert verified["data"]["id"] == job_id
    assert verified["data"]["metadata"] == {"order": "17"}

    job = service.job(job_id)
    (image,) = job["images"]
    stored = (
        boto3.client(
            "s3",
            endpoint_url=service.environment["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=service.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=service.environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )
        .get_object(Bucket=image["bucket"], Key=image["key"])["Body"]
        .read()
    )
    assert hashlib.sha256(stored).hexdigest() == image["sha256"]
    assert image["key"].startswith(service.environment["S3_PREFIX"] + "default/")
    assert service.timeline(job_id) == [
        "queued",
        "submitting",
        "generating",
        "storing",
        "succeeded",
    ]
    (paid,) = simulator.ledger("accepted")[before:]
    assert paid["task_id"] == job["upstream"]["task_id"]

    wait_until(lambda: service.job(job_id)["callback"]["status"], "delivered".__eq__)
    thumbnail = wait_until(
        lambda: service.request("GET", f"/v1/images/{image['id']}/thumbnail"),
        lambda answer: answer.headers.get("Content-Type") == "image/webp",
    )
    assert thumbnail.data[:4] == b"RIFF"
