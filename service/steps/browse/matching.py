"""The jobs that a filter finds, to be withdrawn or tried again together.

A person confirms a span of them: the newest that can be acted on, up to so many. What comes to
match later is not in the span, so that one who presses twice does no more than was shown.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, union_all
from sqlalchemy.orm import aliased

from service.database import Database
from service.models import Job, jobs
from service.own_rows import newest_first, of_project
from service.states import Status
from service.steps.browse.filters import JobFilter, job_conditions

#: Of the jobs in each state, the newest that match; what is older needs a narrower filter.
MAX_LOOKED_AT = 5_000

_RETRY = aliased(Job)
#: Failed and canceled ones that have been tried again already are left out.
_ACTED_ON: dict[Status, ColumnElement[bool]] = {
    Status.QUEUED: ~jobs.c.resubmitted,
    Status.FAILED: ~exists().where(_RETRY.retry_of == jobs.c.id),
    Status.CANCELED: ~exists().where(_RETRY.retry_of == jobs.c.id),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Between which ids jobs are acted on, both included, and as of when."""

    oldest: UUID
    newest: UUID
    #: What ended later is left alone, by the database's clock.
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Matched:
    """Jobs that can be acted on."""

    #: Newest first, as many as were asked for at most.
    ids: list[UUID]
    #: Of all that were looked at.
    count: int
    #: Whether there may be more than were looked at.
    is_cut: bool
    #: Of `ids`: what they were estimated to cost in credits, and how many have no known price.
    credits: Decimal
    unpriced: int
    seen_at: datetime

    @property
    def span(self) -> Span | None:
        """What a person confirms who has seen this; None if there is nothing."""
        return Span(self.ids[-1], self.ids[0], self.seen_at) if self.ids else None


@dataclass(frozen=True)
class Matching:
    """Reads one project's jobs; costs the same however many there are."""

    database: Database

    def find(
        self,
        project_id: UUID,
        only: JobFilter,
        states: Collection[Status],
        most: int,
        span: Span | None = None,
    ) -> Matched:
        """Return the newest jobs in these states that match and can be acted on.

        `states` are some of queued, failed and canceled.
        """
        # of a state that the filter does not name the index finds nothing
        parts = (_newest(project_id, only, status, span).subquery() for status in sorted(states))
        looked_at = union_all(*(select(part) for part in parts)).cte("looked_at")
        can_be = looked_at.c.can_be
        counts = select(
            func.now().label("seen_at"),
            func.count().filter(can_be).label("count"),
            *(
                func.count().filter(looked_at.c.status == status).label(status.name)
                for status in states
            ),
        ).select_from(looked_at)
        newest = select(looked_at.c.id, looked_at.c.cost_estimated).where(can_be)
        with self.database.transaction() as tx:
            seen = tx.first(counts)
            rows = tx.rows(newest.order_by(looked_at.c.id.desc()).limit(most))
        prices = [row.cost_estimated for row in rows]
        return Matched(
            ids=[row.id for row in rows],
            count=seen.count,
            is_cut=any(getattr(seen, status.name) == MAX_LOOKED_AT for status in states),
            credits=sum((price for price in prices if price is not None), Decimal(0)),
            unpriced=prices.count(None),
            seen_at=seen.seen_at,
        )


def _newest(project_id: UUID, only: JobFilter, status: Status, span: Span | None) -> Any:  # noqa: ANN401 - a Select
    wanted = [of_project(jobs.c, project_id), jobs.c.status == status, *job_conditions(only)]
    if span is not None:
        in_time = or_(jobs.c.completed_at.is_(None), jobs.c.completed_at <= span.seen_at)
        wanted += [jobs.c.id >= span.oldest, jobs.c.id <= span.newest, in_time]
    return (
        select(jobs.c.id, jobs.c.status, jobs.c.cost_estimated, _ACTED_ON[status].label("can_be"))
        .where(*wanted)
        .order_by(*newest_first(jobs.c))
        .limit(MAX_LOOKED_AT)
    )
