"""The one place that changes a status: from the right states only, with its event and callback."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import deliveries, enqueue, events, job, put, webhook
from factories import hear as hear_webhook
from fakes.ringing import Ringing
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from service.keys import NewKey
from service.messages import Message
from service.models import HeardBy, JobEvent, jobs
from service.states import (
    ENTERED_FROM,
    FAILED_FROM,
    MAYBE_CHARGED,
    PROMOTABLE,
    TERMINAL,
    ErrorCode,
    Status,
)
from service.upstream import Ended, InProgress, Ready
from service.wiring import Wiring

CALLBACK = "http://127.0.0.1:9/hook"
RESULT = Ready("http://127.0.0.1:9/1.png", None, {"seed": 1}, "task-1")


def in_state(wiring: Wiring, key: NewKey, status: Status, **columns: Any) -> UUID:  # noqa: ANN401
    """Put a job into a state whatever the moves say; its attempt is the first."""
    job_id = enqueue(wiring, key, callback_url=CALLBACK)
    put(wiring, job_id, status=status, **columns)
    return job_id


def move(wiring: Wiring, job_id: UUID, to: Status, **more: Any) -> bool:  # noqa: ANN401
    with wiring.database.transaction() as tx:
        return wiring.moves.move(tx, job_id, to, "for a test", **more) is not None


def sequence(wiring: Wiring, job_id: UUID) -> list[int]:
    with wiring.database.transaction() as tx:
        rows = tx.rows(select(JobEvent.seq).where(JobEvent.job_id == job_id).order_by(JobEvent.seq))
    return [row.seq for row in rows]


def test_a_state_is_entered_only_from_those_the_table_names(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    for to in Status:
        for source in Status:
            put(wiring, job_id, status=source, error_code=None)
            count = len(events(wiring, job_id))
            allowed = source in ENTERED_FROM[to] and source is not Status.FAILED
            assert move(wiring, job_id, to) is allowed, (source, to)
            assert job(wiring, job_id).status is (to if allowed else source)
            assert len(events(wiring, job_id)) == count + allowed


def test_only_the_failures_that_may_be_wrong_are_promoted(wiring: Wiring, key: NewKey) -> None:
    for code in ErrorCode:
        for to in Status:
            job_id = in_state(wiring, key, Status.FAILED, error_code=code)
            is_promotable = code in PROMOTABLE.get(to, ())
            assert move(wiring, job_id, to) is is_promotable, (code, to)


def test_of_many_movers_at_once_one_wins(wiring: Wiring, key: NewKey) -> None:
    for _ in range(5):
        job_id = in_state(wiring, key, Status.QUEUED)
        targets = [Status.CANCELED, Status.SUBMITTING, Status.FAILED, Status.CANCELED] * 2
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda to, one=job_id: move(wiring, one, to), targets))
        first = job(wiring, job_id).event_seq
        # submitting may be followed by failed, which it allows
        assert sum(won) == first - 1
        assert won.count(True) <= 2
        assert sequence(wiring, job_id) == list(range(1, first + 1))
        assert sum(row.type == "job.canceled" for row in deliveries(wiring, job_id)) <= 1


def test_a_move_for_another_attempt_does_nothing(wiring: Wiring, key: NewKey) -> None:
    job_id = in_state(wiring, key, Status.SUBMITTING, attempt_count=2)
    assert not move(wiring, job_id, Status.GENERATING, attempt_number=1)
    assert not move(wiring, job_id, Status.GENERATING, attempt_number=3)
    assert move(wiring, job_id, Status.GENERATING, attempt_number=2)


def test_a_timeline_has_no_gaps(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    for to in (Status.SUBMITTING, Status.QUEUED) * 10:
        assert move(wiring, job_id, to)
        assert not move(wiring, job_id, Status.SUCCEEDED)
    assert sequence(wiring, job_id) == list(range(1, 22))
    assert job(wiring, job_id).event_seq == 21


def test_the_database_takes_no_second_event_of_one_number(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    with wiring.database.transaction() as tx:
        tx.execute(update(jobs).where(jobs.c.id == job_id).values(event_seq=0))
    with pytest.raises(IntegrityError):
        move(wiring, job_id, Status.SUBMITTING)


@pytest.mark.parametrize("to", sorted(TERMINAL))
def test_a_terminal_state_owes_its_callback_in_the_same_transaction(
    wiring: Wiring, key: NewKey, ringing: Ringing, to: Status
) -> None:
    job_id = in_state(wiring, key, min(ENTERED_FROM[to] - TERMINAL))
    with contextlib.suppress(ZeroDivisionError), wiring.database.transaction() as tx:
        assert wiring.moves.move(tx, job_id, to, "for a test") is not None
        raise ZeroDivisionError
    assert deliveries(wiring, job_id) == []
    assert job(wiring, job_id).completed_at is None
    assert Message.DELIVER not in ringing.rung

    assert move(wiring, job_id, to)
    (owed,) = deliveries(wiring, job_id)
    body = json.loads(owed.body)
    assert (owed.type, owed.url, owed.status) == (f"job.{to}", CALLBACK, "pending")
    assert (body["type"], body["sequence"]) == (f"job.{to}", owed.seq)
    assert body["data"]["status"] == to
    assert job(wiring, job_id).completed_at is not None
    assert Message.DELIVER in ringing.rung


def test_only_events_that_were_asked_for_are_called_back(wiring: Wiring, key: NewKey) -> None:
    chosen = enqueue(
        wiring, key, callback_url=CALLBACK, callback_events=["job.submitting", "job.storing"]
    )
    silent = enqueue(wiring, key)
    for job_id in (chosen, silent):
        for to in (Status.SUBMITTING, Status.GENERATING, Status.STORING, Status.FAILED):
            assert move(wiring, job_id, to)
    assert [one.type for one in deliveries(wiring, chosen)] == ["job.submitting", "job.storing"]
    assert deliveries(wiring, silent) == []


def failed_with(wiring: Wiring, key: NewKey, code: ErrorCode) -> UUID:
    job_id = enqueue(wiring, key, callback_url=CALLBACK)
    wiring.submit.claim(1)
    put(wiring, job_id, status=min(FAILED_FROM[code] - TERMINAL))
    assert fail(wiring, job_id, code)
    return job_id


def fail(wiring: Wiring, job_id: UUID, code: ErrorCode) -> bool:
    with wiring.database.transaction() as tx:
        return wiring.moves.fail(tx, job_id, code, "gone") is not None


def test_a_failure_is_entered_only_from_the_states_it_is_of(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    for code in ErrorCode:
        for source in Status:
            # a failure that may be taken back, where it fails a second time
            put(wiring, job_id, status=source, error_code=ErrorCode.UPSTREAM_TIMEOUT)
            assert fail(wiring, job_id, code) is (source in FAILED_FROM[code]), (source, code)


@pytest.mark.parametrize("code", sorted(MAYBE_CHARGED))
def test_a_late_result_promotes_with_a_second_event_and_a_second_callback(
    wiring: Wiring, key: NewKey, ringing: Ringing, code: ErrorCode
) -> None:
    job_id = failed_with(wiring, key, code)
    failed = job(wiring, job_id)
    assert (failed.maybe_charged, failed.error_code) == (True, code)

    hear_webhook(wiring, webhook(wiring, job_id))
    row = job(wiring, job_id)
    assert (row.status, row.error_code, row.error_message) == (Status.STORING, None, None)
    assert (row.maybe_charged, row.completed_at) == (False, None)
    assert Message.STORE in ringing.rung
    assert move(wiring, job_id, Status.SUCCEEDED)
    assert [one.type for one in deliveries(wiring, job_id)] == ["job.failed", "job.succeeded"]
    assert events(wiring, job_id)[-3:] == ["job.failed", "job.storing", "job.succeeded"]


def test_other_failures_are_final(wiring: Wiring, key: NewKey) -> None:
    for code in set(ErrorCode) - PROMOTABLE[Status.STORING]:
        job_id = failed_with(wiring, key, code)
        before = job(wiring, job_id)
        assert not before.maybe_charged
        hear_webhook(wiring, webhook(wiring, job_id))
        assert job(wiring, job_id) == before


def take(wiring: Wiring, job_id: UUID, said: Ready | Ended | InProgress, attempt: int = 1) -> bool:
    with wiring.database.transaction() as tx:
        return wiring.moves.take_result(tx, job_id, attempt, said, HeardBy.POLL)


def test_a_result_is_taken_once_and_frees_the_slot(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    job_id = enqueue(wiring, key)
    wiring.submit.claim(1)
    assert not take(wiring, job_id, InProgress("Pending"))
    assert not take(wiring, job_id, RESULT, attempt=2)
    ringing.rung.clear()
    assert take(wiring, job_id, RESULT)
    assert set(ringing.rung) == {Message.STORE}
    ringing.rung.clear()
    assert wiring.store.claim(1)
    # nobody waits for it
    assert not ringing.rung
    before = job(wiring, job_id)
    assert not take(wiring, job_id, RESULT)
    assert not take(wiring, job_id, Ended(ErrorCode.UPSTREAM_ERROR, "too late"))
    assert job(wiring, job_id) == before


def test_who_stores_wakes_submit_for_who_waits_for_the_slot(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    job_id = enqueue(wiring, key)
    wiring.submit.claim(1)
    assert take(wiring, job_id, RESULT)
    enqueue(wiring, key)
    ringing.rung.clear()
    assert wiring.store.claim(1)
    assert set(ringing.rung) == {Message.SUBMIT}


def test_a_result_says_how_it_was_heard(wiring: Wiring, key: NewKey) -> None:
    polled, called = enqueue(wiring, key), enqueue(wiring, key)
    wiring.submit.claim(2)
    assert take(wiring, polled, RESULT)
    hear_webhook(wiring, webhook(wiring, called))
    assert job(wiring, polled).heard_by is HeardBy.POLL
    assert job(wiring, called).heard_by is HeardBy.WEBHOOK


def test_a_move_takes_back_the_deaths_of_the_state_before(wiring: Wiring, key: NewKey) -> None:
    job_id = in_state(wiring, key, Status.STORING, deaths=2)
    assert move(wiring, job_id, Status.SUCCEEDED)
    assert job(wiring, job_id).deaths == 0


def test_an_end_without_an_image_names_the_task(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    wiring.submit.claim(1)
    assert take(wiring, job_id, Ended(ErrorCode.CONTENT_MODERATED, "no", "task-9", {"why": ["x"]}))
    row = job(wiring, job_id)
    assert (row.error_code, row.task_id) == (ErrorCode.CONTENT_MODERATED, "task-9")


def test_a_url_is_not_believed_to_live_for_ever(wiring: Wiring, key: NewKey) -> None:
    now = datetime.now(UTC)
    for said, least, most in (
        (None, 590, 610),
        (now + timedelta(seconds=60), 50, 61),
        (now - timedelta(days=1), -90_000, -86_000),
        (datetime(9999, 12, 31, tzinfo=UTC), 86_000, 86_410),
    ):
        job_id = enqueue(wiring, key)
        wiring.submit.claim(1)
        assert take(wiring, job_id, Ready(RESULT.url, said, {}))
        dies_at = job(wiring, job_id).result_expires_at
        assert least < (dies_at - now).total_seconds() < most
