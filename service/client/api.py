"""The calls, typed."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urlencode

from service.client.asking import MAX_PAGE_SIZE, Asking, known
from service.client.documents import (
    Batch,
    Endings,
    Event,
    Image,
    Job,
    JobImage,
    Model,
    NewBatch,
    Price,
    Upload,
)
from service.client.fetching import fetch
from service.client.streams import NotStreamed, follow
from service.client.transport import ONCE, ApiRefused
from service.states import TERMINAL

#: The longest `Prefer: wait` that the API grants.
MAX_WAIT_SECONDS = 60
#: The most jobs that the API takes at a time.
MAX_BATCH_JOBS = 1000
#: The largest picture that the API takes.
MAX_UPLOAD_BYTES = 25_000_000
#: Between two looks at a job that cannot be followed.
LOOK_EVERY_SECONDS = 2.0

#: No part of it begins with a dot: `..` in a path would mean something else.
_MODEL_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)


class SubmittedBatch(NamedTuple):
    """A batch, and whether its key had been used for it before."""

    batch: NewBatch
    is_replayed: bool


class Client(Asking):
    """Calls one Darkroom with one project's key; one instance serves several threads.

    Every call raises `ApiRefused` when the API says no and `ApiUnreachable` when there is no
    answer. After the latter `submit`, `submit_batch` and `retry` with the same key find out what
    became of the first: a key makes its job, or its batch, once.
    """

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
        return cast("Job", self._ask("GET", f"/v1/jobs/{known(job_id)}"))

    def jobs(
        self,
        *,
        status: str | None = None,
        model: str | None = None,
        batch: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
        page_size: int = MAX_PAGE_SIZE,
    ) -> Iterator[Job]:
        """Yield jobs, newest first; pages are fetched as they are needed. Moments are aware."""
        only = {
            "status": status,
            "model": model,
            "batch": batch,
            "created_after": _moment(created_after),
            "created_before": _moment(created_before),
            **{f"metadata.{name}": value for name, value in (metadata or {}).items()},
        }
        return cast("Iterator[Job]", self._pages("/v1/jobs", only, page_size))

    def events(self, job_id: str) -> list[Event]:
        """Return a job's timeline."""
        document = self._ask("GET", f"/v1/jobs/{known(job_id)}/events")
        return cast("list[Event]", document["data"])

    def follow(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Yield a job's timeline as it grows, from the event behind `after`, until the job's end.

        A stream that is cut is taken up again. Where none is to be had, the API is asked every two
        seconds instead.
        """
        url = f"{self._url}/v1/jobs/{known(job_id)}/events"
        try:
            yield from follow(self._transport, url, self._key, after)
        except NotStreamed as place:
            yield from self._asked(job_id, place.seq)

    def _asked(self, job_id: str, after: int) -> Iterator[Event]:
        while True:
            # the status first: the lines read after it are all that led to it
            status = self.job(job_id)["status"]
            for event in self.events(job_id):
                if event["seq"] > after:
                    after = event["seq"]
                    yield event
            if status in TERMINAL:
                return
            time.sleep(LOOK_EVERY_SECONDS)

    def ended(self, after: str | None = None) -> Endings:
        """Return what has ended since a place, oldest first; `now` names the present place."""
        query = "" if after is None else f"?{urlencode({'after': after})}"
        return cast("Endings", self._ask("GET", f"/v1/events{query}"))

    def cancel(self, job_id: str) -> Job:
        """Withdraw a queued job; sent once."""
        path = f"/v1/jobs/{known(job_id)}/cancel"
        return cast("Job", self._ask("POST", path, pauses_seconds=ONCE))

    def retry(self, job_id: str, idempotency_key: str) -> Job:
        """Hand in once more what a job that has ended was to do; return the new job."""
        path = f"/v1/jobs/{known(job_id)}/retry"
        headers = {"Idempotency-Key": idempotency_key}
        return cast("Job", self._ask("POST", path, headers=headers))

    def submit_batch(
        self,
        jobs: Sequence[Mapping[str, object]],
        idempotency_key: str,
        *,
        callback_url: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> SubmittedBatch:
        """Hand in 1 to 1,000 jobs, all or none, or find them again by their key."""
        body = {
            "jobs": jobs,
            **({} if callback_url is None else {"callback_url": callback_url}),
            **({"metadata": metadata} if metadata else {}),
        }
        answer = self._send("POST", "/v1/batches", body, {"Idempotency-Key": idempotency_key})
        is_replayed = answer.headers.get("Idempotent-Replayed") == "true"
        return SubmittedBatch(cast("NewBatch", self._document(answer)), is_replayed)

    def batch(self, batch_id: str) -> Batch:
        """Return a batch."""
        return cast("Batch", self._ask("GET", f"/v1/batches/{known(batch_id)}"))

    def batches(self, *, page_size: int = MAX_PAGE_SIZE) -> Iterator[Batch]:
        """Yield batches, newest first; pages are fetched as they are needed."""
        return cast("Iterator[Batch]", self._pages("/v1/batches", {}, page_size))

    def cancel_batch(self, batch_id: str) -> Batch:
        """Withdraw those of a batch's jobs that are queued; to say it twice changes nothing."""
        return cast("Batch", self._ask("POST", f"/v1/batches/{known(batch_id)}/cancel"))

    def image(self, image_id: str) -> Image:
        """Return an image's document."""
        return cast("Image", self._ask("GET", f"/v1/images/{known(image_id)}"))

    def images(self) -> Iterator[Image]:
        """Yield every image's document, newest first; pages are fetched as they are needed."""
        return cast("Iterator[Image]", self._pages("/v1/images", {}))

    def delete_image(self, image_id: str) -> None:
        """Delete an image for good; one that is gone already is as good."""
        try:
            self._send("DELETE", f"/v1/images/{known(image_id)}")
        except ApiRefused as refused:
            # a first try may have done it and its answer been lost
            if refused.status != HTTPStatus.GONE:
                raise

    def fetch(self, image: JobImage, path: Path) -> None:
        """Save an image's bytes at a path, whole and proved by its SHA-256, or not at all.

        A fetch that was cut left `{path}.part`, from which this one goes on.

        Raises:
            ContentAltered: the bucket holds other bytes.
            FetchedElsewhere: another process is fetching it to the same path.
            OSError: the file cannot be written.
        """
        content = f"{self._url}/v1/images/{known(image['id'])}/content"

        def place() -> str:
            answer = self._transport.send("GET", content, self._key)
            found = answer.headers.get("Location")
            if answer.status != HTTPStatus.FOUND or found is None:
                raise answer.refusal(self._url)
            return found

        fetch(self._transport, place, image, path)

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


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
