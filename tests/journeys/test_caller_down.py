import json

from fakes.webhook_sink import WebhookSink
from journeys.running_service import RunningService
from standardwebhooks import Webhook


def test_a_caller_that_was_down_hears_the_same_callback_later(service: RunningService) -> None:
    with WebhookSink(503, 500, 404) as caller:
        job_id = service.enqueue(callback_url=caller.url)
        calls = caller.wait_for(4, 30)
    assert {call.headers["webhook-id"] for call in calls} == {calls[0].headers["webhook-id"]}
    assert {call.body for call in calls} == {calls[0].body}
    last = calls[-1]
    Webhook(service.callback_secret).verify(last.body.decode(), dict(last.headers))
    assert json.loads(last.body)["data"]["id"] == job_id
    # the image does not wait for its caller
    assert service.job(job_id)["status"] == "succeeded"
