"""What the pages cost with many jobs, and how soon Chromium shows the first pictures.

Starts servers and a web process of its own in a temporary folder, fills them with so many jobs and
a tenth as many pictures, and asks for every page as a browser does, one after the other:

    python bench/pages.py --jobs 1000000 --browser

Prints milliseconds per page from the request to the last byte; ends with 1 if p95 of a page is over
100 ms, or with --browser if the first pictures take more than a second to be painted.
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import urllib3
from browsing import browse
from gallery_rows import Filled, fill
from sqlalchemy import create_engine
from streams import wait_until_it_answers

from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.stack import running
from service.embedded.state import free_ports
from service.embedded.valkey import Valkey
from service.logs import configure_logs
from service.settings import load_settings
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
MOST_MS = 100.0
MOST_PAINT_MS = 1000.0
TIMES = 60
WARM = 5


@dataclass(frozen=True)
class Site:
    """A web process over a full database."""

    url: str
    filled: Filled
    #: Of a person who has logged in.
    cookie: str
    web: subprocess.Popen[bytes]

    def get(self, path: str, http: urllib3.PoolManager) -> tuple[float, str]:
        """Return how long a page took in milliseconds, and its text."""
        began = time.perf_counter()
        answer = http.request("GET", f"{self.url}{path}", headers={"Cookie": self.cookie})
        took_ms = (time.perf_counter() - began) * 1000
        assert answer.status == 200, (path, answer.status)  # noqa: S101, PLR2004 - HTTP's own
        return took_ms, answer.data.decode(errors="replace")


def main() -> None:
    """Fill, measure, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=1_000_000)
    arguments.add_argument("--browser", action="store_true")
    wanted = arguments.parse_args()
    configure_logs("warning")
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-pages-") as folder,
        site(Path(folder), wanted.jobs) as full,
    ):
        slowest_ms = max(measured(full))
        painted_ms = browse(full.url, full.filled.api_key) if wanted.browser else 0.0
    sys.exit(slowest_ms > MOST_MS or painted_ms > MOST_PAINT_MS)


def measured(full: Site) -> Iterator[float]:
    """Print what each page costs, and yield its p95 in milliseconds."""
    http = urllib3.PoolManager(retries=False)
    paths = {**questions(full.filled), **deep(full, http)}
    print(f"{'ms':32}{'p50':>8}{'p95':>8}{'most':>8}{'KiB':>8}")
    for name, path in paths.items():
        times, text = [], ""
        for number in range(WARM + TIMES):
            took_ms, text = full.get(path, http)
            if number >= WARM:
                times.append(took_ms)
        p95 = statistics.quantiles(times, n=20)[-1]
        figures = (statistics.median(times), p95, max(times), len(text) / 1024)
        print(f"{name:32}" + "".join(f"{one:8.1f}" for one in figures), flush=True)
        yield p95


def questions(filled: Filled) -> dict[str, str]:
    """Return the pages by name."""
    image, other, job = filled.images[3], filled.images[5], filled.jobs[3]
    return {
        "gallery": "/",
        "gallery, model": "/?model=flux-2-max",
        "gallery, tag": "/?tag=reel-3",
        "gallery, favourites": "/?favourite=true",
        "gallery, size": "/?size=small",
        "gallery, of a day": "/?since=2026-11-20&before=2026-11-21",
        "search, in many": "/?q=fog",
        "search, in few": "/?q=zeppelin",
        "search, in none": "/?q=xylophone",
        "search, old ones only": "/?q=first+reel",
        "search, phrase of common words": "/?q=number+in+fog",
        "search, one letter": "/?q=z",
        "search, punctuation": "/?q=%25%25",
        "search, two letters of none": "/?q=qx",
        "search and filter": "/?q=fox&model=flux-2-max&tag=reel-3",
        "news": "/news",
        "image": f"/images/{image}",
        "facts": f"/images/{image}/facts",
        "thumbnail": f"/images/{image}/thumbnail",
        "compare": f"/compare?a={image}&b={other}",
        "make another": f"/new?like={image}",
        "new": "/new",
        "jobs": "/jobs",
        "jobs, failed": "/jobs?status=failed",
        "jobs, model": "/jobs?model=flux-2-max",
        "jobs, metadata": "/jobs?metadata.order=4711",
        "job": f"/jobs/{job}",
        "overview": "/overview",
        "overview, 30 days": "/overview?window=30d",
        "account": "/account",
    }


def deep(full: Site, http: urllib3.PoolManager) -> dict[str, str]:
    """Return the second pages, by the links of the first."""
    found = {}
    for name, path in (("gallery, older", "/"), ("jobs, older", "/jobs")):
        _, text = full.get(path, http)
        older = re.search(r'href="([^"]*cursor=[^"]*)"', text)
        assert older is not None, name  # noqa: S101 - a full list has a second page
        found[name] = older[1].replace("&amp;", "&")
    return found


@contextlib.contextmanager
def site(home: Path, jobs: int) -> Iterator[Site]:
    """Run a web process with full servers of its own."""
    home.chmod(0o755)  # a server that must not be root reaches its data only through open doors
    (port,) = free_ports()
    with contextlib.ExitStack() as started:
        found = started.enter_context(
            running(
                SeaweedFS(home / "s3", home / "s3.log", bucket="images"),
                Valkey(home / "valkey", home / "valkey.log", durable=False),
                Postgres(home / "postgres", home / "postgres.log", durable=False),
            )
        )
        os.environ |= found | {
            "SECRET_KEY": uuid4().hex,
            "PORT": str(port),
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": "http://127.0.0.1:9/v1",
            "DARKROOM_HOME": str(home),
            "LOG_LEVEL": "warning",
        }
        module = [sys.executable, "-m"]
        subprocess.run([*module, "alembic", "upgrade", "head"], cwd=ROOT, check=True)
        wiring = Wiring(load_settings(), ring=lambda _message: None)
        started.callback(wiring.close)
        engine = create_engine(found["DATABASE_URL"], isolation_level="AUTOCOMMIT")
        began = time.monotonic()
        with engine.connect() as connection:
            filled = fill(wiring, connection, jobs)
            wiring.fold()
        engine.dispose()
        print(f"{jobs:,} jobs filled in {time.monotonic() - began:.0f} s", flush=True)
        command = "gunicorn service.web.wsgi:app --config service/web/gunicorn_conf.py"
        with (home / "web.log").open("wb") as log:
            web = subprocess.Popen([*module, *command.split()], cwd=ROOT, stdout=log, stderr=log)
        started.callback(web.kill)
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(url)
        yield Site(url, filled, logged_in(url, filled.api_key), web)


def logged_in(url: str, api_key: str) -> str:
    """Return the cookie of somebody who has logged in."""
    form = urlencode({"api_key": api_key})
    as_form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = urllib3.request(
        "POST", f"{url}/login", body=form, headers=as_form, redirect=False, retries=False
    )
    return answer.headers["Set-Cookie"].split(";")[0]


if __name__ == "__main__":
    main()
