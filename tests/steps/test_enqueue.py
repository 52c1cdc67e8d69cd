"""Enqueue: a clear answer at once, and one job for one key however often it is asked for."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import Rewire, enqueue, events, job, project_id
from fakes.ringing import Ringing
from pydantic import SecretStr
from sqlalchemy import func, select

from service.errors import (
    DatabaseUnavailable,
    IdempotencyConflict,
    InvalidRequest,
    NotCancelable,
    NotFound,
)
from service.keys import NewKey
from service.messages import Message
from service.models import jobs
from service.states import Status
from service.steps.enqueue import JobRequest
from service.wiring import Wiring

BODY = hashlib.sha256(b"body").digest()


def request(**overrides: Any) -> JobRequest:  # noqa: ANN401
    wanted: dict[str, Any] = {"model": "flux-2-pro", "input": {"prompt": "a fox"}, "sha256": BODY}
    return JobRequest(**(wanted | overrides))


def count(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(jobs))
    return found


def test_a_job_is_committed_with_its_first_event_and_rung(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    job_id = enqueue(wiring, key)
    row = job(wiring, job_id)
    assert (row.status, row.attempt_count) == (Status.QUEUED, 0)
    assert row.cost_estimated > 0
    assert events(wiring, job_id) == ["job.queued"]
    assert ringing.rung == [Message.SUBMIT]


def test_a_new_job_is_answered_as_the_table_holds_it(wiring: Wiring, key: NewKey) -> None:
    start = datetime.now(UTC) + timedelta(hours=1)
    sparing = request()
    full = request(
        input={"prompt": "a fox", "width": 256, "height": 256, "seed": 7},
        callback_url="http://127.0.0.1:9/hook",
        metadata={"order": "17"},
        priority="high",
        start_at=start,
        expires_at=start + timedelta(hours=1),
        retry_of=enqueue(wiring, key),
    )
    for wanted in (sparing, full):
        row = wiring.enqueue.accept(project_id(wiring, key), wanted).row
        held = job(wiring, row.id)
        assert wiring.documents.job(row) == wiring.documents.job(held)
        assert (row.project_id, row.status) == (held.project_id, held.status)


def test_fifty_equal_requests_at_once_are_one_job(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    with ThreadPoolExecutor(16) as pool:
        done = list(
            pool.map(
                lambda _: wiring.enqueue.accept(owner, request(idempotency_key="k")), range(50)
            )
        )
    assert len({one.row.id for one in done}) == count(wiring) == 1
    assert [one.replayed for one in done].count(False) == 1
    assert events(wiring, done[0].row.id) == ["job.queued"]


def test_a_key_with_another_body_is_a_conflict(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    first = wiring.enqueue.accept(owner, request(idempotency_key="k"))
    other = hashlib.sha256(b"another").digest()
    with pytest.raises(IdempotencyConflict):
        wiring.enqueue.accept(owner, request(idempotency_key="k", sha256=other))
    again = wiring.enqueue.accept(owner, request(idempotency_key="k"))
    assert (again.row.id, again.replayed) == (first.row.id, True)
    assert count(wiring) == 1


def test_the_same_key_in_two_projects_is_two_jobs(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    ids = {
        wiring.enqueue.accept(project_id(wiring, one), request(idempotency_key="k")).row.id
        for one in (key, other_key)
    }
    assert len(ids) == 2


def test_without_a_key_every_request_is_a_job(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    for _ in range(2):
        wiring.enqueue.accept(owner, request())
    assert count(wiring) == 2


def test_a_key_answers_with_its_job_whatever_became_of_it(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    first = wiring.enqueue.accept(owner, request(idempotency_key="k")).row
    wiring.enqueue.cancel(owner, first.id)
    again = wiring.enqueue.accept(owner, request(idempotency_key="k"))
    assert (again.row.id, again.row.status) == (first.id, Status.CANCELED)


def test_a_repeat_finds_its_job_though_it_would_be_refused_today(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    owner = project_id(wiring, key)
    wanted = request(idempotency_key="k", callback_url="http://127.0.0.1:9/hook")
    first = wiring.enqueue.accept(owner, wanted)
    again = rewire(egress_allowed_networks=[]).enqueue.accept(owner, wanted)
    assert (again.row.id, again.replayed) == (first.row.id, True)


def test_every_error_is_named_at_once_and_nothing_is_kept(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    wrong = request(
        input={"width": 1, "height": "x", "nonsense": 1}, callback_url="http://10.0.0.1/hook"
    )
    with pytest.raises(InvalidRequest) as failure:
        rewire(egress_allowed_networks=[]).enqueue.accept(project_id(wiring, key), wrong)
    assert {one.pointer for one in failure.value.errors} == {
        "/input/prompt",
        "/input/width",
        "/input/height",
        "/input/nonsense",
        "/callback_url",
    }
    with pytest.raises(InvalidRequest) as failure:
        wiring.enqueue.accept(project_id(wiring, key), request(model="flux-3"))
    assert [one.pointer for one in failure.value.errors] == ["/model"]
    assert count(wiring) == 0


def test_a_callback_into_a_network_of_ours_is_refused(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    guarded = rewire(egress_allowed_networks=[])
    for url in (
        "http://127.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "ftp://partner.com/",
        "http://user:word@partner.com/",
        "http://localhost/",
    ):
        with pytest.raises(InvalidRequest) as failure:
            guarded.enqueue.accept(project_id(wiring, key), request(callback_url=url))
        assert [one.pointer for one in failure.value.errors] == ["/callback_url"], url


def test_a_job_waits_for_its_start(wiring: Wiring, key: NewKey) -> None:
    start = datetime.now(UTC) + timedelta(hours=1)
    end = start + timedelta(hours=1)
    row = job(wiring, enqueue(wiring, key, start_at=start, expires_at=end))
    assert (row.due_at, row.start_at, row.expires_at) == (start, start, end)


def test_nothing_is_accepted_while_the_database_is_away(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    away = rewire(database_url=SecretStr("postgresql+psycopg://nobody:nothing@127.0.0.1:9/none"))
    with pytest.raises(DatabaseUnavailable):
        away.enqueue.accept(project_id(wiring, key), request())
    assert count(wiring) == 0


def test_a_queued_job_is_withdrawn_once(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    job_id = enqueue(wiring, key)
    first = wiring.enqueue.cancel(owner, job_id)
    again = wiring.enqueue.cancel(owner, job_id)
    assert first.status is again.status is Status.CANCELED
    assert events(wiring, job_id) == ["job.queued", "job.canceled"]
    assert wiring.submit.claim(5) == []


def test_a_job_that_has_left_the_queue_cannot_be_withdrawn(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    wiring.submit.claim(1)
    with pytest.raises(NotCancelable, match="submitting"):
        wiring.enqueue.cancel(project_id(wiring, key), job_id)
    assert job(wiring, job_id).status is Status.SUBMITTING


def test_another_projects_job_is_as_unknown_as_none(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    foreign = project_id(wiring, other_key)
    said = []
    for unknown in (job_id, uuid4(), UUID(int=0)):
        with pytest.raises(NotFound) as failure:
            wiring.enqueue.cancel(foreign, unknown)
        said.append(str(failure.value))
    assert len(set(said)) == 1
    assert job(wiring, job_id).status is Status.QUEUED
