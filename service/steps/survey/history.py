"""What the latest hours or days came to, out of the table of hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import DateTime, Interval, bindparam, func, select

from service.database import Transaction
from service.models import LONG_AGO, Fold, Hour

HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Window:
    """How far back one looks, and in steps of how many seconds; of days at least a week."""

    steps: int
    step_seconds: int
    days: int


#: By the names that queries have for them.
WINDOWS = {
    "24h": Window(steps=24, step_seconds=HOUR_SECONDS, days=7),
    "7d": Window(steps=28, step_seconds=6 * HOUR_SECONDS, days=7),
    "30d": Window(steps=30, step_seconds=DAY_SECONDS, days=30),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a span of time came to; `models.Hour` says what each figure is."""

    at: datetime
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0
    polled: int = 0
    least_margin_seconds: float | None = None
    total_margin_seconds: float = 0.0
    credits: Decimal = NOTHING
    doubtful_credits: Decimal = NOTHING

    @property
    def ended(self) -> int:
        """Ends of jobs, whatever they were."""
        return self.succeeded + self.failed + self.canceled


@dataclass(frozen=True, slots=True)
class History:
    """The spans of a window, oldest first and each of them there, and its days likewise."""

    #: Up to when ends are counted; None before the first time.
    through: datetime | None
    now: datetime
    steps: Sequence[Figures]
    days: Sequence[Figures]


def history(tx: Transaction, project_id: UUID, window: Window) -> History:
    """Read what a project's window came to."""
    clock = tx.first(_CLOCK)
    return History(
        through=clock.through,
        now=clock.now,
        steps=_spans(tx, project_id, clock.now, window.step_seconds, window.steps),
        days=_spans(tx, project_id, clock.now, DAY_SECONDS, window.days),
    )


def _spans(
    tx: Transaction, project_id: UUID, now: datetime, step_seconds: int, count: int
) -> list[Figures]:
    step = timedelta(seconds=step_seconds)
    latest = datetime.fromtimestamp(now.timestamp() // step_seconds * step_seconds, UTC)
    first = latest - (count - 1) * step
    asked = {"of_project": project_id, "step": step, "first": first}
    found = {row.at: Figures(*row) for row in tx.rows(_SPANS, asked)}
    times = [first + number * step for number in range(count)]
    return [found.get(at, Figures(at)) for at in times]


_THROUGH = select(func.nullif(Fold.through, LONG_AGO)).scalar_subquery()
_CLOCK = select(func.now().label("now"), _THROUGH.label("through"))
_FIRST = bindparam("first", type_=DateTime(timezone=True))
_AT = func.date_bin(bindparam("step", type_=Interval), Hour.hour, _FIRST).label("at")
_SPANS = (
    select(
        _AT,
        func.sum(Hour.succeeded),
        func.sum(Hour.failed),
        func.sum(Hour.canceled),
        func.sum(Hour.polled),
        func.min(Hour.least_margin_seconds),
        func.sum(Hour.total_margin_seconds),
        func.sum(Hour.credits),
        func.sum(Hour.doubtful_credits),
    )
    .where(Hour.project_id == bindparam("of_project"), Hour.hour >= _FIRST)
    .group_by(_AT)
)
