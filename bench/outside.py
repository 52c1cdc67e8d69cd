"""All that is not the pipeline: a stub of upstream with its images, the callbacks' sink, the load.

One event loop in the bench's own process, so that every moment is of one clock, and its processor
time is told apart from the pipeline's. A job's number travels in its prompt and in the address of
its callback.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from connections import Client, Served

#: How long upstream works on an image, seconds.
UPSTREAM_SECONDS = 0.05
#: How long upstream waits for the answer to a webhook.
WEBHOOK_PATIENCE_SECONDS = 30.0
_PROMPT = re.compile(r"number (\d+)")
_HEADER = re.compile(rb"^(webhook-[a-z]+):[ ]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)


@dataclass
class Job:
    """What is seen of a job from outside, in monotonic seconds."""

    accepted_at: float = 0.0
    paid_at: float = 0.0
    called_back_at: float = 0.0
    #: How often it was paid for.
    paid: int = 0

    @property
    def added_seconds(self) -> float:
        """From the 202 to the callback, beyond upstream's own time."""
        return self.called_back_at - self.accepted_at - UPSTREAM_SECONDS


class Outside:
    """The world around one pipeline."""

    def __init__(self, image: bytes) -> None:
        """Every image is this one."""
        self._image = image
        self.jobs: dict[int, Job] = defaultdict(Job)
        self._callback_key = b""
        self._ended: dict[int, asyncio.Future[None]] = {}
        self._peers: dict[tuple[str, int], list[Client]] = defaultdict(list)
        self.url = ""
        #: Seconds that each webhook took to be answered, and each handing-in.
        self.webhook_seconds: list[float] = []
        self.submit_seconds: list[float] = []
        self.unanswered_webhooks = 0
        self._calls: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1") -> None:
        """Listen on a free port of this address."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Served(self.answer), host, 0, backlog=1024)
        self.url = f"http://{host}:{server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Give up the webhooks under way."""
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def expect(self, callback_secret: str) -> None:
        """Forget all jobs; callbacks are signed with this from now on."""
        self.jobs.clear()
        self._ended.clear()
        for clients in self._peers.values():
            for client in clients:
                client.close()
        self._peers.clear()
        self.webhook_seconds.clear()
        self.submit_seconds.clear()
        self.unanswered_webhooks = 0
        self._callback_key = base64.b64decode(callback_secret.removeprefix("whsec_"))

    async def hand_in(self, url: str, api_key: str, number: int) -> None:
        """Hand in one job; it has an end to wait for from now on."""
        self._ended[number] = asyncio.get_running_loop().create_future()
        body = {
            "model": "flux-2-pro",
            "input": {"prompt": f"number {number}", "width": 1024, "height": 768},
            "callback_url": f"{self.url}/callbacks/{number}",
        }
        began = time.monotonic()
        headers = f"Authorization: Bearer {api_key}\r\nContent-Type: application/json\r\n"
        status, answer = await self._post(f"{url}/v1/jobs", json.dumps(body).encode(), headers)
        if status != 202:  # noqa: PLR2004 - HTTP's own
            raise RuntimeError(f"the job was not accepted: {status} {answer[:300]!r}")
        self.jobs[number].accepted_at = time.monotonic()
        self.submit_seconds.append(time.monotonic() - began)

    async def called_back(self, number: int, timeout_seconds: float = 120.0) -> None:
        """Wait for the verified callback of a job."""
        await asyncio.wait_for(self._ended[number], timeout_seconds)

    def answer(self, path: str, head: bytes, body: bytes) -> tuple[int, str, bytes]:
        """Return status, content type and body for a request."""
        if path.startswith("/images/"):
            return 200, "image/png", self._image
        if path.startswith("/callbacks/"):
            return self._hear(int(path.rpartition("/")[2]), head, body)
        if path.startswith("/v1/credits"):
            return 200, "application/json", b'{"credits": 1000000}'
        if path.startswith("/v1/get_result"):
            return 200, "application/json", self._ready(path.rpartition("=")[2])
        return self._sell(json.loads(body))

    def _sell(self, asked: dict[str, Any]) -> tuple[int, str, bytes]:
        found = _PROMPT.search(asked["prompt"])
        number = int(found[1]) if found else 0
        job = self.jobs[number]
        job.paid += 1
        job.paid_at = time.monotonic()
        task_id = f"task-{number}-{job.paid}"
        call = asyncio.create_task(
            self._call(task_id, asked["webhook_url"], asked["webhook_secret"])
        )
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        answer = {"id": task_id, "polling_url": f"{self.url}/v1/get_result?id={task_id}"}
        return 200, "application/json", json.dumps(answer).encode()

    async def _call(self, task_id: str, url: str, secret: str) -> None:
        await asyncio.sleep(UPSTREAM_SECONDS)
        await self.call_webhook(task_id, url, secret)

    async def call_webhook(self, task_id: str, url: str, secret: str) -> None:
        """Say that a task is ready, as upstream does, until that is answered 2xx."""
        body = self._ready(task_id)
        signature = hmac.digest(secret.encode(), body, "sha256").hex()
        headers = (
            f"Content-Type: application/json\r\nX-Webhook-Secret: {secret}\r\n"
            f"X-BFL-Signature: sha256={signature}\r\n"
        )
        for pause_seconds in (1, 2, 4, 8):
            began = time.monotonic()
            try:
                async with asyncio.timeout(WEBHOOK_PATIENCE_SECONDS):
                    status, _ = await self._post(url, body, headers)
            except OSError:
                status = 0
            self.webhook_seconds.append(time.monotonic() - began)
            if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
                return
            self.unanswered_webhooks += 1
            await asyncio.sleep(pause_seconds)

    def _ready(self, task_id: str) -> bytes:
        result = {"sample": f"{self.url}/images/{task_id}.png", "seed": 7, "prompt": "a number"}
        return json.dumps({"id": task_id, "status": "Ready", "result": result}).encode()

    def _hear(self, number: int, head: bytes, body: bytes) -> tuple[int, str, bytes]:
        said = {name.lower(): value for name, value in _HEADER.findall(head)}
        signed = b".".join([said[b"webhook-id"], said[b"webhook-timestamp"], body])
        proof = base64.b64encode(hmac.digest(self._callback_key, signed, hashlib.sha256))
        if b"v1," + proof not in said[b"webhook-signature"].split():
            return 401, "text/plain", b""
        job = self.jobs[number]
        if not job.called_back_at:
            job.called_back_at = time.monotonic()
            if number in self._ended and not self._ended[number].done():
                self._ended[number].set_result(None)
        return 200, "text/plain", b""

    async def _post(self, url: str, body: bytes, headers: str) -> tuple[int, bytes]:
        parts = urlsplit(url)
        peer = parts.hostname or "", parts.port or 80
        idle = self._peers[peer]
        while True:
            is_fresh = not idle
            client = idle.pop() if idle else await Client.connect(*peer)
            try:
                answer = await client.post(parts.path, body, headers)
            except ConnectionError:
                # one that the server has closed while it was idle
                if is_fresh:
                    raise
                continue
            except asyncio.CancelledError:
                # its answer may still come, and is not that of the next request
                client.close()
                raise
            if not client.is_closed:
                idle.append(client)
            return answer


def noise_png(size_bytes: int) -> bytes:
    """Return a PNG of nearly this size: noise, which no codec makes smaller."""
    import io  # noqa: PLC0415 - Pillow is needed here only, and the stub's process stays small

    from PIL import Image  # noqa: PLC0415

    side = max(1, int((size_bytes / 3) ** 0.5))
    picture = Image.frombytes("RGB", (side, side), os.urandom(3 * side * side))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
