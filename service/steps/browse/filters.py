"""What lists can be narrowed to, and the conditions that find it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, literal_column

from service.ids import CLOCKS_DIFFER, first_id
from service.models import Delivery, DeliveryStatus, images, jobs
from service.states import ErrorCode, Status

#: Before it there are no ids.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Conditions = list[ColumnElement[bool]]

# the indexes' own conditions, word for word
_HAS_METADATA = literal_column("jobs.metadata <> '{}'", Boolean)
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
        found += [jobs.c.metadata.contains(dict(only.metadata)), _HAS_METADATA]
    return found + _created(jobs.c, only.created_after, only.created_before)


def image_conditions(only: ImageFilter) -> Conditions:
    """Return what holds of the images that are shown."""
    found: Conditions = []
    if only.model is not None:
        found.append(images.c.model == only.model)
    if only.prompt_contains:
        found.append(images.c.prompt.icontains(only.prompt_contains, autoescape=True))
    if only.parent_id is not None:
        made_from = images.c.parent_image_ids.contains([only.parent_id])
        found += [made_from, _HAS_PARENTS]
    return found + _created(images.c, only.created_after, only.created_before)


def delivery_conditions(only: DeliveryFilter) -> Conditions:
    """Return what holds of the callbacks that are shown."""
    found: Conditions = []
    if only.status is not None:
        found.append(Delivery.status == only.status)
    if only.job_id is not None:
        found.append(Delivery.job_id == only.job_id)
    return found + _created(Delivery.__table__.c, only.created_after, only.created_before)


def _created(
    columns: Any,  # noqa: ANN401 - a table's columns
    after: datetime | None,
    before: datetime | None,
) -> Conditions:
    """Return the conditions on when a row was made, and the part of the ids that bounds the walk.

    An id was made shortly before its row, by another clock.
    """
    found: Conditions = []
    if after is not None:
        found += [
            columns.created_at > after,
            columns.id >= first_id(max(_EPOCH, after - CLOCKS_DIFFER)),
        ]
    if before is not None:
        found += [
            columns.created_at < before,
            columns.id < first_id(max(_EPOCH, before + CLOCKS_DIFFER)),
        ]
    return found
