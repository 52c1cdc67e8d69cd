"""Reconcile lists every payment that was made twice, made for nothing, or perhaps made."""

from uuid import UUID

import pytest
from cli.command_line import CommandLine
from cli.working import finish, job_name
from factories import (
    ACCEPTED,
    ago,
    due_now,
    enqueue,
    hear,
    job,
    put,
    run,
    webhook,
)
from fakes.simulator import Simulator
from sqlalchemy import delete, update

from service.keys import NewKey
from service.metrics import registry
from service.models import Attempt
from service.settings import OnUnconfirmed
from service.states import ErrorCode, Status
from service.steps.reconcile import Doubt, Kind
from service.upstream import Refused, Unknown
from service.wiring import Wiring

#: What a picture of the factories' size costs, by the simulator and by the price list.
PRICE = 3


def doubts(wiring: Wiring, seconds_ago: float = 600) -> list[Doubt]:
    return list(wiring.reconcile.doubts(ago(seconds_ago)))


def kinds(wiring: Wiring) -> dict[UUID | None, Kind]:
    return {doubt.job_id: doubt.kind for doubt in doubts(wiring)}


def test_what_ended_well_or_was_never_paid_is_in_no_doubt(wiring: Wiring, key: NewKey) -> None:
    job_ids = [enqueue(wiring, key) for _ in range(3)]
    intents = wiring.submit.claim(3)
    outcomes = (ACCEPTED, Refused(422, "no"), Unknown("reset"))
    wiring.submit.record(list(zip(intents, outcomes, strict=True)))
    hear(wiring, webhook(wiring, intents[2].job_id, status="Content Moderated", result=None))
    assert {job(wiring, job_id).status for job_id in job_ids} == {
        Status.GENERATING,
        Status.FAILED,
    }
    finish(wiring, enqueue(wiring, key))
    assert doubts(wiring) == []


def test_every_case_of_a_lost_answer_and_lost_webhooks_is_listed(
    wiring: Wiring, key: NewKey, simulator: Simulator, environment: dict[str, str]
) -> None:
    operator = CommandLine(environment, key.api_key)
    operator("reconcile")
    taken, not_taken = (
        enqueue(wiring, key, input={"prompt": str(n), "width": 256, "height": 256})
        for n in range(2)
    )
    simulator.set_fault("accept_then_reset", match={"prompt_contains": "0"})
    simulator.set_fault("refuse", args={"status": 500}, match={"prompt_contains": "1"})
    run(wiring.submit)
    for job_id in (taken, not_taken):
        due_now(wiring, job_id)
    wiring.sweep()
    assert kinds(wiring) == {taken: Kind.MAYBE_CHARGED, not_taken: Kind.MAYBE_CHARGED}

    done = operator("reconcile", "--json")
    assert done.code == 1
    (account,) = done.json["accounts"]
    assert (account["surplus"], account["alarm"]) == (str(PRICE), True)
    assert {doubt["job"] for doubt in done.json["doubts"]} == {job_name(taken), job_name(not_taken)}
    shown = operator("reconcile")
    assert shown.code == 1
    assert "ALARM" in shown.out
    assert shown.out.count("maybe_charged") == 2
    assert shown.out.endswith("2 doubtful payments\n")


def test_a_job_that_was_sent_again_is_listed_and_so_is_its_double_payment(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key, metadata={})
    put(wiring, job_id, on_unconfirmed=OnUnconfirmed.RESUBMIT)
    (first,) = wiring.submit.claim(1)
    wiring.submit.record([(first, Unknown("reset"))])
    late = webhook(wiring, job_id, id="task-of-the-first")
    due_now(wiring, job_id)
    wiring.sweep()
    assert job(wiring, job_id).status is Status.QUEUED
    assert kinds(wiring) == {job_id: Kind.WRITTEN_OFF}

    due_now(wiring, job_id)
    (second,) = wiring.submit.claim(1)
    wiring.submit.record([(second, ACCEPTED)])
    assert kinds(wiring) == {job_id: Kind.WRITTEN_OFF}
    hear(wiring, webhook(wiring, job_id))
    hear(wiring, late)
    (doubt,) = doubts(wiring)
    assert (doubt.kind, doubt.task_id) == (Kind.DUPLICATE_CHARGE, "task-of-the-first")
    assert doubt.attempt_number == 1
    assert doubt.credits == PRICE


def test_what_is_paid_and_has_no_picture_is_listed(wiring: Wiring, key: NewKey) -> None:
    codes = (ErrorCode.RESULT_EXPIRED, ErrorCode.INTERNAL, ErrorCode.UPSTREAM_TIMEOUT)
    for code in (*codes, ErrorCode.CONTENT_MODERATED):
        job_id = enqueue(wiring, key)
        (intent,) = wiring.submit.claim(1)
        wiring.submit.record([(intent, ACCEPTED)])
        put(wiring, job_id, status=Status.FAILED, error_code=code, error_message=code.value)
    found = doubts(wiring)
    assert [doubt.reason for doubt in found] == list(codes)
    assert {doubt.kind for doubt in found} == {Kind.NO_PICTURE}


def test_a_webhook_of_an_attempt_that_we_have_lost_is_listed_once(
    wiring: Wiring, key: NewKey
) -> None:
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    sent = [webhook(wiring, intent.job_id, status=status) for status in ("Pending", "Ready")]
    with wiring.database.transaction() as tx:
        tx.execute(delete(Attempt))
    for one in sent:
        hear(wiring, one)
    (doubt,) = doubts(wiring)
    assert (doubt.kind, doubt.attempt_id) == (Kind.UNMATCHED_WEBHOOK, intent.attempt_id)


def test_what_was_sent_before_the_time_that_is_asked_about_is_not_listed(
    wiring: Wiring, key: NewKey
) -> None:
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, Unknown("reset"))])
    due_now(wiring, intent.job_id)
    wiring.sweep()
    with wiring.database.transaction() as tx:
        tx.execute(update(Attempt).values(intent_at=ago(300)))
    assert len(doubts(wiring, seconds_ago=400)) == 1
    assert doubts(wiring, seconds_ago=200) == []


def test_more_doubts_than_a_page_are_all_listed_and_counted(
    wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.steps.reconcile.doubts.PAGE_ROWS", 2)
    before = registry().get_sample_value("darkroom_maybe_charged_total") or 0
    for _ in range(5):
        enqueue(wiring, key)
    intents = wiring.submit.claim(5)
    wiring.submit.record([(intent, Unknown("reset")) for intent in intents])
    for intent in intents:
        due_now(wiring, intent.job_id)
    wiring.sweep()
    assert set(kinds(wiring)) == {intent.job_id for intent in intents}
    assert registry().get_sample_value("darkroom_maybe_charged_total") == before + 5


def test_a_moment_that_is_none_is_told(environment: dict[str, str], key: NewKey) -> None:
    operator = CommandLine(environment, key.api_key)
    assert operator("reconcile", "--since", "yesterday").code == 2
    done = operator("reconcile", "--since", "2026-01-01")
    assert (done.code, done.out.splitlines()) == (
        0,
        ["simulator: nothing to compare, two balances are needed", "0 doubtful payments"],
    )
