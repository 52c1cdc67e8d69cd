"""What every hour came to: a few figures that stay when the jobs behind them are gone."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base

#: How far is counted as long as nothing is.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_AGO = text("'1970-01-01Z'")


class Hour(Base):
    """The ends that a project's jobs came to within one hour; there is no row for one without."""

    __tablename__ = "hours"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    #: Its beginning, in UTC.
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    succeeded: Mapped[int]
    #: A job that succeeds after all is counted by both of its ends.
    failed: Mapped[int]
    canceled: Mapped[int]
    #: Of those that succeeded: whose result was found by asking.
    polled: Mapped[int]
    #: Life left of the result URLs when their bytes were safe; below zero: they waited on a disk.
    least_margin_seconds: Mapped[float | None]
    total_margin_seconds: Mapped[float]
    #: What the pictures cost.
    credits: Mapped[Decimal]
    #: What jobs that failed may have cost.
    doubtful_credits: Mapped[Decimal]


class Fold(Base):
    """How far the one table has been counted into the other; one row, locked by who counts."""

    __tablename__ = "folds"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: What was written before it is counted.
    through: Mapped[datetime] = mapped_column(server_default=_LONG_AGO)
    #: What was written before it is committed as soon as no older transaction goes on.
    mark: Mapped[datetime] = mapped_column(server_default=_LONG_AGO)
    mark_transaction: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
