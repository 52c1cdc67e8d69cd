"""Time that Darkroom adds to a job when nothing else is going on.

Sends jobs one after the other to a running `make run` and prints, per percentile, the milliseconds
from the 202 to the verified callback, less the simulator's own time from acceptance to readiness:

    python bench/low_load.py --jobs 100
"""

import argparse
import json
import os
import queue
import statistics
import sys
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import urllib3
from standardwebhooks import Webhook

TIMEOUT_SECONDS = 30
Heard: "queue.SimpleQueue[tuple[float, dict[str, str], bytes]]" = queue.SimpleQueue()


class Sink(BaseHTTPRequestHandler):
    """Notes when a callback came in."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Keep it and answer 200."""
        at = time.monotonic()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        Heard.put((at, {name.lower(): value for name, value in self.headers.items()}, body))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Run the jobs and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=100)
    count = arguments.parse_args().jobs
    home = Path(os.environ.get("DARKROOM_HOME", ".darkroom"))
    dev = json.loads((home / "dev.json").read_text(encoding="utf-8"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    Thread(target=server.serve_forever, daemon=True).start()
    callback_url = f"http://127.0.0.1:{server.server_port}/"
    with urllib3.PoolManager(retries=False) as http:
        one_job(http, dev, callback_url)  # connections and caches are warm for all that follow
        waits = dict(one_job(http, dev, callback_url) for _ in range(count))
        own = simulator_seconds(http, dev)
        added = sorted((wait - own[job_id]) * 1000 for job_id, wait in waits.items())
    server.shutdown()
    cuts = statistics.quantiles(added, n=100)
    print(f"{count} jobs, added ms: p50 {cuts[49]:.1f}  p90 {cuts[89]:.1f}  p99 {cuts[98]:.1f}")


def one_job(http: urllib3.PoolManager, dev: dict[str, Any], callback_url: str) -> tuple[str, float]:
    """Run a job; return upstream's id for it and the seconds from the 202 to the callback."""
    body = {
        "model": "flux-2-pro",
        "input": {"prompt": "a stopwatch on slate", "width": 1024, "height": 768},
        "callback_url": callback_url,
    }
    answer = http.request(
        "POST", f"{dev['url']}/v1/jobs", json=body,
        headers={"Authorization": f"Bearer {dev['api_key']}"},
    )  # fmt: skip
    accepted_at = time.monotonic()
    if answer.status != 202:  # noqa: PLR2004 - HTTP's own
        sys.exit(f"the job was not accepted: {answer.data!r}")
    at, headers, text = Heard.get(timeout=TIMEOUT_SECONDS)
    event = Webhook(dev["callback_secret"]).verify(text.decode(), headers)
    return event["data"]["upstream"]["task_id"], at - accepted_at


def simulator_seconds(http: urllib3.PoolManager, dev: dict[str, Any]) -> dict[str, float]:
    """Return the simulator's own time per task, by its ledger."""
    base = dev["flux_api_url"].rsplit("/v1", 1)[0]
    lines = http.request("GET", f"{base}/control/ledger").json()["lines"]
    times: dict[str, dict[str, float]] = {}
    for line in lines:
        moment = datetime.fromisoformat(line["ts"]).timestamp()
        times.setdefault(line["task_id"], {}).setdefault(line["kind"], moment)
    return {
        task_id: kinds["ready"] - kinds["accepted"]
        for task_id, kinds in times.items()
        if "ready" in kinds
    }


if __name__ == "__main__":
    main()
