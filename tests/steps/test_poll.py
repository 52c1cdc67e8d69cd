"""Polls: trouble on the way fails nobody, the deadline ends it, a late answer undoes nothing."""

import time
from typing import Any
from uuid import UUID

import pytest
from factories import (
    ACCEPTED,
    READY,
    Rewire,
    ago,
    deliveries,
    due_now,
    enqueue,
    events,
    hear,
    job,
    put,
    run,
    webhook,
)
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.simulator import Simulator
from fakes.upstream_answers import http, silent
from fakes.waiting import wait_until
from sqlalchemy import Row

from service.errors import FluxUnavailable
from service.keys import NewKey
from service.poison import MAX_DEATHS
from service.states import ErrorCode, Status
from service.steps.poll import GIVE_UP_AFTER_DEADLINES
from service.upstream import Ended, InProgress, Result
from service.wiring import Wiring

NO_RESULT = {
    "Pending": answer(http(200, b'{"status": "Pending"}')),
    "Task not found": answer(http(200, b'{"id": "task-1", "status": "Task not found"}')),
    "Task not found, 404": answer(http(404, b'{"id": "task-1", "status": "Task not found"}')),
    "a word we do not know": answer(http(200, b'{"status": "Dreaming"}')),
    "Ready without a sample": answer(http(200, b'{"status": "Ready", "result": {}}')),
}
NO_ANSWER = {
    "500": answer(http(500)),
    "404": answer(http(404, b'{"status": "Not Found"}')),
    "429": answer(http(429)),
    "403": answer(http(403)),
    "HTML": answer(http(200, b"<html>")),
    "nothing": answer(b""),
}
READY_BODY = b'{"status": "Ready", "result": {"sample": "http://127.0.0.1:9/1.png"}}'


def generating(wiring: Wiring, key: NewKey, **columns: object) -> UUID:
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    put(wiring, job_id, due_at=ago(1), **columns)
    return job_id


def polled_until_it_moves(wiring: Wiring, job_id: UUID) -> None:
    def look() -> Status:
        due_now(wiring, job_id)
        run(wiring.poll)
        status: Status = job(wiring, job_id).status
        return status

    wait_until(look, lambda status: status is not Status.GENERATING)


def test_a_finished_task_is_heard_of(wiring: Wiring, key: NewKey, simulator: Simulator) -> None:
    job_id = enqueue(wiring, key, input={"prompt": "polled"})
    run(wiring.submit)
    assert run(wiring.poll) == []
    polled_until_it_moves(wiring, job_id)
    row = job(wiring, job_id)
    assert row.status is Status.STORING
    assert row.result["prompt"].startswith("polled, ")  # upstream rewrites it
    assert 590 < row.result_expires_at.timestamp() - time.time() < 610


ENDS: dict[ErrorCode, tuple[str, dict[str, object]]] = {
    ErrorCode.UPSTREAM_ERROR: ("error", {}),
    ErrorCode.CONTENT_MODERATED: ("moderate", {}),
    ErrorCode.REQUEST_MODERATED: ("moderate", {"what": "request"}),
}


def test_an_end_without_an_image_fails_the_job_and_says_why(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    simulator.change(min_seconds=0, max_seconds=0)
    for code, (fault, args) in ENDS.items():
        simulator.set_fault(fault, args=args, match={"prompt_contains": code})
    job_ids = {code: enqueue(wiring, key, input={"prompt": code.value}) for code in ENDS}
    run(wiring.submit)
    for code, job_id in job_ids.items():
        polled_until_it_moves(wiring, job_id)
        row = job(wiring, job_id)
        assert (row.status, row.error_code, row.maybe_charged) == (Status.FAILED, code, False)
        assert ("Violence" in row.error_message) is (code is not ErrorCode.UPSTREAM_ERROR)


def asked_again(wiring: Wiring, job_id: UUID, **columns: object) -> Row[Any]:
    put(wiring, job_id, due_at=ago(1), **columns)
    assert len(run(wiring.poll)) == 1
    return job(wiring, job_id)


@pytest.mark.parametrize("said", [*NO_RESULT, *NO_ANSWER])
def test_before_the_deadline_nothing_but_an_end_is_final(
    rewire: Rewire, key: NewKey, said: str
) -> None:
    with ScriptedPeer({**NO_RESULT, **NO_ANSWER}[said]) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        job_id = generating(wiring, key)
        asked_again(wiring, job_id)
        began = time.time()
        row = asked_again(wiring, job_id)
    assert row.status is Status.GENERATING
    asked_at = row.due_at.timestamp() - wiring.settings.poll_interval_seconds
    assert began <= asked_at <= time.time()
    assert "job.failed" not in events(wiring, job_id)
    assert len(peer.requests) == 2


def assert_timed_out(wiring: Wiring, row: Row[Any]) -> None:
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.UPSTREAM_TIMEOUT)
    assert row.maybe_charged
    assert len(deliveries(wiring, row.id)) == 1


@pytest.mark.parametrize("said", NO_RESULT)
def test_after_the_deadline_a_word_without_a_result_ends_the_job(
    rewire: Rewire, key: NewKey, said: str
) -> None:
    with ScriptedPeer(NO_RESULT[said]) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        row = asked_again(wiring, generating(wiring, key), submitted_at=ago(31))
    assert_timed_out(wiring, row)


@pytest.mark.parametrize("said", NO_ANSWER)
def test_after_the_deadline_no_answer_ends_the_job_only_when_the_patience_ends(
    rewire: Rewire, key: NewKey, said: str
) -> None:
    give_up_seconds = 30 * GIVE_UP_AFTER_DEADLINES
    with ScriptedPeer(NO_ANSWER[said]) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        job_id = generating(wiring, key)
        row = asked_again(wiring, job_id, submitted_at=ago(give_up_seconds - 20))
        assert row.status is Status.GENERATING
        assert 0 < row.due_at.timestamp() - time.time() <= wiring.settings.poll_interval_seconds
        row = asked_again(wiring, job_id, submitted_at=ago(give_up_seconds + 1))
    assert_timed_out(wiring, row)


def test_a_paid_image_is_saved_after_an_outage_of_the_questions_across_the_deadline(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    away = rewire(flux_api_url=["http://127.0.0.1:9/v1"])
    job_id = generating(wiring, key)
    asked_again(away, job_id, submitted_at=ago(31))
    with ScriptedPeer(answer(http(200, READY_BODY))) as peer:
        back = rewire(flux_api_url=[peer.url])
        assert asked_again(back, job_id).status is Status.STORING


def test_an_unreachable_upstream_fails_no_job(rewire: Rewire, key: NewKey) -> None:
    wiring = rewire(flux_api_url=["http://127.0.0.1:9/v1"])
    job_id = generating(wiring, key)
    run(wiring.poll)
    assert job(wiring, job_id).status is Status.GENERATING


def test_the_last_question_may_still_bring_the_image(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(answer(http(200, READY_BODY))) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        job_id = generating(wiring, key, submitted_at=ago(1000))
        run(wiring.poll)
    assert job(wiring, job_id).status is Status.STORING


def test_a_webhook_that_came_while_we_asked_wins(wiring: Wiring, key: NewKey) -> None:
    job_id = generating(wiring, key, submitted_at=ago(1000))
    (question,) = wiring.poll.claim(1)
    assert question.overdue
    hear(wiring, webhook(wiring, job_id))
    before = job(wiring, job_id)
    assert before.status is Status.STORING
    said: list[Result | FluxUnavailable] = [
        InProgress("Pending"), FluxUnavailable("500"), Ended(ErrorCode.UPSTREAM_ERROR, ""), READY,
    ]  # fmt: skip
    for late in said:
        wiring.poll.record([(question, late)])
        assert job(wiring, job_id) == before


def test_a_claimed_question_is_asked_by_nobody_else_until_its_lease_ends(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = generating(wiring, key)
    assert len(wiring.poll.claim(5)) == 1
    assert wiring.poll.claim(5) == []
    lease = job(wiring, job_id).due_at.timestamp() - time.time()
    assert 0 < lease <= wiring.settings.lease_seconds
    due_now(wiring, job_id)
    assert len(wiring.poll.claim(5)) == 1


def test_only_generating_jobs_that_are_due_are_asked_about(wiring: Wiring, key: NewKey) -> None:
    not_yet = generating(wiring, key)
    put(wiring, not_yet, due_at=ago(-60))
    for status, job_id in [(status, generating(wiring, key)) for status in Status]:
        put(wiring, job_id, status=status)
    assert len(wiring.poll.claim(50)) == 1


def test_a_foreign_polling_url_is_not_asked(rewire: Rewire, key: NewKey) -> None:
    with (
        ScriptedPeer(silent) as canary,
        ScriptedPeer(answer(http(200, b'{"status": "Pending"}'))) as peer,
    ):
        wiring = rewire(flux_api_url=[peer.url])
        generating(wiring, key, polling_url=f"{canary.url}/v1/get_result?id=task-1")
        run(wiring.poll)
    assert (canary.connections, len(peer.requests)) == (0, 1)
    assert b"x-key: simulator-key" in peer.requests[0]


def test_workers_that_die_over_a_question_cost_no_job(wiring: Wiring, key: NewKey) -> None:
    asked, heard = generating(wiring, key), generating(wiring, key)
    for _ in range(MAX_DEATHS + 1):
        due_now(wiring, asked)
        due_now(wiring, heard)
        assert len(wiring.poll.claim(5)) == 2
    due_now(wiring, asked)
    (question,) = wiring.poll.claim(5)
    wiring.poll.record([(question, READY)])
    hear(wiring, webhook(wiring, heard))
    for job_id in (asked, heard):
        row = job(wiring, job_id)
        assert (row.status, row.deaths) == (Status.STORING, 0)
