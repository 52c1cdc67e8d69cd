"""What one project's crowd of jobs costs another project's few.

Against a running `make run`: B hands in ten jobs alone; then A hands in 2,000 and B ten more.
Prints B's times from acceptance to the stored image and their ratio; exits with 1 beyond twice:

    python bench/fairness.py --crowd 2000 --few 10
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import urllib3

TIMEOUT_SECONDS = 120
MAX_RATIO = 2.0
BATCH = 1000
#: B's few are handed in so often, alone and beside the crowd.
TURNS = 5
JOB = {"model": "flux-2-pro", "input": {"prompt": "a queue at dawn", "width": 256, "height": 256}}


class Caller:
    """A project, over the API."""

    def __init__(self, url: str, api_key: str) -> None:
        """Prepare."""
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._http = urllib3.PoolManager(retries=False, maxsize=20)

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Return the document of an answer."""
        answer = self._http.request(method, self._url + path, headers=self._headers, json=body)
        if answer.status not in {200, 202}:
            sys.exit(f"{method} {path}: {answer.status} {answer.data!r}")
        document: dict[str, Any] = answer.json()
        return document

    def few(self, count: int) -> list[float]:
        """Hand in some jobs at once; return the seconds that each took to its stored image."""
        with ThreadPoolExecutor(count) as threads:
            made = list(threads.map(lambda _: self.ask("POST", "/v1/jobs", JOB), range(count)))
            return list(threads.map(lambda job: self._took(job["id"]), made))

    def _took(self, job_id: str) -> float:
        give_up_at = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < give_up_at:
            job = self.ask("GET", f"/v1/jobs/{job_id}")
            if job["status"] == "succeeded":
                began, ended = (
                    datetime.fromisoformat(job[name]) for name in ("created_at", "completed_at")
                )
                return (ended - began).total_seconds()
            time.sleep(0.1)
        sys.exit(f"{job_id} did not succeed in time")


def p95(times: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(times, n=20, method="inclusive")[18]


def key_of(project: str) -> str:
    """Return a new key of a project of the running service."""
    command = [sys.executable, "-m", "service", "keys", "create", "--project", project, "--json"]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    key: str = json.loads(made.stdout)["api_key"]
    return key


def main() -> None:
    """Run both and print the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--crowd", type=int, default=2000)
    arguments.add_argument("--few", type=int, default=10)
    asked = arguments.parse_args()
    home = Path(os.environ.get("DARKROOM_HOME", ".darkroom"))
    dev = json.loads((home / "dev.json").read_text(encoding="utf-8"))
    few, crowd = Caller(dev["url"], key_of("few")), Caller(dev["url"], key_of("crowd"))
    few.few(asked.few)  # connections and caches are warm for all that follow
    alone = [took for _ in range(TURNS) for took in few.few(asked.few)]
    batches = [
        crowd.ask("POST", "/v1/batches", {"jobs": [JOB] * min(BATCH, asked.crowd - begun)})
        for begun in range(0, asked.crowd, BATCH)
    ]
    beside = [took for _ in range(TURNS) for took in few.few(asked.few)]
    counts = [crowd.ask("GET", f"/v1/batches/{one['id']}")["counts"] for one in batches]
    left = sum(one["queued"] for one in counts)
    for one in batches:
        crowd.ask("POST", f"/v1/batches/{one['id']}/cancel")
    ratio = p95(beside) / p95(alone)
    print(
        f"{asked.few} jobs, {TURNS} times: p95 alone {p95(alone):.2f} s, beside a crowd of "
        f"{asked.crowd} {p95(beside):.2f} s, ratio {ratio:.2f} (of the crowd {left} still queued)"
    )
    if not left:
        sys.exit("the crowd was gone before the few: this says nothing")
    sys.exit(ratio > MAX_RATIO)


if __name__ == "__main__":
    main()
