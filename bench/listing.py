"""What a page of a list costs at 1,000 and at 1,000,000 jobs of a project, among others' jobs.

Starts a PostgreSQL of its own in a temporary folder, fills it, and asks the product's own step:

    python bench/listing.py --rows 1000 --rows 1000000

Prints the median of each question in milliseconds, per size, and the ratio of the last size to the
first; ends with 1 if one of them costs more than twice as much. Jobs come ten seconds apart, 2 % of
them failed, one in twenty is of another model, batches have 100 jobs; each holds an order number of
its own and one of twenty shops. Another project has a quarter as many.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import create_engine, text

from service.embedded.postgres import Postgres
from service.embedded.stack import running
from service.ids import first_id
from service.logs import configure_logs
from service.settings import load_settings
from service.states import Status
from service.steps.browse import ImageFilter, JobFilter
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
#: Questions that are counted, after those that warm the caches.
TIMES = 40
WARM = 5
LIMIT = 50
MOST_TIMES_AS_LONG = 2.0
APART_SECONDS = 10

#: A UUIDv7 of a job's time; its number makes it the only one.
_ID = """
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000' || '{kind}'
     || lpad(to_hex(number), 12, '0'))::uuid
"""
_SERIES = """
    FROM (SELECT number, CAST(:newest AS timestamptz)
              - make_interval(secs => (:rows - number) * :apart) AS at
          FROM generate_series(1, :rows) number) one
"""
_JOBS = f"""
    INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, request_sha256,
        callback_events, provider, created_at, completed_at, batch_id)
    SELECT {_ID}, :project,
        CASE WHEN number % 50 = 0 THEN 'failed' ELSE 'succeeded' END,
        CASE WHEN number % 20 = 7 THEN 'flux-2-max' ELSE 'flux-2-pro' END,
        jsonb_build_object('prompt', 'a lighthouse, number ' || number),
        jsonb_build_object('order', number::text, 'shop', (number % 20)::text),
        1, '\\x00', '{{}}', 'simulator', at, at, md5('batch' || :project || number / 100)::uuid
    {_SERIES}
"""
_IMAGES = f"""
    INSERT INTO images (id, project_id, job_id, created_at, bucket, key, content_type, width,
        height, bytes, sha256, model, prompt, due_at)
    SELECT {_ID}, :project, {_ID}, at, 'images', 'key-' || number, 'image/png', 256, 256, 1000,
        repeat('a', 64),
        CASE WHEN number % 20 = 7 THEN 'flux-2-max' ELSE 'flux-2-pro' END,
        'a lighthouse, number ' || number, NULL
    {_SERIES}
    WHERE number % 50 <> 0
"""


def main() -> None:
    """Measure each size and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, action="append")
    sizes = arguments.parse_args().rows or [1000, 1_000_000]
    configure_logs("warning")
    with contextlib.ExitStack() as started:
        asked = []
        for rows in sizes:
            folder = started.enter_context(tempfile.TemporaryDirectory(prefix="darkroom-listing-"))
            service = started.enter_context(filled(Path(folder), rows))
            asked.append(questions(*service, rows))
        found = {name: medians_ms([each[name] for each in asked]) for name in asked[0]}
    sys.stdout.write(f"{'p50, ms':28}" + "".join(f"{rows:>12,}" for rows in sizes) + "   ratio\n")
    for name, medians in found.items():
        figures = "".join(f"{one:12.2f}" for one in medians)
        sys.stdout.write(f"{name:28}{figures}{medians[-1] / medians[0]:8.2f}\n")
    sys.exit(any(one[-1] > MOST_TIMES_AS_LONG * one[0] for one in found.values()))


def questions(
    wiring: Wiring, project_id: UUID, newest: datetime, rows: int
) -> dict[str, Callable[[], object]]:
    """Return what is asked, by name."""
    middle = newest - timedelta(seconds=rows // 2 * APART_SECONDS)
    hour = timedelta(hours=1)
    with wiring.database.transaction() as tx:
        batch_id = tx.scalar(
            text("SELECT md5('batch' || CAST(:project AS uuid) || 5)::uuid").bindparams(
                project=project_id
            )
        )
    deep = first_id(newest - timedelta(seconds=rows * 0.9 * APART_SECONDS))
    order = str(rows // 2)
    jobs = {
        "jobs": JobFilter(),
        "jobs, status": JobFilter(status=Status.FAILED),
        "jobs, model": JobFilter(model="flux-2-max"),
        "jobs, no such model": JobFilter(model="flux-0"),
        "jobs, metadata of one": JobFilter(metadata={"order": order}),
        "jobs, metadata of many": JobFilter(metadata={"shop": "3"}),
        "jobs, metadata of both": JobFilter(metadata={"shop": "3", "order": order}),
        "jobs, batch": JobFilter(batch_id=batch_id),
        "jobs, created_before": JobFilter(created_before=middle),
        "jobs, created_after": JobFilter(created_after=newest - hour),
        "jobs, of an hour": JobFilter(created_after=middle - hour, created_before=middle),
        "jobs, status and model": JobFilter(status=Status.SUCCEEDED, model="flux-2-max"),
    }
    images = {
        "images": ImageFilter(),
        "images, model": ImageFilter(model="flux-2-max"),
        "images, no such model": ImageFilter(model="flux-0"),
        "images, of an hour": ImageFilter(created_after=middle - hour, created_before=middle),
        "images, q of many": ImageFilter(prompt_contains="number"),
    }
    browse = wiring.browse
    return {
        **{
            name: partial(browse.jobs, project_id, only, None, LIMIT) for name, only in jobs.items()
        },
        "jobs, deep": partial(browse.jobs, project_id, JobFilter(), deep, LIMIT),
        **{
            name: partial(browse.images, project_id, None, LIMIT, only)
            for name, only in images.items()
        },
        "images, deep": partial(browse.images, project_id, deep, LIMIT, ImageFilter()),
    }


def medians_ms(asked: list[Callable[[], object]]) -> list[float]:
    """Return how long a question takes at each size; they take turns, on a machine in any mood."""
    took: list[list[float]] = [[] for _ in asked]
    for number in range(WARM + TIMES):
        for ask, times in zip(asked, took, strict=True):
            began = time.perf_counter()
            ask()
            if number >= WARM:
                times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in took]


@contextlib.contextmanager
def filled(home: Path, rows: int) -> Iterator[tuple[Wiring, UUID, datetime]]:
    """Yield a wiring over a server of its own, a project with so many jobs, and their end."""
    home.chmod(0o755)  # a server that must not be root reaches its data only through open doors
    with running(Postgres(home / "postgres", home / "postgres.log", durable=False)) as found:
        os.environ |= found | {
            "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "SECRET_KEY": uuid4().hex,
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": "http://127.0.0.1:9/v1",
            "FLUX_API_KEY": "none",
            "DARKROOM_HOME": str(home),
        }
        alembic = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(alembic, cwd=ROOT, check=True, capture_output=True)
        wiring = Wiring(load_settings(), ring=lambda _message: None)
        newest = datetime.now(UTC)
        projects = [wiring.keys.project(wiring.keys.create(name).project) for name in ("a", "b")]
        engine = create_engine(found["DATABASE_URL"], isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            shares = (("8001", rows), ("8002", rows // 4))
            for (kind, count), project_id in zip(shares, projects, strict=True):
                values = {
                    "project": project_id, "rows": count, "newest": newest, "apart": APART_SECONDS,
                }  # fmt: skip
                for statement in (_JOBS, _IMAGES):
                    connection.execute(text(statement.replace("{kind}", kind)), values)
            connection.execute(text("VACUUM ANALYZE"))
        engine.dispose()
        mine = projects[0]
        assert mine is not None  # noqa: S101 - made above
        yield wiring, mine, newest
        wiring.close()


if __name__ == "__main__":
    main()
