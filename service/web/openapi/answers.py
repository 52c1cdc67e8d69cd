"""The documents that callers see: jobs, images, uploads, events, models and prices.

They describe what `service/documents` renders; a field is always there unless it says otherwise.
"""

from typing import Any, Literal

from pydantic import BaseModel

from service.generation import ImageSource, Provider
from service.settings import OnUnconfirmed
from service.states import ErrorCode, Status
from service.steps.enqueue import CallbackEventName, Priority
from service.web.openapi.types import (
    BatchId,
    ContentType,
    Count,
    Credits,
    Cursor,
    ImageId,
    JobId,
    Sha256,
    Size,
    UploadId,
    Url,
    When,
)


class JobImage(BaseModel):
    """An image as its job shows it. `url` opens the object without a key until it expires."""

    id: ImageId
    content_type: ContentType
    width: Size
    height: Size
    bytes: Size
    sha256: Sha256
    bucket: str
    key: str
    seed: int | None
    url: Url
    url_expires_at: When


class JobUpstream(BaseModel):
    """Who generates, and under which id there."""

    provider: str
    task_id: str | None
    attempts: Count


class JobCost(BaseModel):
    """What it costs. `maybe_charged`: the job failed, and nobody knows whether it was paid."""

    estimated: Credits | None
    actual: Credits | None
    maybe_charged: bool


class JobError(BaseModel):
    """Why a job failed."""

    code: ErrorCode
    message: str | None
    upstream_status: int | None


class JobCallback(BaseModel):
    """Where a job calls, and how the newest callback does."""

    url: str
    events: list[str]
    status: Literal["pending", "delivered", "exhausted"] | None


class JobUrls(BaseModel):
    """Where a job is found."""

    self: Url
    events: Url
    cancel: Url
    web: Url


class Job(BaseModel):
    """A job, as every answer and callback shows it."""

    id: JobId
    object: Literal["job"]
    status: Status
    model: str
    input: dict[str, Any]
    metadata: dict[str, str]
    priority: Priority
    on_unconfirmed: OnUnconfirmed
    batch_id: BatchId | None
    retry_of: JobId | None
    parent_image_ids: list[ImageId]
    created_at: When
    start_at: When | None
    expires_at: When | None
    submitted_at: When | None
    generated_at: When | None
    completed_at: When | None
    upstream: JobUpstream
    cost: JobCost
    images: list[JobImage]
    error: JobError | None
    callback: JobCallback | None
    urls: JobUrls


class JobPage(BaseModel):
    """Jobs, newest first."""

    data: list[Job]
    next: Cursor | None


class TimelineEvent(BaseModel):
    """A line of a job's timeline; `message` is for people, `detail` for programs."""

    seq: Size
    type: str
    at: When
    message: str
    detail: dict[str, Any]


class Timeline(BaseModel):
    """All that happened to a job so far, in order."""

    data: list[TimelineEvent]
    next: None


class ImageUrls(BaseModel):
    """Where an image is found."""

    self: Url
    content: Url
    thumbnail: Url
    web: Url


class Image(JobImage):
    """An image and what it was made of."""

    object: Literal["image"]
    job_id: JobId
    created_at: When
    model: str
    prompt: str
    revised_prompt: str | None
    favourite: bool
    tags: list[str]
    parent_image_ids: list[ImageId]
    urls: ImageUrls


class ImagePage(BaseModel):
    """Images, newest first."""

    data: list[Image]
    next: Cursor | None


class SelfUrl(BaseModel):
    """Where a thing is found."""

    self: Url


class Upload(BaseModel):
    """A picture handed in; `expires_at` is null once a job refers to it."""

    id: UploadId
    object: Literal["upload"]
    content_type: ContentType
    width: Size
    height: Size
    bytes: Size
    sha256: Sha256
    created_at: When
    expires_at: When | None
    urls: SelfUrl


class JobEvent(BaseModel):
    """A job's end, with the job as it is now."""

    id: str
    object: Literal["event"]
    type: CallbackEventName
    timestamp: When
    sequence: Size
    data: Job


class FlatCredits(BaseModel):
    """A price that is the same for every image."""

    type: Literal["flat"]
    image_credits: Credits


class MegapixelCredits(BaseModel):
    """A price per started megapixel (2**20 px) of the output, and of each input image."""

    type: Literal["per_megapixel"]
    first_output_credits: Credits
    further_output_credits: Credits
    input_credits: Credits


class ModelImage(BaseModel):
    """A parameter that takes a picture, and the limits of the picture."""

    parameter: str
    required: bool
    accepts: list[ImageSource]
    max_bytes: Size
    max_pixels: Size
    min_side_pixels: Size


class ModelSummary(BaseModel):
    """A model; `available`: somebody whom this deployment pays serves it."""

    name: str
    object: Literal["model"]
    family: str
    available: bool
    providers: list[Provider]
    deprecated: bool
    accepts_webhook: bool
    max_active: Size
    price: FlatCredits | MegapixelCredits | None
    images: list[ModelImage]


class ModelList(BaseModel):
    """Every model."""

    data: list[ModelSummary]
    next: None


class Model(ModelSummary):
    """A model with the JSON Schema (2020-12) of its `input`, and where each fact comes from."""

    input_schema: dict[str, Any]
    notes: list[str]
    sources: dict[str, str | dict[str, str]]


class Price(BaseModel):
    """What a job would cost; null where nobody knows, a lower bound unless `exact`."""

    object: Literal["price"]
    model: str
    credits: Credits | None
    usd: Credits | None
    input_megapixels: Count
    output_megapixels: Count | None
    exact: bool
