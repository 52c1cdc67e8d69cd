"""What callers see: the job, image, event and delivery documents of answers and callbacks.

One rendering for the API, the callbacks and the pages, so that they never disagree.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from service.ids import Kind, public_id

#: How long the presigned URL in a document opens the image, seconds. A fresh one is always at
#: `urls.self`, so a short life costs a caller one GET.
IMAGE_URL_LIFETIME_SECONDS = 3600

#: Callbacks stay under this; what is cut for it are long strings of the input.
MAX_CALLBACK_BYTES = 20_000
#: Longest string of the input in a callback that has room for it, characters.
MAX_CALLBACK_INPUT_CHARS = 2000

#: Shorter strings, such as a format, are never cut.
_SHORT_CHARS = 40

PRIORITIES = {"low": 0, "normal": 1, "high": 2}
PRIORITY_NAMES = {number: name for name, number in PRIORITIES.items()}

Document = dict[str, Any]
Presign = Callable[[str, str, int], str]


class ImageRow(Protocol):
    """The columns of an image that documents show."""

    id: UUID
    job_id: UUID
    created_at: datetime
    bucket: str
    key: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    seed: Decimal | None
    model: str
    prompt: str
    revised_prompt: str | None
    parent_image_ids: list[UUID]


class LabelledImageRow(ImageRow, Protocol):
    """An image with what people call it."""

    is_favourite: bool
    tags: list[str]


@dataclass(frozen=True)
class Documents:
    """Renders rows; knows where we are reached and how an image's URL is presigned."""

    base_url: str
    #: (bucket, key, lifetime in seconds) → URL that opens the object without a key.
    presign: Presign

    def job(self, row: Any, images: Sequence[ImageRow] = ()) -> Document:  # noqa: ANN401 - a Row
        """Return a job as every answer and callback shows it."""
        job_id = public_id(Kind.JOB, row.id)
        page = f"{self.base_url}/v1/jobs/{job_id}"
        return {
            "id": job_id,
            "object": "job",
            "status": row.status.value,
            "model": row.model,
            "input": row.input,
            "metadata": row.metadata,
            "priority": PRIORITY_NAMES[row.priority],
            "on_unconfirmed": row.on_unconfirmed.value,
            "batch_id": _id(Kind.BATCH, row.batch_id),
            "retry_of": _id(Kind.JOB, row.retry_of),
            "parent_image_ids": _image_ids(row.parent_image_ids),
            "created_at": when(row.created_at),
            "start_at": when(row.start_at),
            "expires_at": when(row.expires_at),
            "submitted_at": when(row.submitted_at),
            "generated_at": when(row.generated_at),
            "completed_at": when(row.completed_at),
            "upstream": {
                "provider": row.provider,
                "task_id": row.task_id,
                "attempts": row.attempt_count,
            },
            "cost": {
                "estimated": credits_text(row.cost_estimated),
                "actual": credits_text(row.cost_actual),
                "maybe_charged": row.maybe_charged,
            },
            "images": [self._job_image(image) for image in images],
            "error": None
            if row.error_code is None
            else {
                "code": row.error_code.value,
                "message": row.error_message,
                "upstream_status": row.error_upstream_status,
            },
            "callback": None
            if row.callback_url is None
            else {
                "url": row.callback_url,
                "events": row.callback_events,
                "status": getattr(row, "callback_status", None),
            },
            "urls": {
                "self": page,
                "events": f"{page}/events",
                "cancel": f"{page}/cancel",
                "web": f"{self.base_url}/jobs/{job_id}",
            },
        }

    def image(self, row: LabelledImageRow) -> Document:
        """Return an image as `/v1/images` shows it."""
        image_id = public_id(Kind.IMAGE, row.id)
        place = f"{self.base_url}/v1/images/{image_id}"
        return {
            "object": "image",
            "job_id": public_id(Kind.JOB, row.job_id),
            "created_at": when(row.created_at),
            "model": row.model,
            "prompt": row.prompt,
            "revised_prompt": row.revised_prompt,
            "favourite": row.is_favourite,
            "tags": row.tags,
            "parent_image_ids": _image_ids(row.parent_image_ids),
            **self._job_image(row),
            "urls": {
                "self": place,
                "content": f"{place}/content",
                "thumbnail": f"{place}/thumbnail",
                "web": f"{self.base_url}/images/{image_id}",
            },
        }

    def callback(self, row: Any, images: Sequence[ImageRow], event: str, seq: int) -> str:  # noqa: ANN401
        """Return the exact text of a callback's body, under MAX_CALLBACK_BYTES as UTF-8."""
        job = self.job(row, images)
        whole, chars = job["input"], MAX_CALLBACK_INPUT_CHARS
        while True:
            job["input"] = {name: _thin(value, chars) for name, value in whole.items()}
            text = json.dumps(
                {
                    "type": event,
                    "timestamp": when(datetime.now(UTC)),
                    "sequence": seq,
                    "data": job,
                },
                ensure_ascii=False,
                separators=(",", ":"),
            )
            if len(text.encode()) < MAX_CALLBACK_BYTES or not chars:
                return text
            chars //= 2

    def _job_image(self, row: ImageRow) -> Document:
        expires_at = datetime.now(UTC) + timedelta(seconds=IMAGE_URL_LIFETIME_SECONDS)
        return {
            "id": public_id(Kind.IMAGE, row.id),
            "content_type": row.content_type,
            "width": row.width,
            "height": row.height,
            "bytes": row.bytes,
            "sha256": row.sha256,
            "bucket": row.bucket,
            "key": row.key,
            "seed": None if row.seed is None else int(row.seed),
            "url": self.presign(row.bucket, row.key, IMAGE_URL_LIFETIME_SECONDS),
            "url_expires_at": when(expires_at),
        }


def event(row: Any) -> Document:  # noqa: ANN401 - a Row
    """Return a line of a job's timeline."""
    return {
        "seq": row.seq,
        "type": row.type,
        "at": when(row.at),
        "message": row.message,
        "detail": row.detail,
    }


def when(moment: datetime | None) -> str | None:
    """Return RFC 3339 in UTC with `Z` and milliseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def credits_text(amount: Decimal | None) -> str | None:
    """Return credits as a decimal string without trailing zeros: `4.5`, `3`."""
    return None if amount is None else f"{amount.normalize():f}"


def _id(kind: Kind, value: UUID | None) -> str | None:
    return None if value is None else public_id(kind, value)


def _image_ids(ids: Sequence[UUID]) -> list[str]:
    return [public_id(Kind.IMAGE, one) for one in ids]


def _thin(value: object, chars: int) -> object:
    if isinstance(value, str) and len(value) > max(chars, _SHORT_CHARS):
        return f"{value[:chars]}… ({len(value)} characters)"
    return value
