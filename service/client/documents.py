"""The documents of the API as types; `service.documents` renders them."""

from typing import Any, NotRequired, TypedDict


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
    #: What Flux made of the prompt, where it says so and it differs.
    revised_prompt: str | None
    favourite: bool
    tags: list[str]
    parent_image_ids: list[str]
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
    parent_image_ids: list[str]
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


class Counts(TypedDict):
    """How many of a batch's jobs there are, and how many in each status."""

    total: int
    queued: int
    submitting: int
    unconfirmed: int
    generating: int
    storing: int
    succeeded: int
    failed: int
    canceled: int


class BatchCost(TypedDict):
    """Credits of all of a batch's jobs as decimal strings; None where they are not known."""

    estimated: str | None
    actual: str | None


class Batch(TypedDict):
    """Jobs that were handed in together; `completed_at` is None until the last has ended."""

    id: str
    object: str
    #: `running` or `completed`.
    status: str
    created_at: str
    completed_at: str | None
    metadata: dict[str, str]
    counts: Counts
    cost: BatchCost
    callback: dict[str, Any] | None
    urls: dict[str, str]


class NewBatch(Batch):
    """A batch as the answer to its request shows it."""

    #: In the order of the request.
    job_ids: list[str]


class Ending(TypedDict):
    """A job's end, as a callback tells of it."""

    id: str
    object: str
    type: str
    timestamp: str
    sequence: int
    data: Job


class Endings(TypedDict):
    """Some ends in order, and the place to go on from."""

    data: list[Ending]
    next: str
    has_more: bool


class Event(TypedDict):
    """A line of a job's timeline."""

    seq: int
    type: str
    at: str
    message: str
    detail: dict[str, Any]


class ModelImage(TypedDict):
    """A parameter that takes a picture, and its limits."""

    parameter: str
    required: bool
    #: Of `url`, `base64`, `image` and `upload`.
    accepts: list[str]
    max_bytes: int
    max_pixels: int
    min_side_pixels: int


class Model(TypedDict):
    """A model; what it takes in full only where it is asked for by its name."""

    name: str
    object: str
    family: str
    #: Whether one of its providers is configured.
    available: bool
    providers: list[str]
    deprecated: bool
    accepts_webhook: bool
    max_active: int
    #: `type`, and amounts in credits as decimal strings; None where no price is published.
    price: dict[str, str] | None
    images: list[ModelImage]
    #: JSON Schema (2020-12) of a job's `input`.
    input_schema: NotRequired[dict[str, Any]]
    notes: NotRequired[list[str]]
    #: Where each fact comes from.
    sources: NotRequired[dict[str, Any]]


class Price(TypedDict):
    """What a job would cost; amounts as decimal strings, None where no price is published."""

    object: str
    model: str
    credits: str | None
    usd: str | None
    #: 2**20 pixels, each picture rounded up by itself.
    input_megapixels: int
    #: None where the model decides alone how large the picture is.
    output_megapixels: int | None
    #: Whether nothing had to be assumed.
    exact: bool


class Upload(TypedDict):
    """A picture that was handed in; `expires_at` is None once a job refers to it."""

    id: str
    object: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    created_at: str
    expires_at: str | None
    urls: dict[str, str]
