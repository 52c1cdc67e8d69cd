"""What every statement costs after 10,000 and after 10,000,000 jobs.

Starts servers of its own in a temporary folder for each size, fills them, and lets the product's
own steps and routes run there while each of their statements is measured where it is executed:

    python bench/growth.py --sizes 10000,1000000,10000000

Writes a table and a plan of every statement below bench/results. Ends with 1 if a statement that a
job or a caller waits for takes over a millisecond or twice what it takes at the first size, or if
one of any kind reads a table from end to end that grows. --quick only looks whether all of it runs.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from growth_asking import Asking
from growth_operator import by_hand, now_and_then
from growth_report import Found, faulty, write
from growth_rows import fill, grown
from growth_sites import missed
from growth_watch import OCCURRENCES, REPEATS, Watch
from growth_work import Work
from sqlalchemy import Engine, create_engine

from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.stack import running
from service.logs import configure_logs
from service.patience import Patience
from service.settings import load_settings
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
QUICK_SIZE = 2_000
QUICK_REPEATS = 1
_GIGABYTES = "SELECT pg_database_size(current_database()) / 1e9"
#: A transaction here takes as long as its statements are measured in it.
PATIENT = Patience(
    silence_seconds=600.0,
    transaction_seconds=3600.0,
    pool_timeout_seconds=10.0,
    statement_timeout_ms=300_000,
    lock_timeout_ms=30_000,
)


def main() -> None:
    """Measure each size, and write down what was found."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", default="10000,1000000")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--home", type=Path, help="where the servers keep their data")
    arguments.add_argument("--results", type=Path, default=RESULTS)
    asked = arguments.parse_args()
    sizes = [QUICK_SIZE] if asked.quick else [int(size) for size in asked.sizes.split(",")]
    configure_logs("critical")
    found: list[Found] = []
    with tempfile.TemporaryDirectory(prefix="darkroom-growth-") as kept:
        results = Path(kept) if asked.quick else asked.results
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="darkroom-growth-", dir=asked.home) as folder:
                found.append(
                    measured(Path(folder), size, QUICK_REPEATS if asked.quick else REPEATS)
                )
            # after each size: a later one may fail for want of a disk
            write(results, found)
    sys.exit(not asked.quick and bool(faulty(found)))


def measured(home: Path, size: int, repeats: int) -> Found:
    """Fill servers of this size and measure all there is."""
    watch = Watch(repeats)
    with served(home) as (worker, web, engine), engine.connect() as plain:
        began = time.monotonic()
        filled = fill(web, plain, size, lambda line: say(f"{size:,} {line}"))
        tables = grown(plain)
        gigabytes = plain.exec_driver_sql(_GIGABYTES).scalar_one()
        say(f"{size:,} filled in {time.monotonic() - began:.0f} s, {gigabytes:.2f} GB")
        began = time.monotonic()
        work, asking = Work(worker, watch, filled, plain), Asking(web, watch, filled)
        with watch.listening():
            for _ in range(OCCURRENCES):
                work.lanes()
            asking.everything()
            now_and_then(web, watch, filled, plain)
            work.letters()
            work.tail()
            for _ in range(OCCURRENCES):
                work.by_time()
            by_hand(web, watch, filled)
            work.refused()
        say(f"{size:,} measured in {time.monotonic() - began:.0f} s")
    return Found(size, watch.statements, tables, missed(watch.reached))


@contextlib.contextmanager
def served(home: Path) -> Iterator[tuple[Wiring, Wiring, Engine]]:
    """Yield a worker's wiring and a web's over empty servers, and an engine that nobody watches."""
    home.chmod(0o755)  # a server that must not be root reaches its data only through open doors
    with running(
        SeaweedFS(home / "s3", home / "s3.log", bucket="images"),
        Postgres(home / "postgres", home / "postgres.log", durable=False),
    ) as found:
        os.environ |= found | {
            "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
            "SECRET_KEY": uuid4().hex,
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": "http://127.0.0.1:9/v1",
            "FLUX_API_KEY": "none",
            # what is under way at every size holds most of them
            "FLUX_MAX_ACTIVE": "1000",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "PUBLIC_URL": "http://127.0.0.1:9",
            "DARKROOM_HOME": str(home),
        }
        alembic = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(alembic, cwd=ROOT, check=True, capture_output=True)
        worker, web = (
            Wiring(load_settings(), patience=PATIENT, ring=lambda _message: None, keeps_plans=keeps)
            for keeps in (True, False)
        )
        engine = create_engine(found["DATABASE_URL"], isolation_level="AUTOCOMMIT")
        yield worker, web, engine
        engine.dispose()
        worker.close()
        web.close()


def say(line: str) -> None:
    """Print at once: this takes long."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
