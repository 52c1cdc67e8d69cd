"""A database as it looks after so many jobs: SQL that fills every table that grows with them.

Jobs come ten seconds apart, so more of them mean a longer past, not a busier present; what is under
way is the same at every size. Indexes are dropped first and made again as the migrations made them.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, text

from service.ids import first_id
from service.keys import NewKey
from service.wiring import Wiring

APART_SECONDS = 10
#: Jobs per INSERT: what it sorts and logs stays small.
CHUNK = 500_000
_SQL = Path(__file__).with_suffix(".sql")
#: How far back the three places are, as a share of all jobs.
PLACES = (0.7, 0.5, 0.2)
#: What the file leaves out.
_PARTS = {
    "{prompt}": """
        (ARRAY['a lighthouse', 'a harbour', 'two foxes', 'an old tram', 'a safelight', 'a boat'])
            [1 + number / 10 % 6]
        || ' in ' || (ARRAY['fog', 'rain', 'snow', 'the evening', 'spring', 'light', 'a mirror'])
            [1 + number / 60 % 7]
        || ', number ' || number
    """,
    "{series}": """
        FROM (SELECT number, at,
                  (CAST(:projects AS uuid[]))[CASE WHEN number % 10 < 6 THEN 1
                      -- the third has been silent for long
                      WHEN number * 10 > CAST(:jobs AS bigint) * 3 THEN 2 ELSE 3 END]
                      AS project_id,
                  CASE WHEN number % 50 = 0 THEN 'failed' WHEN number % 500 = 1 THEN 'canceled'
                       ELSE 'succeeded' END AS status
              FROM (SELECT number, CAST(:newest AS timestamptz)
                        - make_interval(secs => (CAST(:jobs AS bigint) + 1 - number) * :apart) AS at
                    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint))
                        number) one) two
    """,
}
_ID = """
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000{kind}'
     || lpad(to_hex(number), 12, '0'))::uuid
"""


@dataclass(frozen=True)
class Place:
    """A job of the past that has succeeded, what belongs to it, and some beside it."""

    at: datetime
    job_id: UUID
    image_id: UUID
    delivery_id: UUID
    batch_id: UUID
    failed_id: UUID


@dataclass(frozen=True)
class Filled:
    """What the work begins with."""

    keys: list[NewKey]
    project_ids: list[UUID]
    jobs: int
    newest: datetime

    #: Of the first project: among the oldest, in the middle, among the newest.
    places: list[Place]


def fill(wiring: Wiring, connection: Connection, jobs: int, say: Callable[[str], object]) -> Filled:
    """Fill an empty database; the connection commits each statement by itself."""
    newest = datetime.now(UTC)
    keys = [wiring.keys.create(name) for name in ("large", "middling", "silent")]
    ids = [found for key in keys if (found := wiring.keys.project(key.project)) is not None]
    for setting in (
        # what refers to what is right by construction
        "session_replication_role = replica",
        "maintenance_work_mem = '512MB'",
        "work_mem = '64MB'",
        "max_parallel_maintenance_workers = 1",
    ):
        connection.execute(text(f"SET {setting}"))
    indexes = connection.execute(_INDEXES).all()
    for row in indexes:
        connection.execute(text(f"DROP INDEX {row.indexname}"))
    values = {
        "projects": ids, "jobs": jobs, "newest": newest, "apart": APART_SECONDS,
    }  # fmt: skip
    for name, statement in _statements():
        began = time.monotonic()
        asked = text(statement)
        used = {one: values[one] for one in asked.compile().params if one in values}
        if ":first" in statement:
            for first in range(1, jobs + 1, CHUNK):
                last = min(jobs, first + CHUNK - 1)
                connection.execute(asked, {**used, "first": first, "last": last})
        else:
            connection.execute(asked, used)
        say(f"{name}: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    for row in indexes:
        connection.exec_driver_sql(row.indexdef)
    say(f"indexes: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    connection.execute(text("VACUUM ANALYZE"))
    connection.execute(text("CHECKPOINT"))
    say(f"vacuum: {time.monotonic() - began:.1f} s")
    connection.execute(text("RESET ALL"))
    places = [_place(connection, ids[0], newest, jobs, share) for share in PLACES]
    return Filled(keys, ids, jobs, newest, places)


def grown(connection: Connection) -> dict[str, int]:
    """Return the tables that hold more than a few thousand rows, and how many, by the planner."""
    return {row.relname: int(row.reltuples) for row in connection.execute(_GROWN)}


def _place(
    connection: Connection, project_id: UUID, newest: datetime, jobs: int, share: float
) -> Place:
    at = newest - timedelta(seconds=APART_SECONDS * jobs * share)
    values = {"project": project_id, "before": first_id(at)}
    row = connection.execute(_PLACE, values).one()
    return Place(at, *row)


def _statements() -> list[tuple[str, str]]:
    """Return the statements of the file beside this one; a line `-- name` begins each."""
    written = _SQL.read_text()
    for name, part in _PARTS.items():
        written = written.replace(name, part)
    written = re.sub(r"\{id:(\w+)\}", lambda found: _ID.replace("{kind}", found[1]), written)
    parts = written.split("\n-- ")[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


#: Those that no constraint stands on: rows come in the order of the others.
_INDEXES = text("""
    SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND NOT EXISTS (
        SELECT FROM pg_constraint WHERE conindid = indexname::regclass)
    ORDER BY indexname
""")
_GROWN = text("""
    SELECT relname, reltuples FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
""")
_PLACE = text("""
    SELECT job_id, images.id, deliveries.id AS delivery_id,
        (SELECT batch_id FROM jobs WHERE project_id = :project AND batch_id IS NOT NULL
             AND id < :before ORDER BY id DESC LIMIT 1) AS batch_id,
        (SELECT id FROM jobs WHERE project_id = :project AND status = 'failed'
             AND id < :before ORDER BY id DESC LIMIT 1) AS failed_id
    FROM images JOIN deliveries USING (job_id)
    WHERE images.project_id = :project AND images.id < :before
    ORDER BY images.id DESC LIMIT 1
""")
