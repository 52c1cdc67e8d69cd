"""What a project may still hand in, where it has limits: jobs in its queue, credits of the day.

Both are looked at with the day's row locked, in the transaction that adds the jobs: a hundred
requests at once are never over by one. The sweep puts right what a job came to cost.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Date,
    Row,
    Uuid,
    bindparam,
    cast,
    extract,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from service.constants import constant
from service.database import Transaction
from service.documents import credits_text
from service.errors import CreditsSpent, FieldError, InvalidRequest, QueueFull
from service.models import Project, Spending, jobs
from service.states import Status

#: When a place in a full queue may be free again, seconds.
QUEUE_RETRY_SECONDS = 5


def limits_of(tx: Transaction, project_id: UUID) -> Row[Any]:
    """Return what limits a project, each None where nothing does."""
    found: Row[Any] = tx.first(_LIMITS, {"of_project": project_id})
    return found


def reserve(
    tx: Transaction,
    project_id: UUID,
    limits: Row[Any],
    job_ids: Sequence[UUID],
    costs: Sequence[Decimal | None],
) -> None:
    """Take what new jobs need out of their project's limits; they are in the table already.

    Whoever adds them has read the `limits` in the same transaction.

    Raises:
        QueueFull: they would be more than may wait.
        CreditsSpent: they would cost more than the day has left.
        InvalidRequest: they are more than may ever wait, or nobody knows what they will cost.
            Roll back after each of these.
    """
    if limits.max_queued is None and limits.credits_per_day is None:
        return
    needed = Decimal(0) if limits.credits_per_day is None else _sum(costs)
    day = tx.first(_TAKE, {"of_project": project_id, "needed": needed})
    if limits.max_queued is not None:
        if len(job_ids) > limits.max_queued:
            detail = f"are more than the {limits.max_queued:,} that may wait at a time"
            raise InvalidRequest("Nothing was accepted.", [FieldError("/jobs", detail)])
        _find_places(tx, project_id, limits.max_queued)
    if limits.credits_per_day is not None:
        if day.credits > limits.credits_per_day:
            raise _spent(limits.credits_per_day, day, needed)
        tx.execute(_RESERVE, {"of_jobs": list(job_ids), "of_day": day.day})


def _find_places(tx: Transaction, project_id: UUID, most: int) -> None:
    if tx.scalar(_WAITING, {"of_project": project_id, "looked_at": most + 1}) > most:
        detail = f"At most {most:,} jobs of this project may wait at a time; nothing was accepted."
        raise QueueFull(detail, retry_after_seconds=QUEUE_RETRY_SECONDS)


def _sum(costs: Sequence[Decimal | None]) -> Decimal:
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        detail = "has no published price, so it does not fit a project whose spending is limited"
        raise InvalidRequest("Nothing was accepted.", [FieldError("/model", detail)])
    return sum(known, Decimal(0))


def _spent(limit: Decimal, day: Row[Any], needed: Decimal) -> CreditsSpent:
    left = credits_text(max(Decimal(0), limit - (day.credits - needed)))
    detail = (
        f"This takes {credits_text(needed)} credits; {left} of the {credits_text(limit)} that "
        "this project may spend in a day are left. Nothing was accepted."
    )
    return CreditsSpent(detail, retry_after_seconds=int(day.left_seconds) + 1)


_NOW = func.timezone("UTC", func.now())
_TODAY = cast(_NOW, Date)
_LIMITS = select(Project.max_queued, Project.credits_per_day).where(
    Project.id == bindparam("of_project")
)
_DAY_END = func.date_trunc("day", _NOW) + func.make_interval(0, 0, 0, 1)
_BEGIN = insert(Spending).values(
    project_id=bindparam("of_project"), day=_TODAY, credits=bindparam("needed")
)
#: Locks the day's row until the jobs are committed, or refused.
_TAKE = _BEGIN.on_conflict_do_update(
    index_elements=["project_id", "day"],
    set_={"credits": Spending.credits + _BEGIN.excluded.credits},
).returning(Spending.day, Spending.credits, extract("epoch", _DAY_END - _NOW).label("left_seconds"))
_WAITING = select(func.count()).select_from(
    select(literal_column("1"))
    .where(jobs.c.project_id == bindparam("of_project"), jobs.c.status == constant(Status.QUEUED))
    .limit(bindparam("looked_at"))
    .subquery()
)
_RESERVE = (
    update(jobs)
    .where(jobs.c.id == func.any(bindparam("of_jobs", type_=ARRAY(Uuid))))
    .values(reserved_on=bindparam("of_day"), reserved=jobs.c.cost_estimated)
)
