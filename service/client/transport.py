"""Requests that are sent again where that is safe, and the API's refusals in its own words."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import certifi
import urllib3
from urllib3 import BaseHTTPResponse, HTTPHeaderDict
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from service.errors import ServiceError

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
#: Pauses before a safe request is sent again.
RETRY_PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0)
#: For a request that must not be sent twice.
ONCE = ()
#: A server may ask for a longer pause, up to this; what asks for more is said to the caller.
MAX_RETRY_AFTER_SECONDS = 60.0

_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class ApiUnreachable(ServiceError):
    """No answer, or none of a Darkroom; a safe request was tried again before."""


class ApiSilent(ApiUnreachable):
    """An answer began, and then nothing came for too long."""


class ApiRefused(ServiceError):
    """The API said no; the text is its own, with every field."""

    def __init__(
        self,
        status: int,
        text: str,
        *,
        code: str | None = None,
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Keep the parts as well: the API's code, and each field's JSON pointer with its fault."""
        told = "; ".join(f"{pointer}: {fault}" for pointer, fault in fields)
        super().__init__(f"{text} ({told})" if told else text)
        self.status = status
        self.detail = text
        self.code = code
        self.fields = fields


class Answer(NamedTuple):
    """A whole answer, whatever its status."""

    status: int
    headers: HTTPHeaderDict
    body: bytes

    def document(self) -> dict[str, Any] | None:
        """Return the body's JSON object; None if it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def refusal(self, origin: str) -> ApiRefused:
        """Return the error that repeats what the API says, every field named."""
        problem = self.document() or {}
        detail = problem.get("detail") or problem.get("title")
        if not isinstance(detail, str):
            return ApiRefused(self.status, f"{origin} answers {self.status}")
        fields = [(each["pointer"], each["detail"]) for each in problem.get("errors", [])]
        return ApiRefused(self.status, detail, code=problem.get("code"), fields=fields)


class Transport:
    """A pool of connections; one instance serves several threads."""

    def __init__(self, connections: int) -> None:
        self._http = urllib3.PoolManager(
            maxsize=connections, retries=False, ca_certs=certifi.where()
        )

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        max_body_bytes: int | None = None,
        wait_seconds: int = 0,
        pauses_seconds: tuple[float, ...] = RETRY_PAUSES_SECONDS,
    ) -> Answer:
        """Return the first answer other than 429 and 503, or the last one; follows no redirect.

        One that asks for a longer pause than a minute is returned at once.

        Raises:
            ApiUnreachable: there was none.
        """
        timeout = urllib3.Timeout(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS + wait_seconds)
        pauses = iter(pauses_seconds)
        while True:
            try:
                response = self._http.request(
                    method,
                    url,
                    body=content,
                    headers=headers,
                    timeout=timeout,
                    redirect=False,
                    preload_content=False,
                )
                with closing(response):
                    read = response.read(max_body_bytes)
                answer = Answer(response.status, response.headers, read)
                asked_seconds = retry_after_seconds(answer.status, answer.headers)
                pause = None if asked_seconds is None else next(pauses, None)
                if asked_seconds is None or pause is None:
                    return answer
                pause = max(pause, asked_seconds)
            except HTTPError as error:
                pause = next(pauses, None)
                if pause is None:
                    raise _unreachable(url, error) from None
            time.sleep(pause)

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str], *, silence_seconds: float
    ) -> Iterator[BaseHTTPResponse]:
        """Yield a GET's answer with its body unread; sent once, follows no redirect.

        Raises:
            ApiSilent: nothing came for so long.
            ApiUnreachable: there was no answer, or it was cut while it was read.
        """
        try:
            response = self._http.request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(CONNECT_TIMEOUT_SECONDS, silence_seconds),
                redirect=False,
                preload_content=False,
            )
            with closing(response):
                yield response
        except HTTPError as error:
            raise _unreachable(url, error) from None

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()


def retry_after_seconds(status: int, headers: HTTPHeaderDict) -> float | None:
    """Return after how long the same may be sent again; None where that is not worth waiting for.

    Our API never sends a date.
    """
    if status not in _LATER:
        return None
    text = headers.get("Retry-After", "")
    seconds = float(text) if text.isdecimal() else 0.0
    return seconds if seconds <= MAX_RETRY_AFTER_SECONDS else None


def _unreachable(url: str, error: HTTPError) -> ApiUnreachable:
    if isinstance(error, NewConnectionError | ConnectTimeoutError):
        kind, told = ApiUnreachable, "cannot be reached"
    else:
        kind = ApiSilent if isinstance(error, ReadTimeoutError) else ApiUnreachable
        told = "gives no whole answer"
    # no more than the host: a presigned URL is a secret
    return kind(f"{urlsplit(url).netloc} {told} ({type(error).__name__})")
