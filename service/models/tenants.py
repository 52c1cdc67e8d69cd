"""Who calls us: projects and their API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base


class Project(Base):
    """The tenant: owns keys, jobs, images and the secrets that sign its callbacks."""

    __tablename__ = "projects"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: Part of every object key, so it never changes.
    name: Mapped[str] = mapped_column(unique=True)
    #: `whsec_…`, newest first; all of them sign (Standard Webhooks rotation).
    callback_secrets: Mapped[list[str]]
    #: Where jobs call that name no address of their own, and of what.
    callback_url: Mapped[str | None]
    callback_events: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A caller's key; only its SHA-256 is kept."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    #: The first characters, for people to tell keys apart.
    prefix: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
