"""Batches: all or none, once for one key, and told of once when the last job has ended."""

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from factories import events, job, project_id, upload
from fakes.pictures import drawn
from fakes.ringing import Ringing
from sqlalchemy import Table, func, select, update

from service.errors import CreditsSpent, IdempotencyConflict, InvalidRequest, NotFound, QueueFull
from service.ids import new_id
from service.keys import NewKey
from service.messages import Message
from service.models import Delivery, batches, jobs
from service.states import Status
from service.steps.enqueue import Asking, EnqueuedBatch
from service.wiring import Wiring

ONE = {"model": "flux-2-pro", "input": {"prompt": "a fox", "width": 256, "height": 256}}
HOOK = "http://127.0.0.1:9/batches"


def hand_in(
    wiring: Wiring, key: NewKey, bodies: list[Any], idem: str | None = None, **more: object
) -> EnqueuedBatch:
    owner = project_id(wiring, key)
    wanted = wiring.batches.read(Asking(owner), {"jobs": bodies, **more}, idem)
    return wiring.batches.accept(owner, wanted)


def count(wiring: Wiring, table: Table) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(table))
    return found


def own_callbacks(wiring: Wiring) -> list[Any]:
    with wiring.database.transaction() as tx:
        return tx.rows(select(*Delivery.__table__.c).where(Delivery.job_id.is_(None)))


def end(wiring: Wiring, job_id: UUID) -> None:
    """Let a job succeed."""
    with wiring.database.transaction() as tx:
        tx.execute(update(jobs).where(jobs.c.id == job_id).values(status=Status.STORING))
        assert wiring.moves.move(tx, job_id, Status.SUCCEEDED, "It is there")


def test_a_batch_is_committed_with_all_its_jobs_in_order_and_rung_once(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    bodies = [{**ONE, "metadata": {"n": str(n)}} for n in range(30)]
    found = hand_in(wiring, key, bodies)
    rows = [job(wiring, one) for one in found.job_ids]
    assert [row.metadata["n"] for row in rows] == [str(n) for n in range(30)]
    assert {(row.status, row.batch_id) for row in rows} == {(Status.QUEUED, found.row.id)}
    assert all(row.due_at is not None and row.cost_estimated > 0 for row in rows)
    assert events(wiring, found.job_ids[7]) == ["job.queued"]
    assert ringing.rung == [Message.SUBMIT]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({**ONE, "input": {"prompt": "a fox", "width": 7}}, "/jobs/1/input/width"),
        ({**ONE, "model": "flux-9"}, "/jobs/1/model"),
        ({**ONE, "modl": "x"}, "/jobs/1/modl"),
        ({**ONE, "callback_url": "http://10.0.0.1/"}, "/jobs/1/callback_url"),
        ("no object", "/jobs/1"),
    ],
)
def test_one_wrong_job_is_named_and_none_is_accepted(
    wiring: Wiring, key: NewKey, wrong: object, pointer: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        hand_in(wiring, key, [ONE, wrong, {**ONE, "input": {}}])
    named = [error.pointer for error in refused.value.errors]
    assert pointer in named
    assert "/jobs/2/input/prompt" in named
    assert count(wiring, jobs) == count(wiring, batches) == 0


def test_too_many_jobs_are_not_looked_at_one_by_one(wiring: Wiring, key: NewKey) -> None:
    with pytest.raises(InvalidRequest) as refused:
        hand_in(wiring, key, [{**ONE, "modl": 7}] * 1001)
    assert [error.pointer for error in refused.value.errors] == ["/jobs"]


def test_more_errors_than_anybody_reads_are_counted(wiring: Wiring, key: NewKey) -> None:
    with pytest.raises(InvalidRequest) as refused:
        hand_in(wiring, key, [{**ONE, "model": "nope"}] * 200)
    assert len(refused.value.errors) == 51
    assert refused.value.errors[-1].detail == "and 150 more"


def test_fifty_equal_requests_at_once_are_one_batch(wiring: Wiring, key: NewKey) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: hand_in(wiring, key, [ONE] * 3, "k"), range(50)))
    assert len({tuple(one.job_ids) for one in found}) == 1
    assert [one.replayed for one in found].count(False) == 1
    assert (count(wiring, batches), count(wiring, jobs)) == (1, 3)
    with pytest.raises(IdempotencyConflict):
        hand_in(wiring, key, [ONE], "k")


def test_batches_that_name_the_same_uploads_in_another_order_do_not_wait_in_a_circle(
    wiring: Wiring, key: NewKey
) -> None:
    for _ in range(3):
        given = [upload(wiring, key, drawn("PNG", (256, 256))) for _ in range(12)]
        bodies = [{**ONE, "input": {"prompt": "a fox", "input_image": one}} for one in given]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda order: hand_in(wiring, key, order), [bodies, bodies[::-1]]))
    assert count(wiring, jobs) == 72


def test_a_limit_that_one_job_would_exceed_refuses_all(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"credits_per_day": Decimal(8)})
    with pytest.raises(CreditsSpent):
        hand_in(wiring, key, [ONE] * 3)
    assert count(wiring, jobs) == count(wiring, batches) == 0
    hand_in(wiring, key, [ONE] * 2)


def test_more_jobs_than_may_ever_wait_are_no_matter_of_time(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"max_queued": 2})
    with pytest.raises(InvalidRequest, match=r"/jobs: are more than the 2"):
        hand_in(wiring, key, [ONE] * 3)
    hand_in(wiring, key, [ONE] * 2)
    with pytest.raises(QueueFull):
        hand_in(wiring, key, [ONE])


def test_the_last_end_is_told_once(wiring: Wiring, key: NewKey) -> None:
    found = hand_in(wiring, key, [ONE] * 3, callback_url=HOOK, metadata={"order": "17"})
    for job_id in found.job_ids[:2]:
        end(wiring, job_id)
        wiring.sweep()
        assert own_callbacks(wiring) == []
    wiring.enqueue.cancel(found.row.project_id, found.job_ids[2])
    for _ in range(3):
        wiring.sweep()
    (told,) = own_callbacks(wiring)
    said = json.loads(told.body)
    assert (said["type"], said["data"]["status"]) == ("batch.completed", "completed")
    assert said["data"]["counts"]["succeeded"] == 2
    assert said["data"]["counts"]["canceled"] == 1
    assert said["data"]["metadata"] == {"order": "17"}
    ends = wiring.follow.after(found.row.project_id, 0, 100)
    assert [one.type for one in ends.endings].count("batch.completed") == 1
    assert wiring.deliver.claim(10)[0].owed[0].id == told.id


def test_a_job_of_a_batch_calls_by_itself_only_if_it_says_so(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    asking = Asking(owner, "http://127.0.0.1:9/default")
    loud = {**ONE, "callback_url": "http://127.0.0.1:9/job"}
    by_event = {**ONE, "callback_events": ["job.failed"]}
    wanted = wiring.batches.read(asking, {"jobs": [ONE, loud, by_event]}, None)
    assert [one.callback_url for one in wanted.jobs] == [
        None,
        "http://127.0.0.1:9/job",
        "http://127.0.0.1:9/default",
    ]
    assert wanted.callback_url == "http://127.0.0.1:9/default"


def test_the_rest_of_a_batch_can_be_withdrawn(wiring: Wiring, key: NewKey) -> None:
    found = hand_in(wiring, key, [ONE] * 250)
    end(wiring, found.job_ids[3])
    assert wiring.batches.cancel(found.row.project_id, found.row.id) == 249
    assert wiring.tally.one(found.row.project_id, found.row.id).counts == {
        Status.SUCCEEDED: 1,
        Status.CANCELED: 249,
    }
    assert wiring.batches.cancel(found.row.project_id, found.row.id) == 0


def test_another_projects_batch_is_unknown(wiring: Wiring, key: NewKey, other_key: NewKey) -> None:
    found = hand_in(wiring, key, [ONE])
    stranger = project_id(wiring, other_key)
    for batch_id in (found.row.id, new_id()):
        for ask in (wiring.tally.one, wiring.batches.cancel, wiring.redeliver.of_batch):
            with pytest.raises(NotFound, match=r"There is no such batch\."):
                ask(stranger, batch_id)
    assert job(wiring, found.job_ids[0]).status is Status.QUEUED
