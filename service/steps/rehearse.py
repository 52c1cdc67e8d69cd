"""Rehearse: one callback without a job, and in words what came of it."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from service.documents import when
from service.errors import AddressForbidden, TransientError
from service.ids import Kind, new_id, public_id
from service.signing.callback import callback_headers

EVENT = "callback.test"
KEPT_ANSWER_BYTES = 2048
MAX_LOCATION_CHARS = 2083

_HINTS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "it wants a login; callbacks prove themselves by their signature",
    HTTPStatus.FORBIDDEN: "it forbids us; does a firewall stand before it?",
    HTTPStatus.NOT_FOUND: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED: "it takes no POST at this path",
    HTTPStatus.GONE: "a callback that is answered so is never tried again",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "it does not take application/json",
    HTTPStatus.TOO_MANY_REQUESTS: "it wants fewer calls; Retry-After is honoured up to an hour",
}


class Answer(Protocol):
    """What the address said."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whatever their case."""
        ...

    @property
    def body(self) -> bytes:
        """What was read of the body."""
        ...


#: As the deliver lane posts: through the address guard, once, 15 s in all.
Post = Callable[[str, bytes, Mapping[str, str]], Answer]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; `said` explains it to whoever set up the address."""

    delivered: bool
    said: str
    http_status: int | None
    answer: str | None
    duration_ms: int


@dataclass(frozen=True)
class Rehearse:
    """Calls once; nothing is stored, and nothing is tried again."""

    #: Raises AddressForbidden as it does when a job is handed in: it tells no more than that.
    check: Callable[[str], None]
    post: Post

    def __call__(self, url: str, secrets_newest_first: Sequence[str]) -> Outcome:
        """Send a signed event of the type `callback.test`."""
        began = time.monotonic()
        now = datetime.now(UTC)
        data = {"object": "test", "message": "No job is behind this."}
        content = {"type": EVENT, "timestamp": when(now), "sequence": 0, "data": data}
        body = json.dumps(content, separators=(",", ":"))
        proofs = callback_headers(
            public_id(Kind.DELIVERY, new_id()), body, secrets_newest_first, now
        )
        headers = {"Content-Type": "application/json", **proofs}
        try:
            self.check(url)
            answer = self.post(url, body.encode(), headers)
        except AddressForbidden as error:
            return Outcome(False, f"refused: {error}", None, None, _ms_since(began))
        except TransientError as error:
            return Outcome(False, str(error), None, None, _ms_since(began))
        return Outcome(
            HTTPStatus(200) <= answer.status < HTTPStatus.MULTIPLE_CHOICES,
            _explained(answer, len(body)),
            answer.status,
            answer.body[:KEPT_ANSWER_BYTES].decode("utf-8", "replace"),
            _ms_since(began),
        )


def _explained(answer: Answer, sent_bytes: int) -> str:
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return f"taken ({status})"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        target = (answer.headers.get("Location") or "nowhere")[:MAX_LOCATION_CHARS]
        return (
            f"redirected to {target} ({status}); redirects are not followed, name the final address"
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return (
            f"it does not take the {sent_bytes} bytes of this test (413); "
            "a callback has up to 20,000"
        )
    hint = _HINTS.get(status) or (
        "the address is there, and its program failed"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR
        else "only 2xx is success"
    )
    return f"answered {status}: {hint}"


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
