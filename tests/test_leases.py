"""Handing back: what a worker leaves is due at once, and only that."""

from datetime import UTC, datetime

from factories import ACCEPTED, READY, due_now, enqueue, job, run, storing

from service.keys import NewKey
from service.leases import HandBack
from service.models import HeardBy
from service.states import Status
from service.wiring import Wiring


def generating(wiring: Wiring, key: NewKey) -> None:
    """Have one job at Flux that is due to be asked about."""
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    due_now(wiring, job_id)


def test_another_worker_takes_at_once_what_was_handed_back(wiring: Wiring, key: NewKey) -> None:
    generating(wiring, key)
    claims = wiring.poll.claim(1)
    assert wiring.poll.claim(1) == []
    HandBack(wiring.database, Status.GENERATING)(claims)
    (again,) = wiring.poll.claim(1)
    assert again.job_id == claims[0].job_id


def test_results_are_handed_back_too(wiring: Wiring, key: NewKey) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/sample.jpeg")
    claims = wiring.store.claim(1)
    assert wiring.store.claim(1) == []
    HandBack(wiring.database, Status.STORING)(claims)
    assert [claim.job_id for claim in wiring.store.claim(1)] == [job_id]


def test_what_has_moved_on_or_was_begun_anew_is_left_alone(wiring: Wiring, key: NewKey) -> None:
    generating(wiring, key)
    (claim,) = claims = wiring.poll.claim(1)
    HandBack(wiring.database, Status.STORING)(claims)
    assert wiring.poll.claim(1) == []
    with wiring.database.transaction() as tx:
        wiring.moves.take_result(tx, claim.job_id, 1, READY, HeardBy.WEBHOOK)
    before = job(wiring, claim.job_id)
    HandBack(wiring.database, Status.GENERATING)(claims)
    assert job(wiring, claim.job_id) == before


def test_an_outcome_that_comes_after_all_still_counts(wiring: Wiring, key: NewKey) -> None:
    generating(wiring, key)
    (claim,) = claims = wiring.poll.claim(1)
    HandBack(wiring.database, Status.GENERATING)(claims)
    wiring.poll.record([(claim, READY)])
    assert job(wiring, claim.job_id).status is Status.STORING
    assert job(wiring, claim.job_id).due_at <= datetime.now(UTC)


def test_nothing_to_hand_back_is_no_error(wiring: Wiring) -> None:
    HandBack(wiring.database, Status.GENERATING)([])
    assert run(wiring.poll) == []
