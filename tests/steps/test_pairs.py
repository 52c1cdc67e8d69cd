"""Jobs are found by their metadata, at once, whoever added them and however many there are."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from cli.working import finish
from factories import enqueue, job, project_id, put
from sqlalchemy import delete, func, select, text
from steps.test_batches import ONE, hand_in
from steps.test_browse import pages
from steps.test_reindex import lose_everything, reindexed
from steps.test_silent_project import explained

from service.ids import new_id
from service.keys import NewKey
from service.models import JobPair, jobs
from service.states import ErrorCode, Status
from service.steps.browse import JobFilter
from service.steps.browse.newest import FAR
from service.wiring import Wiring

LIMIT = 50
ODD = {
    "a": "b=c",
    "a=b": "c",
    "größe": "日本 😀",
    "quotes": "'; DROP TABLE jobs --\"",
    "lines": "one\ntwo\ttab\\",
    "percent": "%s %(name)s :name $1",
    "": "no name",
    "no value": "",
    "long": "\U0010ffff" * 256,
}


def found(
    wiring: Wiring,
    key: NewKey,
    metadata: Mapping[str, str],
    limit: int = LIMIT,
    **more: Any,  # noqa: ANN401 - JobFilter's
) -> list[UUID]:
    only = JobFilter(metadata=metadata, **more)
    return [one for page in pages(wiring, project_id(wiring, key), limit, only) for one in page]


def pair_count(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        count: int = tx.scalar(select(func.count()).select_from(JobPair))
    return count


def copied(metadata: str, first: int, last: int) -> str:
    """Return what copies a job under ids of 1970, with metadata by its `number`."""
    return f"""
        INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, request_sha256,
            callback_events, provider)
        SELECT (lpad(to_hex(number), 12, '0') || '70008000' || lpad('', 12, '0'))::uuid,
            project_id, 'succeeded', model, input, {metadata}, priority, request_sha256,
            callback_events, provider
        FROM jobs, generate_series({first}, {last}) number
        WHERE jobs.id = :like
    """


def fill(wiring: Wiring, like: UUID, metadata: str, first: int, last: int) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(text(copied(metadata, first, last)), {"like": like})


def looked_at(
    wiring: Wiring,
    key: NewKey,
    said: dict[str, str],
    before: int | None = None,
    **more: Any,  # noqa: ANN401 - JobFilter's
) -> tuple[int, Counter[str]]:
    """Return how many jobs a page shows, and how many rows of each table were read for it."""
    before_id = None if before is None else UUID(f"{before:012x}70008000{0:012x}")
    with explained() as plans:
        page, _ = wiring.browse.jobs(
            project_id(wiring, key), JobFilter(metadata=said, **more), before_id, LIMIT
        )
    read: Counter[str] = Counter()
    for plan in plans:
        for table, rows in scans(plan):
            read[table] += rows
    return len(page.rows), read


def scans(plan: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the tables that a plan reads, each with how many of its rows."""
    if "Relation Name" in plan:
        rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield plan["Relation Name"], round(rows * plan["Actual Loops"])
    for below in plan.get("Plans", ()):
        yield from scans(below)


def test_a_job_is_found_by_its_metadata_whichever_way_it_came(wiring: Wiring, key: NewKey) -> None:
    said = {"order": "17"}
    first = enqueue(wiring, key, metadata=said)
    put(wiring, first, status=Status.FAILED)
    again = wiring.enqueue.retry(project_id(wiring, key), first, None).row.id
    batch = hand_in(wiring, key, [{**ONE, "metadata": said}, ONE, {**ONE, "metadata": said}])
    expected = [batch.job_ids[2], batch.job_ids[0], again, first]
    assert found(wiring, key, said) == expected


def test_a_job_that_was_lost_and_brought_back_is_found(wiring: Wiring, key: NewKey) -> None:
    lost = enqueue(wiring, key, metadata={"order": "17"})
    finish(wiring, lost)
    lose_everything(wiring)
    assert pair_count(wiring) == 0
    assert reindexed(wiring) == ["added"]
    assert found(wiring, wiring.keys.create(key.project), {"order": "17"}) == [lost]


def test_pairs_cost_a_job_without_metadata_nothing_and_no_job_later(
    wiring: Wiring, key: NewKey
) -> None:
    like = enqueue(wiring, key)

    def triggers(statement: str) -> Counter[str]:
        with wiring.database.transaction() as tx:
            (found,) = tx.scalar(
                text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"), {"like": like}
            )
        return Counter({one["Trigger Name"]: one["Calls"] for one in found["Triggers"]})

    assert triggers(copied("'{}'", 1, 3))["add_job_pairs"] == 0
    assert triggers(copied('\'{"order"\\:"17"}\'', 4, 6))["add_job_pairs"] == 3
    assert triggers("UPDATE jobs SET status = 'failed' WHERE id <> :like")["add_job_pairs"] == 0
    assert pair_count(wiring) == 3


def test_what_becomes_of_a_jobs_metadata_counts(wiring: Wiring, key: NewKey) -> None:
    changed = enqueue(wiring, key, metadata={"order": "17", "shop": "b"})
    put(wiring, changed, metadata={"order": "18", "shop": "b"})
    assert found(wiring, key, {"order": "17"}) == []
    assert found(wiring, key, {"order": "18"}) == found(wiring, key, {"shop": "b"}) == [changed]


@pytest.mark.parametrize("name", ODD)
def test_any_name_and_value_is_found_and_no_other(wiring: Wiring, key: NewKey, name: str) -> None:
    enqueue(wiring, key, metadata={other: said for other, said in ODD.items() if other != name})
    odd = enqueue(wiring, key, metadata={name: ODD[name]})
    assert found(wiring, key, {name: ODD[name]}) == [odd]
    assert found(wiring, key, {name: ODD[name] + "x"}) == []


def test_a_value_longer_than_an_index_takes_is_found(wiring: Wiring, key: NewKey) -> None:
    """No caller may say it; a sidecar or another program may."""
    like = enqueue(wiring, key)
    # what repeats would be packed
    value = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(20_000))
    put(wiring, like, metadata={"long": value})
    assert found(wiring, key, {"long": value}) == [like]


def test_of_several_pairs_a_job_holds_all(wiring: Wiring, key: NewKey) -> None:
    both = [enqueue(wiring, key, metadata={"shop": "b", "order": "17"}) for _ in range(3)]
    enqueue(wiring, key, metadata={"shop": "b", "order": "18"})
    enqueue(wiring, key, metadata={"shop": "c", "order": "17"})
    for said in ({"shop": "b", "order": "17"}, {"order": "17", "shop": "b"}):
        assert found(wiring, key, said) == both[::-1]
    assert found(wiring, key, {"shop": "c", "order": "18"}) == []


def test_pages_go_on_and_other_filters_hold(wiring: Wiring, key: NewKey, other_key: NewKey) -> None:
    mine = [enqueue(wiring, key, metadata={"shop": "b"}) for _ in range(7)]
    enqueue(wiring, other_key, metadata={"shop": "b"})
    failed = mine[1::3]
    for one in failed:
        put(wiring, one, status=Status.FAILED)
    for limit in (1, 3, 7, 8):
        assert found(wiring, key, {"shop": "b"}, limit) == mine[::-1]
        assert found(wiring, key, {"shop": "b"}, limit, status=Status.FAILED) == failed[::-1]
    third = job(wiring, mine[2]).created_at
    assert found(wiring, key, {"shop": "b"}, 2, created_after=third) == mine[:2:-1]
    assert found(wiring, key, {"shop": "b"}, 2, created_before=third) == mine[1::-1]


def test_a_jobs_pairs_go_with_it(wiring: Wiring, key: NewKey) -> None:
    like = enqueue(wiring, key)
    fill(wiring, like, '\'{"shop": "b", "order": "17"}\'', 1, 3)
    assert pair_count(wiring) == 6
    with wiring.database.transaction() as tx:
        tx.execute(delete(jobs).where(jobs.c.id == UUID("00000000-0002-7000-8000-000000000000")))
    assert pair_count(wiring) == 4
    assert [one.time_low for one in found(wiring, key, {"shop": "b"})] == [0, 0]


def test_a_page_reads_its_own_jobs_alone_whatever_the_planner_believes(
    wiring: Wiring, key: NewKey
) -> None:
    """It was told of sixty jobs for each of 200 shops; then came thousands of another."""
    like = enqueue(wiring, key)
    fill(wiring, like, "jsonb_build_object('shop', (number % 200)::text)", 1, 12_000)
    with wiring.database.transaction() as tx:
        tx.execute(text("ANALYZE"))
    both = "jsonb_build_object('shop', 'new', 'half', (number % 2)::text)"
    fill(wiring, like, both, 20_001, 25_000)
    page = LIMIT + 1
    cases: tuple[tuple[dict[str, str], dict[str, Any], int], ...] = (
        ({"shop": "7"}, {}, page),
        ({"shop": "new"}, {}, page),
        ({"shop": "new"}, {"before": 22_000}, page),
        ({"half": "1", "shop": "new"}, {}, page + 2 * FAR),
        ({"shop": "new", "half": "1"}, {"before": 22_000}, page + 2 * FAR),
        ({"shop": "new"}, {"status": Status.SUCCEEDED}, page + FAR),
        ({"shop": "none"}, {}, 0),
        ({"shop": "none", "half": "1"}, {}, FAR),
    )
    for said, more, most in cases:
        shown, read = looked_at(wiring, key, said, **more)
        assert shown == (0 if said["shop"] == "none" else LIMIT), (said, more)
        assert read["job_pairs"] <= most, (said, more, read)
        # the one that was enqueued is of no pair
        assert read["jobs"] <= page + 1 + FAR * ("status" in more), (said, more, read)


def test_the_rarest_of_all_that_is_asked_for_leads(wiring: Wiring, key: NewKey) -> None:
    """Of two common ones, that whose jobs lie further apart."""
    like = enqueue(wiring, key)
    every = "'all', 'x', 'tenth', (number % 10)::text, 'order', number::text"
    fill(wiring, like, f"jsonb_build_object({every})", 1, 5_000)
    last = found(wiring, key, {"all": "x"})[0]
    batch_id = new_id()
    put(
        wiring,
        last,
        status=Status.FAILED,
        error_code=ErrorCode.EXPIRED,
        model="flux-2-max",
        batch_id=batch_id,
    )
    cases: tuple[tuple[dict[str, str], dict[str, Any], int], ...] = (
        ({"all": "x", "tenth": "3"}, {}, LIMIT + 1),
        ({"tenth": "3", "all": "x"}, {}, LIMIT + 1),
        ({"all": "x", "tenth": "7", "order": "17"}, {}, 1),
        ({"order": "17", "all": "x"}, {}, 1),
        ({"all": "x"}, {"status": Status.FAILED}, 1),
        ({"all": "x", "tenth": "3"}, {"status": Status.QUEUED}, 0),
        ({"order": "17"}, {"status": Status.SUCCEEDED}, 1),
        ({"all": "x"}, {"error_code": ErrorCode.EXPIRED}, 1),
        ({"all": "x"}, {"model": "flux-2-max"}, 1),
        ({"all": "x"}, {"batch_id": batch_id}, 1),
    )
    for said, more, count in cases:
        shown, read = looked_at(wiring, key, said, **more)
        assert shown == min(count, LIMIT), (said, more)
        # the one that was enqueued is of no pair
        assert read["jobs"] <= count + 1 + FAR * len(more), (said, more, read)
        assert read["job_pairs"] <= LIMIT + 1 + FAR * len(said), (said, more, read)


def test_what_is_under_way_is_found_among_what_is(wiring: Wiring, key: NewKey) -> None:
    """However close together it is, and however long ago a pair's 200th job was."""
    like = enqueue(wiring, key, metadata={"all": "x"})
    fill(wiring, like, "metadata", 1, 5_000)
    queued = [enqueue(wiring, key) for _ in range(FAR)]
    shown, read = looked_at(wiring, key, {"all": "x"}, status=Status.QUEUED)
    assert shown == 1
    assert read["jobs"] <= 2 * len([like, *queued])


def test_what_is_acted_on_together_is_found_by_the_rarest_too(wiring: Wiring, key: NewKey) -> None:
    like = enqueue(wiring, key, metadata={"all": "x"})
    fill(wiring, like, "metadata", 1, 5_000)
    with explained() as plans:
        seen = wiring.matching.find(
            project_id(wiring, key), JobFilter(metadata={"all": "x"}), [Status.QUEUED], 10
        )
    assert seen.ids == [like]
    assert sum(rows for plan in plans for _, rows in scans(plan)) <= 2 * FAR
