"""A job over which three workers in a row have ended is set aside; chance deaths do no harm."""

import subprocess
import sys
from pathlib import Path

import pytest
from factories import ago, deliveries, due_now, job, put, run, storing, try_to_store
from fakes.pictures import drawn
from fakes.scripted_peer import ScriptedPeer, answer, ok

from service.keys import NewKey
from service.poison import MAX_DEATHS
from service.states import ErrorCode, Status
from service.steps.store.bring import Kept
from service.wiring import Wiring

PNG = drawn("PNG")


WORKER = """
import contextlib, os
from service.settings import load_settings
from service.wiring import Wiring

store = Wiring(load_settings()).store
claims = store.claim(8)
acts = contextlib.ExitStack()
for claim in claims:
    acts.enter_context(store.deaths.risked(claim.job_id))
if {end!r} == "between acts":
    acts.close()
if {end!r} == "told to":
    store.deaths.forgive(claim.job_id for claim in claims)
os._exit(17 if claims else 1)
"""


def die(times: int, *, end: str = "in the middle") -> None:
    """Have so many processes work on all that is due, and end."""
    for _ in range(times):
        script = WORKER.format(end=end)
        ended = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
        assert ended.returncode == 17


def test_a_job_is_set_aside_after_three_deaths_and_its_caller_told(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png")
    die(MAX_DEATHS)
    assert job(wiring, job_id).status is Status.STORING
    assert wiring.store.claim(8) == []
    row = job(wiring, job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.INTERNAL)
    assert row.maybe_charged
    assert [one.type for one in deliveries(wiring, job_id)] == ["job.failed"]


def test_deaths_count_only_in_a_row(wiring: Wiring, key: NewKey) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png")
    for _ in range(2):
        die(MAX_DEATHS - 1)
        try_to_store(wiring, job_id)
        assert job(wiring, job_id).deaths == 0
        due_now(wiring, job_id)
    assert job(wiring, job_id).status is Status.STORING


@pytest.mark.parametrize("end", ["between acts", "told to"])
def test_a_worker_that_does_not_end_over_a_job_accuses_none(
    wiring: Wiring, key: NewKey, end: str
) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png")
    for _ in range(MAX_DEATHS + 1):
        die(1, end=end)
        due_now(wiring, job_id)
    assert job(wiring, job_id).deaths == 0


def test_what_a_worker_died_over_waits_for_no_lease(
    wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "600")
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png")
    die(1)
    assert [claim.job_id for claim in wiring.store.claim(8)] == [job_id]
    assert job(wiring, job_id).deaths == 1


def test_without_a_disk_for_the_count_results_are_stored_all_the_same(
    wiring: Wiring, key: NewKey
) -> None:
    wiring.settings.spool_dir.mkdir(parents=True)
    (wiring.settings.spool_dir / "acts").write_text("no folder")
    with ScriptedPeer(answer(ok(PNG))) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        try_to_store(wiring, job_id)
    assert job(wiring, job_id).status is Status.SUCCEEDED


def test_what_was_claimed_with_a_poisonous_job_is_tried_apart_from_it(
    wiring: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        together = {storing(wiring, key, f"{peer.url}/1.png") for _ in range(3)}
        die(1)
        fresh = {storing(wiring, key, f"{peer.url}/2.png") for _ in range(2)}
        claims = wiring.store.claim(8)
        suspects = [claim for claim in claims if claim.job_id in together]
        assert len(suspects) == 1
        assert {claim.job_id for claim in claims} == fresh | {suspects[0].job_id}
        # while it is under way here, no other is: it would share a fate that is not its own
        assert wiring.store.claim(8) == []
        (outcome,) = [wiring.store.act(claim) for claim in suspects]
        wiring.store.record([(suspects[0], outcome)])
        assert len(wiring.store.claim(8)) == 1


def test_bytes_of_a_poisonous_job_are_left_to_a_person(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        wiring.vitals.bucket_is_away("a test says so")
        assert run(wiring.store) == [Kept("S3 is away")]
    wiring.vitals.bucket_answered()
    put(wiring, job_id, deaths=MAX_DEATHS, due_at=ago(1))
    assert wiring.store.claim(8) == []
    wiring.store.tidy()
    (file,) = Path(wiring.settings.spool_dir, "results").glob("*.failed")
    assert file.read_bytes() == PNG
