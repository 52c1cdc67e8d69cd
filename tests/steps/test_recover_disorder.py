"""Late, lost and crossing marks hold nothing; without S3 nothing is bought."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from factories import Rewire, ago, enqueue
from fakes.ringing import Ringing
from sqlalchemy import delete
from steps.marking import change, claimed, mark_again, row

from service.errors import StorageUnavailable
from service.keys import NewKey
from service.messages import Message
from service.models import Deployment
from service.wiring import Wiring


class LostAnswers:
    """A bucket that takes every mark and answers none."""

    def __init__(self, wiring: Wiring) -> None:
        self._store = wiring.object_store
        self.bucket = self._store.bucket

    def get(self, bucket: str, key: str) -> bytes:
        return self._store.get(bucket, key)

    def put_bytes(self, key: str, body: bytes, content_type: str) -> None:
        self._store.put_bytes(key, body, content_type)
        raise StorageUnavailable("the answer was lost")


class Late(LostAnswers):
    """A bucket that gets marks when it is told to, in any order."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self.under_way: list[tuple[str, bytes, str]] = []

    def put_bytes(self, key: str, body: bytes, content_type: str) -> None:
        self.under_way.append((key, body, content_type))

    def arrive(self, place: int) -> None:
        self._store.put_bytes(*self.under_way[place])


def over(wiring: Wiring, bucket: LostAnswers) -> Any:  # noqa: ANN401 - a Recover
    return replace(wiring.recover, marks=replace(wiring.recover.marks, bucket=bucket))


def test_many_workers_at_once_hold_nothing(wiring: Wiring, rewire: Rewire) -> None:
    workers = [rewire() for _ in range(3)]

    def work(worker: Wiring) -> None:
        for _ in range(15):
            mark_again(worker)

    wiring.recover.mark()
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, workers))
    found = row(wiring)
    assert found.held_at is None
    assert found.mark_number > 15


def test_workers_that_begin_at_once_make_one_row(wiring: Wiring, rewire: Rewire) -> None:
    workers = [rewire() for _ in range(3)]
    for worker in workers:
        worker.recover.mark()
    begin = threading.Barrier(3)

    def work(worker: Wiring) -> None:
        begin.wait()
        worker.recover.mark()

    with ThreadPoolExecutor(3) as threads:
        for _ in range(10):
            with wiring.database.transaction() as tx:
                tx.execute(delete(Deployment))
            list(threads.map(work, workers))
            assert row(wiring).mark_number > 0


def test_marks_whose_answers_are_lost_hold_nothing(wiring: Wiring, key: NewKey) -> None:
    enqueue(wiring, key)
    deaf = over(wiring, LostAnswers(wiring))
    for _ in range(4):
        deaf.mark()
    assert claimed(wiring) == 0, "nothing is acknowledged"
    assert (row(wiring).mark_number, row(wiring).marked_at) == (4, None)
    wiring.recover.mark()
    assert claimed(wiring) == 1
    assert row(wiring).held_at is None


def test_marks_that_come_late_and_in_another_order_hold_nothing(wiring: Wiring) -> None:
    late = Late(wiring)
    slow = over(wiring, late)
    for _ in range(3):
        slow.mark()
        change(wiring, marked_at=None)
    for place in (2, 0, 1):
        late.arrive(place)
        mark_again(wiring)
        late.arrive(place)
        mark_again(wiring)
    assert row(wiring).held_at is None


def test_without_s3_nothing_is_claimed_and_with_it_all_goes_on(
    wiring: Wiring, rewire: Rewire, key: NewKey, ringing: Ringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(wiring, key)
    ringing.rung.clear()
    with monkeypatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        away = rewire()
        away.recover.mark()
    assert "not verified: S3 get" in str(away.vitals.trouble())
    assert claimed(away) == 0
    assert claimed(wiring) == 0, "nor does a worker that has not asked S3 itself"
    assert Message.SUBMIT not in ringing.rung
    wiring.recover.mark()
    assert ringing.rung == [Message.SUBMIT]
    assert claimed(wiring) == 1


def test_a_mark_is_good_for_a_minute_without_s3(
    wiring: Wiring, rewire: Rewire, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiring.recover.mark()
    with monkeypatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        away = rewire()
        mark_again(away)
        enqueue(away, key)
        assert claimed(away) == 1
        change(away, marked_at=ago(61))
        enqueue(away, key)
        assert claimed(away) == 0
