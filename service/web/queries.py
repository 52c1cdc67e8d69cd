"""What routes can be asked in their query: models that read it and describe it."""

import re
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from flask import request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from service.errors import FieldError, InvalidRequest
from service.generation import suggest
from service.ids import Kind, read_id
from service.models import DeliveryStatus, Size, read_tag
from service.states import Status
from service.steps.enqueue import Moment, field_errors

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_TEXT_CHARS = 100
MAX_CURSOR_CHARS = 500
MAX_PROMPT_CHARS = 500
#: `metadata.order=17` lists the jobs whose metadata say so.
METADATA_PREFIX = "metadata."
_LIMIT = re.compile(r"\d{1,3}", re.ASCII)

Query = TypeVar("Query", bound=BaseModel)


def read_query(model: type[Query]) -> Query:
    """Return what the query says; a list refuses names that look like its own or another list's.

    A filter that is misspelt would show everything. What means nothing to any list is ignored.

    Raises:
        InvalidRequest: with the names of all that is wrong.
    """
    said = {name: only_one(name) for name in request.args if _concerns(model, name)}
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise InvalidRequest("The query is not valid.", field_errors(error, model)) from None


def _concerns(model: type[BaseModel], name: str) -> bool:
    if issubclass(model, JobQuery) and name.startswith(METADATA_PREFIX):
        return False
    known = model.model_fields
    if name in known or not issubclass(model, ListQuery):
        return name in known
    is_meant = name in ASKED_OF_LISTS or suggest(name, known) is not None
    return is_meant or name.lower().startswith(METADATA_PREFIX.rstrip("."))


def only_one(name: str, max_chars: int = MAX_CURSOR_CHARS) -> str | None:
    """Return a value of the query, None if it is not there.

    Raises:
        InvalidRequest: it is there more than once, or too long to mean anything.
    """
    values = request.args.getlist(name)
    if len(values) > 1:
        raise wrong_query(name, "once; it stands there more than once")
    if values and len(values[0]) > max_chars:
        raise wrong_query(name, f"at most {max_chars} characters")
    return values[0] if values else None


def wrong_query(name: str, detail: str) -> InvalidRequest:
    """Return the error that names a query parameter."""
    return InvalidRequest("The query is not valid.", [FieldError(f"/{name}", detail)])


def id_schema(kind: Kind) -> dict[str, object]:
    """Return the JSON Schema of an id of ours."""
    return {"type": "string", "pattern": f"^{kind.value}_[0-9a-f]{{32}}$"}


def _limit(text: str) -> int:
    if not (_LIMIT.fullmatch(text) and 1 <= int(text) <= MAX_LIMIT):
        raise ValueError(f"a number from 1 to {MAX_LIMIT}")
    return int(text)


def _job_id(text: str) -> UUID:
    return _known(Kind.JOB, text)


def _batch_id(text: str) -> UUID:
    return _known(Kind.BATCH, text)


def _image_id(text: str) -> UUID:
    return _known(Kind.IMAGE, text)


def _known(kind: Kind, text: str) -> UUID:
    found = read_id(kind, text)
    if found is None:
        raise ValueError(f"an id: {kind.value}_ and 32 hexadecimal digits")
    return found


def _as_kept(tag: str) -> str:
    try:
        return read_tag(tag)
    except ValueError:
        # no image has it
        return tag


#: What a query can hold; see the app for what happens to the rest.
Text = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^[^\x00]*$"})]
Name = Annotated[
    str,
    Field(max_length=MAX_TEXT_CHARS),
    WithJsonSchema({"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": r"^[^\x00]*$"}),
]
Limit = Annotated[
    int,
    # before the reader: behind it the bounds would not be part of the JSON Schema
    Field(ge=1, le=MAX_LIMIT, description="How many at most."),
    BeforeValidator(_limit),
]
Cursor = Annotated[
    str,
    Field(
        description="The `next` of the page before; without it, the first page.",
    ),
]
Tag = Annotated[Name, AfterValidator(_as_kept)]
JobIdAsked = Annotated[UUID, BeforeValidator(_job_id), WithJsonSchema(id_schema(Kind.JOB))]
ImageIdAsked = Annotated[UUID, BeforeValidator(_image_id), WithJsonSchema(id_schema(Kind.IMAGE))]


BatchIdAsked = Annotated[UUID, BeforeValidator(_batch_id), WithJsonSchema(id_schema(Kind.BATCH))]


class ListQuery(BaseModel):
    """What a list is asked; a filter whose name is misspelt would show what it should hide."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(ListQuery):
    """Which page of a list."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class TimedQuery(PageQuery):
    """Which page of a list, of things made in a span of time."""

    created_after: Annotated[
        Moment | None, Field(description="Only those made later; the + of an offset is %2B.")
    ] = None
    created_before: Annotated[Moment | None, Field(description="Only those made earlier.")] = None


class JobQuery(TimedQuery):
    """Which jobs; `metadata.NAME=VALUE` asks for those whose metadata say so, too."""

    status: Annotated[Status | None, Field(description="Only those in this state.")] = None
    model: Annotated[Name | None, Field(description="Only those of this model.")] = None
    batch: Annotated[
        BatchIdAsked | None, Field(description="Only those handed in with this batch.")
    ] = None


class DeliveryQuery(TimedQuery):
    """Which callbacks."""

    status: Annotated[DeliveryStatus | None, Field(description="Only those in this state.")] = None
    job_id: Annotated[JobIdAsked | None, Field(description="Only those of this job.")] = None


class MadeFromQuery(BaseModel):
    """Of which image the children alone are asked for."""

    parent: Annotated[
        ImageIdAsked | None, Field(description="Only what was made from this image.")
    ] = None


class NarrowQuery(MadeFromQuery):
    """To what images are narrowed, but for when they were made."""

    model: Annotated[Name | None, Field(description="Only those of this model.")] = None
    tag: Annotated[Tag | None, Field(description="Only those with this tag.")] = None
    favourite: Annotated[
        Literal["true", "false"] | None,
        Field(description="Only those that are, or are not, somebody's favourite."),
    ] = None
    size: Annotated[
        Size | None,
        Field(description="Only those of under one million pixels, under two million, or more."),
    ] = None
    q: Annotated[
        Text,
        Field(
            max_length=MAX_PROMPT_CHARS,
            description="Only those whose prompt holds this, in any case. A page of a search may "
            "be short, or empty: `next` goes on with what is older.",
        ),
    ] = ""


class ImageQuery(TimedQuery, NarrowQuery):
    """Which images."""


class ContentQuery(BaseModel):
    """How to answer with an image's bytes."""

    proxy: Annotated[
        Literal["0", "1"],
        Field(description="1: the bytes themselves instead of a redirect to the bucket"),
    ] = "0"


class EventQuery(ListQuery):
    """From where on."""

    after: Annotated[
        str | None,
        Field(
            description="The `next` of the answer before; `now`: only what ends from now on; "
            "without it, from the beginning.",
        ),
    ] = None
    limit: Limit = DEFAULT_LIMIT


class HealthQuery(BaseModel):
    """What to prove."""

    challenge: Annotated[
        Text, Field(description="32 hexadecimal digits; answered in `proofs` by us alone.")
    ] = ""


class ResultQuery(BaseModel):
    """Which job's result, in Flux's own API."""

    id: Annotated[Text, Field(description="The `id` that the submission was answered with.")]
    token: Annotated[Text, Field(description="Of the `polling_url`; instead of a key.")] = ""


#: What some list can be asked.
ASKED_OF_LISTS = frozenset(
    name
    for query in (JobQuery, ImageQuery, DeliveryQuery, EventQuery)
    for name in query.model_fields
)
