"""One request and its answer over one connection, in phases whose errors differ.

Up to the TLS handshake every error is NotSent; from the first byte of the request on every error is
OutcomeUnknown. A paid request hangs on this line.
"""

import contextlib
import http.client
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from urllib3 import HTTPHeaderDict

from service.clients.outbound.addresses import Address
from service.clients.outbound.connect import connect
from service.clients.outbound.target import Target
from service.clients.outbound.wire import Wire
from service.errors import NotSent, OutcomeUnknown

_READ_BYTES = 262_144
_HEAD_BYTES = 256 * 1024  # more head than an honest server sends, interim answers included
_FRAMING_FACTOR = 2  # chunked encoding may double a body that comes in small chunks


@dataclass(frozen=True, slots=True)
class Request:
    """What to send and within which limits; deadlines in monotonic seconds."""

    method: str
    target: Target
    headers: Mapping[str, str]
    body: bytes | None
    connect_deadline: float
    deadline: float
    max_body_bytes: int
    before_send: Callable[[], None] | None


class Response:
    """An answer whose head has been read and whose body has not."""

    def __init__(self, target: Target, raw: http.client.HTTPResponse, peer: str) -> None:
        self._target = target
        self._raw = raw
        self.status = raw.status
        self.headers = HTTPHeaderDict(raw.headers.items())
        self.length = raw.length
        self.peer = peer

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes, not decoded.

        Raises:
            OutcomeUnknown: with the status; it broke, took too long, or is shorter than was said.
        """
        while chunk := self._read():
            yield chunk

    def _read(self) -> bytes:
        with _outcome_unknown(self._target, self.status):
            chunk = self._raw.read1(_READ_BYTES)
            if not chunk and self._raw.length:
                raise http.client.IncompleteRead(b"", self._raw.length)
            return chunk


@contextlib.contextmanager
def exchange(
    request: Request, addresses: Sequence[Address], tls: ssl.SSLContext
) -> Iterator[Response]:
    """Connect, send, and yield the answer when its head is there; the block ends the connection.

    Raises:
        NotSent: nothing left. The same holds for what `before_send` raises, which passes through.
        OutcomeUnknown: something may have been received.
    """
    target = request.target
    sock, peer = connect(target, addresses, request.connect_deadline, tls)
    with sock:
        wire = Wire(sock, request.deadline, _HEAD_BYTES + _FRAMING_FACTOR * request.max_body_bytes)
        connection = _prepare(request, wire)
        if request.before_send is not None:
            request.before_send()
        if time.monotonic() >= request.deadline:
            raise NotSent(f"no time was left to send to {target.origin}")
        with _outcome_unknown(target):
            # A server may answer before it has read all, and hang up: its answer still counts.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(request.body)
            raw = connection.getresponse()
            if wire.ended:  # http.client takes the end of the stream for the end of the head
                raise http.client.IncompleteRead(b"")
        with contextlib.closing(raw):
            yield Response(target, raw, str(peer))


class _FinalResponse(http.client.HTTPResponse):
    """Skips interim answers such as 103; `http.client` knows 100 only (RFC 9110 section 15.2)."""

    def begin(self) -> None:
        super().begin()
        while http.client.PROCESSING <= self.status < http.client.OK:
            self.headers = self.msg = None  # type: ignore[assignment]  # begin() starts from None
            super().begin()


class _Connection(http.client.HTTPConnection):
    auto_open = 0  # never connect by itself: that would resolve the name a second time
    response_class = _FinalResponse


def _prepare(request: Request, wire: Wire) -> http.client.HTTPConnection:
    """Write the head into the connection's buffer; nothing is sent before `endheaders`."""
    connection = _Connection(request.target.host, request.target.port)
    connection.sock = wire
    headers = {
        "Host": request.target.authority,
        "User-Agent": "Darkroom",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **request.headers,
    }
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    try:
        connection.putrequest(
            request.method, request.target.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in headers.items():
            connection.putheader(name, value)
    except ValueError:
        # Without the cause: its message repeats the header, which may be a key.
        raise NotSent(f"a header for {request.target.origin} holds forbidden characters") from None
    return connection


@contextlib.contextmanager
def _outcome_unknown(target: Target, status: int | None = None) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise OutcomeUnknown(f"{target.origin} {_words(error)}", status) from error


def _words(error: OSError | http.client.HTTPException | ValueError) -> str:
    match error:
        case TimeoutError():
            return "took longer than the whole exchange may"
        case http.client.RemoteDisconnected():
            return "closed the connection without an answer"
        case http.client.IncompleteRead():
            return "closed the connection before the end of its answer"
        case OSError(strerror=str(words)):
            return f"broke the connection: {words}"
        case _:
            return "did not answer in HTTP"
