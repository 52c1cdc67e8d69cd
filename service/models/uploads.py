"""Uploads: input images, kept in S3 as long as a job refers to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base


class Upload(Base):
    """An image that a caller handed in, by itself or inside of a job's input."""

    __tablename__ = "uploads"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    bucket: Mapped[str]
    key: Mapped[str]
    content_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    #: When it may be discarded; null once a job refers to it.
    expires_at: Mapped[datetime | None]
    #: Set before its object is deleted: from then on nobody may refer to it.
    discarded_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_uploads_discard", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )
