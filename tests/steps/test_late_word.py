"""Upstream's word counts when it comes late, or against its own no; and it counts once."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from factories import (
    ACCEPTED,
    READY,
    Rewire,
    ago,
    attempts,
    deliveries,
    due_now,
    enqueue,
    events,
    hear,
    job,
    put,
    webhook,
)
from fakes.ringing import Ringing
from sqlalchemy import Row, literal_column, select

from service.keys import NewKey
from service.messages import Message
from service.models import Attempt
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.submit import Intent
from service.upstream import Accepted, InProgress, Refused
from service.wiring import Wiring

#: Leaves a job somewhere on its way.
Start = Callable[[Wiring, NewKey], Intent]
#: Words on a task that is not over, and one that names no address of its result.
WORDS: list[dict[str, Any]] = [
    {"status": "Pending", "progress": 0.5},
    {"status": "Ready", "result": {}},
    {"status": "A word we do not know"},
]
ENDED = {"status": "Content Moderated", "result": None}


def claimed(wiring: Wiring, key: NewKey) -> Intent:
    enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    (intent,) = wiring.submit.claim(1)
    return intent


def swept(wiring: Wiring, job_id: UUID) -> Row[Any]:
    due_now(wiring, job_id)
    wiring.sweep()
    return job(wiring, job_id)


def parked(wiring: Wiring, key: NewKey) -> Intent:
    intent = claimed(wiring, key)
    assert swept(wiring, intent.job_id).status is Status.UNCONFIRMED
    return intent


def given_up(wiring: Wiring, key: NewKey) -> Intent:
    intent = parked(wiring, key)
    assert swept(wiring, intent.job_id).error_code is ErrorCode.SUBMISSION_UNCONFIRMED
    return intent


def refused(wiring: Wiring, key: NewKey) -> Intent:
    intent = claimed(wiring, key)
    wiring.submit.record([(intent, Refused(429, "full"))])
    assert job(wiring, intent.job_id).status is Status.QUEUED
    return intent


def time_out(wiring: Wiring, job_id: UUID) -> Row[Any]:
    put(wiring, job_id, submitted_at=ago(31), due_at=ago(1))
    (question,) = wiring.poll.claim(1)
    wiring.poll.record([(question, InProgress("Pending"))])
    assert job(wiring, job_id).error_code is ErrorCode.UPSTREAM_TIMEOUT
    return job(wiring, job_id)


def timed_out(wiring: Wiring, key: NewKey) -> Intent:
    intent = claimed(wiring, key)
    wiring.submit.record([(intent, ACCEPTED)])
    time_out(wiring, intent.job_id)
    return intent


def asked_about(wiring: Wiring, job_id: UUID) -> str:
    """Return the task that the next question is about."""
    due_now(wiring, job_id)
    (question,) = wiring.poll.claim(1)
    wiring.poll.record([(question, READY)])
    assert job(wiring, job_id).status is Status.STORING
    return question.task_id


def test_a_yes_written_down_after_the_grace_brings_the_job_back(
    wiring: Wiring, key: NewKey
) -> None:
    intent = given_up(wiring, key)
    wiring.submit.record([(intent, ACCEPTED)])
    row = job(wiring, intent.job_id)
    assert (row.status, row.error_code, row.error_message) == (Status.GENERATING, None, None)
    assert (row.maybe_charged, row.completed_at) == (False, None)
    assert [one.outcome for one in attempts(wiring, row.id)] == [AttemptOutcome.ACCEPTED]
    assert asked_about(wiring, row.id) == "task-1"
    with wiring.database.transaction() as tx:
        assert wiring.moves.move(tx, row.id, Status.SUCCEEDED, "stored") is not None
    assert [one.type for one in deliveries(wiring, row.id)] == ["job.failed", "job.succeeded"]
    back = ["job.failed", "job.generating", "job.storing", "job.succeeded"]
    assert events(wiring, row.id)[-4:] == back


def test_a_yes_written_down_again_brings_no_job_back_that_has_timed_out_since(
    wiring: Wiring, key: NewKey
) -> None:
    intent = given_up(wiring, key)
    wiring.submit.record([(intent, ACCEPTED)])
    before, noted = time_out(wiring, intent.job_id), events(wiring, intent.job_id)
    wiring.submit.record([(intent, ACCEPTED)])
    assert (job(wiring, intent.job_id), events(wiring, intent.job_id)) == (before, noted)
    assert len(deliveries(wiring, intent.job_id)) == 2


@pytest.mark.parametrize("start", [claimed, parked, given_up, refused])
@pytest.mark.parametrize("word", WORDS, ids=lambda word: str(word["status"]))
def test_a_word_on_the_task_is_upstreams_yes_and_has_it_asked_about(
    wiring: Wiring, key: NewKey, ringing: Ringing, start: Start, word: dict[str, Any]
) -> None:
    job_id = start(wiring, key).job_id
    ringing.rung.clear()
    hear(wiring, webhook(wiring, job_id, **word))
    row = job(wiring, job_id)
    assert (row.status, row.error_code, row.maybe_charged) == (Status.GENERATING, None, False)
    assert row.submitted_at is not None
    assert Message.POLL in ringing.rung
    (attempt,) = attempts(wiring, job_id)
    assert (attempt.outcome, attempt.task_id) == (AttemptOutcome.ACCEPTED, "task-1")
    assert [one.job_id for one in wiring.poll.claim(1)] == [job_id]
    assert asked_about(wiring, job_id) == "task-1"


def test_the_answer_adds_what_a_word_on_the_task_did_not_say(wiring: Wiring, key: NewKey) -> None:
    intent = claimed(wiring, key)
    hear(wiring, webhook(wiring, intent.job_id, **WORDS[0]))
    told = job(wiring, intent.job_id)
    wiring.submit.record([(intent, Accepted("task-1", "https://flux.example/poll", None))])
    row = job(wiring, intent.job_id)
    assert (row.status, row.polling_url) == (Status.GENERATING, "https://flux.example/poll")
    assert (row.submitted_at, row.event_seq) == (told.submitted_at, told.event_seq)


def test_a_webhook_writes_of_its_attempt_what_nobody_has_said_before(
    wiring: Wiring, key: NewKey
) -> None:
    def written() -> str:
        with wiring.database.transaction() as tx:
            found: str = tx.scalar(select(literal_column("xmin::text")).select_from(Attempt))
        return found

    intent = claimed(wiring, key)
    job_id = intent.job_id
    hear(wiring, webhook(wiring, job_id, status="Pending", result=None))
    (overtaken,) = attempts(wiring, job_id)
    assert (overtaken.outcome, overtaken.task_id) == (AttemptOutcome.ACCEPTED, "task-1")
    wiring.submit.record([(intent, ACCEPTED)])
    before = written()
    hear(wiring, webhook(wiring, job_id))
    assert (job(wiring, job_id).status, written()) == (Status.STORING, before)
    put(wiring, job_id, status=Status.GENERATING)
    hear(wiring, webhook(wiring, job_id, cost=4))
    assert attempts(wiring, job_id)[0].cost == Decimal(4)


@pytest.mark.parametrize("start", [parked, given_up])
def test_a_word_that_does_not_name_the_task_moves_nothing(
    wiring: Wiring, key: NewKey, start: Start
) -> None:
    job_id = start(wiring, key).job_id
    before = job(wiring, job_id)
    hear(wiring, webhook(wiring, job_id, id=None, **WORDS[0]))
    assert job(wiring, job_id) == before


def test_a_word_on_the_task_after_its_time_is_over_moves_nothing(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = timed_out(wiring, key).job_id
    before = job(wiring, job_id)
    hear(wiring, webhook(wiring, job_id, **WORDS[0]))
    assert job(wiring, job_id) == before


@pytest.mark.parametrize("start", [given_up, timed_out])
def test_a_late_end_corrects_the_failure_and_tells_the_caller_once(
    wiring: Wiring, key: NewKey, start: Start
) -> None:
    job_id = start(wiring, key).job_id
    assert job(wiring, job_id).maybe_charged
    hear(wiring, webhook(wiring, job_id, **ENDED))
    row = job(wiring, job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.CONTENT_MODERATED)
    assert not row.maybe_charged
    assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.ACCEPTED
    hear(wiring, webhook(wiring, job_id, **ENDED, again=True))
    hear(wiring, webhook(wiring, job_id))
    assert job(wiring, job_id) == row
    assert events(wiring, job_id)[-2:] == ["job.failed", "job.failed"]
    first, second = deliveries(wiring, job_id)
    assert (first.type, second.type) == ("job.failed", "job.failed")
    assert '"submission_unconfirmed"' in first.body or '"upstream_timeout"' in first.body
    assert '"content_moderated"' in second.body


@pytest.mark.parametrize(
    ("word", "status"), [({}, Status.STORING), (ENDED, Status.FAILED)], ids=["ready", "ended"]
)
def test_a_result_of_what_upstream_said_it_refused_is_taken_and_it_is_not_sent_again(
    wiring: Wiring, key: NewKey, word: dict[str, Any], status: Status
) -> None:
    job_id = refused(wiring, key).job_id
    hear(wiring, webhook(wiring, job_id, **word))
    assert job(wiring, job_id).status is status
    assert [one.outcome for one in attempts(wiring, job_id)] == [AttemptOutcome.ACCEPTED]
    due_now(wiring, job_id)
    assert wiring.submit.claim(1) == []


def test_a_result_of_what_upstream_said_it_refused_is_taken_though_it_is_sent_again_already(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = refused(wiring, key).job_id
    ended, ready = webhook(wiring, job_id, **ENDED), webhook(wiring, job_id)
    due_now(wiring, job_id)
    assert len(wiring.submit.claim(1)) == 1
    before = job(wiring, job_id)
    hear(wiring, ended)
    assert job(wiring, job_id) == before
    hear(wiring, ready)
    assert job(wiring, job_id).status is Status.STORING
    outcomes = [one.outcome for one in attempts(wiring, job_id)]
    assert outcomes == [AttemptOutcome.ACCEPTED, AttemptOutcome.WRITTEN_OFF]


def test_a_job_that_is_brought_back_holds_a_slot_again(rewire: Rewire, key: NewKey) -> None:
    wiring = rewire(flux_max_active=1)
    intent = given_up(wiring, key)
    waiting = enqueue(wiring, key)
    hear(wiring, webhook(wiring, intent.job_id, **WORDS[0]))
    assert wiring.submit.claim(5) == []
    assert asked_about(wiring, intent.job_id) == "task-1"
    assert [one.job_id for one in wiring.submit.claim(5)] == [waiting]
