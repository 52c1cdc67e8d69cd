"""What the overview costs at 1,000,000 ended jobs of a project, and how fast they are counted.

Starts a PostgreSQL of its own in a temporary folder, fills it, and asks the product's own parts:

    python bench/overview.py --rows 1000000

Jobs ended over the last thirty days, 2 % of them failed; 200,000 more are queued, a dozen hosts of
callbacks fail. Prints how long the ends take to be counted, in all and the longest transaction, and
p50 and p95 of the page and of what it reads, in milliseconds. Ends with 1 if counting takes two
minutes, or the page more than 50 ms at p95.
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
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, create_engine, event, text

from service.embedded.postgres import Postgres
from service.embedded.stack import running
from service.keys import NewKey
from service.logs import configure_logs
from service.settings import load_settings
from service.steps.survey import WINDOWS
from service.web.app import create_app
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
TIMES = 200
WARM = 10
MOST_FOLD_SECONDS = 120.0
MOST_PAGE_MS = 50.0

#: A UUIDv7 of a job's time; its number makes it the only one.
_ID = """
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008001'
     || lpad(to_hex(number), 12, '0'))::uuid
"""
_ENDED = f"""
    INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, request_sha256,
        callback_events, provider, created_at, generated_at, completed_at, result_expires_at,
        heard_by, cost_actual)
    SELECT {_ID}, :project, CASE WHEN number % 50 = 0 THEN 'failed' ELSE 'succeeded' END,
        'flux-2-pro', jsonb_build_object('prompt', repeat('a lighthouse ', 20) || number),
        '{{}}', 1, '\\x00', '{{}}', 'simulator', at, at, at, at + interval '580 seconds',
        CASE WHEN number % 30 = 0 THEN 'poll' ELSE 'webhook' END, 4.5
    FROM (SELECT number,
                 now() - interval '30 days' * ((:rows - number)::float8 / :rows) AS at
          FROM generate_series(1, :rows) number) one
"""
_ENDINGS = """
    INSERT INTO endings (job_id, seq, project_id, type, at)
    SELECT id, 5, project_id, 'job.' || status, completed_at FROM jobs
"""
_QUEUED = """
    INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, request_sha256,
        callback_events, provider, due_at)
    SELECT uuidv7(), :project, 'queued', 'flux-2-pro',
        jsonb_build_object('prompt', repeat('a lighthouse ', 20) || number),
        '{}', 1, '\\x00', '{}', 'simulator', now() - interval '1 minute'
    FROM generate_series(1, :rows / 5) number
"""
_HOSTS = """
    INSERT INTO callback_hosts (project_id, origin, failures, failing_since, reason)
    SELECT :project, 'https://' || number || '.example', 100, now(), 'answered 503'
    FROM generate_series(1, 12) number
"""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    rows = arguments.parse_args().rows
    configure_logs("warning")
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-overview-") as folder,
        filled(Path(folder), rows) as (wiring, key),
    ):
        fold_seconds = fold(wiring, rows)
        page_ms = ask(wiring, key)
    sys.exit(fold_seconds > MOST_FOLD_SECONDS or page_ms > MOST_PAGE_MS)


def fold(wiring: Wiring, rows: int) -> float:
    """Count all that has ended; return how long it took, seconds."""
    began_at, took = 0.0, [0.0]

    def begin(_connection: object) -> None:
        nonlocal began_at
        began_at = time.perf_counter()

    def commit(_connection: object) -> None:
        took.append(time.perf_counter() - began_at)

    event.listen(Engine, "begin", begin)
    event.listen(Engine, "commit", commit)
    began = time.perf_counter()
    wiring.fold()
    whole = time.perf_counter() - began
    event.remove(Engine, "begin", begin)
    event.remove(Engine, "commit", commit)
    print(f"{rows:,} ends counted in {whole:.1f} s, {max(took) * 1000:.0f} ms at most at a time")
    return whole


def ask(wiring: Wiring, key: NewKey) -> float:
    """Print what each question takes; return the page's p95, milliseconds."""
    project_id = wiring.keys.caller(key.api_key).project_id
    client = create_app(wiring).test_client()
    client.post("/login", data={"api_key": key.api_key})

    def page(name: str) -> None:
        answer = client.get("/overview", query_string={"window": name})
        assert answer.status_code == 200, answer.text[:500]  # noqa: S101, PLR2004 - a measured error is none

    questions: dict[str, Callable[[], object]] = {
        **{
            f"history, {name}": partial(wiring.survey.history, project_id, window)
            for name, window in WINDOWS.items()
        },
        "present": partial(wiring.survey.present, project_id),
        "health": wiring.watch.health,
        **{f"page, {name}": partial(page, name) for name in WINDOWS},
    }
    found = {name: percentiles_ms(question) for name, question in questions.items()}
    for name, (p50, p95) in found.items():
        print(f"{name:16} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms")
    return max(p95 for name, (_, p95) in found.items() if name.startswith("page"))


def percentiles_ms(question: Callable[[], object]) -> tuple[float, float]:
    """Return p50 and p95."""
    took = []
    for number in range(WARM + TIMES):
        began = time.perf_counter()
        question()
        if number >= WARM:
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


@contextlib.contextmanager
def filled(home: Path, rows: int) -> Iterator[tuple[Wiring, NewKey]]:
    """Yield a wiring over a server of its own, and a key of the project that has the jobs."""
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
        key = wiring.keys.create("a")
        values = {"project": wiring.keys.caller(key.api_key).project_id, "rows": rows}
        engine = create_engine(found["DATABASE_URL"], isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in (_ENDED, _ENDINGS, _QUEUED, _HOSTS):
                connection.execute(text(statement), values)
            connection.execute(text("VACUUM ANALYZE"))
        engine.dispose()
        yield wiring, key
        wiring.close()


if __name__ == "__main__":
    main()
