"""Callbacks: signed, repeated with the same id and bytes, ended by the schedule or by a 410."""

import time
from dataclasses import replace

import pytest
from factories import Rewire, deliveries
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.upstream_answers import http, reset
from fakes.webhook_sink import WebhookSink
from sqlalchemy import update
from standardwebhooks import Webhook, WebhookVerificationError
from steps.owing import deliver, in_seconds, owed, tries

from service.keys import NewKey
from service.models import DeliveryStatus, Project
from service.signing.callback import new_callback_secret
from service.steps.deliver import Run, Try
from service.wiring import Wiring


def test_the_independent_library_accepts_every_try_and_all_carry_the_same(
    wiring: Wiring, key: NewKey
) -> None:
    with WebhookSink(500, 503) as sink:
        job_id = owed(wiring, key, sink.url)
        before = time.time()
        *_, row = [deliver(wiring, job_id) for _ in range(3)]
    assert row.status is DeliveryStatus.DELIVERED
    assert len({call.headers["webhook-id"] for call in sink.calls}) == 1
    assert {call.body for call in sink.calls} == {row.body.encode()}
    for call in sink.calls:
        said = Webhook(key.callback_secret).verify(call.body, dict(call.headers))
        assert said["data"]["id"] == f"job_{job_id.hex}"
        assert before - 1 <= int(call.headers["webhook-timestamp"]) <= time.time()
    assert [one.http_status for one in tries(wiring)] == [500, 503, 200]


def test_each_try_is_signed_for_its_own_moment(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink(500) as sink:
        job_id = owed(wiring, key, sink.url)
        deliver(wiring, job_id)
        first = int(sink.calls[0].headers["webhook-timestamp"])
        while time.time() < first + 1:
            time.sleep(0.01)
        deliver(wiring, job_id)
    one, two = sink.calls
    assert one.headers["webhook-timestamp"] != two.headers["webhook-timestamp"]
    assert one.headers["webhook-signature"] != two.headers["webhook-signature"]


def test_during_rotation_both_secrets_sign(wiring: Wiring, key: NewKey) -> None:
    newest = new_callback_secret()
    with WebhookSink() as sink:
        job_id = owed(wiring, key, sink.url)
        with wiring.database.transaction() as tx:
            tx.execute(update(Project).values(callback_secrets=[newest, key.callback_secret]))
        deliver(wiring, job_id)
        (call,) = sink.calls
    for secret in (newest, key.callback_secret):
        Webhook(secret).verify(call.body, dict(call.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(new_callback_secret()).verify(call.body, dict(call.headers))


def test_a_used_up_schedule_ends_it(rewire: Rewire, key: NewKey) -> None:
    wiring = rewire(callback_schedule_seconds=[0, 10, 100])
    with WebhookSink(*[500] * 9) as sink:
        job_id = owed(wiring, key, sink.url)
        first = deliver(wiring, job_id)
        assert 8.5 < in_seconds(first) <= 11
        second = deliver(wiring, job_id)
        assert 89 < in_seconds(second) <= 110
        last = deliver(wiring, job_id)
        assert (last.status, last.due_at) == (DeliveryStatus.EXHAUSTED, None)
        assert last.completed_at is not None
        deliver(wiring, job_id)
    assert len(sink.calls) == 3


def test_410_ends_it_at_once(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink(410) as sink:
        job_id = owed(wiring, key, sink.url)
        assert deliver(wiring, job_id).status is DeliveryStatus.EXHAUSTED
        deliver(wiring, job_id)
    assert len(sink.calls) == 1


def test_a_redirect_is_a_failure_and_not_followed(rewire: Rewire, key: NewKey) -> None:
    wiring = rewire(callback_schedule_seconds=[0, 600])
    with WebhookSink() as target:
        for status in (301, 302, 303, 307, 308):
            with WebhookSink(status, headers={"Location": target.url}) as sink:
                row = deliver(wiring, owed(wiring, key, sink.url))
            assert row.status is DeliveryStatus.PENDING
    assert target.calls == []
    assert {one.http_status for one in tries(wiring)} == {301, 302, 303, 307, 308}


def test_retry_after_is_honoured_within_bounds_where_it_means_anything(
    rewire: Rewire, key: NewKey
) -> None:
    wiring = rewire(callback_schedule_seconds=[0, 10, 10])
    for status, said, least, most in (
        (429, "60", 59, 60),
        (503, "60", 59, 60),
        (429, "2", 8.5, 11),
        (503, "999999999", 3598, 3600),
        (500, "60", 8.5, 11),
        (503, "soon", 8.5, 11),
    ):
        with WebhookSink(status, headers={"Retry-After": said}) as sink:
            row = deliver(wiring, owed(wiring, key, sink.url))
        assert least < in_seconds(row) <= most, (status, said)


def test_an_address_that_may_not_be_called_is_noted_and_not_tried_for_ever(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    guarded = rewire(egress_allowed_networks=[], callback_schedule_seconds=[0, 0])
    with WebhookSink() as sink:
        job_id = owed(wiring, key, sink.url)
        assert deliver(guarded, job_id).status is DeliveryStatus.PENDING
        assert deliver(guarded, job_id).status is DeliveryStatus.EXHAUSTED
    assert sink.calls == []
    assert all(one.error and one.http_status is None for one in tries(wiring))


def test_a_caller_that_is_down_is_noted(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(reset) as peer:
        for url in ("http://127.0.0.1:9/hook", f"{peer.url}/hook"):
            assert deliver(wiring, owed(wiring, key, url)).status is DeliveryStatus.PENDING
    assert all(one.error and one.http_status is None for one in tries(wiring))


def test_the_callers_answer_is_cut_and_made_storable(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(answer(http(500, b"\x00\xff" + b"x" * 100_000))) as peer:
        deliver(wiring, owed(wiring, key, f"{peer.url}/hook"))
    (one,) = tries(wiring)
    assert one.answer == "�" + "x" * 2046


def test_a_try_recorded_twice_counts_once(wiring: Wiring, key: NewKey) -> None:
    job_id = owed(wiring, key, "http://127.0.0.1:9/hook")
    (claim,) = wiring.deliver.claim(1)
    assert wiring.deliver.claim(1) == []
    failed, done = [Try(500, None, "no", 5)], [Try(200, None, "ok", 5)]
    wiring.deliver.record([(claim, failed)])
    wiring.deliver.record([(claim, failed)])
    (row,) = deliveries(wiring, job_id)
    assert (row.status, row.tries, len(tries(wiring))) == (DeliveryStatus.PENDING, 1, 1)

    again = Run([replace(claim.owed[0], tries=1)])
    wiring.deliver.record([(again, done)])
    wiring.deliver.record([(again, failed)])
    wiring.deliver.record([(again, done)])
    (row,) = deliveries(wiring, job_id)
    assert (row.status, row.tries, len(tries(wiring))) == (DeliveryStatus.DELIVERED, 2, 2)


def test_a_run_that_crashes_is_noted_as_far_as_it_came_and_frees_its_place(
    wiring: Wiring, key: NewKey
) -> None:
    for _ in range(2):
        owed(wiring, key, "http://127.0.0.1:9/hook")
    (claim,) = wiring.deliver.claim(1)
    crashing = replace(wiring.deliver, told=None)  # type: ignore[arg-type] # the bug
    came = crashing.act(claim)
    wiring.deliver.record([(claim, came)])
    assert came == []
    assert wiring.deliver.busy.runs == []
    assert wiring.deliver.claim(1) == []


def test_a_host_that_asks_for_patience_is_not_called_on(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink(429) as sink:
        for _ in range(3):
            owed(wiring, key, sink.url)
        (claim,) = wiring.deliver.claim(1)
        assert len(claim.owed) == 3
        assert [one.http_status for one in wiring.deliver.act(claim)] == [429]


def test_what_waited_longest_is_sent_first(wiring: Wiring, key: NewKey) -> None:
    ids = [owed(wiring, key, "http://127.0.0.1:9/hook") for _ in range(3)]
    assert [one.job_id for run in wiring.deliver.claim(1) for one in run.owed] == ids
