"""What each project may do, and what it has done of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Row, cast, func, literal, select, update

from service.database import Database
from service.models import Project, Spending, jobs
from service.states import HOLDS_SLOT, Status

#: Whoever hands in a million must not make it dear to ask how many there are.
COUNTED_JOBS = 10_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What a project holds now."""

    #: Jobs that hold a slot upstream, and jobs in the queue; at least, from COUNTED_JOBS on.
    active: int
    queued: int
    #: Reserved or spent by the jobs of this day (UTC); None where there is no limit.
    credits_today: Decimal | None


@dataclass(frozen=True)
class Projects:
    """Reads and changes projects."""

    database: Database

    def all(self) -> Sequence[Row[Any]]:
        """Return every project, by name."""
        with self.database.transaction() as tx:
            return tx.rows(select(*Project.__table__.c).order_by(Project.name))

    def of(self, project_id: UUID) -> tuple[Row[Any], Usage]:
        """Return a project, and what it holds."""
        today = cast(func.timezone("UTC", func.now()), Date)
        spent = select(Spending.credits).where(
            Spending.project_id == project_id, Spending.day == today
        )
        with self.database.transaction() as tx:
            row = tx.first(select(*Project.__table__.c).where(Project.id == project_id))
            return row, Usage(
                active=tx.scalar(_count(project_id, HOLDS_SLOT)),
                queued=tx.scalar(_count(project_id, {Status.QUEUED})),
                credits_today=None
                if row.credits_per_day is None
                else tx.scalar(spent) or Decimal(0),
            )

    def change(self, name: str, values: Mapping[str, Any]) -> Row[Any] | None:
        """Set some of its limits, None for none; return None if there is no such project."""
        changed = update(Project).where(Project.name == name).values(dict(values))
        with self.database.transaction() as tx:
            row: Row[Any] | None = tx.first(changed.returning(*Project.__table__.c))
        return row


def _count(project_id: UUID, statuses: frozenset[Status] | set[Status]) -> Any:  # noqa: ANN401 - a Select
    mine = (jobs.c.project_id == project_id, jobs.c.status.in_(sorted(statuses)))
    few = select(literal(1)).where(*mine).limit(COUNTED_JOBS).subquery()
    return select(func.count()).select_from(few)
