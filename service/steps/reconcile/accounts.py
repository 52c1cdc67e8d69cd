"""The fall of an account, held against the attempts of the same time.

A balance is true at some moment between question and answer, and a payment happens at some moment
between intent and answer. Where the two overlap, the payment may lie on either side of the reading,
and explains a fall without demanding one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, or_, select

from service.clock import seconds
from service.database import Transaction
from service.ids import first_id
from service.models import Attempt, jobs
from service.states import AttemptOutcome, Status

#: What is not explained is an alarm from here on; the cheapest image costs more than one credit.
TOLERANCE_CREDITS = Decimal("0.5")
#: A submission is over so long after its intent, whenever we hear what became of it.
LONGEST_SUBMISSION_SECONDS = 300.0
#: How far the clocks of two hosts may be apart.
CLOCKS_APART = timedelta(hours=1)
NOTHING = Decimal(0)

#: What an attempt cost: by the answer to it, by its result, or, assumed, by the price list.
_told = func.coalesce(
    Attempt.cost, case((jobs.c.attempt_count == Attempt.number, jobs.c.cost_actual))
)
COST = func.coalesce(_told, jobs.c.cost_estimated, NOTHING)
IS_ASSUMED: ColumnElement[bool] = _told.is_(None)
#: It may be paid, and may yet be proved to be.
_IS_OPEN = and_(
    jobs.c.attempt_count == Attempt.number,
    jobs.c.status.in_(sorted({Status.SUBMITTING, Status.UNCONFIRMED})),
)


def is_paid(attempt: type[Attempt]) -> ColumnElement[bool]:
    """Return whether upstream has taken an attempt, whatever became of it."""
    is_accepted = attempt.outcome.is_not_distinct_from(AttemptOutcome.ACCEPTED)
    return or_(is_accepted, attempt.task_id.is_not(None))


@dataclass
class Reckoning:
    """One account between its first reading and its last, in credits."""

    provider: str
    first_at: datetime | None = None
    last_at: datetime | None = None
    #: How far the balance fell, but for spans in which it rose.
    charged: Decimal = NOTHING
    #: Accepted meanwhile, by our records; `assumed` is the part that only the price list knows.
    recorded: Decimal = NOTHING
    assumed: Decimal = NOTHING
    #: Under way at a reading, or not answered yet: may be part of the fall.
    uncertain: Decimal = NOTHING
    #: When the balance rose and by how much: top-ups, refunds. Those spans are not compared.
    rises: list[tuple[datetime, Decimal]] = field(default_factory=list)

    @property
    def surplus(self) -> Decimal:
        """What upstream charged and we know nothing of."""
        return max(NOTHING, self.charged - self.recorded - self.uncertain)

    @property
    def shortfall(self) -> Decimal:
        """What we recorded and upstream did not charge: refunds, or assumed costs."""
        return max(NOTHING, self.recorded - self.charged)

    @property
    def is_alarming(self) -> bool:
        """Whether somebody was paid twice, or for something that we do not know."""
        return self.surplus > TOLERANCE_CREDITS


def reckon(tx: Transaction, provider: str, readings: Sequence[Row[Any]]) -> Reckoning:
    """Compare the readings of an account, oldest first, with our attempts."""
    found = Reckoning(provider)
    if readings:
        found.first_at, found.last_at = readings[0].at, readings[-1].at
    start = 0
    for index, (before, after) in enumerate(pairwise(readings), 1):
        if after.credits > before.credits:
            found.rises.append((after.at, after.credits - before.credits))
            _add(tx, found, readings[start:index])
            start = index
    _add(tx, found, readings[start:])
    return found


def _add(tx: Transaction, found: Reckoning, readings: Sequence[Row[Any]]) -> None:
    """Add a span in which the balance only fell."""
    if len(readings) < 2:  # noqa: PLR2004 - a difference is of two
        return
    first, last = readings[0], readings[-1]
    has_cost = is_paid(Attempt)
    over_at = func.least(
        func.coalesce(Attempt.ended_at, func.now()),
        Attempt.intent_at + seconds(LONGEST_SUBMISSION_SECONDS),
    )
    inside = and_(Attempt.intent_at >= first.at, over_at <= last.asked_at)
    earliest = first.asked_at - timedelta(seconds=LONGEST_SUBMISSION_SECONDS) - CLOCKS_APART
    row = tx.first(
        select(
            func.sum(COST).filter(has_cost, inside).label("recorded"),
            func.sum(COST).filter(has_cost, inside, IS_ASSUMED).label("assumed"),
            func.sum(COST).label("possible"),
        )
        .select_from(Attempt)
        .join(jobs, jobs.c.id == Attempt.job_id)
        .where(
            Attempt.provider == found.provider,
            Attempt.id >= first_id(earliest),
            Attempt.intent_at < last.at,
            over_at > first.asked_at,
            or_(has_cost, _IS_OPEN),
        )
    )
    found.charged += first.credits - last.credits
    found.recorded += row.recorded or NOTHING
    found.assumed += row.assumed or NOTHING
    found.uncertain += (row.possible or NOTHING) - (row.recorded or NOTHING)
