"""The jobs that a filter finds, to be withdrawn or tried again together.

A person confirms a span of them: the newest that can be acted on, up to so many. What comes to
match later is not in the span, so that one who presses twice does no more than was shown.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, false, func, or_, select, union_all
from sqlalchemy.orm import aliased

from service.database import Database, Transaction
from service.models import Job, jobs
from service.states import Status
from service.steps.browse.filters import Conditions, JobFilter
from service.steps.browse.newest import newest_jobs

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
        with self.database.transaction() as tx:
            parts = [_newest(tx, project_id, only, one, span).subquery() for one in sorted(states)]
            looked_at = union_all(*map(select, parts)).cte("looked_at")
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


def _newest(
    tx: Transaction, project_id: UUID, only: JobFilter, status: Status, span: Span | None
) -> Select[Any]:
    can_be = _ACTED_ON[status].label("can_be")
    found = select(jobs.c.id, jobs.c.status, jobs.c.cost_estimated, can_be)
    if only.status not in {None, status}:
        found = found.where(false())
    if span is not None:
        ended_at = jobs.c.completed_at
        found = found.where(or_(ended_at.is_(None), ended_at <= span.seen_at))

    def bounds(key: ColumnElement[UUID]) -> Conditions:
        return [] if span is None else [key >= span.oldest, key <= span.newest]

    mine = newest_jobs(tx, found, project_id, replace(only, status=status), bounds)
    return mine.limit(MAX_LOOKED_AT)
