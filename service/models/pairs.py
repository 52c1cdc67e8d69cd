"""By which metadata jobs are found: a row for each name and value, in the order of a list."""

from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, LargeBinary, Uuid, func, literal
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base


class JobPair(Base):
    """A name and a value that a job's metadata hold.

    The database itself adds it with its job (`add_job_pairs`, migration 0015), whoever adds that;
    jobs without metadata have none. It goes with its job.
    """

    __tablename__ = "job_pairs"

    #: See `pair_of`.
    pair: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True
    )


def pair_of(project_id: UUID, name: str, value: str) -> ColumnElement[bytes]:
    """Return what a project's pair is kept as: 16 bytes of a SHA-256, however long it is."""
    pair: ColumnElement[bytes] = func.job_pair(literal(project_id, Uuid), name, value)
    return pair
