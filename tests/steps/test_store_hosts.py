"""Several hosts: bytes on one host's disk are nobody else's to give up."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from factories import Rewire, ago, deliveries, due_now, job, put, run, storing
from fakes.pictures import drawn
from fakes.scripted_peer import ScriptedPeer, answer, ok
from sqlalchemy import select, update

from service.keys import NewKey
from service.models import SPOOL_PULSE, Pulse, jobs
from service.states import ErrorCode, Status
from service.steps.store.bring import Again, Kept, Lost
from service.steps.store.lane import MAX_TRIES
from service.steps.store.tidy import FORGOTTEN_AFTER_SECONDS, STEADY_SECONDS
from service.wiring import Wiring

PNG = drawn("PNG")


@pytest.fixture
def elsewhere(rewire: Rewire, tmp_path: Path) -> Wiring:
    """The same service on another host."""
    return rewire(darkroom_home=tmp_path / "elsewhere")


def keep(wiring: Wiring, key: NewKey, **columns: object) -> UUID:
    """Return a job whose result is kept by a host, due again."""
    with ScriptedPeer(answer(ok(PNG))) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        wiring.vitals.bucket_is_away("a test says so")
        assert run(wiring.store) == [Kept("S3 is away")]
    wiring.vitals.bucket_answered()
    put(wiring, job_id, **{"due_at": ago(1), **columns})
    return job_id


def age(wiring: Wiring, seconds: float, pulses: str = "") -> None:
    """Let what is known of spools be so much older."""
    with wiring.database.transaction() as tx:
        past = Pulse.at - timedelta(seconds=seconds)
        tx.execute(update(Pulse).where(Pulse.name.startswith(pulses)).values(at=past))


def test_while_the_url_lives_anybody_may_take_what_is_kept(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    job_id = keep(wiring, key)
    assert job(wiring, job_id).kept_by == wiring.result_spool.id != elsewhere.result_spool.id
    assert [claim.job_id for claim in elsewhere.store.claim(8)] == [job_id]


def test_once_the_url_is_dead_only_the_host_that_keeps_it_takes_it(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    job_id = keep(wiring, key, result_expires_at=ago(3600))
    assert elsewhere.store.claim(8) == []
    run(wiring.store)
    assert job(wiring, job_id).status is Status.SUCCEEDED


def test_nobody_gives_up_what_another_host_keeps(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    job_id = keep(wiring, key, tries=MAX_TRIES)
    for outcome in (Lost("gone"), Again("no image", ErrorCode.RESULT_INVALID)):
        due_now(wiring, job_id)
        (claim,) = elsewhere.store.claim(8)
        elsewhere.store.record([(claim, outcome)])
        assert job(wiring, job_id).status is Status.STORING
    assert deliveries(wiring, job_id) == []


def test_who_has_lost_the_lease_neither_gives_up_nor_plans(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png")
    (late,) = elsewhere.store.claim(1)
    due_now(wiring, job_id)
    (current,) = wiring.store.claim(8)
    for outcome in (Lost("gone"), Again("busy"), Again("no image", ErrorCode.RESULT_INVALID)):
        elsewhere.store.record([(late, outcome)])
        row = job(wiring, job_id)
        assert (row.status, row.due_at) == (Status.STORING, current.leased_until)
    wiring.store.record([(current, Lost("gone"))])
    assert job(wiring, job_id).status is Status.FAILED


def test_what_a_spool_kept_that_is_gone_for_a_day_is_given_up(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    job_id = keep(wiring, key, result_expires_at=ago(3600))
    elsewhere.store.tidy()
    age(wiring, STEADY_SECONDS + 60, "steady:")
    for seconds, status in (
        (FORGOTTEN_AFTER_SECONDS - 600, Status.STORING),
        (1200, Status.FAILED),
    ):
        age(wiring, seconds, SPOOL_PULSE + wiring.result_spool.id)
        elsewhere.store.tidy()
        run(elsewhere.store)
        assert job(wiring, job_id).status is status
    assert job(wiring, job_id).error_code is ErrorCode.RESULT_EXPIRED


def test_after_a_standstill_of_everything_a_host_has_time_to_come_back(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    job_id = keep(wiring, key, result_expires_at=ago(3600))
    elsewhere.store.tidy()
    age(wiring, FORGOTTEN_AFTER_SECONDS + 3600)
    for _ in range(2):
        elsewhere.store.tidy()
        assert run(elsewhere.store) == []
        age(wiring, STEADY_SECONDS - 120, "steady:")
    wiring.store.tidy()
    age(wiring, STEADY_SECONDS, "steady:")
    elsewhere.store.tidy()
    run(wiring.store)
    assert job(wiring, job_id).status is Status.SUCCEEDED


def test_tidying_waits_for_nobody_who_is_moving_a_job(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    adopted = keep(elsewhere, key, kept_by=None, due_at=ago(-600))
    forgotten = keep(wiring, key, kept_by="gone", due_at=ago(-600))
    age(wiring, STEADY_SECONDS + 60, "steady:")

    def keepers() -> list[str | None]:
        return [job(wiring, job_id).kept_by for job_id in (adopted, forgotten)]

    with wiring.database.transaction() as tx:
        tx.execute(select(jobs.c.id).with_for_update())
        elsewhere.store.tidy()
    assert keepers() == [None, "gone"]
    elsewhere.store.tidy()
    assert keepers() == [elsewhere.result_spool.id, None]


def test_a_result_whose_keeper_was_killed_before_it_said_so_is_adopted(
    wiring: Wiring, elsewhere: Wiring, key: NewKey
) -> None:
    job_id = keep(wiring, key, kept_by=None, due_at=ago(-600))
    elsewhere.store.tidy()
    assert job(wiring, job_id).kept_by is None
    wiring.store.tidy()
    assert job(wiring, job_id).kept_by == wiring.result_spool.id
    run(wiring.store)
    assert job(wiring, job_id).status is Status.SUCCEEDED
    assert wiring.result_spool.waiting() == []


def spooled(wiring: Wiring, job_id: UUID) -> str:
    """Put a file for a job into the spool; return its suffix after a tidying."""
    folder = Path(wiring.settings.spool_dir, "results")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{job_id.hex}.{'0' * 64}.result").write_bytes(PNG)
    wiring.store.tidy()
    return "".join(path.suffix for path in folder.glob(f"{job_id.hex}.*"))


def test_only_what_s3_has_is_forgotten(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        stored = storing(wiring, key, f"{peer.url}/1.png")
        run(wiring.store)
    assert spooled(wiring, stored) == ""

    failed = storing(wiring, key, "http://127.0.0.1:9/")
    (claim,) = wiring.store.claim(1)
    wiring.store.record([(claim, Lost("gone"))])
    assert spooled(wiring, failed) == ".failed"

    # a database that was restored from a backup knows less than the disk
    earlier = storing(wiring, key, "http://127.0.0.1:9/")
    put(wiring, earlier, status=Status.GENERATING)
    assert spooled(wiring, earlier) == ".result"
    assert spooled(wiring, uuid4()) == ".result"
    wiring.store.tidy()
    assert len(wiring.result_spool.waiting()) == 2
