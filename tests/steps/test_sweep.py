"""The sweep moves what is stuck, leaves the healthy alone, and rings the lanes that have work."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from factories import (
    ACCEPTED,
    Rewire,
    ago,
    attempts,
    deliveries,
    enqueue,
    events,
    job,
    put,
)
from fakes.ringing import Ringing
from pydantic import SecretStr
from sqlalchemy import select, update

from service.keys import NewKey
from service.messages import Message
from service.models import Delivery, Image, Pulse
from service.settings import Provider
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.sweep import sweep
from service.wiring import Wiring

CALLBACK = "http://127.0.0.1:9/hook"


def submitting(wiring: Wiring, key: NewKey) -> UUID:
    job_id = enqueue(wiring, key, callback_url=CALLBACK)
    (intent,) = wiring.submit.claim(1)
    assert intent.job_id == job_id
    return job_id


def in_every_state(wiring: Wiring, key: NewKey, due_seconds: float) -> dict[Status, UUID]:
    rows = {}
    for status in Status:
        rows[status] = submitting(wiring, key)
        put(wiring, rows[status], status=status, due_at=ago(due_seconds))
        if status is Status.QUEUED:
            put(wiring, rows[status], priority=0, due_at=ago(-3600))
    return rows


def test_only_what_is_stuck_is_moved(wiring: Wiring, key: NewKey) -> None:
    stuck = in_every_state(wiring, key, due_seconds=1)
    healthy = in_every_state(wiring, key, due_seconds=-60)
    expired, living, started = (enqueue(wiring, key) for _ in range(3))
    put(wiring, expired, expires_at=ago(1))
    put(wiring, living, expires_at=ago(-60))
    put(wiring, started, expires_at=ago(1), status=Status.GENERATING)
    everything = [*stuck.values(), *healthy.values(), expired, living, started]
    before = {job_id: (job(wiring, job_id), events(wiring, job_id)) for job_id in everything}
    wiring.sweep()

    moved = {stuck[Status.SUBMITTING], stuck[Status.UNCONFIRMED], expired}
    for job_id in everything:
        same = (job(wiring, job_id), events(wiring, job_id)) == before[job_id]
        assert same is (job_id not in moved), before[job_id][0].status
    parked = job(wiring, stuck[Status.SUBMITTING])
    assert parked.status is Status.UNCONFIRMED
    assert 0 < parked.due_at.timestamp() - time.time() <= 2
    assert attempts(wiring, parked.id)[0].outcome is AttemptOutcome.UNKNOWN
    failed = job(wiring, stuck[Status.UNCONFIRMED])
    assert (failed.error_code, failed.maybe_charged) == (ErrorCode.SUBMISSION_UNCONFIRMED, True)
    assert attempts(wiring, failed.id)[0].outcome is AttemptOutcome.WRITTEN_OFF
    assert len(deliveries(wiring, failed.id)) == 1
    late = job(wiring, expired)
    assert (late.error_code, late.maybe_charged) == (ErrorCode.EXPIRED, False)


def test_many_sweeps_at_once_move_each_row_once(wiring: Wiring, key: NewKey) -> None:
    job_ids = [submitting(wiring, key) for _ in range(20)]
    for job_id in job_ids:
        put(wiring, job_id, due_at=ago(1))
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(wiring.sweep) for _ in range(12)]:
            one.result()
    for job_id in job_ids:
        assert events(wiring, job_id).count("job.unconfirmed") == 1
        assert job(wiring, job_id).status is Status.UNCONFIRMED


def test_a_sweep_does_not_wait_for_a_row_that_somebody_is_moving(
    wiring: Wiring, key: NewKey
) -> None:
    busy, stuck = submitting(wiring, key), submitting(wiring, key)
    for job_id in (busy, stuck):
        put(wiring, job_id, due_at=ago(1))
    with wiring.database.transaction() as tx:
        moved = wiring.moves.move(tx, busy, Status.STORING, "a webhook overtakes")
        wiring.sweep()
    assert moved is not None
    assert job(wiring, busy).status is Status.STORING
    assert job(wiring, stuck).status is Status.UNCONFIRMED


def rung_by_sweep(wiring: Wiring, ringing: Ringing) -> set[Message]:
    ringing.rung.clear()
    wiring.sweep()
    return set(ringing.rung)


def test_exactly_the_lanes_with_due_rows_are_rung(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    assert rung_by_sweep(wiring, ringing) == set()
    job_id = submitting(wiring, key)
    assert rung_by_sweep(wiring, ringing) == set()
    for status, lane in (
        (Status.QUEUED, Message.SUBMIT),
        (Status.GENERATING, Message.POLL),
        (Status.STORING, Message.STORE),
    ):
        put(wiring, job_id, status=status, due_at=ago(-60))
        assert rung_by_sweep(wiring, ringing) == set()
        put(wiring, job_id, due_at=ago(1))
        assert rung_by_sweep(wiring, ringing) == {lane}

    with wiring.database.transaction() as tx:
        wiring.moves.move(tx, job_id, Status.FAILED, "for a test")
    assert rung_by_sweep(wiring, ringing) == {Message.DELIVER}
    with wiring.database.transaction() as tx:
        tx.execute(update(Delivery).values(due_at=ago(-60)))
    assert rung_by_sweep(wiring, ringing) == set()


def test_an_image_without_a_thumbnail_rings_derive(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    job_id = submitting(wiring, key)
    with wiring.database.transaction() as tx:
        project_id = wiring.moves.move(
            tx, job_id, Status.STORING, "for a test", due_at=ago(-60)
        ).project_id  # type: ignore[union-attr]
        image = Image.__table__.insert().values(  # type: ignore[attr-defined]
            id=job_id, project_id=project_id, job_id=job_id, bucket="images", key="k",
            content_type="image/png", width=1, height=1, bytes=1, sha256="0", model="m", prompt="",
        )  # fmt: skip
        tx.execute(image)
    assert rung_by_sweep(wiring, ringing) == {Message.DERIVE}
    with wiring.database.transaction() as tx:
        tx.execute(update(Image).values(due_at=None))
    assert rung_by_sweep(wiring, ringing) == set()


def test_the_pulse_is_written_each_time(wiring: Wiring) -> None:
    def pulse() -> float:
        with wiring.database.transaction() as tx:
            return float(tx.scalar(select(Pulse.at).where(Pulse.name == "sweep")).timestamp())

    wiring.sweep(by_beat=True)
    first = pulse()
    wiring.sweep(by_beat=True)
    assert abs(first - time.time()) < 5
    assert pulse() > first


def test_a_late_answer_after_the_sweep_is_taken(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    put(wiring, job_id, due_at=ago(1))
    wiring.sweep()
    wiring.submit.record([(intent, ACCEPTED)])
    assert job(wiring, job_id).status is Status.GENERATING
    wiring.sweep()
    assert job(wiring, job_id).status is Status.GENERATING


def test_jobs_of_a_provider_that_is_not_paid_any_more_go_to_one_that_serves_their_model(
    rewire: Rewire, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    strands, moves = enqueue(wiring, key), enqueue(wiring, key)
    put(wiring, strands, model="flux-tools/erase-v1")
    monkeypatch.setattr(sweep, "BATCH", 1)
    account = rewire(
        flux_provider=[Provider.COMETAPI], flux_api_key=[SecretStr("comet-key")], flux_api_url=[]
    )
    account.sweep()
    assert (job(wiring, moves).provider, job(wiring, strands).provider) == (
        "cometapi",
        "simulator",
    )
    assert events(wiring, moves) == ["job.queued", "job.queued"]
    put(wiring, moves, status=Status.GENERATING, provider="simulator", task_id="t-1")
    account.sweep()
    assert job(wiring, moves).provider == "simulator"
