"""Rhythm: questions begin when webhooks have usually come, and hurry while none comes."""

import time
from datetime import timedelta
from uuid import UUID

import pytest
from factories import ACCEPTED, READY, Rewire, ago, enqueue, hear, job, put, run, webhook
from sqlalchemy import update

from service.keys import NewKey
from service.models import HeardBy, jobs
from service.rhythm import EVIDENCE, MARGIN_SECONDS, POLL_ONLY_SECONDS
from service.upstream import InProgress
from service.wiring import Wiring

MODEL = "flux-2-pro"
OTHER = "flux-2-max"
FIRST, FURTHER = 15.0, 30.0
QUICK = POLL_ONLY_SECONDS


@pytest.fixture
def slow(rewire: Rewire) -> Wiring:
    """A wiring with the product's own times between questions."""
    return rewire(poll_after_seconds=FIRST, poll_interval_seconds=FURTHER)


def heard(wiring: Wiring, key: NewKey, by: HeardBy, took: float = 5, model: str = MODEL) -> UUID:
    """Return a job whose result came so many seconds after its submission."""
    job_id = enqueue(wiring, key, model=model)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    if by is HeardBy.WEBHOOK:
        hear(wiring, webhook(wiring, job_id))
    else:
        put(wiring, job_id, due_at=ago(1))
        (question,) = wiring.poll.claim(1)
        wiring.poll.record([(question, READY)])
    row = job(wiring, job_id)
    assert row.heard_by is by
    put(wiring, job_id, submitted_at=row.generated_at - timedelta(seconds=took))
    return job_id


def times(wiring: Wiring, model: str = MODEL) -> tuple[float, float]:
    wiring.rhythm.learn()
    first = wiring.rhythm.poll_after_seconds("simulator", model)
    return first, wiring.rhythm.interval_seconds("simulator", model)


def test_while_nothing_is_known_the_settings_hold(slow: Wiring, key: NewKey) -> None:
    assert times(slow) == (FIRST, FURTHER)
    for by in HeardBy:
        heard(slow, key, by)
    assert times(slow) == (FIRST, FURTHER)


def test_the_first_question_comes_when_nine_of_ten_webhooks_have_come(
    slow: Wiring, key: NewKey
) -> None:
    for took in (3, 3, 3, 4, 4, 4, 4, 4, 6, 300):
        heard(slow, key, HeardBy.WEBHOOK, took)
    heard(slow, key, HeardBy.POLL, 45)
    first, further = times(slow)
    assert first == pytest.approx(6 + MARGIN_SECONDS)
    assert further == FURTHER
    assert times(slow, OTHER) == (FIRST, FURTHER)


def test_a_slow_model_is_asked_about_no_later_than_the_second_question_would_come(
    slow: Wiring, key: NewKey
) -> None:
    for model, took in ((MODEL, 20), (OTHER, 200)):
        for _ in range(EVIDENCE):
            heard(slow, key, HeardBy.WEBHOOK, took, model)
    assert times(slow)[0] == pytest.approx(20 + MARGIN_SECONDS)
    # lost, a webhook delays the picture by less than a minute whatever the model
    assert times(slow, OTHER)[0] == FIRST + FURTHER <= 60


def test_a_job_is_asked_about_when_its_webhook_has_usually_come(slow: Wiring, key: NewKey) -> None:
    for _ in range(EVIDENCE):
        heard(slow, key, HeardBy.WEBHOOK, took=3)
    slow.rhythm.learn()
    job_id = enqueue(slow, key, model=MODEL)
    run(slow.submit)
    row = job(slow, job_id)
    assert (row.due_at - row.submitted_at).total_seconds() == pytest.approx(3 + MARGIN_SECONDS)


def test_missing_webhooks_are_not_waited_for_until_one_comes(slow: Wiring, key: NewKey) -> None:
    heard(slow, key, HeardBy.WEBHOOK)
    for _ in range(EVIDENCE - 1):
        heard(slow, key, HeardBy.POLL)
    assert times(slow) == (FIRST, FURTHER)
    heard(slow, key, HeardBy.POLL)
    # a receiver that nobody reaches is every model's trouble
    assert times(slow) == times(slow, OTHER) == (QUICK, QUICK)
    heard(slow, key, HeardBy.WEBHOOK)
    assert times(slow) == times(slow, OTHER) == (FIRST, FURTHER)


def test_the_next_question_follows_at_the_pace_that_holds(slow: Wiring, key: NewKey) -> None:
    for pace in (FURTHER, POLL_ONLY_SECONDS):
        slow.rhythm.learn()
        job_id = enqueue(slow, key)
        run(slow.submit)
        put(slow, job_id, due_at=ago(1))
        (question,) = slow.poll.claim(1)
        asked_after = time.time()
        slow.poll.record([(question, InProgress("Pending"))])
        due_at = job(slow, job_id).due_at.timestamp()
        assert asked_after <= due_at - pace <= time.time()
        for _ in range(EVIDENCE):
            heard(slow, key, HeardBy.POLL)


def test_a_webhook_that_proves_a_lost_submission_is_a_webhook(slow: Wiring, key: NewKey) -> None:
    for _ in range(EVIDENCE):
        heard(slow, key, HeardBy.POLL)
    put(slow, heard(slow, key, HeardBy.WEBHOOK), submitted_at=None)
    assert times(slow) == (FIRST, FURTHER)


def test_other_providers_are_judged_by_themselves(slow: Wiring, key: NewKey) -> None:
    for by, provider in ((HeardBy.WEBHOOK, "bfl"), (HeardBy.POLL, "simulator")):
        for _ in range(EVIDENCE):
            put(slow, heard(slow, key, by), provider=provider)
    assert times(slow) == (QUICK, QUICK)
    assert slow.rhythm.poll_after_seconds("bfl", MODEL) == pytest.approx(5 + MARGIN_SECONDS)


def test_without_webhooks_jobs_are_asked_about_soon_and_often(
    slow: Wiring, rewire: Rewire, key: NewKey
) -> None:
    for _ in range(EVIDENCE):
        put(slow, heard(slow, key, HeardBy.POLL), model="flux-tools/outpainting-v1")
    # a model that takes no webhook proves nothing of those that do
    assert times(slow) == (FIRST, FURTHER)
    assert times(slow, "flux-tools/outpainting-v1") == (QUICK, QUICK)
    eager = rewire(poll_after_seconds=0.5, poll_interval_seconds=0.25)
    assert times(eager, "flux-tools/outpainting-v1") == (0.5, 0.25)


def test_what_is_known_outlives_a_time_without_results(slow: Wiring, key: NewKey) -> None:
    for by, provider in ((HeardBy.WEBHOOK, "bfl"), (HeardBy.POLL, "simulator")):
        for _ in range(EVIDENCE):
            put(slow, heard(slow, key, by), provider=provider)
    before = times(slow), slow.rhythm.poll_after_seconds("bfl", MODEL)
    with slow.database.transaction() as tx:
        tx.execute(update(jobs).values(heard_by=None))
    assert (times(slow), slow.rhythm.poll_after_seconds("bfl", MODEL)) == before
