import hashlib
import hmac

import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink

_SECRET = "whisper-ü"


def _signature(body: bytes) -> str:
    return "sha256=" + hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()


def _webhook_outcomes(simulator: Simulator, task_id: str) -> list[tuple[int, int | None, str]]:
    lines = [line for line in simulator.ledger("webhook") if line["task_id"] == task_id]
    return [(line["attempt"], line["status"], line["outcome"]) for line in lines]


def test_the_webhook_is_the_get_result_body_with_both_proofs(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    task_id = caller.submitted(webhook_url=sink.url, webhook_secret=_SECRET)
    (call,) = sink.wait_for(1)
    assert call.json == caller.result(task_id)
    assert call.json["status"] == "Ready"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["x-webhook-secret"].encode("latin-1") == _SECRET.encode()
    assert call.headers["x-bfl-signature"] == _signature(call.body)


@pytest.mark.parametrize(
    ("proofs", "there", "missing"),
    [
        ("secret", "x-webhook-secret", "x-bfl-signature"),
        ("signature", "x-bfl-signature", "x-webhook-secret"),
    ],
)
def test_one_proof_can_be_switched_off(
    simulator: Simulator,
    caller: FluxCaller,
    sink: WebhookSink,
    *,
    proofs: str,
    there: str,
    missing: str,
) -> None:
    simulator.change(proofs=proofs)
    caller.submitted(webhook_url=sink.url, webhook_secret=_SECRET)
    (call,) = sink.wait_for(1)
    assert there in call.headers
    assert missing not in call.headers


def test_without_a_secret_there_is_no_proof(caller: FluxCaller, sink: WebhookSink) -> None:
    caller.submitted(webhook_url=sink.url)
    (call,) = sink.wait_for(1)
    assert not {"x-webhook-secret", "x-bfl-signature"} & set(call.headers)


def test_a_refused_webhook_is_called_again_after_the_set_waits(
    simulator: Simulator, caller: FluxCaller
) -> None:
    with WebhookSink(500, 401) as sink:
        task_id = caller.submitted(webhook_url=sink.url, webhook_secret=_SECRET)
        first, second, third = sink.wait_for(3)
    assert first.body == second.body == third.body
    assert second.at - first.at >= 0.1
    assert third.at - second.at >= 0.2
    simulator_says = _wait_for_outcomes(simulator, task_id, 3)
    assert simulator_says == [(1, 500, "retrying"), (2, 401, "retrying"), (3, 200, "delivered")]


def test_it_is_given_up_after_the_last_wait(simulator: Simulator, caller: FluxCaller) -> None:
    with WebhookSink(500, 500, 500) as sink:
        task_id = caller.submitted(webhook_url=sink.url)
        sink.wait_for(3)
    assert _wait_for_outcomes(simulator, task_id, 3)[-1] == (3, 500, "given_up")


def test_a_dead_receiver_is_tried_as_often(simulator: Simulator, caller: FluxCaller) -> None:
    task_id = caller.submitted(webhook_url="http://127.0.0.1:9/hook")
    outcomes = _wait_for_outcomes(simulator, task_id, 3)
    assert outcomes == [(1, None, "retrying"), (2, None, "retrying"), (3, None, "given_up")]


def test_a_redirect_is_no_success_and_not_followed(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.change(webhook_retry_seconds=[])
    with WebhookSink(307, headers={"Location": sink.url}) as redirecting:
        task_id = caller.submitted(webhook_url=redirecting.url)
        assert _wait_for_outcomes(simulator, task_id, 1) == [(1, 307, "given_up")]
    assert sink.calls == []


def test_the_old_words_can_be_set(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.change(vocabulary="old")
    task_id = caller.submitted(webhook_url=sink.url, webhook_secret=_SECRET)
    (call,) = sink.wait_for(1)
    assert (call.json["task_id"], call.json["status"]) == (task_id, "SUCCESS")
    assert "id" not in call.json
    assert call.json["result"]["sample"] == caller.result(task_id)["result"]["sample"]


def _wait_for_outcomes(
    simulator: Simulator, task_id: str, count: int
) -> list[tuple[int, int | None, str]]:
    return wait_until(
        lambda: _webhook_outcomes(simulator, task_id), lambda found: len(found) >= count
    )
