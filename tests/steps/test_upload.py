"""Upload: pictures are taken in whole or not at all. Discard: what nobody refers to goes, once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from factories import Rewire, project_id, upload
from fakes.pictures import drawn
from fakes.scripted_peer import ScriptedPeer, answer
from sqlalchemy import Row, func, select, update

from service.clock import seconds
from service.errors import InvalidRequest, NotFound, StorageUnavailable
from service.ids import Kind, new_id, public_id, read_id
from service.keys import NewKey
from service.messages import Message
from service.models import uploads
from service.wiring import Wiring
from workers.schedule import beat_schedule

PNG = drawn("PNG")


def known(upload_id: str) -> UUID:
    found = read_id(Kind.UPLOAD, upload_id)
    assert found is not None
    return found


def rows(wiring: Wiring) -> list[Row[Any]]:
    with wiring.database.transaction() as tx:
        return tx.rows(select(*uploads.c).order_by(uploads.c.id))


def expire(wiring: Wiring) -> None:
    """Let the life of every upload that can expire be over, and every lease."""
    past = func.now() - seconds(1)
    with wiring.database.transaction() as tx:
        mortal = update(uploads).where(uploads.c.expires_at.is_not(None))
        tx.execute(mortal.values(expires_at=past))


def is_there(wiring: Wiring, row: Row[Any]) -> bool:
    try:
        return wiring.object_store.get(row.bucket, row.key) is not None
    except FileNotFoundError:
        return False


def test_a_picture_is_stored_under_its_project_and_lives_for_a_while(
    wiring: Wiring, key: NewKey
) -> None:
    upload_id = upload(wiring, key, PNG)
    (row,) = rows(wiring)
    found = wiring.upload.find(project_id(wiring, key), known(upload_id))
    assert found == row
    day = row.created_at.strftime("%Y/%m/%d")
    prefix = wiring.settings.s3_prefix
    assert row.key == f"{prefix}default/uploads/{day}/{upload_id}.png"
    assert wiring.object_store.get(row.bucket, row.key) == PNG
    life = row.expires_at - row.created_at
    assert life.total_seconds() == pytest.approx(604_800, abs=30)
    head = wiring.object_store._client.head_object(  # noqa: SLF001 - nobody else asks for it
        Bucket=row.bucket, Key=row.key, ChecksumMode="ENABLED"
    )
    assert head["ContentType"] == "image/png"
    assert head["ChecksumSHA256"]
    assert list(wiring.settings.spool_dir.glob("uploads/*")) == []


def test_what_is_no_picture_is_not_taken(wiring: Wiring, key: NewKey) -> None:
    for content in (b"", b"<svg/>", drawn("GIF"), PNG[:-30]):
        with pytest.raises(InvalidRequest) as failure:
            upload(wiring, key, content)
        assert [error.pointer for error in failure.value.errors] == ["/file"]
    assert rows(wiring) == []
    assert list(wiring.settings.spool_dir.glob("uploads/*")) == []


def test_another_projects_upload_is_as_unknown_as_none(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    upload_id = known(upload(wiring, key, PNG))
    said = []
    for asked in (upload_id, new_id()):
        with pytest.raises(NotFound) as failure:
            wiring.upload.find(project_id(wiring, other_key), asked)
        said.append(str(failure.value))
    expire(wiring)
    with pytest.raises(NotFound) as failure:
        wiring.upload.find(project_id(wiring, key), upload_id)
    assert {*said, str(failure.value)} == {said[0]}


def test_what_s3_did_not_confirm_is_not_taken_and_goes_soon(
    wiring: Wiring, key: NewKey, rewire: Rewire, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        with pytest.raises(StorageUnavailable):
            upload(rewire(), key, PNG)
    (row,) = rows(wiring)
    assert (row.expires_at - row.created_at).total_seconds() == 600
    expire(wiring)
    wiring.discard()
    assert rows(wiring) == []


def test_only_what_has_expired_is_discarded(wiring: Wiring, key: NewKey) -> None:
    upload(wiring, key, PNG)
    expire(wiring)
    lasting = upload(wiring, key, PNG)
    expired, _ = rows(wiring)
    wiring.discard()
    (row,) = rows(wiring)
    assert public_id(Kind.UPLOAD, row.id) == lasting
    assert is_there(wiring, row)
    assert not is_there(wiring, expired)


def killed_before_the_delete(wiring: Wiring) -> None:
    wiring.discard.uploads.claim(10)


def killed_before_the_row_goes(wiring: Wiring) -> None:
    for one in wiring.discard.uploads.claim(10):
        wiring.discard.uploads.act(one)


@pytest.mark.parametrize("kill", [killed_before_the_delete, killed_before_the_row_goes])
def test_a_killed_discard_is_finished_by_the_next(
    wiring: Wiring, key: NewKey, kill: Callable[[Wiring], None]
) -> None:
    upload_id = upload(wiring, key, PNG)
    (row,) = rows(wiring)
    expire(wiring)
    kill(wiring)
    # from its mark on nobody may refer to it, and nobody else works on it
    with pytest.raises(NotFound):
        wiring.upload.find(project_id(wiring, key), known(upload_id))
    assert wiring.discard.uploads.claim(10) == []
    expire(wiring)
    wiring.discard()
    assert rows(wiring) == []
    assert not is_there(wiring, row)


def test_a_discard_waits_for_s3_and_goes_on(
    wiring: Wiring, key: NewKey, rewire: Rewire, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(wiring, key, PNG)
    expire(wiring)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        rewire().discard()
    (row,) = rows(wiring)
    assert row.discarded_at is not None
    expire(wiring)
    wiring.discard()
    assert rows(wiring) == []


def test_the_clock_has_expired_uploads_discarded() -> None:
    entries = beat_schedule(1.0).values()
    (entry,) = (one for one in entries if one["task"] == Message.DISCARD.value)
    assert entry["schedule"] == 600


def test_a_discard_ends_with_its_turn_and_the_next_goes_on(wiring: Wiring, key: NewKey) -> None:
    for _ in range(2):
        upload(wiring, key, PNG)
    expire(wiring)
    replace(wiring.discard.uploads, turn_seconds=0.0)()
    assert len(rows(wiring)) == 1
    expire(wiring)
    wiring.discard()
    assert rows(wiring) == []


def test_a_discard_asks_a_bucket_that_is_away_once(
    wiring: Wiring, key: NewKey, rewire: Rewire, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        upload(wiring, key, PNG)
    expire(wiring)
    unavailable = b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with ScriptedPeer(answer(unavailable)) as peer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", peer.url)
        rewire().discard()
        assert len(peer.requests) == 1
    assert len(rows(wiring)) == 3
