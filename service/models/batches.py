"""Batches: jobs that were handed in together."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base


class Batch(Base):
    """Up to a thousand jobs, accepted all or none; they tell of their last end once."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Jobs in it.
    size: Mapped[int]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    idempotency_key: Mapped[str | None]
    #: Of the request body, to tell a repeat from another request with the same key.
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    callback_url: Mapped[str | None]
    #: When its last job had ended, as the sweep saw it.
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("project_id", "idempotency_key"),
        Index("ix_batches_open", "id", postgresql_where=text("completed_at IS NULL")),
        Index("ix_batches_listing", "project_id", text("id DESC")),
    )
