"""The shapes of request bodies. What a model takes in `input` is the catalogue's affair."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from service.errors import FieldError, InvalidRequest
from service.generation import suggest
from service.keys import Caller
from service.settings import OnUnconfirmed
from service.states import Status
from service.steps.enqueue import DEFAULT_CALLBACK_EVENTS, Enqueue, JobRequest
from service.timeline import event_type
from service.web.parsing import (
    pointer_part,
    read_image_object,
    read_moment,
)

MAX_METADATA_PAIRS = 16
#: As JSON; callbacks carry all of it and stay under 20 KB.
MAX_METADATA_BYTES = 8 * 1024
MAX_CALLBACK_URL_CHARS = 2083
#: Being queued is what the 202 says, and being sent is no news yet.
_NO_NEWS = {Status.QUEUED, Status.SUBMITTING}
CALLBACK_EVENTS = sorted(event_type(status) for status in Status if status not in _NO_NEWS)
#: Of an Idempotency-Key: printable ASCII, short enough for an index.
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)

#: More errors of one request than this are only counted: each name to suggest costs time.
MAX_ERRORS_NAMED = 50


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    return read_moment(value if isinstance(value, str) else "")


Moment = Annotated[datetime, BeforeValidator(_moment)]
MetadataName = Annotated[str, Field(min_length=1, max_length=40)]
MetadataValue = Annotated[str, Field(max_length=256)]


class JobBody(BaseModel):
    """Body of `POST /v1/jobs`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, Field(min_length=1, max_length=100)]
    input: dict[str, Any]
    provider: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    callback_url: Annotated[str, Field(min_length=1, max_length=MAX_CALLBACK_URL_CHARS)] | None = (
        None
    )
    callback_events: Annotated[list[str], Field(min_length=1, max_length=20)] | None = None
    metadata: Annotated[
        dict[MetadataName, MetadataValue], Field(max_length=MAX_METADATA_PAIRS)
    ] = {}
    priority: Literal["low", "normal", "high"] = "normal"
    start_at: Moment | None = None
    expires_at: Moment | None = None
    on_unconfirmed: Literal["fail", "resubmit"] | None = None

    @field_validator("metadata")
    @classmethod
    def _short(cls, value: dict[str, str]) -> dict[str, str]:
        if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
            raise ValueError(f"takes at most {MAX_METADATA_BYTES} bytes in all")
        return value

    @field_validator("callback_events")
    @classmethod
    def _known_events(cls, value: list[str] | None) -> list[str] | None:
        return known_events(value)


def known_events(value: list[str] | None) -> list[str] | None:
    """Return the events that a callback may tell of, each once.

    Raises:
        ValueError: there is no such event.
    """
    if any(event not in CALLBACK_EVENTS for event in value or []):
        raise ValueError(f"takes only: {', '.join(CALLBACK_EVENTS)}")
    return None if value is None else sorted(set(value))


def read_job_request(request: Request, caller: Caller, enqueue: Enqueue) -> JobRequest:
    """Return what a caller asks for; without a word on callbacks, its project's choice holds.

    Raises:
        CallerError: the body or the Idempotency-Key has the wrong shape; every error is named at
            once, those that `enqueue` finds in the fields of the right shape included.
    """
    raw = read_image_object(request)
    try:
        body = JobBody.model_validate(raw)
    except ValidationError as error:
        raise InvalidRequest(
            "The job was not accepted; nothing was spent.",
            all_errors(error, JobBody, raw, caller.project_id, enqueue),
        ) from None
    is_named = "callback_url" in body.model_fields_set
    canonical = json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
    return JobRequest(
        model=body.model,
        input=body.input,
        provider=body.provider,
        sha256=hashlib.sha256(canonical).digest(),
        callback_url=body.callback_url if is_named else caller.callback_url,
        callback_is_named=is_named,
        callback_events=body.callback_events
        or ([] if is_named else caller.callback_events)
        or list(DEFAULT_CALLBACK_EVENTS),
        metadata=body.metadata,
        priority=body.priority,
        start_at=body.start_at,
        expires_at=body.expires_at,
        on_unconfirmed=body.on_unconfirmed and OnUnconfirmed(body.on_unconfirmed),
        idempotency_key=read_idempotency_key(request),
    )


def all_errors(
    error: ValidationError,
    model: type[BaseModel],
    raw: Mapping[str, Any],
    project_id: UUID,
    enqueue: Enqueue,
) -> list[FieldError]:
    """Return pydantic's findings, and those of `enqueue` in the fields of the right shape."""
    misshapen = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
    read = {name: value for name, value in raw.items() if name not in misshapen}
    found = enqueue.examine(
        project_id,
        read.get("model"),
        read.get("input"),
        provider=read.get("provider"),
        callback_url=read.get("callback_url"),
    )
    return field_errors(error, model) + found.errors


def field_errors(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """Return pydantic's findings as pointers and words to act on."""
    found = []
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    for problem in problems[:MAX_ERRORS_NAMED]:
        # pydantic marks a wrong name of a mapping with a part of its own
        place = [part for part in problem["loc"] if part != "[key]"]
        pointer = "".join(f"/{pointer_part(str(part))}" for part in place)
        detail = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            name = str(problem["loc"][-1])
            meant = suggest(name, model.model_fields)
            detail = "unknown field" + (f"; did you mean {meant}?" if meant else "")
        found.append(FieldError(pointer, detail))
    if len(problems) > MAX_ERRORS_NAMED:
        found.append(FieldError("", f"and {len(problems) - MAX_ERRORS_NAMED} errors more"))
    return found


def read_idempotency_key(request: Request) -> str | None:
    """Return the request's Idempotency-Key, quoted or bare.

    Raises:
        InvalidRequest: it has one that is not usable.
    """
    said = request.headers.get("Idempotency-Key")
    if said is None:
        return None
    # the draft standard quotes the key, most clients send it bare
    key = said.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise InvalidRequest(
            "The Idempotency-Key is not usable.",
            [FieldError("/headers/Idempotency-Key", "1 to 255 printable ASCII characters")],
        )
    return key
