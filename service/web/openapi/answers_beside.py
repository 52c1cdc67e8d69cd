"""Further documents: callbacks and deliveries, errors, Flux's own words, health."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.models import DeliveryStatus
from service.steps.enqueue import CallbackEventName
from service.web.openapi.answers import Job
from service.web.openapi.types import BatchId, Count, Cursor, DeliveryId, JobId, Size, Url, When


class Callbacks(BaseModel):
    """Where the jobs of a project call that name no address of their own, and of what."""

    object: Literal["callbacks"]
    url: str | None
    events: list[CallbackEventName]
    live_secrets: Size


class RotatedCallbacks(Callbacks):
    """The same, with the new secret: it is shown once."""

    callback_secret: str = Field(pattern=r"^whsec_")


class CallbackTest(BaseModel):
    """What came of a test; `said` is for people."""

    object: Literal["callback_test"]
    url: str
    delivered: bool
    said: str
    http_status: int | None
    answer: str | None
    duration_ms: Count


class CallbackEvent(BaseModel):
    """The body of a callback (Standard Webhooks 1.0). The highest `sequence` of a job is newest.

    Long strings in `data.input` are shortened: the whole stays under 20,000 bytes.
    """

    type: CallbackEventName
    timestamp: When
    sequence: Size
    data: Job


class FailingHost(BaseModel):
    """A host that takes no callbacks now: it is probed, and all that waits for it follows."""

    failing_since: When
    failures: Count
    reason: str | None
    next_probe_at: When | None


class DeliveryUrls(BaseModel):
    """Where a delivery is found."""

    self: Url
    redeliver: Url


class Delivery(BaseModel):
    """A callback and how far it has come."""

    id: DeliveryId
    object: Literal["delivery"]
    job_id: JobId | None
    batch_id: BatchId | None
    type: str = Field(description="An event of a job, `batch.completed` or `job.rejected`.")
    sequence: Size
    url: str
    status: DeliveryStatus
    tries: Count
    created_at: When
    next_try_at: When | None
    completed_at: When | None
    host: FailingHost | None
    urls: DeliveryUrls


class DeliveryPage(BaseModel):
    """Callbacks, newest first."""

    data: list[Delivery]
    next: Cursor | None


class DeliveryTry(BaseModel):
    """One try; `answer` is the first 2 KiB of what was said, `location` where a redirect led."""

    number: Size
    at: When
    duration_ms: Count
    http_status: int | None
    error: str | None
    location: str | None
    answer: str | None


class DeliveryWithTries(Delivery):
    """A callback with the exact text that is sent, and its latest hundred tries."""

    body: str
    attempts: list[DeliveryTry]


class Redelivered(BaseModel):
    """How many callbacks are sent again."""

    redelivered: Count


class ProblemField(BaseModel):
    """One thing that is wrong: where (JSON pointer, RFC 6901), and what to do about it."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """An error (RFC 9457). `code` is for programs, `detail` for people."""

    type: str = Field(pattern="^urn:darkroom:problem:")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    code: str
    errors: list[ProblemField] = Field(default=[], description="Only where fields are wrong.")


class FluxAccepted(BaseModel):
    """Flux's answer to a submission."""

    id: JobId
    polling_url: Url
    cost: float | None
    input_mp: float | None
    output_mp: float | None
    status: Literal["Pending"] = Field(default="Pending", description="Only with a webhook.")
    webhook_url: str = Field(default="", description="Only with a webhook.")


class FluxImage(BaseModel):
    """A result; Flux's own words about it stand beside ours."""

    model_config = ConfigDict(extra="allow")

    sample: Url
    prompt: str


class FluxResult(BaseModel):
    """What `get_result` says of a job, and the body of its callback."""

    id: str
    status: Literal[
        "Pending", "Ready", "Request Moderated", "Content Moderated", "Error", "Task not found"
    ]
    result: FluxImage | None
    progress: float | None
    details: dict[str, Any] | None
    preview: dict[str, Any] | None
    cost: float = Field(default=0, description="Only where it is known.")


class FluxFinding(BaseModel):
    """One thing that is wrong; `loc` leads to it."""

    type: str
    loc: list[str | int]
    msg: str


class FluxProblem(BaseModel):
    """An error in Flux's words."""

    detail: str | list[FluxFinding]


class FluxReport(BaseModel):
    """What Flux tells us: its answer to `get_result`, and whatever else it adds."""

    model_config = ConfigDict(extra="allow")

    id: str
    status: str


class Health(BaseModel):
    """The process is alive; `proofs` answer a challenge."""

    status: Literal["ok"]
    proofs: list[str] = Field(default=[], description="Only when challenged.")


class Checks(BaseModel):
    """`ok`, or what is wrong."""

    database: str
    bucket: str


class Readiness(BaseModel):
    """Whether requests can be answered, and what a person should look at although they are."""

    status: Literal["ready", "unready"]
    checks: Checks
    alarms: list[str]
    next_url_dies_in_seconds: float | None


class OpenApi(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: Literal["3.1.0"]
