"""What the list of jobs is narrowed to: read from its form, shown as chips, kept in its links."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from flask import request, url_for
from pydantic import BaseModel, BeforeValidator, ValidationError

from service.errors import InvalidRequest
from service.states import ErrorCode, Status
from service.steps.browse import JobFilter
from service.steps.enqueue import field_errors
from service.steps.enqueue.body import MAX_METADATA_CHARS
from service.web.queries import METADATA_PREFIX, BatchIdAsked, Name, only_one, wrong_query

#: What a field for date and time sends: to the minute, and taken as UTC.
_MINUTE = re.compile(r"(?:19[7-9]|2\d\d)\d-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?", re.ASCII)
#: Filters at a time.
MAX_METADATA_PAIRS = 10


def _minute(text: str) -> datetime:
    if _MINUTE.fullmatch(text):
        try:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            pass
    raise ValueError("a date such as 2026-11-24, or with a time 2026-11-24T14:05, in UTC")


Minute = Annotated[datetime, BeforeValidator(_minute)]


class JobsQuery(BaseModel):
    """The fields of the form, and the page of the list; an empty one is none."""

    status: Status | None = None
    model: Name | None = None
    batch: BatchIdAsked | None = None
    #: The code it failed with.
    error: ErrorCode | None = None
    since: Minute | None = None
    before: Minute | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the list without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page of the list was asked for."""

    only: JobFilter
    cursor: str | None
    #: As they stand in a link, without the cursor.
    said: dict[str, str]

    def chips(self) -> Iterator[Chip]:
        """Yield the filters that are on."""
        for name, value in self.said.items():
            others = {other: kept for other, kept in self.said.items() if other != name}
            yield Chip(name, value, _link("timeline.jobs", others))

    def place(self, endpoint: str) -> str:
        """Return the address of a page of ours with the same filters."""
        return _link(endpoint, self.said)


def read_filters() -> Filters:
    """Return what the query asks for.

    `metadata` holds one more `name=value`, as the form has it; `metadata.NAME=VALUE` is the same.

    Raises:
        InvalidRequest: with the names of all that is wrong.
    """
    given = {name: only_one(name) for name in [*JobsQuery.model_fields, "metadata"]}
    said = {name: value.strip() for name, value in given.items() if value and value.strip()}
    pairs = _metadata(said.pop("metadata", None))
    try:
        query = JobsQuery.model_validate(said)
    except ValidationError as error:
        raise InvalidRequest("The filter is not valid.", field_errors(error, JobsQuery)) from None
    said.pop("cursor", None)
    only = JobFilter(
        status=query.status,
        model=query.model,
        batch_id=query.batch,
        error_code=query.error,
        created_after=query.since,
        created_before=query.before,
        metadata=pairs,
    )
    kept = {f"{METADATA_PREFIX}{name}": value for name, value in pairs.items()}
    return Filters(only, query.cursor, {**said, **kept})


def _metadata(one_more: str | None) -> dict[str, str]:
    pairs = {
        name.removeprefix(METADATA_PREFIX): only_one(name, MAX_METADATA_CHARS) or ""
        for name in request.args
        if name.startswith(METADATA_PREFIX)
    }
    if one_more is not None:
        name, equals, value = one_more.partition("=")
        if not (name.strip() and equals):
            raise wrong_query("metadata", "a name and a value, such as order=17")
        pairs[name.strip()] = value.strip()
    if len(pairs) > MAX_METADATA_PAIRS:
        raise wrong_query("metadata", f"at most {MAX_METADATA_PAIRS} at a time")
    return pairs


def _link(endpoint: str, said: Mapping[str, str]) -> str:
    query = urlencode(said)
    return url_for(endpoint) + (f"?{query}" if query else "")
