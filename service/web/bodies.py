"""The shapes of request bodies. What a model takes in `input` is the catalogue's affair."""

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from flask import Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from service.errors import FieldError, InvalidRequest
from service.generation import suggest
from service.moves import event_type
from service.states import Status
from service.steps.enqueue import DEFAULT_CALLBACK_EVENTS, JobRequest
from service.web.parsing import MAX_IMAGE_BODY_BYTES, pointer_part, read_json_object

MAX_METADATA_PAIRS = 16
MAX_CALLBACK_URL_CHARS = 2083
CALLBACK_EVENTS = sorted(event_type(status) for status in Status if status is not Status.QUEUED)
#: Of an Idempotency-Key: printable ASCII, short enough for an index.
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)

MetadataName = Annotated[str, Field(min_length=1, max_length=40)]
MetadataValue = Annotated[str, Field(max_length=256)]


class JobBody(BaseModel):
    """Body of `POST /v1/jobs`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, Field(min_length=1, max_length=100)]
    input: dict[str, Any]
    callback_url: Annotated[str, Field(min_length=1, max_length=MAX_CALLBACK_URL_CHARS)] | None = (
        None
    )
    callback_events: Annotated[list[str], Field(min_length=1, max_length=20)] | None = None
    metadata: Annotated[
        dict[MetadataName, MetadataValue], Field(max_length=MAX_METADATA_PAIRS)
    ] = {}
    priority: Literal["low", "normal", "high"] = "normal"
    start_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None

    @field_validator("start_at", "expires_at", mode="before")
    @classmethod
    def _written_out(cls, value: object) -> object:
        if value is not None and not isinstance(value, str):
            raise ValueError("must be a text such as 2026-11-22T12:00:00Z")
        return value

    @field_validator("callback_events")
    @classmethod
    def _known_events(cls, value: list[str] | None) -> list[str] | None:
        unknown = [event for event in value or [] if event not in CALLBACK_EVENTS]
        if unknown:
            raise ValueError(f"takes only: {', '.join(CALLBACK_EVENTS)}")
        return None if value is None else sorted(set(value))


def read_job_request(request: Request) -> JobRequest:
    """Return what a caller asks for.

    Raises:
        CallerError: the body or the Idempotency-Key has the wrong shape; every field is named.
    """
    raw = read_json_object(request, MAX_IMAGE_BODY_BYTES)
    try:
        body = JobBody.model_validate(raw)
    except ValidationError as error:
        raise InvalidRequest(
            "The job was not accepted; nothing was spent.", field_errors(error, JobBody)
        ) from None
    canonical = json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
    return JobRequest(
        model=body.model,
        input=body.input,
        sha256=hashlib.sha256(canonical).digest(),
        callback_url=body.callback_url,
        callback_events=body.callback_events or list(DEFAULT_CALLBACK_EVENTS),
        metadata=body.metadata,
        priority=body.priority,
        start_at=body.start_at,
        expires_at=body.expires_at,
        idempotency_key=_idempotency_key(request),
    )


def field_errors(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """Return pydantic's findings as pointers and words to act on."""
    found = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        pointer = "".join(f"/{pointer_part(str(part))}" for part in problem["loc"])
        detail = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            name = str(problem["loc"][-1])
            meant = suggest(name, model.model_fields)
            detail = "unknown field" + (f"; did you mean {meant}?" if meant else "")
        found.append(FieldError(pointer, detail))
    return found


def _idempotency_key(request: Request) -> str | None:
    values = request.headers.getlist("Idempotency-Key")
    if not values:
        return None
    # the draft standard quotes the key, most clients send it bare
    key = values[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(values) > 1 or not _KEY.fullmatch(key):
        raise InvalidRequest(
            "The Idempotency-Key is not usable.",
            [FieldError("/headers/Idempotency-Key", "1 to 255 printable ASCII characters, once")],
        )
    return key
