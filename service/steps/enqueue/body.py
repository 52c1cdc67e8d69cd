"""The shapes of what callers say. What a model takes in `input` is the catalogue's affair."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import ErrorDetails

from service.errors import FieldError
from service.generation import suggest
from service.settings import OnUnconfirmed
from service.states import Status
from service.steps.enqueue.request import DEFAULT_CALLBACK_EVENTS, JobRequest
from service.strict_json import pointer_part, read_moment
from service.timeline import event_type

#: Jobs of one batch.
MAX_BATCH_JOBS = 1000
MAX_METADATA_PAIRS = 16
#: Of a value.
MAX_METADATA_CHARS = 256
#: As JSON; callbacks carry all of it and stay under 20 KB.
MAX_METADATA_BYTES = 8 * 1024
MAX_CALLBACK_URL_CHARS = 2083
#: Being queued is what the 202 says, and being sent is no news yet.
_NO_NEWS = {Status.QUEUED, Status.SUBMITTING}
CALLBACK_EVENTS = sorted(event_type(status) for status in Status if status not in _NO_NEWS)
#: More errors of one request than this are only counted: each name to suggest costs time.
MAX_ERRORS_NAMED = 50
#: By pydantic's word for it; what is not here says itself in our own words.
_WORDS = {
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be an array",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length}",
    "string_too_long": "must have at most {max_length}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}",
}


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    return read_moment(value if isinstance(value, str) else "")


def whole(value: object) -> object:
    """Return an integer that is written with a fraction as one: JSON knows one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: As `read_moment` takes it.
_MOMENT: dict[str, Any] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^(?!9999)(19[7-9]|[2-9]\d\d)\d-",
}
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(_MOMENT)]
CallbackEventName = Annotated[str, WithJsonSchema({"type": "string", "enum": CALLBACK_EVENTS})]
Priority = Literal["low", "normal", "high"]
MetadataName = Annotated[str, Field(min_length=1, max_length=40)]
MetadataValue = Annotated[str, Field(max_length=MAX_METADATA_CHARS)]
Metadata = Annotated[dict[MetadataName, MetadataValue], Field(max_length=MAX_METADATA_PAIRS)]
CallbackUrl = Annotated[str, Field(min_length=1, max_length=MAX_CALLBACK_URL_CHARS)]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and where its project is called by default; no events: of every end."""

    project_id: UUID
    callback_url: str | None = None
    callback_events: Sequence[str] = ()


class JobBody(BaseModel):
    """Body of `POST /v1/jobs`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, Field(min_length=1, max_length=100)]
    input: Annotated[
        dict[str, Any],
        Field(description="The model's own parameters: `input_schema` of `GET /v1/models/{name}`"),
    ]
    provider: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    callback_url: CallbackUrl | None = None
    callback_events: (
        Annotated[list[CallbackEventName], Field(min_length=1, max_length=20)] | None
    ) = None
    metadata: Metadata = {}
    priority: Priority = "normal"
    start_at: Moment | None = None
    expires_at: Moment | None = None
    on_unconfirmed: Literal["fail", "resubmit"] | None = None

    @field_validator("metadata")
    @classmethod
    def _short(cls, value: dict[str, str]) -> dict[str, str]:
        return short(value)

    @field_validator("callback_events")
    @classmethod
    def _known_events(cls, value: list[str] | None) -> list[str] | None:
        return known_events(value)

    @field_validator("expires_at")
    @classmethod
    def _leaves_time(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start_at = info.data.get("start_at")
        if value is not None and start_at is not None and value <= start_at:
            raise ValueError("must be later than start_at")
        return value

    def request(
        self, raw: Mapping[str, Any], asking: Asking, idempotency_key: str | None
    ) -> JobRequest:
        """Return what is asked for; without a word on callbacks, the project's choice holds."""
        is_named = "callback_url" in self.model_fields_set
        return JobRequest(
            model=self.model,
            input=self.input,
            provider=self.provider,
            sha256=sha256_of(raw),
            callback_url=self.callback_url if is_named else asking.callback_url,
            callback_is_named=is_named,
            callback_events=self.callback_events
            or ([] if is_named else list(asking.callback_events))
            or list(DEFAULT_CALLBACK_EVENTS),
            metadata=self.metadata,
            priority=self.priority,
            start_at=self.start_at,
            expires_at=self.expires_at,
            on_unconfirmed=self.on_unconfirmed and OnUnconfirmed(self.on_unconfirmed),
            idempotency_key=idempotency_key,
        )


class BatchBody(BaseModel):
    """Body of `POST /v1/batches`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    jobs: Annotated[list[JobBody], Field(min_length=1, max_length=MAX_BATCH_JOBS)]
    callback_url: CallbackUrl | None = None
    metadata: Metadata = {}

    @field_validator("metadata")
    @classmethod
    def _short(cls, value: dict[str, str]) -> dict[str, str]:
        return short(value)


def sha256_of(raw: object) -> bytes:
    """Return what two requests have in common that say the same."""
    return hashlib.sha256(json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()).digest()


def short(metadata: dict[str, str]) -> dict[str, str]:
    """Return metadata that a callback has room for.

    Raises:
        ValueError: they are longer.
    """
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        raise ValueError(f"takes at most {MAX_METADATA_BYTES} bytes in all")
    return metadata


def known_events(value: list[str] | None) -> list[str] | None:
    """Return the events that a callback may tell of, each once.

    Raises:
        ValueError: there is no such event.
    """
    if any(event not in CALLBACK_EVENTS for event in value or []):
        raise ValueError(f"takes only: {', '.join(CALLBACK_EVENTS)}")
    return None if value is None else sorted(set(value))


def field_errors(error: ValidationError, *models: type[BaseModel]) -> list[FieldError]:
    """Return pydantic's findings as pointers and words to act on; the models know the names."""
    names = [name for model in models for name in model.model_fields]
    found = []
    problems = error.errors(include_url=False, include_input=False)
    for problem in problems[:MAX_ERRORS_NAMED]:
        # pydantic marks a wrong name of a mapping with a part of its own
        place = [part for part in problem["loc"] if part != "[key]"]
        pointer = "".join(f"/{pointer_part(str(part))}" for part in place)
        detail = _in_words_of_json(problem)
        if problem["type"] == "extra_forbidden":
            meant = suggest(str(problem["loc"][-1]), names)
            detail = "unknown field" + (f"; did you mean {meant}?" if meant else "")
        found.append(FieldError(pointer, detail))
    if len(problems) > MAX_ERRORS_NAMED:
        found.append(FieldError("", f"and {len(problems) - MAX_ERRORS_NAMED} errors more"))
    return found


def _in_words_of_json(problem: ErrorDetails) -> str:
    """Return what is wrong as somebody reads it who has never heard of Python."""
    said = _WORDS.get(problem["type"])
    if said is None:
        return problem["msg"].removeprefix("Value error, ")
    context = problem.get("ctx", {})
    words = said.format(**context)
    bound = context.get("min_length", context.get("max_length"))
    if bound is None:
        return words
    thing = "entry" if context.get("field_type") == "Dictionary" else "item"
    if problem["type"].startswith("string"):
        thing = "character"
    plural = "entries" if thing == "entry" else f"{thing}s"
    return f"{words} {thing if bound == 1 else plural}"
