"""What a killed worker knew of its intents, another of its host still knows."""

import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
from factories import Rewire, attempt_id, attempts, enqueue, gate_row, job, run
from fakes.simulator import Simulator
from killed import be_killed_at
from pydantic import SecretStr

from service.errors import DatabaseUnavailable
from service.ids import new_id
from service.keys import NewKey
from service.states import Status
from service.upstream import NotSent, Unknown
from service.wiring import Wiring


def slips(wiring: Wiring) -> list[Path]:
    return [
        path
        for path in Path(wiring.settings.spool_dir, "slips").glob("*/[!.]*")
        if path.name != "lock"
    ]


def test_what_a_killed_worker_did_not_begin_to_send_is_queued_again_at_once(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    jobs = [enqueue(wiring, key) for _ in range(3)]
    be_killed_at("submit.after_intent", wiring.settings)
    assert {job(wiring, one).status for one in jobs} == {Status.SUBMITTING}
    wiring.submit.claim(0)
    assert {job(wiring, one).status for one in jobs} == {Status.QUEUED}
    assert [one.outcome for one in attempts(wiring, jobs[0])] == ["not_sent"]
    assert slips(wiring) == []


def test_what_was_found_unsent_is_not_forgotten_while_the_database_is_away(
    wiring: Wiring, rewire: Rewire, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    be_killed_at("submit.after_intent", wiring.settings)
    away = rewire(database_url=SecretStr("postgresql+psycopg://nobody@127.0.0.1:9/nothing"))
    with pytest.raises(DatabaseUnavailable):
        away.submit.claim(0)
    wiring.submit.claim(0)
    assert job(wiring, job_id).status is Status.QUEUED


def test_what_it_may_have_sent_stays_in_doubt(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    be_killed_at("submit.before_send", wiring.settings)
    wiring.submit.claim(0)
    assert job(wiring, job_id).status is Status.SUBMITTING
    wiring.submit.claim(0)
    assert job(wiring, job_id).status is Status.SUBMITTING


def test_an_answer_that_it_had_is_recorded(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    be_killed_at("submit.after_send", wiring.settings)
    assert job(wiring, job_id).status is Status.SUBMITTING
    wiring.submit.claim(0)
    row = job(wiring, job_id)
    assert row.status is Status.GENERATING
    assert row.task_id
    assert row.cost_actual is not None
    assert slips(wiring) == []


def test_a_refusal_that_it_had_is_recorded_and_closes_the_gate(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    simulator.set_fault("refuse", args={"status": 402})
    job_id = enqueue(wiring, key)
    be_killed_at("submit.after_send", wiring.settings)
    wiring.submit.claim(0)
    assert job(wiring, job_id).status is Status.QUEUED
    assert gate_row(wiring).closed_reason == "the Flux account is out of credits (402)"


def test_who_is_killed_while_it_removes_slips_leaves_none_of_them_to_be_read(
    wiring: Wiring, rewire: Rewire, key: NewKey, simulator: Simulator
) -> None:
    for _ in range(2):
        enqueue(wiring, key)
    be_killed_at("submit.before_send", wiring.settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.unlink", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rewire().submit.claim(0)
    assert slips(wiring)
    # without the mark of what was begun, what holds it would say that it was not
    with rewire().submit.slips.left() as known:
        assert known == {}
    wiring.submit.slips.hold([new_id()])
    assert [path.suffix for path in slips(wiring)] == [".held"]


def test_slips_of_a_worker_that_lives_are_its_own(
    wiring: Wiring, rewire: Rewire, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    other = rewire()
    assert other.submit.claim(5) == []
    assert job(wiring, job_id).status is Status.SUBMITTING
    wiring.submit.record([(intent, wiring.submit.act(intent))])
    assert job(wiring, job_id).status is Status.GENERATING
    assert slips(wiring) == []


def test_after_a_boot_only_answers_are_believed(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    unsent, answered = enqueue(wiring, key), enqueue(wiring, key)
    be_killed_at("submit.after_intent", wiring.settings)
    (folder,) = Path(wiring.settings.spool_dir, "slips").iterdir()
    said = '{"task_id": "t-9", "polling_url": null, "cost": "0.04", "http_status": 200}'
    name = f"{attempt_id(wiring, answered).hex}.accepted"
    (folder / name).write_text(f"{name}\n{said}")
    (folder / "lock").write_text("another boot")
    wiring.submit.claim(0)
    assert job(wiring, unsent).status is Status.SUBMITTING
    assert job(wiring, answered).task_id == "t-9"


@pytest.mark.parametrize(
    "said",
    ["", '{"task_id": "t', "[]", "{}", '{"task_id": 1, "polling_url": null, "cost": null}', "\0"],
)
def test_a_slip_that_was_cut_short_is_as_none(
    wiring: Wiring, key: NewKey, simulator: Simulator, said: str
) -> None:
    job_id = enqueue(wiring, key)
    be_killed_at("submit.before_send", wiring.settings)
    (folder,) = Path(wiring.settings.spool_dir, "slips").iterdir()
    (folder / f"{attempt_id(wiring, job_id).hex}.accepted").write_text(said)
    wiring.submit.claim(0)
    assert job(wiring, job_id).status is Status.SUBMITTING
    assert slips(wiring) == []


def test_of_a_copied_folder_only_answers_are_believed(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    be_killed_at("submit.after_intent", wiring.settings)
    (folder,) = Path(wiring.settings.spool_dir, "slips").iterdir()
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    wiring.submit.claim(0)
    assert job(wiring, job_id).status is Status.SUBMITTING


def test_a_slip_that_is_taken_for_unsent_cannot_be_sent_any_more_whatever_locks_do(
    wiring: Wiring, rewire: Rewire, key: NewKey, simulator: Simulator
) -> None:
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    before = simulator.ledger("accepted")
    with pytest.MonkeyPatch.context() as patch:
        # as on a disk of the network whose locks each client has to itself
        patch.setattr("fcntl.flock", lambda *_: None)
        with rewire().submit.slips.left() as known:
            assert isinstance(known[intent.attempt_id], NotSent)
            assert isinstance(wiring.submit.act(intent), NotSent)
    assert simulator.ledger("accepted") == before


def test_what_was_sent_stays_sent_while_another_of_its_claim_is_not(
    wiring: Wiring, rewire: Rewire, key: NewKey, simulator: Simulator
) -> None:
    for _ in range(2):
        enqueue(wiring, key)
    sent, unsent = wiring.submit.claim(2)
    wiring.submit.slips.begin(sent.attempt_id)
    wiring.submit.record([(sent, Unknown("its answer was lost"))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fcntl.flock", lambda *_: None)
        rewire().submit.claim(0)
    assert job(wiring, sent.job_id).status is Status.UNCONFIRMED
    assert job(wiring, unsent.job_id).status is Status.QUEUED


def test_files_that_are_no_slips_keep_no_lane(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    be_killed_at("submit.after_intent", wiring.settings)
    (folder,) = Path(wiring.settings.spool_dir, "slips").iterdir()
    for name in ("x", ".DS_Store", "x.held", f"{new_id().hex}.unheard-of", "x.accepted"):
        (folder / name).write_bytes(b"\xff")
    (folder / "sub").mkdir()
    wiring.submit.claim(0)
    assert job(wiring, job_id).status is Status.QUEUED
    assert slips(wiring) == []


def test_without_a_disk_for_slips_jobs_are_sent_all_the_same(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    wiring.settings.spool_dir.mkdir(parents=True)
    (wiring.settings.spool_dir / "slips").write_text("no folder")
    job_id = enqueue(wiring, key)
    run(wiring.submit)
    assert job(wiring, job_id).status is Status.GENERATING


def test_an_intent_that_another_may_take_for_unsent_is_not_sent(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    (slip,) = slips(wiring)
    slip.with_name(f"{intent.attempt_id.hex}.begun").touch()
    outcome = wiring.submit.act(intent)
    assert isinstance(outcome, NotSent)
    wiring.submit.record([(intent, outcome)])
    assert job(wiring, job_id).status is Status.QUEUED
