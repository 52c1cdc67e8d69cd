"""Fold: every end of a job is counted into its hour, once.

Ends are written in transactions that commit in another order, so what is counted ends at a mark: a
moment, and the number of a transaction that began then. Once none with a smaller number goes on,
all that was written before the moment is there to be seen. The transaction that counts some ends
moves the cursor over them as well; killed anywhere, the next goes on from where the last one was.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Text,
    and_,
    bindparam,
    cast,
    extract,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from service.database import Database
from service.models import Ending, Fold, HeardBy, Hour, jobs
from service.states import Status
from service.timeline import event_type

#: Ends counted in a transaction; the next goes on.
BATCH = 5000
HOURS = "hours"


@dataclass(frozen=True)
class FoldHours:
    """Counts ends into hours; any number of processes may try, one at a time does."""

    database: Database
    batch: int = BATCH

    def __call__(self) -> None:
        """Count everything up to now, unless an older transaction may still be writing ends.

        Raises:
            DatabaseUnavailable: what is left is counted by another call.
        """
        with self.database.transaction() as tx:
            tx.execute(_BEGIN)
            tx.execute(_MARK)
        while self._fold_some():
            pass

    def _fold_some(self) -> bool:
        """Count some; return whether there is more to count now."""
        with self.database.transaction() as tx:
            place = tx.first(_PLACE)
            if place is None or not tx.scalar(_IS_SURE, {"number": place.mark_transaction}):
                return False
            since, until = place.through, place.mark
            few = tx.first(_FEW, {"since": since, "until": until, "most": self.batch})
            if few.count == self.batch:
                # whole microseconds: ends of the same one are counted together
                until = min(until, few.last + timedelta(microseconds=1))
            tx.execute(_COUNT, {"since": since, "until": until})
            tx.execute(_MOVE, {"reached": until})
        return bool(until < place.mark)


def _number(of_transaction: Any) -> Any:  # noqa: ANN401 - SQL expressions
    return cast(cast(of_transaction, Text), BigInteger)


_BEGIN = insert(Fold).values(name=HOURS).on_conflict_do_nothing()
_REACHED = (
    select(Fold.name)
    .where(Fold.name == HOURS, Fold.through >= Fold.mark)
    .with_for_update(skip_locked=True)
    .cte("reached")
)
#: now() is when this transaction began: before it had its number.
_MARK = (
    update(Fold)
    .where(Fold.name == _REACHED.c.name)
    .values(mark=func.now(), mark_transaction=_number(func.pg_current_xact_id()))
)
_PLACE = (
    select(Fold.through, Fold.mark, Fold.mark_transaction)
    .where(Fold.name == HOURS, Fold.through < Fold.mark)
    .with_for_update(skip_locked=True)
)
_SEEN = func.pg_current_snapshot()
_MARKED = bindparam("number", type_=BigInteger)
_IS_SURE = select(
    or_(
        _number(func.pg_snapshot_xmin(_SEEN)) >= _MARKED,
        # a number that is still to come was another server's: a backup holds only what is committed
        _number(func.pg_snapshot_xmax(_SEEN)) <= _MARKED,
    )
)
_MOVE = update(Fold).where(Fold.name == HOURS).values(through=bindparam("reached"))

_SPAN = and_(Ending.at >= bindparam("since"), Ending.at < bindparam("until"))
_LIMITED = select(Ending.at).where(_SPAN).order_by(Ending.at).limit(bindparam("most")).subquery()
_FEW = select(func.count().label("count"), func.max(_LIMITED.c.at).label("last")).select_from(
    _LIMITED
)

_HAS_SUCCEEDED = Ending.type == event_type(Status.SUCCEEDED)
_HAS_FAILED = Ending.type == event_type(Status.FAILED)
_HAS_CANCELED = Ending.type == event_type(Status.CANCELED)
_MARGIN_SECONDS = extract("epoch", jobs.c.result_expires_at - jobs.c.completed_at)
_CREDITS = func.coalesce(jobs.c.cost_actual, jobs.c.cost_estimated, 0)
#: Whoever has brought its picture since is counted there.
_IS_DOUBTFUL = and_(
    jobs.c.status == Status.FAILED, or_(jobs.c.maybe_charged, jobs.c.task_id.is_not(None))
)
_HOUR = func.date_trunc("hour", Ending.at, "UTC")
_FIGURES = {
    "succeeded": func.count().filter(_HAS_SUCCEEDED),
    "failed": func.count().filter(_HAS_FAILED),
    "canceled": func.count().filter(_HAS_CANCELED),
    "polled": func.count().filter(_HAS_SUCCEEDED, jobs.c.heard_by == HeardBy.POLL),
    "least_margin_seconds": func.min(_MARGIN_SECONDS).filter(_HAS_SUCCEEDED),
    "total_margin_seconds": func.coalesce(func.sum(_MARGIN_SECONDS).filter(_HAS_SUCCEEDED), 0),
    "credits": func.coalesce(func.sum(_CREDITS).filter(_HAS_SUCCEEDED), 0),
    "doubtful_credits": func.coalesce(func.sum(_CREDITS).filter(_HAS_FAILED, _IS_DOUBTFUL), 0),
}
_COUNTED = insert(Hour).from_select(
    ["project_id", "hour", *_FIGURES],
    select(Ending.project_id, _HOUR, *_FIGURES.values())
    .join(jobs, jobs.c.id == Ending.job_id)
    .where(_SPAN)
    .group_by(Ending.project_id, _HOUR),
)
_NEW = _COUNTED.excluded
_COUNT = _COUNTED.on_conflict_do_update(
    index_elements=["project_id", "hour"],
    set_={
        **{name: getattr(Hour, name) + _NEW[name] for name in _FIGURES},
        # of a number and nothing this is the number
        "least_margin_seconds": func.least(Hour.least_margin_seconds, _NEW.least_margin_seconds),
    },
)
