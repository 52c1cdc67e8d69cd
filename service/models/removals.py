"""Images that are shown to others, and images that are gone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base


class Share(Base):
    """A link that opens one image without a key, until it ends or is revoked."""

    __tablename__ = "shares"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    #: No foreign key: the link of an image that is gone says so.
    image_id: Mapped[UUID] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    shows_prompt: Mapped[bool]


class Removal(Base):
    """An image that was deleted: its id is known for good, its objects go as soon as S3 lets them.

    Written in the transaction that deletes the image's row.
    """

    __tablename__ = "removals"

    image_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    removed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: What was kept of it: `[bucket, key]` of the picture, its thumbnail and its sidecar.
    objects: Mapped[list[Any]] = mapped_column(JSONB)
    #: When its objects are to be deleted; null once they are.
    due_at: Mapped[datetime | None] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index("ix_removals_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )
