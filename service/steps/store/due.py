"""Which results a worker takes next, and how long they are its own."""

from typing import Any

from sqlalchemy import CTE, ColumnElement, Row, and_, case, func, or_, select, union_all

from service.clock import seconds
from service.models import jobs
from service.states import Status
from service.steps.store.bring import Ripe

#: So many places of a worker are never given to what is safe on a disk already.
PLACES_FOR_DYING = 4
#: A worker that dies over a result leaves the others so much of its URL's life.
LAST_TRY_SECONDS = 5.0

_DIES_AT = jobs.c.result_expires_at
_IS_ALIVE = jobs.c.result_expires_at > func.now()
_UNKEPT = jobs.c.kept_by.is_(None)


def claimable(limit: int, spool_id: str, *, is_well: bool, max_suspects: int) -> Any:  # noqa: ANN401 - a CompoundSelect
    """Return a query for the ids of at most `limit` due jobs, and lock them.

    First some that somebody died over: two of them in a process would share their fate. Then those
    whose URLs die first. What a spool keeps is taken only while the bucket is well, by whoever has
    that spool or can still use the URL.
    """
    at_hand = or_(jobs.c.kept_by == spool_id, and_(~_UNKEPT, _IS_ALIVE))
    suspects = _due(max_suspects, jobs.c.deaths > 0, or_(_UNKEPT, at_hand) if is_well else _UNKEPT)
    dying = _due(limit - _count(suspects), jobs.c.deaths == 0, _UNKEPT)
    parts = [suspects, dying]
    if is_well:
        left = limit - PLACES_FOR_DYING - _count(suspects) - _count(dying)
        parts.append(_due(func.greatest(0, left), jobs.c.deaths == 0, at_hand))
    return union_all(*(select(part.c.id) for part in parts))


def lease(lease_seconds: float) -> ColumnElement[Any]:
    """Return until when a claimed job is its worker's: a dying URL leaves time for another try."""
    whole = func.now() + seconds(lease_seconds)
    last_try = func.greatest(_DIES_AT, func.now() + seconds(2 * LAST_TRY_SECONDS))
    shortened = func.least(whole, last_try - seconds(LAST_TRY_SECONDS))
    return case((and_(_UNKEPT, _IS_ALIVE), shortened), else_=whole)


def ripe_from(row: Row[Any]) -> Ripe:
    """Return what a claim of jobs has taken."""
    return Ripe(
        job_id=row.id,
        project=row.project,
        attempt_number=row.attempt_count,
        tries=row.tries,
        refusals=row.refusals,
        model=row.model,
        provider=row.provider,
        task_id=row.task_id,
        polling_url=row.polling_url,
        created_at=row.created_at,
        url=row.result_url,
        leased_until=row.due_at,
        over=row.over,
        hopeless=row.hopeless,
        rationed=row.rationed,
    )


def _due(limit: Any, *conditions: ColumnElement[bool]) -> CTE:  # noqa: ANN401 - a number or SQL
    return (
        select(jobs.c.id)
        .where(jobs.c.status == Status.STORING, jobs.c.due_at <= func.now(), *conditions)
        .order_by(_DIES_AT)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte()
    )


def _count(part: CTE) -> Any:  # noqa: ANN401 - a ScalarSelect
    return select(func.count()).select_from(part).scalar_subquery()
