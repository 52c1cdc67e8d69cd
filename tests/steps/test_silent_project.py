"""Lists of a project that has been silent for long cost no walk through everybody's rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from factories import enqueue, project_id
from sqlalchemy import Engine, event, text

from service.keys import NewKey
from service.states import Status
from service.steps.browse import JobFilter
from service.wiring import Wiring

#: A tenth of all, and all of them older than any other.
OWN, OTHERS = 4_000, 36_000
LIMIT = 50
#: Rows that a page may read and leave out.
MOST_LEFT_OUT = 10


def fill(wiring: Wiring, like: UUID, owner: UUID, hour: int, count: int) -> None:
    """Copy a job, with so many ids from an hour of 1970 on, a millisecond apart."""
    copied = text("""
        INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, request_sha256,
            callback_events, provider, completed_at)
        SELECT (lpad(to_hex(number), 12, '0') || '70008000' || lpad('', 12, '0'))::uuid,
            CAST(:owner AS uuid), CASE WHEN number % 20 = 0 THEN 'failed' ELSE 'succeeded' END,
            model, input, metadata, priority, request_sha256, callback_events, provider, now()
        FROM jobs, generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) number
        WHERE jobs.id = :like
    """)
    first = hour * 3_600_000
    with wiring.database.transaction() as tx:
        asked = {"owner": owner, "like": like, "first": first, "last": first + count - 1}
        tx.execute(copied, asked)


@contextmanager
def explained() -> Iterator[list[dict[str, Any]]]:
    """Collect the plans of what reads jobs or their pairs in the block."""
    found: list[dict[str, Any]] = []

    def explain(connection: Any, _: Any, statement: str, parameters: Any, *_rest: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if re.search("FROM job(s|_pairs)", statement):
            raw = connection.connection.driver_connection
            asked = raw.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            found.append(asked.fetchone()[0][0]["Plan"])

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def left_out(plan: dict[str, Any]) -> int:
    """Return how many rows a plan has read in vain."""
    here: int = plan.get("Rows Removed by Filter", 0)
    return here + sum(left_out(below) for below in plan.get("Plans", ()))


def test_a_silent_projects_list_reads_its_own_rows_alone(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    like = enqueue(wiring, other_key, metadata={"shop": "b"})
    silent = project_id(wiring, key)
    fill(wiring, like, silent, 1, OWN)
    fill(wiring, like, project_id(wiring, other_key), 2, OTHERS)
    with wiring.database.transaction() as tx:
        tx.execute(text("ANALYZE jobs"))
    for only in (
        JobFilter(),
        JobFilter(status=Status.SUCCEEDED),
        JobFilter(model="flux-2-pro"),
        JobFilter(metadata={"shop": "b"}),
    ):
        with explained() as plans:
            page, _ = wiring.browse.jobs(silent, only, None, LIMIT)
        assert len(page.rows) == LIMIT
        assert plans
        assert all(left_out(plan) <= MOST_LEFT_OUT for plan in plans), (only, plans)
