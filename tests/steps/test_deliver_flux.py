"""Callbacks of jobs that came through Flux's API: its words, its proofs, our tries and our log."""

import hashlib
import hmac
import io
import json
from typing import Any
from uuid import UUID

from conftest import Api
from factories import ACCEPTED, ago, deliveries, enqueue, hear, job, run, webhook
from fakes.webhook_sink import Received, WebhookSink
from sqlalchemy import select, update

from service.keys import NewKey
from service.models import CallbackForm, Delivery, DeliveryStatus, JobEvent
from service.wiring import Wiring

SECRET = "between ~us~"


def enqueue_flux(wiring: Wiring, key: NewKey, url: str, secret: str | None = SECRET) -> UUID:
    """Enqueue a job as Flux's API does."""
    form = {"callback_form": CallbackForm.FLUX, "callback_secret": secret}
    return enqueue(wiring, key, callback_url=url, **form)


def end(wiring: Wiring, job_id: UUID, **content: Any) -> None:  # noqa: ANN401 - JSON
    """Let upstream take a job and end it."""
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    hear(wiring, webhook(wiring, job_id, **content))


def proved(call: Received, secret: str) -> bool:
    """Check a call as BFL's SDK and BFL's skills repository say, both."""
    signature = hmac.new(secret.encode(), call.body, hashlib.sha256).hexdigest()
    return (
        call.headers["x-webhook-secret"] == secret
        and call.headers["x-bfl-signature"] == f"sha256={signature}"
    )


def test_a_callback_is_the_get_result_body_with_both_proofs(
    wiring: Wiring, key: NewKey, api: Api
) -> None:
    details = {"Moderation Reasons": ["Violence"]}
    with WebhookSink() as sink:
        job_id = enqueue_flux(wiring, key, sink.url)
        end(wiring, job_id, status="Request Moderated", result=None, details=details)
        run(wiring.deliver)
        (call,) = sink.calls
    polled = api.get(f"/v1/get_result?id=job_{job_id.hex}").json
    assert call.json == polled
    assert (polled["status"], polled["details"]) == ("Request Moderated", details)
    assert proved(call, SECRET)
    assert call.headers["content-type"] == "application/json"
    assert not [name for name in call.headers if name in {"webhook-id", "webhook-signature"}]


def test_without_a_secret_nothing_is_proved(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink() as sink:
        job_id = enqueue_flux(wiring, key, sink.url, secret=None)
        end(wiring, job_id, status="Error", result=None)
        run(wiring.deliver)
        (call,) = sink.calls
    assert call.json["status"] == "Error"
    assert {"x-webhook-secret", "x-bfl-signature"}.isdisjoint(call.headers)


def test_a_try_that_fails_is_repeated_with_the_same_bytes(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink(500) as sink:
        job_id = enqueue_flux(wiring, key, sink.url)
        end(wiring, job_id, status="Error", result=None)
        run(wiring.deliver)
        with wiring.database.transaction() as tx:
            tx.execute(update(Delivery).values(due_at=ago(1)))
        run(wiring.deliver)
        first, again = sink.calls
    assert (again.body, again.headers) == (first.body, first.headers)
    (row,) = deliveries(wiring, job_id)
    assert (row.status, row.tries) == (DeliveryStatus.DELIVERED, 2)
    assert row.body.encode() == first.body


def test_only_an_end_is_told(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue_flux(wiring, key, "http://127.0.0.1:9/hook")
    end(wiring, job_id)
    assert deliveries(wiring, job_id) == []


def test_a_withdrawn_job_is_told_of(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue_flux(wiring, key, "http://127.0.0.1:9/hook")
    wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
    (row,) = deliveries(wiring, job_id)
    body = json.loads(row.body)
    assert (body["status"], body["details"]["code"]) == ("Error", "canceled")


def test_the_secret_is_in_no_document_event_delivery_or_log(
    lines: io.StringIO, wiring: Wiring, key: NewKey, api: Api
) -> None:
    with WebhookSink(500) as sink:
        job_id = enqueue_flux(wiring, key, sink.url)
        end(wiring, job_id, status="Error", result=None)
        (claim,) = wiring.deliver.claim(1)
        wiring.deliver.record([(claim, wiring.deliver.act(claim))])
    (row,) = deliveries(wiring, job_id)
    with wiring.database.transaction() as tx:
        events = tx.rows(select(JobEvent.message, JobEvent.detail))
    place = f"/v1/jobs/job_{job_id.hex}"
    shown = [
        repr(claim),
        str(row),
        str(events),
        api.get(place).get_data(as_text=True),
        api.get(f"{place}/events").get_data(as_text=True),
        api.get(f"/v1/get_result?id=job_{job_id.hex}").get_data(as_text=True),
        lines.getvalue(),
    ]
    assert not [text for text in shown if SECRET in text]
    assert "deliver_attempt" in lines.getvalue()


def test_a_job_of_our_own_api_is_called_back_in_our_words(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink() as sink:
        own = enqueue(wiring, key, callback_url=sink.url)
        wiring.enqueue.cancel(job(wiring, own).project_id, own)
        run(wiring.deliver)
        (call,) = sink.calls
    assert call.json["type"] == "job.canceled"
    assert {"x-webhook-secret", "x-bfl-signature"}.isdisjoint(call.headers)
