"""Every outgoing HTTP request: pinned to a checked address, with one time limit and one byte limit.

No redirects but those of a download, no proxies or netrc from the environment, no retries, no kept
connections, no decoding. Errors never repeat a URL's path or query: presigned URLs are secrets.
"""

import contextlib
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_network
from urllib.parse import urljoin

import certifi
from urllib3 import HTTPHeaderDict

from service.clients.outbound.exchange import Request, Response, exchange
from service.clients.outbound.guard import AddressGuard
from service.clients.outbound.retry_after import parse_retry_after
from service.errors import DownloadFailed, NotSent, OutcomeUnknown, ResultExpired, ResultInvalid

_OPERATORS = AddressGuard([ip_network("0.0.0.0/0"), ip_network("::/0")])
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({403, 404, 410})  # a presigned URL past its time is 403


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status; `truncated` if the body went on past the limit.

    `headers` ignores case; `headers.getlist(name)` gives a repeated header's values. `peer` is the
    address that answered: for our logs, not for callers.
    """

    status: int
    headers: HTTPHeaderDict
    body: bytes
    truncated: bool
    elapsed_seconds: float
    peer: str

    def retry_after_seconds(
        self, *, base_seconds: float, cap_seconds: float, now: datetime
    ) -> float:
        """Return the delay that the server asks for, as `parse_retry_after` bounds it."""
        return parse_retry_after(
            self.headers.getlist("Retry-After"),
            base_seconds=base_seconds,
            cap_seconds=cap_seconds,
            now=now,
        )


@dataclass(frozen=True, slots=True)
class Download:
    """What went into the sink: size, SHA-256 in hex, and the headers it came with."""

    size_bytes: int
    sha256: str
    headers: HTTPHeaderDict


class Outbound:
    """Sends requests; one instance serves all threads of a process.

    Limits of every method: `total_seconds` for everything from the name to the last byte,
    `connect_seconds` of it for name, TCP and TLS together. `guarded=False` is only for the upstream
    address that the operator configured: it may be internal.
    """

    def __init__(self, guard: AddressGuard, *, ca_file: str | None = None) -> None:
        self._guard = guard
        self._tls = ssl.create_default_context(cafile=ca_file or certifi.where())
        self._tls.set_alpn_protocols(["http/1.1"])

    def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        total_seconds: float,
        connect_seconds: float,
        max_body_bytes: int,
        guarded: bool = True,
        before_send: Callable[[], None] | None = None,
    ) -> Answer:
        """Send `body` once, or not at all if `before_send` raises.

        `before_send` runs when the connection stands, right before the first byte; what it raises
        passes through.

        Raises:
            AddressForbidden: the guard refuses; nothing was sent.
            NotSent: no name, connection or TLS; nothing was sent.
            OutcomeUnknown: at least a part was sent and no whole answer came back.
        """
        with self._open(
            "POST",
            url,
            body=body,
            headers=headers,
            total_seconds=total_seconds,
            connect_seconds=connect_seconds,
            max_body_bytes=max_body_bytes,
            guarded=guarded,
            before_send=before_send,
        ) as (response, started):
            return _read_answer(response, max_body_bytes, started)

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        total_seconds: float,
        connect_seconds: float,
        max_body_bytes: int,
        guarded: bool = True,
    ) -> Answer:
        """Ask once. Raises as `post`."""
        with self._open(
            "GET",
            url,
            headers=headers,
            total_seconds=total_seconds,
            connect_seconds=connect_seconds,
            max_body_bytes=max_body_bytes,
            guarded=guarded,
        ) as (response, started):
            return _read_answer(response, max_body_bytes, started)

    def download(
        self,
        url: str,
        sink: Callable[[bytes], object],
        *,
        total_seconds: float,
        connect_seconds: float,
        max_bytes: int,
    ) -> Download:
        """Pass the bytes behind `url` to `sink` as they come.

        Follows up to three redirects, each checked anew. What `sink` raises passes through. After
        an error the sink holds a part that is worth nothing.

        Raises:
            AddressForbidden: the guard refuses the URL or the place it redirects to.
            ResultExpired: 403, 404 or 410.
            ResultInvalid: more than `max_bytes`.
            DownloadFailed: everything else; it may work the next time.
        """
        deadline = time.monotonic() + total_seconds
        try:
            for _ in range(1 + _MAX_REDIRECTS):
                with self._open(
                    "GET",
                    url,
                    headers={},
                    total_seconds=deadline - time.monotonic(),
                    connect_seconds=connect_seconds,
                    max_body_bytes=max_bytes,
                ) as (response, _started):
                    if response.status not in _REDIRECTS:
                        return _read_download(response, sink, max_bytes)
                    url = _redirected(url, response)
        except (NotSent, OutcomeUnknown) as error:
            raise DownloadFailed(str(error)) from error
        raise DownloadFailed(f"redirected more than {_MAX_REDIRECTS} times")

    @contextlib.contextmanager
    def _open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        total_seconds: float,
        connect_seconds: float,
        max_body_bytes: int,
        body: bytes | None = None,
        guarded: bool = True,
        before_send: Callable[[], None] | None = None,
    ) -> Iterator[tuple[Response, float]]:
        started = time.monotonic()
        connect_seconds = min(connect_seconds, total_seconds)
        guard = self._guard if guarded else _OPERATORS
        target = guard.parse(url)
        addresses = guard.resolve(target, connect_seconds)
        request = Request(
            method=method,
            target=target,
            headers=headers,
            body=body,
            connect_deadline=started + connect_seconds,
            deadline=started + total_seconds,
            max_body_bytes=max_body_bytes,
            before_send=before_send,
        )
        with exchange(request, addresses, self._tls) as response:
            yield response, started


def _read_answer(response: Response, max_body_bytes: int, started: float) -> Answer:
    body = bytearray()
    for chunk in response.chunks():
        body += chunk
        if len(body) > max_body_bytes:
            break
    return Answer(
        status=response.status,
        headers=response.headers,
        body=bytes(body[:max_body_bytes]),
        truncated=len(body) > max_body_bytes,
        elapsed_seconds=time.monotonic() - started,
        peer=response.peer,
    )


def _read_download(response: Response, sink: Callable[[bytes], object], max_bytes: int) -> Download:
    if response.status in _GONE:
        raise ResultExpired(f"the result's URL answers {response.status}")
    if response.status != HTTPStatus.OK:
        raise DownloadFailed(f"the result's URL answers {response.status}")
    too_large = f"the result is larger than {max_bytes} bytes"
    if (response.length or 0) > max_bytes:
        raise ResultInvalid(too_large)
    size_bytes, digest = 0, hashlib.sha256()
    for chunk in response.chunks():
        size_bytes += len(chunk)
        if size_bytes > max_bytes:
            raise ResultInvalid(too_large)
        digest.update(chunk)
        sink(chunk)
    return Download(size_bytes, digest.hexdigest(), response.headers)


def _redirected(url: str, response: Response) -> str:
    """Return where a redirect leads; the guard reads the result, so any words may be in it."""
    location = response.headers.get("Location", "").partition("#")[0]
    if not location:
        raise DownloadFailed(f"the result's URL answers {response.status} without a Location")
    try:
        return urljoin(url, location)
    except ValueError:
        raise DownloadFailed("the result's URL redirects to what is no URL") from None
