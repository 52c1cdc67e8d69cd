"""Questions to one Darkroom: addresses, the key, pages, and documents out of answers."""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from service.client.transport import (
    RETRY_PAUSES_SECONDS,
    Answer,
    ApiRefused,
    ApiUnreachable,
    Transport,
)

#: The longest page that the API gives.
MAX_PAGE_SIZE = 200

_ID = re.compile(r"\w+", re.ASCII)
_API_KEY = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Asking:
    """What all calls share; one instance serves several threads."""

    def __init__(self, url: str, api_key: str, *, connections: int = 1) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            ValueError: the address or the key cannot be one.
        """
        parts = urlsplit(url)
        # a port that is no number raises by itself
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError("the address must be http://host or https://host")
        if parts.username is not None or parts.query:
            raise ValueError("the address must hold neither a user name nor a query")
        if not _API_KEY.fullmatch(api_key):
            raise ValueError("the API key must be printable ASCII without spaces")
        self._url = url.rstrip("/")
        self._key = {"Authorization": f"Bearer {api_key}"}
        self._transport = Transport(connections)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pages(
        self, path: str, only: Mapping[str, str | None], page_size: int = MAX_PAGE_SIZE
    ) -> Iterator[dict[str, Any]]:
        query = {name: value for name, value in only.items() if value is not None}
        query["limit"] = str(min(page_size, MAX_PAGE_SIZE))
        while True:
            page = self._ask("GET", f"{path}?{urlencode(query, errors='replace')}")
            yield from page["data"]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        wait_seconds: int = 0,
        pauses_seconds: tuple[float, ...] = RETRY_PAUSES_SECONDS,
    ) -> dict[str, Any]:
        """Return the document of a 2xx answer."""
        answer = self._send(
            method,
            path,
            body,
            headers,
            wait_seconds=wait_seconds,
            pauses_seconds=pauses_seconds,
        )
        return self._document(answer)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        wait_seconds: int = 0,
        pauses_seconds: tuple[float, ...] = RETRY_PAUSES_SECONDS,
    ) -> Answer:
        """Return a 2xx answer."""
        sent = {**self._key, **(headers or {})}
        content = body if isinstance(body, bytes) else None
        if content is not None:
            sent["Content-Type"] = "application/octet-stream"
        elif body is not None:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        answer = self._transport.send(
            method,
            self._url + path,
            sent,
            content,
            wait_seconds=wait_seconds,
            pauses_seconds=pauses_seconds,
        )
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise answer.refusal(self._url)
        return answer

    def _document(self, answer: Answer) -> dict[str, Any]:
        document = answer.document()
        if document is None:
            raise ApiUnreachable(f"what answers at {self._url} is no Darkroom")
        return document


def known(public_id: str) -> str:
    """Keep what is no id out of the path, where `..` would mean something else.

    Raises:
        ApiRefused: it is none.
    """
    if not _ID.fullmatch(public_id):
        raise ApiRefused(HTTPStatus.NOT_FOUND, f"{public_id[:80]!r} is no id")
    return public_id
