"""Bytes that wait on disk: whole or not there, and gone once nobody needs them."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from service.clients.spool import ResultSpool, WebhookSpool
from service.pictures import Spooled

JOB = UUID(int=7)
LARGE = bytes(range(256)) * 10_000


@pytest.fixture
def results(tmp_path: Path) -> ResultSpool:
    return ResultSpool(tmp_path / "results", max_bytes=10_000_000)


@pytest.fixture(params=[LARGE, LARGE[:500_000]], ids=["large", "small"])
def data(request: pytest.FixtureRequest) -> bytes:
    content: bytes = request.param
    return content


Fetch = Callable[[Callable[[bytes], object]], str]


@pytest.fixture
def fetch(data: bytes) -> Fetch:
    def fetch(sink: Callable[[bytes], object]) -> str:
        for start in range(0, len(data), 65536):
            sink(data[start : start + 65536])
        return hashlib.sha256(data).hexdigest()

    return fetch


def content_of(spooled: Spooled) -> bytes:
    with spooled.open() as file:
        return file.read()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/*"))


def test_a_download_is_whole_while_it_is_used_and_gone_afterwards(
    results: ResultSpool, tmp_path: Path, fetch: Fetch, data: bytes
) -> None:
    with results.download(fetch) as spooled:
        for _ in range(2):
            assert content_of(spooled) == data
        assert (spooled.size_bytes, spooled.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert files(tmp_path) == []


def test_a_small_download_is_no_file_and_a_large_one_not_in_memory(
    results: ResultSpool, tmp_path: Path, fetch: Fetch, data: bytes
) -> None:
    with results.download(fetch) as spooled:
        is_small = len(data) < len(LARGE)
        assert isinstance(spooled.content, bytes) == is_small
        assert (files(tmp_path) == []) == is_small


def test_a_failed_download_leaves_nothing(
    results: ResultSpool, tmp_path: Path, data: bytes
) -> None:
    def broken(sink: Callable[[bytes], object]) -> str:
        sink(data)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError), results.download(broken):
        pass
    assert files(tmp_path) == []


def test_a_kept_result_is_found_again_until_it_is_dropped(
    results: ResultSpool, tmp_path: Path, fetch: Fetch, data: bytes
) -> None:
    assert results.kept(JOB) is None
    with results.download(fetch) as spooled:
        results.keep(JOB, spooled)
    again = ResultSpool(tmp_path / "results", max_bytes=10_000_000).kept(JOB)
    assert again is not None
    assert (again.sha256, again.size_bytes) == (spooled.sha256, len(data))
    assert content_of(again) == data
    results.keep(JOB, again)
    assert content_of(again) == data
    assert results.kept(uuid4()) is None
    results.drop(JOB)
    results.drop(JOB)
    assert files(tmp_path) == []


def test_a_folder_has_one_name_for_all_processes_and_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    with ThreadPoolExecutor(8) as pool:
        spools = [ResultSpool(folder, max_bytes=1) for _ in range(64)]
        (name,) = set(pool.map(lambda spool: spool.id, spools))
    assert files(tmp_path) == ["id"]
    assert ResultSpool(folder, max_bytes=1).id == name
    assert ResultSpool(tmp_path / "other", max_bytes=1).id != name


def test_what_waits_is_told_by_job_and_may_be_put_aside(
    results: ResultSpool, tmp_path: Path, fetch: Fetch
) -> None:
    for job_id in (JOB, UUID(int=8)):
        with results.download(fetch) as spooled:
            results.keep(job_id, spooled)
    assert set(results.waiting()) == {JOB, UUID(int=8)}
    results.put_aside(JOB)
    results.put_aside(JOB)
    assert results.waiting() == [UUID(int=8)]
    assert results.kept(JOB) is None
    results.drop(JOB)
    assert sorted(Path(name).suffix for name in files(tmp_path)) == [".failed", ".result"]


def test_what_a_killed_process_left_is_cleared_away_and_nothing_else(
    results: ResultSpool, tmp_path: Path, fetch: Fetch
) -> None:
    folder = tmp_path / "results"
    with results.download(fetch) as spooled:
        results.keep(JOB, spooled)
    for name, age in (("old.part", 4000), ("young.part", 60)):
        (folder / name).write_bytes(b"x")
        moment = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (moment, moment))
    (kept,) = folder.glob("*.result")
    os.utime(kept, (1, 1))
    with results.download(fetch) as spooled:
        results.keep(JOB, spooled)
    assert files(tmp_path) == sorted([kept.name, "young.part"])


def test_a_kept_result_that_was_damaged_on_disk_is_not_used(
    results: ResultSpool, tmp_path: Path, fetch: Fetch
) -> None:
    with results.download(fetch) as spooled:
        results.keep(JOB, spooled)
    (kept,) = (tmp_path / "results").glob("*.result")
    kept.write_bytes(b"something else")
    assert results.kept(JOB) is None


def test_there_is_room_until_four_fifths_are_kept(tmp_path: Path) -> None:
    results = ResultSpool(tmp_path / "results", max_bytes=1000)
    assert results.has_room()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "1.result").write_bytes(bytes(500))
    (tmp_path / "results" / "2.part").write_bytes(bytes(5000))
    assert results.has_room()
    (tmp_path / "results" / "2.result").write_bytes(bytes(300))
    assert not results.has_room()


@pytest.fixture
def webhooks(tmp_path: Path) -> WebhookSpool:
    return WebhookSpool(tmp_path / "webhooks")


def test_webhooks_wait_in_the_order_they_came(webhooks: WebhookSpool, tmp_path: Path) -> None:
    assert list(webhooks.waiting()) == []
    sent = [(uuid4(), b"%d" % number) for number in range(20)]
    for attempt_id, body in sent:
        webhooks.add(attempt_id, body)
    again = list(WebhookSpool(tmp_path / "webhooks").waiting())
    assert [(attempt_id, body) for attempt_id, body, _ in again] == sent


def test_a_file_that_is_no_webhook_holds_up_no_other(
    webhooks: WebhookSpool, tmp_path: Path
) -> None:
    webhooks.add(JOB, b"body")
    (tmp_path / "webhooks" / "0.webhook").write_bytes(b"short")
    assert [body for _, body, _ in webhooks.waiting()] == [b"body"]
    assert (tmp_path / "webhooks" / "0.damaged").read_bytes() == b"short"


def test_any_body_comes_back_as_it_was(webhooks: WebhookSpool) -> None:
    for body in (b"", b"\x00\xff\n", LARGE[:65536]):
        webhooks.add(JOB, body)
    assert [body for _, body, _ in webhooks.waiting()] == [b"", b"\x00\xff\n", LARGE[:65536]]


def test_a_webhook_is_on_the_disk_before_it_has_its_name(
    webhooks: WebhookSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, list[str]]] = []
    fsync = os.fsync

    def watch(handle: int) -> None:
        is_folder = os.fstat(handle).st_mode & 0o040000 != 0
        synced.append((is_folder, [Path(name).suffix for name in files(tmp_path)]))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    webhooks.add(JOB, b"body")
    assert synced == [(False, [".part"]), (True, [".webhook"])]


def test_a_disk_that_does_not_take_it_is_an_error_and_leaves_nothing(
    webhooks: WebhookSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        webhooks.add(JOB, b"body")
    assert files(tmp_path) == []
