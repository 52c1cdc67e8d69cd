"""What S3 keeps of a deleted image goes, whoever is killed, away, or drawing at the time."""

import threading
from typing import Any
from uuid import UUID

import pytest
from cli.command_line import CommandLine
from cli.working import stored_images
from factories import job, project_id, run
from sqlalchemy import Row, func, select, update
from steps.test_derive import image, stored

from service.clock import seconds
from service.errors import Gone
from service.keys import NewKey
from service.models import Removal, images
from service.wiring import Wiring


def removal(wiring: Wiring, image_id: UUID) -> Row[Any]:
    with wiring.database.transaction() as tx:
        row: Row[Any] = tx.first(select(*Removal.__table__.c).where(Removal.image_id == image_id))
    return row


def let_time_pass(wiring: Wiring) -> None:
    """Let every head start and lease be over."""
    with wiring.database.transaction() as tx:
        waits = update(Removal).where(Removal.due_at.is_not(None))
        tx.execute(waits.values(due_at=func.now() - seconds(1)))


def left(wiring: Wiring, row: Row[Any]) -> list[str]:
    """Return what the bucket still holds of an image."""
    stem = row.key.rpartition(".")[0]
    return [key.removeprefix(stem) for key, _ in wiring.object_store.listing(stem)]


def test_nothing_is_owed_once_s3_has_confirmed(wiring: Wiring, key: NewKey) -> None:
    (job_id,) = stored_images(wiring, key, 1)
    row = image(wiring, job_id)
    wiring.remove(project_id(wiring, key), row.id)
    assert left(wiring, row) == []
    assert removal(wiring, row.id).due_at is None


def test_with_s3_away_the_image_is_gone_and_its_objects_follow(
    wiring: Wiring, without_s3: Wiring, key: NewKey
) -> None:
    (job_id,) = stored_images(wiring, key, 1)
    row = image(wiring, job_id)
    without_s3.remove(project_id(wiring, key), row.id)
    with pytest.raises(Gone):
        wiring.browse.image(project_id(wiring, key), row.id)
    let_time_pass(wiring)
    without_s3.discard()
    assert len(left(wiring, row)) == 3
    # its lease is not over
    wiring.discard()
    assert len(left(wiring, row)) == 3
    let_time_pass(wiring)
    wiring.discard()
    assert left(wiring, row) == []
    assert removal(wiring, row.id).due_at is None


def test_a_discard_that_is_killed_is_finished_by_the_next(
    wiring: Wiring, without_s3: Wiring, key: NewKey
) -> None:
    (job_id,) = stored_images(wiring, key, 1)
    row = image(wiring, job_id)
    without_s3.remove(project_id(wiring, key), row.id)
    let_time_pass(wiring)
    (owed,) = wiring.discard.removals.claim(10)
    assert wiring.discard.removals.act(owed)
    assert removal(wiring, row.id).due_at is not None
    let_time_pass(wiring)
    wiring.discard()
    assert removal(wiring, row.id).due_at is None


def test_who_draws_meanwhile_leaves_nothing_behind(wiring: Wiring, key: NewKey) -> None:
    row = image(wiring, stored(wiring, key))
    (bare,) = wiring.derive.claim(1)
    wiring.remove(project_id(wiring, key), row.id)
    derived = wiring.derive.act(bare)
    assert len(left(wiring, row)) > 0
    wiring.derive.record([(bare, derived)])
    wiring.discard()
    assert left(wiring, row) == []
    assert removal(wiring, row.id).due_at is None


def test_who_is_killed_while_drawing_leaves_nothing_behind(wiring: Wiring, key: NewKey) -> None:
    row = image(wiring, stored(wiring, key))
    (bare,) = wiring.derive.claim(1)
    wiring.remove(project_id(wiring, key), row.id)
    wiring.derive.act(bare)
    let_time_pass(wiring)
    wiring.discard()
    assert left(wiring, row) == []


def test_what_is_put_while_objects_are_deleted_is_owed_again(wiring: Wiring, key: NewKey) -> None:
    row = image(wiring, stored(wiring, key))
    (bare,) = wiring.derive.claim(1)
    wiring.remove(project_id(wiring, key), row.id)
    let_time_pass(wiring)
    (owed,) = wiring.discard.removals.claim(10)
    wiring.discard.removals.act(owed)
    wiring.derive.record([(bare, wiring.derive.act(bare))])
    wiring.discard.removals.record([owed])
    wiring.discard()
    assert left(wiring, row) == []


def test_of_many_who_delete_an_image_at_once_one_does(wiring: Wiring, key: NewKey) -> None:
    (job_id,) = stored_images(wiring, key, 1)
    row, owner = image(wiring, job_id), project_id(wiring, key)
    said: list[str] = []
    together = threading.Barrier(4)

    def delete() -> None:
        together.wait()
        try:
            wiring.remove(owner, row.id)
            said.append("deleted")
        except Gone:
            said.append("gone")

    threads = [threading.Thread(target=delete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["deleted", "gone", "gone", "gone"]
    before = job(wiring, job_id).event_seq
    lines = wiring.browse.events(owner, job_id)
    assert [line.type for line in lines].count("image.deleted") == 1
    assert lines[-1].seq == before


def test_reindex_brings_nothing_back_that_was_deleted(
    wiring: Wiring, without_s3: Wiring, key: NewKey, environment: dict[str, str]
) -> None:
    (job_id,) = stored_images(wiring, key, 1)
    row = image(wiring, job_id)
    without_s3.remove(project_id(wiring, key), row.id)
    assert [found.outcome for found in wiring.reindex.run(2)] == ["deleted"]
    # half of it is gone by now
    wiring.object_store.delete(row.bucket, row.key)
    done = CommandLine(environment, key.api_key)("reindex")
    assert (done.code, done.out) == (0, "0 were there, 0 added, 0 unreadable\n")
    with wiring.database.transaction() as tx:
        assert tx.rows(select(images.c.id)) == []


def test_verify_misses_no_deleted_image(wiring: Wiring, key: NewKey) -> None:
    job_ids = stored_images(wiring, key, 2)
    wiring.remove(project_id(wiring, key), image(wiring, job_ids[0]).id)
    assert [one.fault for one in wiring.verify.run(None, 2)] == [None]
    found = wiring.verify.run(None, 1)
    # read from the tables, and deleted before its bytes are
    row = image(wiring, job_ids[1])
    wiring.remove(project_id(wiring, key), row.id)
    assert [one.fault for one in found] == []
    assert run(wiring.derive) == []
