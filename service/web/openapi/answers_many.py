"""Further documents: batches, projects, keys, shared links, and what ends."""

from typing import Literal

from pydantic import BaseModel, Field

from service.models import DeliveryStatus, Scope
from service.web.openapi.answers import JobEvent, SelfUrl
from service.web.openapi.types import (
    BatchId,
    Count,
    Credits,
    Cursor,
    ImageId,
    JobId,
    KeyId,
    ShareId,
    Size,
    Url,
    When,
)


class BatchCounts(BaseModel):
    """How many of its jobs are where."""

    total: Size
    queued: Count
    submitting: Count
    unconfirmed: Count
    generating: Count
    storing: Count
    succeeded: Count
    failed: Count
    canceled: Count


class BatchCost(BaseModel):
    """What its jobs cost, as far as it is known."""

    estimated: Credits | None
    actual: Credits | None


class BatchCallback(BaseModel):
    """Who is called when the last job has ended; `status` is null until then."""

    url: str
    status: DeliveryStatus | None


class BatchUrls(SelfUrl):
    """Where a batch and its jobs are found."""

    jobs: Url
    cancel: Url


class Batch(BaseModel):
    """Jobs that were handed in together, and how they stand."""

    id: BatchId
    object: Literal["batch"]
    status: Literal["running", "completed"]
    created_at: When
    completed_at: When | None
    metadata: dict[str, str]
    counts: BatchCounts
    cost: BatchCost
    callback: BatchCallback | None
    urls: BatchUrls


class NewBatch(Batch):
    """A batch with the ids of its jobs, in the order of the request."""

    job_ids: list[JobId]


class BatchPage(BaseModel):
    """Batches, newest first."""

    data: list[Batch]
    next: Cursor | None


class BatchEvent(BaseModel):
    """A batch's last end; as a callback without `id` and `object`."""

    id: str
    object: Literal["event"]
    type: Literal["batch.completed"]
    timestamp: When
    sequence: Size
    data: Batch


class BatchCallbackEvent(BaseModel):
    """The body of a batch's callback (Standard Webhooks 1.0)."""

    type: Literal["batch.completed"]
    timestamp: When
    sequence: Size
    data: Batch


class EventPage(BaseModel):
    """What has ended, in the order in which it can be asked for; `next` goes on from here."""

    data: list[JobEvent | BatchEvent]
    next: Cursor
    has_more: bool


class Limits(BaseModel):
    """What a project may do; null: no limit."""

    requests_per_minute: Size
    max_active: Size | None
    max_queued: Size | None
    credits_per_day: Credits | None


class Usage(BaseModel):
    """What a project holds, counted up to 10,000; `credits_today` only where there is a limit."""

    active: Count
    queued: Count
    credits_today: Credits | None


class Project(BaseModel):
    """The project of the key."""

    object: Literal["project"]
    name: str
    created_at: When
    limits: Limits
    usage: Usage
    retention_days: Size | None


class Key(BaseModel):
    """A key without its secret part. `last_used_at` is kept to the minute."""

    id: KeyId
    object: Literal["key"]
    project: str
    prefix: str
    scopes: list[Scope]
    status: Literal["active", "expired", "revoked"]
    created_at: When
    expires_at: When | None
    last_used_at: When | None
    revoked_at: When | None


class NewKey(Key):
    """A new key; `api_key` is shown once."""

    api_key: str = Field(pattern=r"^dk_")


class KeyList(BaseModel):
    """Every key of the project, oldest first."""

    data: list[Key]
    next: None


class Share(BaseModel):
    """A link that opens an image without a key until it expires or is revoked."""

    id: ShareId
    object: Literal["share"]
    image_id: ImageId
    url: Url
    created_at: When
    expires_at: When
    shows_prompt: bool
    revoked_at: When | None


class ShareList(BaseModel):
    """Every link of an image."""

    data: list[Share]
    next: None
