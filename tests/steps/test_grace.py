"""The grace of an unconfirmed job runs only while somebody sweeps and Flux could reach us."""

import time
from uuid import UUID

import pytest
from factories import Rewire, ago, due_now, enqueue, job, put
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from service.keys import NewKey
from service.models import Pulse, jobs
from service.settings import Provider
from service.states import ErrorCode, Status
from service.vitals import RECEIVER_FORGOTTEN_SECONDS, RECEIVER_PULSE
from service.wiring import Wiring

GRACE_SECONDS = 600.0


@pytest.fixture
def patient(rewire: Rewire) -> Wiring:
    """A service with the default grace."""
    return rewire(unconfirmed_grace_seconds=GRACE_SECONDS)


def parked(wiring: Wiring, key: NewKey, left_seconds: float) -> UUID:
    """Return an unconfirmed job with so much left of its grace; a sweep has just been."""
    job_id = enqueue(wiring, key)
    wiring.submit.claim(1)
    due_now(wiring, job_id)
    wiring.sweep()
    assert job(wiring, job_id).status is Status.UNCONFIRMED
    put(wiring, job_id, due_at=ago(-left_seconds))
    return job_id


def pass_time(wiring: Wiring, job_id: UUID, seconds: float) -> None:
    """Let the same time pass for the job and for what was noted of sweeps."""
    with wiring.database.transaction() as tx:
        due_at = tx.scalar(select(jobs.c.due_at).where(jobs.c.id == job_id))
        tx.execute(update(Pulse).where(Pulse.name == "grace").values(at=ago(seconds)))
    put(wiring, job_id, due_at=due_at - (ago(0) - ago(seconds)))


def receiver_was_reached(wiring: Wiring, seconds_ago: float) -> None:
    with wiring.database.transaction() as tx:
        at = {"at": ago(seconds_ago)}
        pulse = insert(Pulse).values(name=RECEIVER_PULSE, **at)
        tx.execute(pulse.on_conflict_do_update(index_elements=["name"], set_=at))


def left_seconds(wiring: Wiring, job_id: UUID) -> float:
    return float(job(wiring, job_id).due_at.timestamp() - time.time())


def test_a_grace_that_is_over_ends_while_sweeps_go_on(patient: Wiring, key: NewKey) -> None:
    job_id = parked(patient, key, left_seconds=1)
    pass_time(patient, job_id, seconds=4)
    patient.sweep()
    assert job(patient, job_id).error_code is ErrorCode.SUBMISSION_UNCONFIRMED


def test_the_time_in_which_nobody_swept_does_not_count(patient: Wiring, key: NewKey) -> None:
    job_id = parked(patient, key, left_seconds=100)
    pass_time(patient, job_id, seconds=3600)
    patient.sweep()
    assert job(patient, job_id).status is Status.UNCONFIRMED
    # less the pause that is none yet, and what this machine takes its time for
    assert 40 < left_seconds(patient, job_id) < 100


def test_time_is_given_back_once(patient: Wiring, key: NewKey) -> None:
    job_id = parked(patient, key, left_seconds=100)
    pass_time(patient, job_id, seconds=300)
    patient.sweep()
    given = job(patient, job_id).due_at
    patient.sweep()
    assert job(patient, job_id).due_at == given


def test_no_grace_becomes_longer_than_a_whole_one(patient: Wiring, key: NewKey) -> None:
    job_id = parked(patient, key, left_seconds=GRACE_SECONDS)
    with patient.database.transaction() as tx:
        tx.execute(update(Pulse).where(Pulse.name == "grace").values(at=ago(86_400)))
    patient.sweep()
    assert 0 < left_seconds(patient, job_id) <= GRACE_SECONDS


def test_the_first_sweep_of_all_gives_nothing_back(patient: Wiring, key: NewKey) -> None:
    job_id = parked(patient, key, left_seconds=0)
    with patient.database.transaction() as tx:
        tx.execute(delete(Pulse))
    due_now(patient, job_id)
    patient.sweep()
    assert job(patient, job_id).status is Status.FAILED


@pytest.mark.parametrize(
    ("reached_seconds_ago", "status"),
    [
        (5, Status.FAILED),
        (45, Status.UNCONFIRMED),
        (600, Status.UNCONFIRMED),
        (RECEIVER_FORGOTTEN_SECONDS + 60, Status.FAILED),
    ],
)
def test_the_time_in_which_flux_could_not_reach_us_does_not_count(
    patient: Wiring, key: NewKey, reached_seconds_ago: float, status: Status
) -> None:
    job_id = parked(patient, key, left_seconds=2)
    receiver_was_reached(patient, reached_seconds_ago)
    pass_time(patient, job_id, seconds=4)
    patient.sweep()
    assert job(patient, job_id).status is status


def test_where_nobody_is_asked_to_call_the_receiver_matters_to_nobody(
    rewire: Rewire, key: NewKey
) -> None:
    polled = rewire(public_url="http://127.0.0.1:9", flux_provider=[Provider.COMETAPI])
    assert not polled.settings.webhooks_wanted
    job_id = parked(polled, key, left_seconds=2)
    receiver_was_reached(polled, 600)
    pass_time(polled, job_id, seconds=4)
    polled.sweep()
    assert job(polled, job_id).status is Status.FAILED


def test_only_beat_is_a_sign_of_beat(wiring: Wiring) -> None:
    def pulses() -> set[str]:
        with wiring.database.transaction() as tx:
            return {row.name for row in tx.rows(select(Pulse.name))}

    wiring.sweep()
    assert pulses() == {"grace"}
    wiring.sweep(by_beat=True)
    assert pulses() == {"grace", "sweep"}
