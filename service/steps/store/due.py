"""Which results a worker takes next, and how long they are its own."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Executable,
    Float,
    Integer,
    Row,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from service.clock import seconds
from service.constants import constant
from service.models import Project, jobs
from service.states import Status
from service.steps.store.bring import Ripe

#: So many places of a worker are never given to what is safe on a disk already.
PLACES_FOR_DYING = 4
#: A worker that dies over a result leaves the others so much of its URL's life.
LAST_TRY_SECONDS = 5.0
#: After its death a URL is asked about as long as Flux does not answer, and downloaded anew as long
#: as that fails, for so many seconds at most.
HOPELESS_AFTER_SECONDS = 600.0

_DIES_AT = jobs.c.result_expires_at
_IS_ALIVE = jobs.c.result_expires_at > func.now()
_UNKEPT = jobs.c.kept_by.is_(None)
_QUEUED = jobs.alias("queued")
#: Whether anybody may want the slots that these jobs have given back.
_SUBMIT_WAITS = exists().where(
    _QUEUED.c.status == constant(Status.QUEUED), _QUEUED.c.due_at <= func.now()
)


@cache
def claim(*, is_well: bool) -> Executable:
    """Return the statement that takes due jobs; its parameters are those of `asked`.

    First some that somebody died over: two of them in a process would share their fate. Then those
    whose URLs die first. What a spool keeps is taken only while the bucket is well, by whoever has
    that spool or can still use the URL.
    """
    return (
        update(jobs)
        .where(jobs.c.id.in_(_claimable(is_well=is_well)), jobs.c.project_id == Project.id)
        .values(due_at=_lease())
        .returning(
            jobs.c.id,
            jobs.c.attempt_count,
            jobs.c.deaths,
            Project.name.label("project"),
            jobs.c.tries,
            jobs.c.refusals,
            jobs.c.model,
            jobs.c.provider,
            jobs.c.task_id,
            jobs.c.polling_url,
            jobs.c.created_at,
            jobs.c.result_url,
            jobs.c.due_at,
            (func.now() >= _DIES_AT).label("over"),
            (func.now() - seconds(HOPELESS_AFTER_SECONDS) >= _DIES_AT).label("hopeless"),
            or_(~_UNKEPT, jobs.c.deaths > constant(0)).label("rationed"),
            _SUBMIT_WAITS.label("submit_waits"),
        )
    )


def asked(
    limit: int, spool_id: str, *, max_suspects: int, lease_seconds: float
) -> Mapping[str, object]:
    """Return the parameters of `claim`: at most `limit` jobs, for so long."""
    return {
        "most": limit,
        "most_suspects": max_suspects,
        "spool_id": spool_id,
        "lease_seconds": lease_seconds,
    }


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
        .where(jobs.c.status == constant(Status.STORING), jobs.c.due_at <= func.now(), *conditions)
        .order_by(_DIES_AT)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte()
    )


def _count(part: CTE) -> Any:  # noqa: ANN401 - a ScalarSelect
    return select(func.count()).select_from(part).scalar_subquery()


def _claimable(*, is_well: bool) -> Any:  # noqa: ANN401 - a CompoundSelect
    most = bindparam("most", type_=Integer)
    at_hand = or_(jobs.c.kept_by == bindparam("spool_id", type_=Text), and_(~_UNKEPT, _IS_ALIVE))
    suspects = _due(
        bindparam("most_suspects", type_=Integer),
        jobs.c.deaths > constant(0),
        or_(_UNKEPT, at_hand) if is_well else _UNKEPT,
    )
    dying = _due(most - _count(suspects), jobs.c.deaths == constant(0), _UNKEPT)
    parts = [suspects, dying]
    if is_well:
        left = most - PLACES_FOR_DYING - _count(suspects) - _count(dying)
        parts.append(_due(func.greatest(0, left), jobs.c.deaths == constant(0), at_hand))
    return union_all(*(select(part.c.id) for part in parts))


def _lease() -> ColumnElement[Any]:
    """Return until when a claimed job is its worker's: a dying URL leaves time for another try."""
    whole = func.now() + seconds(bindparam("lease_seconds", type_=Float))
    last_try = func.greatest(_DIES_AT, func.now() + seconds(2 * LAST_TRY_SECONDS))
    shortened = func.least(whole, last_try - seconds(LAST_TRY_SECONDS))
    return case((and_(_UNKEPT, _IS_ALIVE), shortened), else_=whole)
