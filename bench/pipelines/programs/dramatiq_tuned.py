"""Dramatiq with everything around it as lean as threads allow: two messages a job, five commits.

No framework, no ORM: prepared statements on a connection for each thread, kept connections to all
others, and an image that is hashed once and signed for without being read again.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dramatiq
import psycopg
import urllib3
from dramatiq.brokers.redis import RedisBroker

from pipelines.programs.signing import (
    WEBHOOK_SECRET,
    callback_headers,
    is_caller,
    is_upstream,
)
from pipelines.programs.sigv4 import ENDPOINT, signed_put

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_THREADS = 8
_DATABASE = os.environ["DATABASE_URL"].replace("+psycopg", "", 1)
_UPSTREAM = os.environ["FLUX_API_URL"]
_WEBHOOKS = os.environ["PUBLIC_URL"] + "/webhooks/"
_REASONS = {200: "200 OK", 202: "202 Accepted", 401: "401 Unauthorized"}

broker = RedisBroker(url=os.environ["CELERY_BROKER_URL"])  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)
_http = urllib3.PoolManager(maxsize=_THREADS, block=False, retries=False, timeout=30.0)
_mine = threading.local()


@dramatiq.actor
def pay(job_id: str) -> None:
    """Have upstream make the image."""
    ((model, wanted),) = _run(
        "UPDATE jobs SET state = 'submitting', updated_at = now() WHERE id = %s"
        " RETURNING model, input",
        job_id,
    )
    order = {**wanted, "webhook_url": _WEBHOOKS + job_id, "webhook_secret": WEBHOOK_SECRET}
    answer = _send(
        "POST",
        f"{_UPSTREAM}/{model}",
        {"Content-Type": "application/json", "x-key": os.environ["FLUX_API_KEY"]},
        json.dumps(order).encode(),
    )
    # the webhook may have been first
    _run(
        "UPDATE jobs SET task_id = %s, updated_at = now(),"
        " state = CASE state WHEN 'submitting' THEN 'generating' ELSE state END WHERE id = %s",
        json.loads(answer)["id"],
        job_id,
    )


@dramatiq.actor
def store_and_deliver(job_id: str, image_url: str) -> None:
    """Copy the image and tell the caller."""
    ((callback_url,),) = _run(
        "UPDATE jobs SET state = 'storing', updated_at = now() WHERE id = %s"
        " RETURNING callback_url",
        job_id,
    )
    image = _send("GET", image_url, {})
    sha256 = hashlib.sha256(image)
    key = f"jobs/{job_id}.png"
    path, headers = signed_put(key, sha256.digest(), "image/png")
    _send("PUT", ENDPOINT + path, headers, image)
    said = {"id": job_id, "key": key, "sha256": sha256.hexdigest(), "bytes": len(image)}
    body = json.dumps({"type": "job.succeeded", "data": said}).encode()
    _send("POST", callback_url, callback_headers(job_id, body), body)
    _run(
        "UPDATE jobs SET state = 'delivered', key = %s, sha256 = %s, bytes = %s,"
        " updated_at = now() WHERE id = %s",
        key,
        sha256.hexdigest(),
        len(image),
        job_id,
    )


def web(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Take jobs and webhooks."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    path = environ["PATH_INFO"]
    take: Callable[[Any, str, Any], tuple[int, bytes]] = _accept if path == "/v1/jobs" else _hear
    status, answer = take(environ, path.rpartition("/")[2], body)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
    start_response(_REASONS[status], headers)
    return [answer]


def _accept(environ: dict[str, Any], _: str, body: bytes) -> tuple[int, bytes]:
    if not is_caller(environ.get("HTTP_AUTHORIZATION", "")):
        return 401, b"{}"
    asked = json.loads(body)
    job_id = str(uuid4())
    _run(
        "INSERT INTO jobs (id, state, model, input, callback_url)"
        " VALUES (%s, 'accepted', %s, %s, %s)",
        job_id,
        asked["model"],
        json.dumps(asked["input"]),
        asked["callback_url"],
    )
    pay.send(job_id)
    return 202, json.dumps({"id": job_id}).encode()


def _hear(environ: dict[str, Any], job_id: str, body: bytes) -> tuple[int, bytes]:
    if not is_upstream(environ.get("HTTP_X_WEBHOOK_SECRET", "")):
        return 401, b"{}"
    store_and_deliver.send(job_id, json.loads(body)["result"]["sample"])
    return 200, b"{}"


def _run(statement: Any, *values: object) -> list[tuple[Any, ...]]:  # noqa: ANN401 - psycopg wants literals
    """Run a statement and commit it; return its rows."""
    try:
        connection = _mine.connection
    except AttributeError:
        connection = _mine.connection = psycopg.connect(_DATABASE, autocommit=True)
    found = connection.execute(statement, values, prepare=True)
    return found.fetchall() if found.description else []


def _send(method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    response = _http.request(method, url, body=body, headers=headers)
    if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's own
        raise RuntimeError(f"{method} {url}: {response.status} {response.data[:300]!r}")
    return response.data
