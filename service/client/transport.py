"""Requests that are sent again where that is safe, and the API's refusals in its own words."""

import json
import time
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import certifi
import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from service.errors import ServiceError

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
#: Pauses before a safe request is sent again.
RETRY_PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0)
#: For a request that must not be sent twice.
ONCE = ()
#: A server may ask for a longer pause, up to this.
MAX_RETRY_AFTER_SECONDS = 10.0


class ApiUnreachable(ServiceError):
    """No answer, or none of a Darkroom; a safe request was tried again before."""


class ApiRefused(ServiceError):
    """The API said no; the text is its own, with every field."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


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
        fields = "; ".join(f"{e['pointer']}: {e['detail']}" for e in problem.get("errors", []))
        return ApiRefused(self.status, f"{detail} ({fields})" if fields else detail)


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
        """Return the first answer other than 503, or the last one; follows no redirect.

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
                pause = next(pauses, None) if _busy(answer) else None
                if pause is None:
                    return answer
                pause = max(pause, _asked_for(answer))
            except HTTPError as error:
                pause = next(pauses, None)
                if pause is None:
                    # no more than the host: a presigned URL is a secret
                    raise ApiUnreachable(f"{urlsplit(url).netloc} {_words(error)}") from None
            time.sleep(pause)

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()


def _words(error: HTTPError) -> str:
    unconnected = isinstance(error, NewConnectionError | ConnectTimeoutError)
    told = "cannot be reached" if unconnected else "gives no whole answer"
    return f"{told} ({type(error).__name__})"


def _busy(answer: Answer) -> bool:
    return answer.status == HTTPStatus.SERVICE_UNAVAILABLE


def _asked_for(answer: Answer) -> float:
    """Return the seconds of a Retry-After; our API never sends a date."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), MAX_RETRY_AFTER_SECONDS) if text.isdecimal() else 0.0
