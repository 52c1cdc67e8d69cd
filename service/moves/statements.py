"""The statements of moves: compare, set and note, for one job or for many at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    Update,
    Uuid,
    and_,
    bindparam,
    func,
    not_,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import TypeEngine

from service.constants import constant, constants
from service.models import Project, jobs
from service.moves.values import Kinds, expressions, types
from service.recordsets import recordset
from service.states import ENTERED_FROM, PROMOTABLE, TERMINAL, Status
from service.timeline import TOLD, ended, noted

#: What every move's caller looks at; the callback of a job that has ended tells of all columns.
_LOOKED_AT = (
    jobs.c.id,
    jobs.c.project_id,
    jobs.c.status,
    jobs.c.event_seq,
    jobs.c.maybe_charged,
    jobs.c.callback_url,
    jobs.c.callback_events,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What two moves must have in common to be one statement, built once."""

    to: Status
    sources: frozenset[Status] | None
    takes_over: bool
    is_of_attempt: bool
    columns: Kinds

    @property
    def named(self) -> Mapping[str, TypeEngine[Any]]:
        """Return what names the job, and the attempt if one speaks for it."""
        return {"of_job": Uuid(), **({"of_attempt": Integer()} if self.is_of_attempt else {})}


@cache
def move_one(kind: Kind) -> Executable:
    """Return the statement that moves one job; it returns its row if it did."""
    said = {
        name: bindparam(name, type_=of)
        for name, of in {**kind.named, **types(kind.columns)}.items()
    }
    moved = _changing(kind, said).returning(*_returned(kind)).cte("moved")
    lines = [noted(moved, kind.to), *([ended(moved, kind.to)] if kind.to in TERMINAL else [])]
    return select(moved).add_cte(*lines)


@cache
def move_many(kind: Kind) -> Executable:
    """Return the same for the jobs of the parameter `said`; who locks many does so in one order."""
    said = recordset("said", {**kind.named, **types(kind.columns), **TOLD})
    held = (
        select(jobs.c.id)
        .join(said, said.c.of_job == jobs.c.id)
        .order_by(jobs.c.id)
        .with_for_update(of=jobs)
        .cte("held")
    )
    changing = _changing(kind, dict(said.c)).where(jobs.c.id.in_(select(held.c.id)))
    moved = changing.returning(*_returned(kind)).cte("moved")
    lines = [noted(moved, kind.to, said), *([ended(moved, kind.to)] if kind.to in TERMINAL else [])]
    return select(moved).add_cte(*lines)


@cache
def add_one(columns: Kinds) -> Executable:
    """Return the statement that adds a queued job, unless its idempotency key is taken.

    Its row holds what its caller cannot know: when that was, and its project's limits.
    """
    said = {name: bindparam(name, type_=of) for name, of in types(columns).items()}
    added = (
        upsert(jobs)
        .values(status=constant(Status.QUEUED), event_seq=constant(1), **expressions(columns, said))
        .on_conflict_do_nothing(index_elements=["project_id", "idempotency_key"])
        .returning(jobs.c.id, jobs.c.event_seq, jobs.c.project_id, jobs.c.created_at)
        .cte("added")
    )
    return (
        select(added.c.created_at, Project.max_queued, Project.credits_per_day)
        .join(Project, Project.id == added.c.project_id)
        .add_cte(noted(added, Status.QUEUED))
    )


def _changing(kind: Kind, said: Mapping[str, ColumnElement[Any]]) -> Update:
    conditions = [
        jobs.c.id == said["of_job"],
        enterable(kind.to, takes_over=kind.takes_over),
    ]
    if kind.sources is not None:
        conditions.append(jobs.c.status.in_(constants(kind.sources)))
    if kind.is_of_attempt:
        conditions.append(jobs.c.attempt_count == said["of_attempt"])
    columns = expressions(kind.columns, said)
    values: dict[str, Any] = {
        "status": constant(kind.to),
        "tries": constant(0),
        "deaths": constant(0),
        "refusals": constant(0),
        "due_at": null(),
        "event_seq": jobs.c.event_seq + constant(1),
        "completed_at": func.now() if kind.to in TERMINAL else null(),
        "error_code": null(),
        "error_message": null(),
        "error_upstream_status": null(),
        # an attempt that was written off may be paid besides, whatever becomes of the next
        "maybe_charged": columns.get("resubmitted", jobs.c.resubmitted),
        **({"is_unsettled": jobs.c.reserved_on.is_not(None)} if kind.to in TERMINAL else {}),
        **columns,
    }
    return update(jobs).where(*conditions).values(values)


def _returned(kind: Kind) -> list[ColumnElement[Any]]:
    return list(jobs.c) if kind.to in TERMINAL else list(_LOOKED_AT)


def enterable(to: Status, *, takes_over: bool = False) -> ColumnElement[bool]:
    """Return whether a job may be moved to a state, by its own and by its error."""
    sources = ENTERED_FROM[to]
    plain = jobs.c.status.in_(constants(sources - {Status.FAILED}))
    if takes_over:
        return jobs.c.status.in_(constants(sources))
    if to is Status.CANCELED:
        # what was sent once already may be paid
        return and_(plain, not_(jobs.c.resubmitted))
    if Status.FAILED not in sources:
        return plain
    codes = constants(PROMOTABLE[to])
    return or_(plain, and_(jobs.c.status == constant(Status.FAILED), jobs.c.error_code.in_(codes)))
