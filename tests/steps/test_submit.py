"""The paid call between two commits: the fence, overtaking webhooks, workers that come too late."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from factories import (
    ACCEPTED,
    READY,
    Rewire,
    attempts,
    due_now,
    enqueue,
    events,
    hear,
    job,
    run,
    webhook,
)
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.simulator import Simulator
from fakes.upstream_answers import http
from fakes.waiting import wait_until
from sqlalchemy import select, text, update

from service.errors import NotCancelable
from service.keys import NewKey
from service.models import Attempt, Gate
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.submit import Intent
from service.upstream import NotSent, Refused, SubmitOutcome, Unknown, Unusable
from service.wiring import Wiring


def test_the_intent_is_committed_before_anything_is_sent(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(10)
    assert job(wiring, job_id).status is Status.SUBMITTING
    (attempt,) = attempts(wiring, job_id)
    assert (attempt.id, attempt.number, attempt.outcome) == (intent.attempt_id, 1, None)
    assert events(wiring, job_id) == ["job.queued", "job.submitting"]
    assert wiring.submit.claim(10) == []


def test_a_worker_past_its_send_deadline_sends_nothing(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(answer(http(200, b'{"id": "t-1"}'))) as peer:
        wiring = rewire(flux_api_url=[peer.url], send_deadline_seconds=0.0)
        job_id = enqueue(wiring, key)
        (outcome,) = run(wiring.submit)
    assert isinstance(outcome, NotSent)
    assert peer.requests == []
    assert job(wiring, job_id).status is Status.QUEUED


def stopped_after_intent(wiring: Wiring, key: NewKey) -> Intent:
    """Return the intent of a worker that fell silent; its job is parked."""
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    due_now(wiring, job_id)
    wiring.sweep()
    assert job(wiring, job_id).status is Status.UNCONFIRMED
    return intent


@pytest.mark.parametrize(
    ("late", "outcome"),
    [
        (NotSent("late"), AttemptOutcome.NOT_SENT),
        (Refused(429, "late"), AttemptOutcome.REFUSED),
        (Refused(401, "late"), AttemptOutcome.REFUSED),
    ],
)
def test_a_late_but_definite_no_sends_a_parked_job_back_unpaid(
    wiring: Wiring, key: NewKey, late: SubmitOutcome, outcome: AttemptOutcome
) -> None:
    intent = stopped_after_intent(wiring, key)
    for _ in range(2):
        wiring.submit.record([(intent, late)])
    row = job(wiring, intent.job_id)
    assert (row.status, row.maybe_charged) == (Status.QUEUED, False)
    assert events(wiring, row.id)[-2:] == ["job.unconfirmed", "job.queued"]
    assert [one.outcome for one in attempts(wiring, row.id)] == [outcome]
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).values(closed_reason=None))
    due_now(wiring, row.id)
    assert [one.attempt_number for one in wiring.submit.claim(5)] == [2]


def test_a_late_word_that_nothing_will_ever_be_sent_ends_a_parked_job(
    wiring: Wiring, key: NewKey
) -> None:
    intent = stopped_after_intent(wiring, key)
    wiring.submit.record([(intent, Unusable("the picture is gone"))])
    row = job(wiring, intent.job_id)
    assert (row.error_code, row.maybe_charged) == (ErrorCode.INTERNAL, False)
    assert attempts(wiring, row.id)[0].outcome is AttemptOutcome.NOT_SENT


def test_a_lost_answer_is_no_news_of_a_parked_job(wiring: Wiring, key: NewKey) -> None:
    intent = stopped_after_intent(wiring, key)
    before = job(wiring, intent.job_id)
    wiring.submit.record([(intent, Unknown("late"))])
    assert job(wiring, intent.job_id) == before
    assert attempts(wiring, intent.job_id)[0].outcome is AttemptOutcome.UNKNOWN


def test_a_no_that_comes_after_the_job_was_given_up_changes_nothing(
    wiring: Wiring, key: NewKey
) -> None:
    intent = stopped_after_intent(wiring, key)
    due_now(wiring, intent.job_id)
    wiring.sweep()
    before = job(wiring, intent.job_id)
    assert before.error_code is ErrorCode.SUBMISSION_UNCONFIRMED
    for late in (NotSent("late"), Refused(429, "late"), Refused(422, "no"), Unusable("gone")):
        wiring.submit.record([(intent, late)])
        assert job(wiring, intent.job_id) == before
        assert attempts(wiring, intent.job_id)[0].outcome is AttemptOutcome.WRITTEN_OFF


def test_a_late_yes_moves_a_parked_job_on(wiring: Wiring, key: NewKey) -> None:
    intent = stopped_after_intent(wiring, key)
    wiring.submit.record([(intent, ACCEPTED)])
    row = job(wiring, intent.job_id)
    assert (row.status, row.task_id) == (Status.GENERATING, "task-1")
    assert attempts(wiring, intent.job_id)[0].outcome is AttemptOutcome.ACCEPTED


def test_a_late_refusal_of_the_request_ends_a_parked_job(wiring: Wiring, key: NewKey) -> None:
    intent = stopped_after_intent(wiring, key)
    wiring.submit.record([(intent, Refused(422, "no"))])
    row = job(wiring, intent.job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.UPSTREAM_REJECTED)


def test_the_record_of_an_earlier_attempt_changes_nothing(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    (first,) = wiring.submit.claim(1)
    wiring.submit.record([(first, NotSent("no route"))])
    due_now(wiring, job_id)
    (second,) = wiring.submit.claim(1)
    assert second.attempt_number == 2
    before, noted = job(wiring, job_id), events(wiring, job_id)
    for stale in (NotSent("late"), Unknown("late"), Refused(422, "late"), Refused(429, "late")):
        wiring.submit.record([(first, stale)])
        assert job(wiring, job_id) == before
        assert events(wiring, job_id) == noted
        assert [one.outcome for one in attempts(wiring, job_id)] == ["not_sent", None]


def test_recording_twice_changes_nothing_the_second_time(wiring: Wiring, key: NewKey) -> None:
    outcomes: list[SubmitOutcome] = [
        ACCEPTED, NotSent("no route"), Unknown("reset"), Refused(422, "no"), Refused(429, "full"),
    ]  # fmt: skip
    for _ in outcomes:
        enqueue(wiring, key)
    ended = list(zip(wiring.submit.claim(10), outcomes, strict=True))
    wiring.submit.record(ended)
    before = [(job(wiring, one.job_id), events(wiring, one.job_id)) for one, _ in ended]
    wiring.submit.record(ended)
    assert [(job(wiring, one.job_id), events(wiring, one.job_id)) for one, _ in ended] == before


def test_a_webhook_that_overtakes_the_answer_keeps_its_state_and_gains_the_answers_facts(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    hear(wiring, webhook(wiring, job_id, id=None))
    assert job(wiring, job_id).status is Status.STORING
    wiring.submit.record([(intent, ACCEPTED)])
    row = job(wiring, job_id)
    assert (row.status, row.task_id, row.result_url) == (Status.STORING, "task-1", READY.url)
    assert row.submitted_at is not None
    assert events(wiring, job_id) == ["job.queued", "job.submitting", "job.storing"]


def test_a_lost_answer_after_the_webhook_changes_nothing(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    hear(wiring, webhook(wiring, job_id))
    before = job(wiring, job_id)
    wiring.submit.record([(intent, Unknown("reset"))])
    assert job(wiring, job_id) == before
    assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.ACCEPTED


def test_the_simulators_webhook_overtakes_the_answer(
    reachable: Wiring, key: NewKey, simulator: Simulator
) -> None:
    simulator.set_fault("webhook_first")
    job_ids = [enqueue(reachable, key) for _ in range(3)]
    for _ in job_ids:
        run(reachable.submit, 1)
    for job_id in job_ids:
        row = job(reachable, job_id)
        assert row.status is Status.STORING
        assert None not in (row.task_id, row.cost_actual, row.submitted_at)
        assert "job.generating" not in events(reachable, job_id)
        assert len(attempts(reachable, job_id)) == 1


def test_who_records_an_answer_takes_the_job_before_its_attempt(
    wiring: Wiring, key: NewKey
) -> None:
    """As a webhook does: else the two could each hold what the other waits for."""
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    mine = select(Attempt.id).where(Attempt.job_id == job_id).with_for_update(nowait=True)
    with ThreadPoolExecutor(1) as pool:
        with wiring.database.transaction() as tx:
            assert wiring.moves.move(tx, job_id, Status.STORING, "a webhook") is not None
            recorded = pool.submit(wiring.submit.record, [(intent, ACCEPTED)])
            wait_until(lambda: tx.scalar(waits), (1).__le__)
            assert len(tx.rows(mine)) == 1
        recorded.result(10)
    assert job(wiring, job_id).status is Status.STORING


def test_the_answer_and_the_webhook_at_the_same_moment_do_not_wait_for_each_other(
    wiring: Wiring, key: NewKey
) -> None:
    jobs = [enqueue(wiring, key) for _ in range(20)]
    intents = {intent.job_id: intent for intent in wiring.submit.claim(20)}
    calls = [webhook(wiring, job_id) for job_id in jobs]
    with ThreadPoolExecutor(8) as pool:
        heard = [pool.submit(hear, wiring, call) for call in calls]
        recorded = [
            pool.submit(wiring.submit.record, [(intents[job_id], ACCEPTED)]) for job_id in jobs
        ]
        # of a circle PostgreSQL ends one with an error: here, or as a webhook left on the disk
        for one in (*heard, *recorded):
            one.result()
    assert {job(wiring, job_id).status for job_id in jobs} == {Status.STORING}
    assert all(job(wiring, job_id).submitted_at for job_id in jobs)
    assert list(Path(wiring.settings.spool_dir).rglob("*.webhook")) == []


def test_a_withdrawal_and_a_submission_at_once_end_in_one_or_the_other(
    rewire: Rewire, key: NewKey
) -> None:
    with ScriptedPeer(answer(http(200, b'{"id": "t-1"}'))) as peer:
        wiring = rewire(flux_api_url=[peer.url], flux_max_active=1000)
        job_ids = [enqueue(wiring, key) for _ in range(100)]
        project_id = job(wiring, job_ids[0]).project_id
        refused: list[UUID] = []
        start = threading.Barrier(3)

        def withdraw(mine: list[UUID]) -> None:
            start.wait()
            for job_id in mine:
                try:
                    wiring.enqueue.cancel(project_id, job_id)
                except NotCancelable:
                    refused.append(job_id)

        def submit() -> None:
            start.wait()
            wait_until(lambda: run(wiring.submit, 3), lambda batch: batch == [])

        with ThreadPoolExecutor(3) as pool:
            done = [
                pool.submit(withdraw, job_ids[::2]),
                pool.submit(withdraw, job_ids[1::2]),
                pool.submit(submit),
            ]
            for one in done:
                one.result()
        run(wiring.submit, 100)
    ended = {job_id: job(wiring, job_id).status for job_id in job_ids}
    assert set(ended.values()) == {Status.CANCELED, Status.GENERATING}
    assert {one for one, status in ended.items() if status is Status.GENERATING} == set(refused)
    assert len(peer.requests) == len(refused)
    assert all(
        attempts(wiring, one) == [] for one, status in ended.items() if status is Status.CANCELED
    )
