"""The calls, typed."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlencode, urlsplit

from service.client.documents import Endings, Event, Image, Job, Model, Price, Upload
from service.client.transport import (
    ONCE,
    RETRY_PAUSES_SECONDS,
    ApiRefused,
    ApiUnreachable,
    Transport,
)
from service.errors import ServiceError

#: The longest `Prefer: wait` that the API grants.
MAX_WAIT_SECONDS = 60
#: The longest page that the API gives.
MAX_PAGE_SIZE = 200
#: The largest picture that the API takes.
MAX_UPLOAD_BYTES = 25_000_000

_ID = re.compile(r"\w+", re.ASCII)
#: No part of it begins with a dot: `..` in a path would mean something else.
_MODEL_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)
_API_KEY = re.compile(r"[\x21-\x7e]+", re.ASCII)


class ContentAltered(ServiceError):
    """The bucket's bytes are not those that were stored."""


class Client:
    """Calls one Darkroom with one project's key; one instance serves several threads.

    Every call raises `ApiRefused` when the API says no and `ApiUnreachable` when there is no
    answer; after the latter `submit` with the same key finds out what became of the first.
    """

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

    def submit(
        self, body: Mapping[str, object], idempotency_key: str, *, wait_seconds: int = 0
    ) -> Job:
        """Hand in a job, or find it again by its key; wait for its end, 60 seconds at most."""
        headers = {"Idempotency-Key": idempotency_key}
        wait_seconds = min(wait_seconds, MAX_WAIT_SECONDS)
        if wait_seconds > 0:
            headers["Prefer"] = f"wait={wait_seconds}"
        document = self._ask("POST", "/v1/jobs", body, headers, wait_seconds=wait_seconds)
        return cast("Job", document)

    def job(self, job_id: str) -> Job:
        """Return a job."""
        return cast("Job", self._ask("GET", f"/v1/jobs/{_known(job_id)}"))

    def jobs(
        self,
        *,
        status: str | None = None,
        model: str | None = None,
        page_size: int = MAX_PAGE_SIZE,
    ) -> Iterator[Job]:
        """Yield jobs, newest first; pages are fetched as they are needed."""
        only = {"status": status, "model": model}
        return cast("Iterator[Job]", self._pages("/v1/jobs", only, page_size))

    def events(self, job_id: str) -> list[Event]:
        """Return a job's timeline."""
        document = self._ask("GET", f"/v1/jobs/{_known(job_id)}/events")
        return cast("list[Event]", document["data"])

    def ended(self, after: str | None = None) -> Endings:
        """Return what has ended since a place, oldest first; `now` names the present place."""
        query = "" if after is None else f"?{urlencode({'after': after})}"
        return cast("Endings", self._ask("GET", f"/v1/events{query}"))

    def cancel(self, job_id: str) -> Job:
        """Withdraw a queued job; sent once."""
        path = f"/v1/jobs/{_known(job_id)}/cancel"
        return cast("Job", self._ask("POST", path, pauses_seconds=ONCE))

    def image(self, image_id: str) -> Image:
        """Return an image's document."""
        return cast("Image", self._ask("GET", f"/v1/images/{_known(image_id)}"))

    def images(self) -> Iterator[Image]:
        """Yield every image's document, newest first; pages are fetched as they are needed."""
        return cast("Iterator[Image]", self._pages("/v1/images", {}, MAX_PAGE_SIZE))

    def content(self, image: Image) -> bytes:
        """Return an image's bytes, proved by the document's SHA-256.

        Raises:
            ContentAltered: the bucket holds other bytes.
        """
        path = f"/v1/images/{_known(image['id'])}/content"
        redirect = self._transport.send("GET", self._url + path, self._key)
        place = redirect.headers.get("Location")
        if redirect.status != HTTPStatus.FOUND or place is None:
            raise redirect.refusal(self._url)
        # the key is for the API alone: the bucket sees the presigned URL and nothing else
        answer = self._transport.send("GET", place, {}, max_body_bytes=image["bytes"] + 1)
        if answer.status != HTTPStatus.OK:
            raise ApiRefused(answer.status, f"the bucket answers {answer.status}")
        if hashlib.sha256(answer.body).hexdigest() != image["sha256"]:
            raise ContentAltered("the bucket's bytes are not those that were stored")
        return answer.body

    def models(self) -> list[Model]:
        """Return every model in short."""
        return cast("list[Model]", self._ask("GET", "/v1/models")["data"])

    def model(self, name: str) -> Model:
        """Return a model with the JSON Schema of its input."""
        if not _MODEL_NAME.fullmatch(name):
            raise ApiRefused(HTTPStatus.NOT_FOUND, f"{name[:80]!r} is no model's name")
        return cast("Model", self._ask("GET", f"/v1/models/{name}"))

    def price(self, model: str, given: Mapping[str, object]) -> Price:
        """Return what a job with this input would cost; nothing is stored or spent."""
        body = {"model": model, "input": given}
        return cast("Price", self._ask("POST", "/v1/price", body))

    def upload(self, path: Path) -> Upload:
        """Hand in a picture, whose id may then stand in a job's input.

        Raises:
            OSError: the file cannot be read.
        """
        with path.open("rb") as file:
            content = file.read(MAX_UPLOAD_BYTES + 1)
        if len(content) > MAX_UPLOAD_BYTES:
            too_large = f"{path} is larger than {MAX_UPLOAD_BYTES:,} bytes"
            raise ApiRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large)
        return cast("Upload", self._ask("POST", "/v1/uploads", content))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pages(
        self, path: str, only: Mapping[str, str | None], page_size: int
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
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
            raise answer.refusal(self._url)
        document = answer.document()
        if document is None:
            raise ApiUnreachable(f"what answers at {self._url} is no Darkroom")
        return document


def _known(public_id: str) -> str:
    """Keep what is no id out of the path, where `..` would mean something else."""
    if not _ID.fullmatch(public_id):
        raise ApiRefused(HTTPStatus.NOT_FOUND, f"{public_id[:80]!r} is no id")
    return public_id
