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
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

#: How long upstream works on an image, seconds.
UPSTREAM_SECONDS = 0.05
_PROMPT = re.compile(r"number (\d+)")
_LENGTH = re.compile(rb"content-length:[ ]*(\d+)", re.IGNORECASE)
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

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

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
        result = {"sample": f"{self.url}/images/{task_id}.png", "seed": 7, "prompt": "a number"}
        body = json.dumps({"id": task_id, "status": "Ready", "result": result}).encode()
        signature = hmac.digest(secret.encode(), body, "sha256").hex()
        headers = (
            f"Content-Type: application/json\r\nX-Webhook-Secret: {secret}\r\n"
            f"X-BFL-Signature: sha256={signature}\r\n"
        )
        for pause_seconds in (1, 2, 4, 8):
            began = time.monotonic()
            try:
                status, _ = await self._post(url, body, headers)
            except OSError:
                status = 0
            self.webhook_seconds.append(time.monotonic() - began)
            if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
                return
            self.unanswered_webhooks += 1
            await asyncio.sleep(pause_seconds)

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
        where = parts.hostname or "", parts.port or 80
        idle = self._peers[where]
        while True:
            is_fresh = not idle
            client = idle.pop() if idle else await Client.connect(*where)
            try:
                answer = await client.post(parts.path, body, headers)
            except ConnectionError:
                # one that the server has closed while it was idle
                if is_fresh:
                    raise
                continue
            if not client.is_closed:
                idle.append(client)
            return answer


@dataclass
class _Reader:
    """Cuts HTTP/1.1 messages with a length out of what comes in."""

    take: Callable[[bytes, bytes], None]
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self.take(head, body)


class _Connection(asyncio.Protocol):
    """One connection to the stub."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._reader = _Reader(self._take)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)

    def _take(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        status, content_type, answer = self._outside.answer(path, head, body)
        close = b"connection: close" in head.lower()
        self._transport.write(
            f"HTTP/1.1 {status} OK\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(answer)}\r\n"
            f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n".encode()
            + answer
        )
        if close:
            self._transport.close()


class Client(asyncio.Protocol):
    """One kept connection to a pipeline; one request at a time."""

    def __init__(self) -> None:
        self._reader = _Reader(self._take)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.is_closed = False

    @classmethod
    async def connect(cls, host: str, port: int) -> "Client":
        """Return a client that is connected.

        Raises:
            OSError: nobody listens there.
        """
        _, client = await asyncio.get_running_loop().create_connection(cls, host, port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast("asyncio.Transport", transport)
        self._host = "{}:{}".format(*transport.get_extra_info("peername")[:2])

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._reader.feed(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Tell who waits."""
        self.is_closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("closed without an answer"))

    async def post(self, path: str, body: bytes, headers: str) -> tuple[int, bytes]:
        """Send one request; return status and body of the answer."""
        if self.is_closed:
            raise ConnectionResetError("closed while idle")
        self._answer = asyncio.get_running_loop().create_future()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        return await self._answer

    def close(self) -> None:
        """End it."""
        self._transport.close()

    def _take(self, head: bytes, body: bytes) -> None:
        if b"connection: close" in head.lower():
            self.is_closed = True
            self._transport.close()
        if self._answer and not self._answer.done():
            self._answer.set_result((int(head.split(b" ", 2)[1]), body))


def noise_png(size_bytes: int) -> bytes:
    """Return a PNG of nearly this size: noise, which no codec makes smaller."""
    import io  # noqa: PLC0415 - Pillow is needed here only, and the stub's process stays small

    from PIL import Image  # noqa: PLC0415

    side = max(1, int((size_bytes / 3) ** 0.5))
    picture = Image.frombytes("RGB", (side, side), os.urandom(3 * side * side))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
