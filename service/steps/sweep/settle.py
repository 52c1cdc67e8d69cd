"""What jobs came to cost, put right in the spending of the day on which they were handed in."""

from sqlalchemy import Boolean, Numeric, case, cast, func, select, update

from service.database import Transaction
from service.models import Spending, jobs
from service.states import Status

#: Jobs settled per sweep; the next goes on.
BATCH = 500


def settle(tx: Transaction) -> int:
    """Count what has ended for what it cost instead of what was reserved; return how many.

    Until then a project has less to spend, never more. A job that upstream may have charged for
    counts for what was estimated until its cost is known.
    """
    return tx.execute(_SETTLE)


_MAY_BE_CHARGED = jobs.c.maybe_charged | jobs.c.task_id.is_not(None)
_ESTIMATED = func.coalesce(jobs.c.cost_actual, jobs.c.cost_estimated)
_COST = case(
    (jobs.c.status == Status.SUCCEEDED, _ESTIMATED),
    (cast(_MAY_BE_CHARGED, Boolean), _ESTIMATED),
    else_=cast(0, Numeric),
)
_ENDED = (
    select(
        jobs.c.id,
        jobs.c.project_id,
        jobs.c.reserved_on.label("day"),
        jobs.c.reserved,
        _COST.label("cost"),
    )
    .where(jobs.c.is_unsettled)
    .order_by(jobs.c.id)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
    .cte("ended")
)
_SETTLED = (
    update(jobs)
    .where(jobs.c.id == _ENDED.c.id)
    .values(is_unsettled=False, reserved=_ENDED.c.cost)
    .returning(jobs.c.id)
    .cte("settled")
)
_DAYS = (
    select(
        _ENDED.c.project_id,
        _ENDED.c.day,
        func.sum(_ENDED.c.cost - _ENDED.c.reserved).label("more"),
    )
    .group_by(_ENDED.c.project_id, _ENDED.c.day)
    .cte("days")
)
_SETTLE = (
    update(Spending)
    .where(Spending.project_id == _DAYS.c.project_id, Spending.day == _DAYS.c.day)
    .values(credits=Spending.credits + _DAYS.c.more)
    .add_cte(_SETTLED)
)
