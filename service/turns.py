"""Whose turn it is in front of the gate, and no more of them than there is room for."""

from collections.abc import Mapping

from sqlalchemy import CTE, Integer, Text, bindparam, column, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from service.constants import constant, constants
from service.gate import ACCOUNT, Slots
from service.models import Project, jobs
from service.states import HOLDS_SLOT, Status


def turns() -> CTE:
    """Select and lock the queued jobs whose turn it is, no more of any pool than it has free.

    Projects take turns, and what a project has upstream already counts as turns taken. Within a
    project priority decides, then time; none has more upstream than it may. Costs the same however
    long the queue is. Takes the parameters of `asked`.
    """
    of_provider = jobs.c.provider == bindparam("of_provider")
    pools = (
        func.unnest(
            bindparam("pools", type_=ARRAY(Text)), bindparam("free_of_pools", type_=ARRAY(Integer))
        )
        .table_valued(column("pool", Text), column("free", Integer), name="pools")
        .render_derived()
    )
    # at all providers: a project's own limit is one for all of them
    held = (
        select(jobs.c.project_id, func.count().label("turns"))
        .where(jobs.c.status.in_(constants(HOLDS_SLOT)))
        .group_by(jobs.c.project_id)
        .subquery()
    )
    urgency = (jobs.c.priority.desc(), jobs.c.due_at)
    waiting = (
        select(jobs.c.id, jobs.c.priority, jobs.c.due_at)
        .where(
            jobs.c.project_id == Project.id,
            jobs.c.status == constant(Status.QUEUED),
            jobs.c.due_at <= func.now(),
            of_provider,
            jobs.c.pool == pools.c.pool,
            or_(jobs.c.expires_at.is_(None), jobs.c.expires_at > func.now()),
        )
        .order_by(*urgency)
        # what a pool has no slots for takes nobody's turn
        .limit(pools.c.free)
        .lateral()
    )
    in_project = func.row_number().over(
        partition_by=Project.id, order_by=(waiting.c.priority.desc(), waiting.c.due_at)
    )
    turn = func.coalesce(held.c.turns, 0) + in_project
    queue = (
        select(
            waiting.c.id,
            waiting.c.due_at,
            pools.c.pool,
            pools.c.free,
            Project.max_active,
            turn.label("turn"),
        )
        .select_from(Project)
        .join(pools, true())
        .join(waiting, true())
        .outerjoin(held, held.c.project_id == Project.id)
        .subquery()
    )
    in_pool = func.row_number().over(
        partition_by=queue.c.pool, order_by=(queue.c.turn, queue.c.due_at)
    )
    allowed = or_(queue.c.max_active.is_(None), queue.c.turn <= queue.c.max_active)
    placed = select(queue, in_pool.label("place")).where(allowed).subquery()
    fair = (
        select(placed.c.id)
        .where(placed.c.place <= placed.c.free)
        .order_by(placed.c.turn, placed.c.due_at)
        .limit(bindparam("free_in_all", type_=Integer))
    )
    return (
        select(jobs.c.id)
        .where(jobs.c.id.in_(fair), jobs.c.status == constant(Status.QUEUED))
        # a caller may be withdrawing one of them right now
        .with_for_update(skip_locked=True)
        .cte("turns")
    )


def asked(provider: str, free: Slots) -> Mapping[str, object]:
    """Return the parameters of `turns`."""
    return {
        "of_provider": provider,
        "pools": [*free],
        "free_of_pools": [*free.values()],
        "free_in_all": free[ACCOUNT],
    }
