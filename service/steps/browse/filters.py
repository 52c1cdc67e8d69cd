"""What lists can be narrowed to, and the conditions that find it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Integer, and_, exists, func, literal_column
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from service.ids import CLOCKS_DIFFER, first_id
from service.models import SIZE_NUMBER, Delivery, DeliveryStatus, ImageTag, Size, jobs
from service.states import ErrorCode, Status

#: Before it there are no ids.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Conditions = list[ColumnElement[bool]]
#: A table's, or those of some of its rows.
Columns = ReadOnlyColumnCollection[str, Any]

# the indexes' own conditions, word for word
_size_number = literal_column(SIZE_NUMBER, Integer)
_HAS_PARENTS = literal_column("images.parent_image_ids <> '{}'", Boolean)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list shows; None: all."""

    status: Status | None = None
    model: str | None = None
    batch_id: UUID | None = None
    #: Why it failed.
    error_code: ErrorCode | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    #: Pairs that a job's metadata hold.
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images a list shows; None: all."""

    model: str | None = None
    #: Words of the prompt, in any case.
    prompt_contains: str | None = None
    #: Only those made from this one.
    parent_id: UUID | None = None
    #: As it is kept.
    tag: str | None = None
    is_favourite: bool | None = None
    size: Size | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which callbacks a list shows; None: all."""

    status: DeliveryStatus | None = None
    job_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def job_conditions(only: JobFilter) -> Conditions:
    """Return what holds of the jobs that are shown."""
    found: Conditions = []
    if only.status is not None:
        found.append(jobs.c.status == only.status)
    if only.model is not None:
        found.append(jobs.c.model == only.model)
    if only.batch_id is not None:
        found.append(jobs.c.batch_id == only.batch_id)
    if only.error_code is not None:
        found.append(jobs.c.error_code == only.error_code)
    if only.metadata:
        found.append(jobs.c.metadata.contains(dict(only.metadata)))
    return found + _created(jobs.c, only)


def image_conditions(only: ImageFilter, columns: Columns) -> dict[str, ColumnElement[bool]]:
    """Return by name what holds of the images that are shown."""
    found: dict[str, ColumnElement[bool]] = {}
    if only.parent_id is not None:
        made_from = columns.parent_image_ids.contains([only.parent_id])
        found["parent"] = and_(made_from, _HAS_PARENTS)
    if only.tag is not None:
        named = (ImageTag.image_id == columns.id, ImageTag.tag == only.tag)
        found["tag"] = exists().where(*named)
    if only.is_favourite is True:
        found["favourite"] = columns.is_favourite
    if only.is_favourite is False:
        found["no favourite"] = ~columns.is_favourite
    if only.size is not None:
        found["size"] = _size_number == list(Size).index(only.size)
    if only.model is not None:
        found["model"] = columns.model == only.model
    if only.prompt_contains:
        found["prompt"] = _holds(columns.prompt, only.prompt_contains)
    if only.created_after is not None:
        found["after"] = columns.created_at > only.created_after
    if only.created_before is not None:
        found["before"] = columns.created_at < only.created_before
    return found


def _holds(prompt: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Return that a prompt holds a text, in any case; word for word what the index answers."""
    escaped = re.sub(r"([%_/])", r"/\1", wanted)
    return func.lower(prompt).like(func.lower(f"%{escaped}%"), escape="/")


def delivery_conditions(only: DeliveryFilter) -> Conditions:
    """Return what holds of the callbacks that are shown."""
    found: Conditions = []
    if only.status is not None:
        found.append(Delivery.status == only.status)
    if only.job_id is not None:
        found.append(Delivery.job_id == only.job_id)
    return found + _created(Delivery.__table__.c, only)


def ids_between(
    key: ColumnElement[Any], after: datetime | None, before: datetime | None
) -> Conditions:
    """Return what bounds the walk over the ids of rows that were made in a span of time.

    An id was made shortly before its row, by another clock.
    """
    found: Conditions = []
    if after is not None:
        found.append(key >= first_id(max(_EPOCH, after - CLOCKS_DIFFER)))
    if before is not None:
        found.append(key < first_id(max(_EPOCH, before + CLOCKS_DIFFER)))
    return found


def _created(columns: Columns, only: JobFilter | DeliveryFilter) -> Conditions:
    found = ids_between(columns.id, only.created_after, only.created_before)
    if only.created_after is not None:
        found.append(columns.created_at > only.created_after)
    if only.created_before is not None:
        found.append(columns.created_at < only.created_before)
    return found
