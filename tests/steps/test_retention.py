"""What a project no longer keeps goes, with all of its, and nothing else does."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cli.working import stored_images
from conftest import Api
from factories import Rewire, deliveries, enqueue, project_id, put, run
from fakes.ringing import Ringing
from fakes.simulator import Simulator
from sqlalchemy import Engine, event, func, insert, select, text, update
from steps.test_derive import image

from service.errors import Gone, NotFound
from service.ids import Kind, first_id, new_id, public_id
from service.keys import NewKey
from service.messages import Message
from service.models import Delivery, DeliveryAttempt, DeliveryStatus, Project, batches, jobs
from service.states import TERMINAL, Status
from service.steps.discard.retention import old_jobs
from service.steps.enqueue import Asking
from service.wiring import Wiring

THEIRS = (
    "jobs", "job_events", "attempts", "images", "deliveries", "delivery_attempts", "endings",
    "flux_webhooks", "shares", "job_pairs",
)  # fmt: skip

_BY_JOB = ("job_events", "attempts", "images", "deliveries", "endings", "job_pairs")


def keep_for(wiring: Wiring, key: NewKey, days: int | None) -> None:
    with wiring.database.transaction() as tx:
        mine = update(Project).where(Project.name == key.project)
        tx.execute(mine.values(retention_days=days))


def grow_old(wiring: Wiring, *job_ids: UUID, days: float = 31) -> list[UUID]:
    """Let jobs have been made and ended so long ago; return the ids that they have then."""
    at = datetime.now(UTC) - timedelta(days=days)
    renamed = []
    for job_id in job_ids:
        old = UUID(int=first_id(at).int | (job_id.int & (1 << 80) - 1))
        with wiring.database.transaction() as tx:
            # the id is the time: children follow at the end of the transaction
            tx.execute(text("SET session_replication_role = replica"))
            names = {"old": old, "new": job_id}
            tx.execute(text("UPDATE jobs SET id = :old WHERE id = :new"), names)
            for table in _BY_JOB:
                tx.execute(text(f"UPDATE {table} SET job_id = :old WHERE job_id = :new"), names)
            tx.execute(text("SET session_replication_role = origin"))
            row = tx.first(select(jobs.c.status).where(jobs.c.id == old))
        put(wiring, old, created_at=at, completed_at=at if row.status in TERMINAL else None)
        renamed.append(old)
    return renamed


def counts(wiring: Wiring) -> dict[str, int]:
    with wiring.database.transaction() as tx:
        return {table: tx.scalar(select(func.count()).select_from(text(table))) for table in THEIRS}


def left(wiring: Wiring) -> set[UUID]:
    with wiring.database.transaction() as tx:
        return {row.id for row in tx.rows(select(jobs.c.id))}


@pytest.fixture
def kept_a_month(wiring: Wiring, key: NewKey) -> None:
    keep_for(wiring, key, 30)


@pytest.mark.usefixtures("kept_a_month")
def test_an_old_job_goes_with_all_of_its(wiring: Wiring, key: NewKey, simulator: Simulator) -> None:
    (made,) = stored_images(wiring, key, 1)
    put(wiring, made, metadata={"order": "17"})
    owner, row = project_id(wiring, key), image(wiring, made)
    wiring.share.create(owner, row.id, 3600, shows_prompt=False)
    told = new_id()
    with wiring.database.transaction() as tx:
        tx.execute(
            insert(Delivery).values(
                id=told,
                project_id=owner,
                job_id=made,
                seq=1,
                type="job.succeeded",
                url="http://x",
                body="{}",
                status=DeliveryStatus.DELIVERED,
            )
        )
        tx.execute(insert(DeliveryAttempt).values(delivery_id=told, number=1, duration_ms=1))
        tx.execute(
            text(
                "INSERT INTO flux_webhooks (attempt_id, body_sha256, body, effect) "
                "SELECT id, 'x', 'x', 'moved' FROM attempts"
            )
        )
    assert min(counts(wiring).values()) > 0
    grow_old(wiring, made)
    wiring.discard()
    assert counts(wiring) == dict.fromkeys(THEIRS, 0)
    stem = row.key.rpartition(".")[0]
    assert list(wiring.object_store.listing(stem)) == []
    with pytest.raises(Gone):
        wiring.browse.image(owner, row.id)
    with pytest.raises(NotFound):
        wiring.browse.job(owner, made)
    assert list(wiring.reindex.run(1)) == []


@pytest.mark.usefixtures("kept_a_month")
def test_what_is_young_live_owed_or_unsettled_stays(wiring: Wiring, key: NewKey) -> None:
    young = enqueue(wiring, key)
    put(wiring, young, status=Status.CANCELED, completed_at=func.now())
    waiting, owed, unsettled, just = grow_old(wiring, *(enqueue(wiring, key) for _ in range(4)))
    ended = {"status": Status.CANCELED, "completed_at": datetime.now(UTC) - timedelta(days=31)}
    put(wiring, owed, **ended)
    put(wiring, unsettled, **ended, is_unsettled=True)
    # made long ago, ended lately
    put(wiring, just, status=Status.FAILED, completed_at=func.now())
    with wiring.database.transaction() as tx:
        tx.execute(
            insert(Delivery).values(
                id=new_id(),
                project_id=project_id(wiring, key),
                job_id=owed,
                seq=1,
                type="x",
                url="http://x",
                body="{}",
                status=DeliveryStatus.PENDING,
            )
        )
    wiring.discard()
    assert left(wiring) == {young, waiting, owed, unsettled, just}
    assert len(deliveries(wiring, owed)) == 1


def test_a_project_that_says_nothing_keeps_everything(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine, theirs = (enqueue(wiring, one) for one in (key, other_key))
    for one in (mine, theirs):
        put(wiring, one, status=Status.CANCELED)
    mine, theirs = grow_old(wiring, mine, theirs)
    keep_for(wiring, other_key, 30)
    wiring.discard()
    assert left(wiring) == {mine}


@pytest.mark.usefixtures("kept_a_month")
def test_a_batch_goes_with_its_last_job(wiring: Wiring, key: NewKey) -> None:
    batch_id = new_id()
    values: dict[str, Any] = {
        "id": batch_id, "project_id": project_id(wiring, key), "size": 2, "metadata": {},
        "request_sha256": b"", "completed_at": func.now(),
    }  # fmt: skip
    with wiring.database.transaction() as tx:
        tx.execute(insert(batches).values(values))
    first, last = (enqueue(wiring, key) for _ in range(2))
    for one in (first, last):
        put(wiring, one, status=Status.CANCELED, batch_id=batch_id, completed_at=func.now())

    def is_there() -> bool:
        with wiring.database.transaction() as tx:
            return tx.first(select(batches.c.id)) is not None

    grow_old(wiring, first)
    wiring.discard()
    assert (left(wiring), is_there()) == ({last}, True)
    grow_old(wiring, last)
    wiring.discard()
    assert (left(wiring), is_there()) == (set(), False)


@pytest.mark.usefixtures("kept_a_month")
def test_old_callbacks_that_tell_of_no_job_go_once_they_are_told(
    wiring: Wiring, key: NewKey
) -> None:
    def add(delivery_id: UUID, status: DeliveryStatus) -> None:
        facts = {
            "id": delivery_id, "project_id": project_id(wiring, key), "seq": 1, "body": "{}",
            "type": "job.rejected", "url": "http://127.0.0.1:9/", "status": status,
        }  # fmt: skip
        with wiring.database.transaction() as tx:
            tx.execute(insert(Delivery).values(facts))

    old = first_id(datetime.now(UTC) - timedelta(days=31))
    owed, told, young = UUID(int=old.int + 1), UUID(int=old.int + 2), new_id()
    add(owed, DeliveryStatus.PENDING)
    add(told, DeliveryStatus.DELIVERED)
    add(young, DeliveryStatus.DELIVERED)
    wiring.discard()
    with wiring.database.transaction() as tx:
        assert {row.id for row in tx.rows(select(Delivery.id))} == {owed, young}


@pytest.mark.usefixtures("kept_a_month")
@pytest.mark.parametrize("between", ["FROM jobs", "FROM batches"])
def test_who_follows_while_an_old_batch_goes_is_told_the_rest(
    wiring: Wiring, rewire: Rewire, key: NewKey, api: Api, between: str
) -> None:
    owner, one = project_id(wiring, key), {"model": "flux-2-pro", "input": {"prompt": "a fox"}}
    wanted = wiring.batches.read(Asking(owner), {"jobs": [one]}, None)
    (of_batch,) = wiring.batches.accept(owner, wanted).job_ids
    wiring.enqueue.cancel(owner, of_batch)
    wiring.sweep()
    wiring.enqueue.cancel(owner, young := enqueue(wiring, key))
    assert len(wiring.follow.after(owner, 0, 10).endings) == 3
    grow_old(wiring, of_batch)
    other = rewire()

    asked: list[str] = []

    def meanwhile(_connection: Any, _cursor: Any, said: str, *_: Any) -> None:  # noqa: ANN401
        if between in said and not asked:
            asked.append(said)
            other.discard.retention()

    event.listen(Engine, "before_cursor_execute", meanwhile)
    told = api.get("/v1/events")
    event.remove(Engine, "before_cursor_execute", meanwhile)
    assert left(wiring) == {young}
    assert (told.status_code, told.json["has_more"]) == (200, False)
    assert public_id(Kind.JOB, young) in [one["data"]["id"] for one in told.json["data"]]
    assert "batch.completed" not in [one["type"] for one in told.json["data"]]


@pytest.mark.usefixtures("kept_a_month")
def test_who_follows_what_ends_misses_nothing(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    first, second = (enqueue(wiring, key) for _ in range(2))
    for one in (first, second):
        wiring.enqueue.cancel(owner, one)
    seen = wiring.follow.after(owner, 0, 10)
    _, last = grow_old(wiring, first, second)
    wiring.discard()
    # the last place is known as long as none comes after it
    assert left(wiring) == {last}
    third = enqueue(wiring, key)
    wiring.enqueue.cancel(owner, third)
    later = wiring.follow.after(owner, seen.position, 10)
    assert [row.job_id for row in later.endings] == [third]
    wiring.discard()
    assert left(wiring) == {third}


@pytest.mark.usefixtures("kept_a_month")
def test_a_turn_that_ends_early_asks_for_another(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    ids = [enqueue(wiring, key) for _ in range(3)]
    for one in ids:
        put(wiring, one, status=Status.CANCELED)
    grow_old(wiring, *ids)
    replace(wiring.discard.retention, turn_seconds=0.0)()
    assert Message.DISCARD in ringing.rung
    wiring.discard()
    assert left(wiring) == set()


def test_only_old_jobs_are_looked_at_however_many_there_are(wiring: Wiring, key: NewKey) -> None:
    job_id, owner = enqueue(wiring, key), project_id(wiring, key)
    put(wiring, job_id, status=Status.CANCELED, completed_at=func.now())
    with wiring.database.transaction() as tx:
        tx.execute(
            text(
                "INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, "
                "request_sha256, callback_events, provider, completed_at) SELECT "
                "(lpad(to_hex((extract(epoch FROM now() - make_interval(mins => n)) * 1000)"
                "::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, "
                "project_id, status, model, input, metadata, priority, request_sha256, "
                "callback_events, provider, now() - make_interval(mins => n) "
                "FROM jobs, generate_series(1, 20000) n"
            )
        )
        tx.execute(text("ANALYZE jobs"))
        since = datetime.now(UTC) - timedelta(minutes=19_900)
        statement = old_jobs(owner, since, UUID(int=0)).compile(
            dialect=tx._connection.dialect, compile_kwargs={"literal_binds": True}  # noqa: SLF001 - to explain it
        )  # fmt: skip
        plan = "\n".join(row[0] for row in tx.rows(text(f"EXPLAIN (ANALYZE) {statement}")))
    (condition,) = re.findall(r"Index Cond: .*id < .*", plan)
    assert "id > " in condition
    assert "Seq Scan on jobs" not in plan
    removed = re.findall(r"Rows Removed by Filter: (\d+)", plan)
    # those that the clocks' difference lets in
    assert sum(map(int, removed)) <= 10
    assert run(wiring.submit) == []
