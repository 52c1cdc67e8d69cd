"""The documents of the API as types; `service.documents` renders them."""

from typing import Any, TypedDict


class JobImage(TypedDict):
    """An image as its job shows it."""

    id: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    bucket: str
    key: str
    seed: int | None
    url: str
    url_expires_at: str


class Image(JobImage):
    """An image as `/v1/images` shows it."""

    object: str
    job_id: str
    created_at: str
    model: str
    prompt: str
    urls: dict[str, str]


class Cost(TypedDict):
    """Credits as decimal strings; 1 credit = 0.01 USD."""

    estimated: str | None
    actual: str | None
    maybe_charged: bool


class JobFailure(TypedDict):
    """Why a job failed."""

    code: str
    message: str
    upstream_status: int | None


class Job(TypedDict):
    """A job; times are RFC 3339 in UTC."""

    id: str
    object: str
    status: str
    model: str
    input: dict[str, Any]
    metadata: dict[str, str]
    priority: str
    batch_id: str | None
    retry_of: str | None
    created_at: str
    start_at: str | None
    expires_at: str | None
    submitted_at: str | None
    generated_at: str | None
    completed_at: str | None
    upstream: dict[str, Any]
    cost: Cost
    images: list[JobImage]
    error: JobFailure | None
    callback: dict[str, Any] | None
    urls: dict[str, str]


class Event(TypedDict):
    """A line of a job's timeline."""

    seq: int
    type: str
    at: str
    message: str
    detail: dict[str, Any]
