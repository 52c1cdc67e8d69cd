"""What the machine can do: one process, one loop, five commits a job and nothing else.

No queue, no framework, no second try: what any of the others costs above this, it costs for what
it promises or for how it is made.
"""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Coroutine
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uvloop

from pipelines.programs.lean_http import Client, Serving
from pipelines.programs.signing import (
    WEBHOOK_SECRET,
    callback_headers,
    is_caller,
    is_upstream,
)
from pipelines.programs.sigv4 import ENDPOINT, signed_put

_UPSTREAM = os.environ["FLUX_API_URL"] + "/flux-2-pro"
_UPSTREAM_HEADERS = {"Content-Type": "application/json", "x-key": os.environ["FLUX_API_KEY"]}
_WEBHOOKS = os.environ["PUBLIC_URL"] + "/webhooks/"
_AUTHORIZATION = re.compile(rb"\r\nauthorization:[ ]*([^\r]*)", re.IGNORECASE)
_SECRET = re.compile(rb"\r\nx-webhook-secret:[ ]*([^\r]*)", re.IGNORECASE)
_CONNECTIONS = 16


class Floor:
    """The whole job."""

    def __init__(self, rows: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._rows = rows
        self._http = Client()
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, path: str, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Answer a request."""
        if path == "/v1/jobs":
            return await self._accept(head, body)
        return await self._hear(UUID(path.rpartition("/")[2]), head, body)

    async def _accept(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        if not ((found := _AUTHORIZATION.search(head)) and is_caller(found[1])):
            return 401, b"{}"
        asked = json.loads(body)
        job_id = uuid4()
        await self._rows.execute(
            "INSERT INTO jobs (id, state, model, input, callback_url)"
            " VALUES ($1, 'accepted', $2, $3, $4)",
            job_id,
            asked["model"],
            json.dumps(asked["input"]),
            asked["callback_url"],
        )
        self._go_on(self._pay(job_id, asked["input"]))
        return 202, b'{"id": "%b"}' % str(job_id).encode()

    async def _pay(self, job_id: UUID, wanted: dict[str, Any]) -> None:
        await self._rows.execute(
            "UPDATE jobs SET state = 'submitting', updated_at = now() WHERE id = $1", job_id
        )
        order = {
            **wanted,
            "webhook_url": f"{_WEBHOOKS}{job_id}",
            "webhook_secret": WEBHOOK_SECRET,
        }
        answer = await self._http.request(
            "POST", _UPSTREAM, _UPSTREAM_HEADERS, json.dumps(order).encode()
        )
        # the webhook may have been first
        await self._rows.execute(
            "UPDATE jobs SET task_id = $2, updated_at = now(),"
            " state = CASE state WHEN 'submitting' THEN 'generating' ELSE state END WHERE id = $1",
            job_id,
            json.loads(answer)["id"],
        )

    async def _hear(self, job_id: UUID, head: bytes, body: bytes) -> tuple[int, bytes]:
        if not ((found := _SECRET.search(head)) and is_upstream(found[1])):
            return 401, b"{}"
        callback_url = await self._rows.fetchval(
            "UPDATE jobs SET state = 'storing', updated_at = now()"
            " WHERE id = $1 AND state IN ('submitting', 'generating') RETURNING callback_url",
            job_id,
        )
        if callback_url:
            self._go_on(self._store(job_id, json.loads(body)["result"]["sample"], callback_url))
        return 200, b"{}"

    async def _store(self, job_id: UUID, image_url: str, callback_url: str) -> None:
        image = await self._http.request("GET", image_url, {})
        sha256 = hashlib.sha256(image)
        key = f"jobs/{job_id}.png"
        path, headers = signed_put(key, sha256.digest(), "image/png")
        await self._http.request("PUT", ENDPOINT + path, headers, image)
        said = {"id": str(job_id), "key": key, "sha256": sha256.hexdigest(), "bytes": len(image)}
        body = json.dumps({"type": "job.succeeded", "data": said}).encode()
        await self._http.request("POST", callback_url, callback_headers(str(job_id), body), body)
        await self._rows.execute(
            "UPDATE jobs SET state = 'delivered', key = $2, sha256 = $3, bytes = $4,"
            " updated_at = now() WHERE id = $1",
            job_id,
            key,
            sha256.hexdigest(),
            len(image),
        )

    def _go_on(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def serve() -> None:
    """Listen until the process is ended."""

    async def reset(_: object) -> None:
        """Leave a connection as it is: no statement here changes its settings."""

    async with asyncpg.create_pool(
        os.environ["DATABASE_URL"].replace("+psycopg", "", 1),
        min_size=_CONNECTIONS,
        max_size=_CONNECTIONS,
        reset=reset,
    ) as rows:
        floor = Floor(rows)
        server = await asyncio.get_running_loop().create_server(
            lambda: Serving(floor.handle), "127.0.0.1", int(os.environ["PORT"]), backlog=1024
        )
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
