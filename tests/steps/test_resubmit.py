"""Sent once more where the caller wants that: the first result wins, what else came is kept."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest
from factories import (
    ago,
    attempts,
    due_now,
    enqueue,
    events,
    hear,
    job,
    project_id,
    put,
    webhook,
)
from prometheus_client import REGISTRY

from service.errors import NotCancelable
from service.keys import NewKey
from service.settings import OnUnconfirmed
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.submit import Intent
from service.upstream import Accepted, NotSent, Refused, Unknown
from service.wiring import Wiring

SECOND = Accepted("task-2", "https://flux.example/poll/2", Decimal(3))
URL = "http://127.0.0.1:9/first.jpeg"
FIRST = {"id": "task-1", "status": "Ready", "result": {"sample": URL}, "cost": 5}

#: Brings a job to where its second attempt stands, and returns that one's intent if it has begun.
Way = Callable[[Wiring, UUID], Intent | None]


def claimed(wiring: Wiring, job_id: UUID) -> Intent:
    due_now(wiring, job_id)
    (intent,) = wiring.submit.claim(1)
    assert intent.job_id == job_id
    return intent


def given_up(wiring: Wiring, job_id: UUID) -> None:
    """Let nobody ever say what became of the attempt that is under way."""
    for _ in range(2):
        due_now(wiring, job_id)
        wiring.sweep()


def written_off(wiring: Wiring, key: NewKey) -> Intent:
    """Return the first attempt of a job that waits to be sent once more."""
    job_id = enqueue(wiring, key, on_unconfirmed=OnUnconfirmed.RESUBMIT)
    intent = claimed(wiring, job_id)
    given_up(wiring, job_id)
    assert job(wiring, job_id).status is Status.QUEUED
    return intent


def duplicates() -> float:
    return REGISTRY.get_sample_value("darkroom_duplicate_charges_total") or 0.0


def test_what_nobody_confirms_is_sent_once_more_and_then_fails(wiring: Wiring, key: NewKey) -> None:
    job_id = written_off(wiring, key).job_id
    assert [one.outcome for one in attempts(wiring, job_id)] == [AttemptOutcome.WRITTEN_OFF]
    assert job(wiring, job_id).maybe_charged
    assert claimed(wiring, job_id).attempt_number == 2
    given_up(wiring, job_id)
    row = job(wiring, job_id)
    assert (row.error_code, row.maybe_charged) == (ErrorCode.SUBMISSION_UNCONFIRMED, True)
    outcomes = [one.outcome for one in attempts(wiring, job_id)]
    assert outcomes == [AttemptOutcome.WRITTEN_OFF, AttemptOutcome.WRITTEN_OFF]
    once = ["job.queued", "job.submitting", "job.unconfirmed"]
    assert events(wiring, job_id) == [*once, *once, "job.failed"]
    given_up(wiring, job_id)
    assert wiring.submit.claim(5) == []


def test_a_definite_no_does_not_use_up_the_second_submission(wiring: Wiring, key: NewKey) -> None:
    job_id = written_off(wiring, key).job_id
    for outcome in (NotSent("no route"), Refused(429, "full")):
        wiring.submit.record([(claimed(wiring, job_id), outcome)])
        assert job(wiring, job_id).status is Status.QUEUED
    claimed(wiring, job_id)
    given_up(wiring, job_id)
    assert job(wiring, job_id).error_code is ErrorCode.SUBMISSION_UNCONFIRMED


def test_what_may_have_been_charged_is_not_withdrawn(wiring: Wiring, key: NewKey) -> None:
    job_id = written_off(wiring, key).job_id
    with pytest.raises(NotCancelable, match="may have been charged"):
        wiring.enqueue.cancel(project_id(wiring, key), job_id)
    assert job(wiring, job_id).status is Status.QUEUED


def queued(_wiring: Wiring, _job_id: UUID) -> None:
    return None


def not_sent(wiring: Wiring, job_id: UUID) -> None:
    wiring.submit.record([(claimed(wiring, job_id), NotSent("no route"))])


def submitting(wiring: Wiring, job_id: UUID) -> Intent:
    return claimed(wiring, job_id)


def generating(wiring: Wiring, job_id: UUID) -> Intent:
    intent = claimed(wiring, job_id)
    wiring.submit.record([(intent, SECOND)])
    return intent


def unconfirmed(wiring: Wiring, job_id: UUID) -> Intent:
    intent = claimed(wiring, job_id)
    wiring.submit.record([(intent, Unknown("reset"))])
    return intent


def lost_twice(wiring: Wiring, job_id: UUID) -> Intent:
    intent = claimed(wiring, job_id)
    given_up(wiring, job_id)
    assert job(wiring, job_id).error_code is ErrorCode.SUBMISSION_UNCONFIRMED
    return intent


def rejected(wiring: Wiring, job_id: UUID) -> Intent:
    intent = claimed(wiring, job_id)
    wiring.submit.record([(intent, Refused(422, "no"))])
    assert job(wiring, job_id).maybe_charged
    return intent


def moderated(wiring: Wiring, job_id: UUID) -> Intent:
    intent = generating(wiring, job_id)
    hear(wiring, webhook(wiring, job_id, id="task-2", status="Content Moderated"))
    assert job(wiring, job_id).error_code is ErrorCode.CONTENT_MODERATED
    return intent


def expired(wiring: Wiring, job_id: UUID) -> None:
    put(wiring, job_id, expires_at=ago(1))
    wiring.sweep()
    row = job(wiring, job_id)
    assert (row.error_code, row.maybe_charged) == (ErrorCode.EXPIRED, True)


WAYS: list[Way] = [
    queued, not_sent, submitting, generating, unconfirmed, lost_twice, rejected, moderated, expired,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_result_of_the_first_attempt_wins_wherever_the_second_stands(
    wiring: Wiring, key: NewKey, way: Way
) -> None:
    job_id = written_off(wiring, key).job_id
    ready = webhook(wiring, job_id, **FIRST)
    second = way(wiring, job_id)
    hear(wiring, ready)
    row = job(wiring, job_id)
    assert (row.status, row.attempt_count, row.polling_url) == (Status.STORING, 1, None)
    assert (row.result_url, row.task_id, row.cost_actual) == (URL, "task-1", Decimal(5))
    first, *others = attempts(wiring, job_id)
    assert (first.outcome, first.task_id) == (AttemptOutcome.ACCEPTED, "task-1")
    # nobody asks what became of the other one; while it may be paid, the caller is told so
    is_unpaid = [one.outcome in {AttemptOutcome.NOT_SENT, AttemptOutcome.REFUSED} for one in others]
    assert row.maybe_charged is not all(is_unpaid)
    if second is not None:
        before = job(wiring, job_id)
        wiring.submit.record([(second, Unknown("late"))])
        assert job(wiring, job_id) == before


@pytest.mark.parametrize("way", [submitting, unconfirmed, lost_twice])
def test_a_second_yes_is_kept_and_counted_and_changes_nothing(
    wiring: Wiring, key: NewKey, way: Way
) -> None:
    job_id = written_off(wiring, key).job_id
    ready = webhook(wiring, job_id, **FIRST)
    second = way(wiring, job_id)
    assert second is not None
    hear(wiring, ready)
    before, charged = job(wiring, job_id), duplicates()
    result = webhook(wiring, job_id, id="task-2", cost=3)
    for _ in range(2):
        wiring.submit.record([(second, SECOND)])
    hear(wiring, result)
    assert job(wiring, job_id) == before
    _, attempt = attempts(wiring, job_id)
    assert (attempt.outcome, attempt.task_id) == (AttemptOutcome.WRITTEN_OFF, "task-2")
    assert attempt.cost == Decimal(3)
    assert duplicates() == charged + 1


def test_of_two_results_the_first_wins_when_it_is_the_seconds(wiring: Wiring, key: NewKey) -> None:
    job_id = written_off(wiring, key).job_id
    late = webhook(wiring, job_id, **FIRST)
    generating(wiring, job_id)
    hear(wiring, webhook(wiring, job_id, id="task-2"))
    before, charged = job(wiring, job_id), duplicates()
    assert (before.status, before.task_id) == (Status.STORING, "task-2")
    hear(wiring, late)
    assert job(wiring, job_id) == before
    first, second = attempts(wiring, job_id)
    assert (first.outcome, first.task_id) == (AttemptOutcome.WRITTEN_OFF, "task-1")
    assert second.outcome is AttemptOutcome.ACCEPTED
    assert duplicates() == charged + 1


@pytest.mark.parametrize("way", [queued, submitting, unconfirmed, lost_twice, expired])
@pytest.mark.parametrize("by", ["webhook", "answer"])
def test_a_late_yes_to_the_first_attempt_has_its_task_asked_about(
    wiring: Wiring, key: NewKey, way: Way, by: str
) -> None:
    first = written_off(wiring, key)
    progress = webhook(wiring, first.job_id, status="Pending", result=None)
    way(wiring, first.job_id)
    if by == "webhook":
        hear(wiring, progress)
    else:
        wiring.submit.record([(first, Accepted("task-1", None, None))])
    due_now(wiring, first.job_id)
    (question,) = wiring.poll.claim(1)
    assert (question.task_id, question.attempt_number) == ("task-1", 1)


def test_an_end_of_the_first_attempt_leaves_the_second_its_chance(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = written_off(wiring, key).job_id
    ended = webhook(wiring, job_id, status="Error", result=None)
    generating(wiring, job_id)
    before = job(wiring, job_id)
    hear(wiring, ended)
    assert job(wiring, job_id) == before
    assert attempts(wiring, job_id)[0].task_id == "task-1"


def test_a_result_that_comes_before_the_second_submission_makes_it_needless(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = written_off(wiring, key).job_id
    charged = duplicates()
    hear(wiring, webhook(wiring, job_id, **FIRST))
    row = job(wiring, job_id)
    assert (row.status, row.maybe_charged) == (Status.STORING, False)
    assert wiring.submit.claim(5) == []
    assert duplicates() == charged
