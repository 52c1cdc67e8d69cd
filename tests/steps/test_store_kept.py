"""What S3 does not take is kept on this host's disk, and waits there in nobody's way."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from factories import Rewire, ago, due_now, job, put, run, storing, try_to_store
from fakes.pictures import drawn
from fakes.scripted_peer import Script, ScriptedPeer, answer, ok
from fakes.waiting import wait_until

from service.keys import NewKey
from service.lanes import Lane
from service.messages import Message
from service.settings import Settings
from service.states import ErrorCode, Status
from service.steps.store.bring import Kept, Outcome, Ripe, Stored
from service.steps.store.due import LAST_TRY_SECONDS, PLACES_FOR_DYING
from service.steps.store.lane import MAX_BACKOFF_SECONDS, MAX_REFUSALS
from service.wiring import Wiring

PNG = drawn("PNG")
REFUSED = b"<?xml version='1.0'?><Error><Code>EntityTooLarge</Code><Message>No</Message></Error>"


@contextmanager
def scripted_s3(
    rewire: Rewire, monkeypatch: pytest.MonkeyPatch, script: Script
) -> Iterator[tuple[Wiring, ScriptedPeer]]:
    """Run a wiring whose S3 does what a test says."""
    with ScriptedPeer(script) as s3:
        with monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
            wiring = rewire()
            assert wiring.object_store.origin == s3.url
        yield wiring, s3


def kept(wiring: Wiring, key: NewKey, url: str, **columns: object) -> UUID:
    """Return a job whose result is kept in the spool, due again."""
    job_id = storing(wiring, key, url)
    wiring.vitals.bucket_is_away("a test says so")
    run(wiring.store)
    wiring.vitals.bucket_answered()
    put(wiring, job_id, due_at=ago(1), **columns)
    return job_id


def waits_at_most(wiring: Wiring, job_id: UUID, seconds: float) -> bool:
    wait: float = (job(wiring, job_id).due_at - datetime.now(UTC)).total_seconds()
    return seconds / 2 < wait <= seconds


def test_while_s3_is_unwell_a_result_is_kept_at_once_and_nothing_is_sent(
    rewire: Rewire, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        scripted_s3(rewire, monkeypatch, answer(b"")) as (unwell, s3),
        ScriptedPeer(answer(ok(PNG))) as peer,
    ):
        unwell.vitals.bucket_is_away("a test says so")
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        assert run(unwell.store) == [Kept("S3 is away")]
        assert s3.requests == []
        assert job(wiring, job_id).kept_by == wiring.result_spool.id
        due_now(wiring, job_id)
        assert unwell.store.claim(8) == []
    wiring.vitals.bucket_answered()
    (outcome,) = run(wiring.store)
    assert isinstance(outcome, Stored)
    assert job(wiring, job_id).status is Status.SUCCEEDED
    assert wiring.result_spool.waiting() == []
    assert len(peer.requests) == 1


def test_s3_that_fails_twice_is_unwell_until_it_takes_something(
    without_s3: Wiring, wiring: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        first, second = (storing(wiring, key, f"{peer.url}/1.png") for _ in range(2))
        assert {type(one) for one in run(without_s3.store)} == {Kept}
    assert not without_s3.vitals.bucket_is_well
    wiring.vitals.bucket_failed("once")
    try_to_store(wiring, first)
    wiring.vitals.bucket_failed("once more, but not in a row")
    assert wiring.vitals.bucket_is_well
    try_to_store(wiring, second)
    assert wiring.result_spool.waiting() == []


def test_an_object_that_s3_keeps_refusing_fails_alone_and_says_nothing_of_the_bucket(
    rewire: Rewire, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(REFUSED)
    with (
        scripted_s3(rewire, monkeypatch, answer(head + REFUSED)) as (refused, s3),
        ScriptedPeer(answer(ok(PNG))) as peer,
    ):
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        try_to_store(refused, job_id, times=3)
        assert len(s3.requests) == 3
        assert job(wiring, job_id).kept_by == wiring.result_spool.id
        try_to_store(refused, job_id, times=MAX_REFUSALS - 4)
        assert job(wiring, job_id).status is Status.STORING
        assert waits_at_most(wiring, job_id, MAX_BACKOFF_SECONDS)
        try_to_store(refused, job_id)
    assert refused.vitals.bucket_is_well
    row = job(wiring, job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.INTERNAL)
    assert row.maybe_charged
    assert "EntityTooLarge" in row.error_message
    wiring.store.tidy()
    (file,) = Path(wiring.settings.spool_dir, "results").glob("*.failed")
    assert file.read_bytes() == PNG


def test_tries_that_did_not_reach_s3_are_no_refusals(
    rewire: Rewire, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png")
    try_to_store(wiring, job_id, times=MAX_REFUSALS)
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(REFUSED)
    with (
        scripted_s3(rewire, monkeypatch, answer(head + REFUSED)) as (refused, _),
        ScriptedPeer(answer(ok(PNG))) as peer,
    ):
        put(wiring, job_id, result_url=f"{peer.url}/1.png")
        try_to_store(refused, job_id)
    assert job(wiring, job_id).status is Status.STORING
    try_to_store(wiring, job_id)
    assert job(wiring, job_id).status is Status.SUCCEEDED


def test_what_is_kept_leaves_places_to_what_dies(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        # their URLs die first, and that does not matter any more
        for _ in range(6):
            kept(wiring, key, f"{peer.url}/1.png", result_expires_at=ago(-60))
        dying = {storing(wiring, key, f"{peer.url}/2.png") for _ in range(3)}
        claims = {claim.job_id for claim in wiring.store.claim(8)}
        assert claims > dying
        assert len(claims) == 8 - PLACES_FOR_DYING
        assert wiring.store.claim(PLACES_FOR_DYING) == []
        assert len(wiring.store.claim(8)) == 8 - PLACES_FOR_DYING


def test_all_that_is_kept_is_stored_soon_after_s3_is_back(
    settings: Settings, wiring: Wiring, key: NewKey
) -> None:
    lanes: list[Lane[Ripe, Outcome]] = []

    def ring(message: Message) -> None:
        if message is Message.STORE:
            for lane in lanes:
                lane.ring()

    with ScriptedPeer(answer(ok(PNG))) as peer:
        url = f"{peer.url}/1.png"
        job_ids = [kept(wiring, key, url, result_expires_at=ago(9)) for _ in range(30)]
    back = Wiring(settings, ring=ring)
    back.vitals.bucket_is_away("a test says so")
    # it looks by itself once a minute: only rings can have it go on
    lane = Lane(Message.STORE, back.store, capacity=8, look_every_seconds=60, ring_others=ring)
    lanes.append(lane)
    lane.start()
    back.vitals.bucket_answered()
    wait_until(wiring.result_spool.waiting, [].__eq__, timeout_seconds=40)
    lane.close()
    assert lane.join(20)
    assert {job(wiring, job_id).status for job_id in job_ids} == {Status.SUCCEEDED}
    back.close()


def test_a_workers_lease_leaves_time_for_another_try_before_the_url_dies(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    slow = rewire(lease_seconds=45.0)
    for life_seconds, shortest, longest in ((600, 40, 45), (20, 10, 20 - LAST_TRY_SECONDS)):
        job_id = storing(wiring, key, "http://127.0.0.1:9/", result_expires_at=ago(-life_seconds))
        assert [claim.job_id for claim in slow.store.claim(8)] == [job_id]
        lease = (job(wiring, job_id).due_at - datetime.now(UTC)).total_seconds()
        assert shortest < lease <= longest


def test_a_kept_result_that_is_damaged_is_downloaded_anew(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        job_id = kept(wiring, key, f"{peer.url}/1.png")
        (file,) = Path(wiring.settings.spool_dir, "results").glob("*.result")
        file.write_bytes(b"something else")
        run(wiring.store)
        assert len(peer.requests) == 2
    assert job(wiring, job_id).status is Status.SUCCEEDED
