"""What happens once the web answers: a key, dev.json, and a first job for the eyes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

from service.embedded.process import StartFailed
from service.embedded.state import write_private

DEV_FILE = "dev.json"
_LAST_DEV_FILE = "dev.last.json"

_FIRST_JOB_SECONDS = 30.0
_TERMINAL = {"succeeded", "failed", "canceled"}
_FIRST_PROMPT = "a darkroom in red safelight, prints drying on a line"
_NO_FIRST_JOB = "No first job is sent: this upstream may cost money."


class Welcome:
    """The launcher's own first visit to the service it has started."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        is_stopping: Callable[[], bool],
        ready_seconds: float = 60,
    ) -> None:
        self._ready_seconds = ready_seconds
        self._environment = environment
        self._is_stopping = is_stopping
        self._home = Path(environment["DARKROOM_HOME"])
        # Not PUBLIC_URL: that may be a tunnel, and lead out of this machine.
        self._url = f"http://127.0.0.1:{environment['PORT']}"
        self._client = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))

    def run(self) -> None:
        """Wait for the web, leave dev.json, send a job if it costs nothing, and tell all that.

        Raises:
            StartFailed: the web does not get ready, or no key can be made.
        """
        with self._client:
            self._wait_ready()
            keys = self._keys()
            write_private(self._home / DEV_FILE, json.dumps(self._developer(keys), indent=2) + "\n")
            key = keys["api_key"]
            lines = self._first_job(key) if self._costs_nothing() else [_NO_FIRST_JOB]
            print("\n".join(["", *lines, "", *self._directions(key), ""]), flush=True)

    def _request(
        self, method: str, path: str, key: str = "", body: object = None, wait_seconds: int = 0
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if wait_seconds:
            headers["Prefer"] = f"wait={wait_seconds}"
        try:
            answer = self._client.request(method, self._url + path, headers=headers, json=body)
            return answer.status, answer.json() if answer.data else None
        except (urllib3.exceptions.HTTPError, ValueError):
            return 0, None

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + self._ready_seconds
        answer: object = None
        while not self._is_stopping():
            status, answer = self._request("GET", "/readyz")
            if status == HTTPStatus.OK:
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        raise StartFailed(f"{self._url}/readyz is not ready: {answer or 'no answer'}")

    def _keys(self) -> dict[str, str]:
        """Return the key of the last run while the project still knows it, else a new one."""
        last = self._home / _LAST_DEV_FILE
        if last.exists():
            keys: dict[str, str] = json.loads(last.read_text())
            status, _ = self._request("GET", "/v1/jobs?limit=1", keys["api_key"])
            if status == HTTPStatus.OK:
                return keys
        done = self._command("create", "--project", "default", "--json")
        if done.returncode != 0:
            raise StartFailed(f"no API key: {done.stderr.strip()}")
        made: dict[str, str] = json.loads(done.stdout)
        return made

    def _command(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "service", "keys", *arguments],
            env={**self._environment, **variables},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def _developer(self, keys: Mapping[str, str]) -> dict[str, object]:
        found = self._environment
        return {
            "url": found["PUBLIC_URL"],
            "api_key": keys["api_key"],
            "callback_secret": keys["callback_secret"],
            "s3": {
                "endpoint_url": found.get("AWS_ENDPOINT_URL_S3"),
                "access_key_id": found.get("AWS_ACCESS_KEY_ID"),
                "secret_access_key": found.get("AWS_SECRET_ACCESS_KEY"),
                "region": found.get("AWS_DEFAULT_REGION"),
                "bucket": found.get("S3_BUCKET"),
            },
            "database_url": found["DATABASE_URL"],
            "broker_url": found["CELERY_BROKER_URL"],
            "flux_api_url": found.get("FLUX_API_URL"),
            "pid": os.getpid(),
        }

    def _costs_nothing(self) -> bool:
        """Whether the upstream is a simulator on this machine, and no address that takes money."""
        found = self._environment
        host = urlsplit(found.get("FLUX_API_URL", "")).hostname
        provider = found.get("FLUX_PROVIDER", "simulator")
        return provider == "simulator" and host in {"127.0.0.1", "localhost", "::1"}

    def _first_job(self, key: str) -> list[str]:
        body = {
            "model": "flux-2-pro",
            "input": {"prompt": _FIRST_PROMPT, "width": 1024, "height": 768},
        }
        deadline = time.monotonic() + _FIRST_JOB_SECONDS
        status, job = self._request("POST", "/v1/jobs", key, body, wait_seconds=20)
        if status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            return [f"The first job was refused ({status}): {job}"]
        path = f"/v1/jobs/{job['id']}"
        while job["status"] not in _TERMINAL and time.monotonic() < deadline:
            if self._is_stopping():
                return []
            time.sleep(0.2)
            status, answer = self._request("GET", path, key)
            job = answer if status == HTTPStatus.OK else job
        _, answer = self._request("GET", f"{path}/events", key)
        events = (answer or {}).get("data", [])
        width = max((len(event["type"]) for event in events), default=0)
        return [
            f"First job  {job['id']}",
            *(
                f"  {event['at'][11:23]}  {event['type']:<{width}}  {event['message']}"
                for event in events
            ),
            *(
                f"\nImage      s3://{image['bucket']}/{image['key']}\n"
                f"           {image['width']} x {image['height']}, {image['bytes']:,} bytes"
                for image in job["images"]
            ),
            *([] if job["status"] == "succeeded" else [f"\nIt is {job['status']}: see the log."]),
        ]

    def _directions(self, key: str) -> list[str]:
        url = self._environment["PUBLIC_URL"]
        link = self._command("link", DARKROOM_API_KEY=key)
        # without a link the key itself opens the gallery
        way_in = f"{link.stdout.strip()} (once, for ten minutes)" if link.returncode == 0 else key
        return [
            f"Gallery    {url}/",
            f"Log in     {way_in}",
            f"Details    {_short(self._home / DEV_FILE)}",
            "",
            "A next job:",
            f"  curl -s {url}/v1/jobs -H 'Authorization: Bearer {key}' \\",
            "    -H 'Content-Type: application/json' -H 'Prefer: wait=30' \\",
            """    -d '{"model":"flux-2-pro","input":{"prompt":"a lighthouse at dusk"}}'""",
            "",
            "Ctrl-C stops everything; the data stay.",
        ]


def set_aside(home: Path) -> None:
    """Take away dev.json of the last run until this one is ready; its key is kept."""
    if (home / DEV_FILE).exists():
        (home / DEV_FILE).replace(home / _LAST_DEV_FILE)


def addresses(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each server in use: what it is and where, without credentials."""
    servers = {
        "PostgreSQL": "DATABASE_URL",
        "Broker": "CELERY_BROKER_URL",
        "S3": "AWS_ENDPOINT_URL_S3",
        "Flux": "FLUX_API_URL",
    }
    lines = []
    for name, variable in servers.items():
        address = urlsplit(environment.get(variable, ""))
        place = f"{address.hostname}:{address.port}" if address.port else address.hostname
        lines.append(f"{name:<11}{place or environment.get('FLUX_PROVIDER')}")
    return lines


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
