import time

import pytest
import urllib3
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink

_LOST = (urllib3.exceptions.HTTPError, ValueError, KeyError)


@pytest.mark.parametrize("status", [402, 403, 429, 500, 503])
def test_refuse_accepts_nothing(simulator: Simulator, caller: FluxCaller, status: int) -> None:
    accepted = len(simulator.ledger("accepted"))
    simulator.set_fault("refuse", args={"status": status, "retry_after": 3})
    response = caller.submit()
    assert (response.status, response.headers["Retry-After"]) == (status, "3")
    assert "detail" in response.json()
    assert len(simulator.ledger("accepted")) == accepted


@pytest.mark.parametrize(
    ("fault", "args", "error"),
    [
        ("accept_then_reset", {}, "ConnectionResetError"),
        ("accept_then_hang", {"seconds": 0.2}, "RemoteDisconnected"),
        ("accept_truncate", {}, "IncompleteRead"),
        ("accept_bad_json", {}, "JSONDecodeError"),
        ("accept_no_id", {}, "KeyError"),
    ],
)
def test_an_accepted_task_goes_on_though_its_answer_is_lost(
    simulator: Simulator,
    caller: FluxCaller,
    sink: WebhookSink,
    *,
    fault: str,
    args: dict[str, object],
    error: str,
) -> None:
    accepted = len(simulator.ledger("accepted"))
    simulator.set_fault(fault, args=args)
    with pytest.raises(_LOST) as lost:
        _ = caller.submit(webhook_url=sink.url).json()["id"]
    assert error in repr(lost.value) + str(lost.type)
    (call,) = sink.wait_for(1)
    lines = simulator.ledger("accepted")
    assert len(lines) == accepted + 1
    assert lines[-1]["task_id"] == call.json["id"]


def test_a_hanging_answer_says_nothing_for_as_long_as_told(
    simulator: Simulator, caller: FluxCaller
) -> None:
    simulator.set_fault("accept_then_hang", args={"seconds": 0.4})
    started = time.monotonic()
    with pytest.raises(urllib3.exceptions.ProtocolError):
        caller.submit()
    assert 0.4 <= time.monotonic() - started < 3


def test_accept_then_status_accepts_and_answers_with_the_status(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.set_fault("accept_then_status", args={"status": 502})
    assert caller.submit(webhook_url=sink.url).status == 502
    assert sink.wait_for(1)[0].json["status"] == "Ready"


def test_webhook_first_calls_before_it_answers(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.change(min_seconds=30, max_seconds=30)
    simulator.set_fault("webhook_first")
    answer = caller.submit(webhook_url=sink.url)
    (call,) = sink.calls
    assert (answer.status, answer.json()["id"]) == (200, call.json["id"])
    assert call.json["status"] == "Ready"


@pytest.mark.parametrize(
    ("what", "status"), [("content", "Content Moderated"), ("request", "Request Moderated")]
)
def test_moderate_ends_the_task_with_reasons(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink, *, what: str, status: str
) -> None:
    simulator.set_fault("moderate", args={"what": what, "reasons": ["Gore", "Fraud"]})
    task_id = caller.submitted(webhook_url=sink.url)
    body = caller.finished(task_id)
    assert (body["status"], body["result"]) == (status, None)
    assert body["details"] == {"Moderation Reasons": ["Gore", "Fraud"]}
    assert sink.wait_for(1)[0].json == body
    assert [line["status"] for line in simulator.ledger("moderated")][-1] == status


def test_word_is_said_while_the_task_is_under_way(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.change(min_seconds=0.5, max_seconds=0.5)
    simulator.set_fault("word", args={"status": "Reasoning", "progress": 0.25})
    task_id = caller.submitted()
    early = caller.result(task_id)
    assert (early["status"], early["progress"], early["result"]) == ("Reasoning", 0.25, None)
    wait_until(lambda: caller.result(task_id)["status"], lambda status: status == "Ready")
    assert caller.result(task_id)["progress"] is None


def test_extra_fields_are_in_the_final_body_and_the_webhook(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.set_fault("extra_fields", args={"outside": {"a": 1}, "inside": {"seed": "odd"}})
    body = caller.finished(caller.submitted(webhook_url=sink.url))
    assert (body["a"], body["result"]["seed"]) == (1, "odd")
    assert sink.wait_for(1)[0].json == body


def test_a_foreign_polling_url_is_given_out_as_told(
    simulator: Simulator, caller: FluxCaller
) -> None:
    url = "http://127.0.0.1:9/v1/get_result?id=elsewhere"
    simulator.set_fault("foreign_polling_url", args={"url": url})
    answer = caller.submit().json()
    assert answer["polling_url"] == url
    assert caller.finished(answer["id"])["status"] == "Ready"


def test_error_ends_the_task_as_error(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.set_fault("error")
    body = caller.finished(caller.submitted())
    assert (body["status"], body["result"]) == ("Error", None)


def test_lose_calls_no_webhook(simulator: Simulator, caller: FluxCaller, sink: WebhookSink) -> None:
    simulator.set_fault("lose", times=1)
    lost = caller.submitted(webhook_url=sink.url)
    assert caller.finished(lost)["status"] == "Ready"
    heard = caller.submitted(webhook_url=sink.url)
    assert [call.json["id"] for call in sink.wait_for(1)] == [heard]


def test_double_calls_so_many_times(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.set_fault("double", args={"times": 3})
    caller.submitted(webhook_url=sink.url, webhook_secret="s")
    assert len({(call.body, call.headers["x-bfl-signature"]) for call in sink.wait_for(3)}) == 1


def test_late_calls_so_much_later(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.set_fault("late", args={"seconds": 0.4})
    body = caller.finished(caller.submitted("flux-pro-1.1", webhook_url=sink.url))
    sink.wait_for(1)
    assert time.time() - body["result"]["end_time"] >= 0.4


def test_forge_calls_with_wrong_proofs_first(caller: FluxCaller, simulator: Simulator) -> None:
    simulator.set_fault("forge")
    with WebhookSink(401) as sink:
        task_id = caller.submitted(webhook_url=sink.url, webhook_secret="right")
        forged, right = sink.wait_for(2)
    assert forged.headers["x-webhook-secret"] != "right" == right.headers["x-webhook-secret"]
    assert forged.json["id"] == right.json["id"] == task_id
    assert forged.json["result"]["sample"] != right.json["result"]["sample"]
    assert right.json == caller.result(task_id)


def test_replay_calls_with_the_words_and_proofs_of_another_task_first(
    caller: FluxCaller, simulator: Simulator
) -> None:
    with WebhookSink() as earlier:
        overheard_id = caller.submitted(webhook_url=earlier.url, webhook_secret="another's")
        (overheard,) = earlier.wait_for(1)
        wait_until(lambda: simulator.ledger("webhook"), bool)
    simulator.set_fault("replay")
    with WebhookSink(401) as sink:
        task_id = caller.submitted(webhook_url=sink.url, webhook_secret="right")
        replayed, right = sink.wait_for(2)
    assert (replayed.body, replayed.json["id"]) == (overheard.body, overheard_id)
    assert replayed.headers["x-bfl-signature"] == overheard.headers["x-bfl-signature"]
    assert (right.json["id"], right.headers["x-webhook-secret"]) == (task_id, "right")


def test_old_words_and_progress_add_up(
    simulator: Simulator, caller: FluxCaller, sink: WebhookSink
) -> None:
    simulator.set_fault("progress", args={"share": 0.7})
    simulator.set_fault("old_words")
    task_id = caller.submitted(webhook_url=sink.url)
    early, final = (call.json for call in sink.wait_for(2))
    assert early == {"task_id": task_id, "status": "processing", "progress": 0.7}
    assert (final["task_id"], final["status"]) == (task_id, "SUCCESS")


def test_truncate_cuts_the_image_short(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.set_fault("truncate", times=1, args={"share": 0.25})
    task_id = caller.submitted()
    with pytest.raises(urllib3.exceptions.ProtocolError, match="IncompleteRead"):
        caller.download(task_id)
    assert caller.download(task_id).status == 200


def test_wrong_type_sends_a_page(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.set_fault("wrong_type")
    response = caller.download(caller.submitted())
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html")
    assert response.data.startswith(b"<!DOCTYPE html>")


def test_slow_sends_at_the_set_pace(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.set_fault("slow", args={"bytes_per_second": 10_000})
    task_id = caller.submitted(width=128, height=128)
    caller.finished(task_id)
    started = time.monotonic()
    image = caller.download(task_id)
    assert time.monotonic() - started >= len(image.data) / 10_000 * 0.8


def test_expire_early_kills_the_url_before_its_time(
    simulator: Simulator, caller: FluxCaller
) -> None:
    simulator.set_fault("expire_early", args={"seconds": 0.5})
    task_id = caller.submitted()
    assert caller.download(task_id).status == 200
    wait_until(lambda: caller.download(task_id).status, lambda status: status == 403)


def test_status_answers_the_download_with_an_error(
    simulator: Simulator, caller: FluxCaller
) -> None:
    simulator.set_fault("status", times=1, args={"status": 503})
    task_id = caller.submitted()
    assert [caller.download(task_id).status for _ in range(2)] == [503, 200]
