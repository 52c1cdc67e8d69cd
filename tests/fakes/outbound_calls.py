"""A callback sent as the product sends it, and a limit on how long anything may take."""

import contextlib
import time
from collections.abc import Iterator

from service.clients.outbound import Answer, Outbound

SECRET = "canary-7f3a"
PATH = f"/hook?signature={SECRET}"


def post(
    outbound: Outbound, url: str, *, total_seconds: float = 5.0, body: bytes = b"{}"
) -> Answer:
    return outbound.post(
        url,
        body=body,
        headers={"Content-Type": "application/json"},
        total_seconds=total_seconds,
        connect_seconds=min(2.0, total_seconds),
        max_body_bytes=65536,
    )


@contextlib.contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds
