"""Who calls us: projects and their API keys."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base


class Scope(StrEnum):
    """What a key lets its holder do."""

    #: Hand in jobs, batches and uploads, ask for prices, withdraw and repeat jobs.
    SUBMIT = "submit"
    #: Look at everything of the project.
    READ = "read"
    #: Keys, callbacks, shared links, deletion, retention.
    MANAGE = "manage"


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

    #: Requests to the API of all its keys together.
    requests_per_minute: Mapped[int] = mapped_column(server_default=text("60000"))
    #: Jobs that hold a slot upstream at a time, and jobs in the queue; null: no limit of its own.
    max_active: Mapped[int | None]
    max_queued: Mapped[int | None]
    #: Credits that the jobs of one day (UTC) may cost; null: no limit.
    credits_per_day: Mapped[Decimal | None]
    #: How long what has ended is kept; null: for ever.
    retention_days: Mapped[int | None]


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
    scopes: Mapped[list[str]] = mapped_column(server_default=text("'{submit,read,manage}'"))
    expires_at: Mapped[datetime | None]
    #: To the minute.
    last_used_at: Mapped[datetime | None]


class RequestCount(Base):
    """Requests of a project that its web processes have been granted in the latest minute."""

    __tablename__ = "request_counts"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    #: Minutes since 1970 by the database's clock.
    minute: Mapped[int] = mapped_column(BigInteger)
    granted: Mapped[int]


class Spending(Base):
    """What the jobs of a project that has a limit cost on one day, reserved before they run.

    Its row lock orders whoever hands in jobs of such a project.
    """

    __tablename__ = "spending"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    #: In UTC.
    day: Mapped[date] = mapped_column(primary_key=True)
    credits: Mapped[Decimal]
