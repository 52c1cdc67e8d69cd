"""What a job leaves behind: images, callbacks, and the pulse of the clock."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Numeric,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base, words
from service.models.sizes import SIZE_NUMBER

#: What of new prompts may stand outside the order of the search index, kB: each search reads it.
SEARCH_PENDING_KB = 256


class DeliveryStatus(StrEnum):
    """Where a callback is."""

    #: Owed: not tried yet, or tried and due again.
    PENDING = "pending"
    #: The caller answered 2xx.
    DELIVERED = "delivered"
    #: The schedule is used up, or the caller answered 410.
    EXHAUSTED = "exhausted"


class Image(Base):
    """Bytes kept in S3, and what is worth knowing without fetching them."""

    __tablename__ = "images"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    bucket: Mapped[str]
    key: Mapped[str]
    content_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    #: As upstream gave it; an integer of any size.
    seed: Mapped[Decimal | None] = mapped_column(Numeric(40, 0))
    model: Mapped[str]
    #: The caller's own prompt.
    prompt: Mapped[str]
    #: What upstream made of it, where it says so and it differs.
    revised_prompt: Mapped[str | None]
    #: Images of ours that this one was made from.
    parent_image_ids: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'"))
    thumbnail_key: Mapped[str | None]
    sidecar_key: Mapped[str | None]
    #: Starred by a person; what else they call it is in `image_tags`.
    is_favourite: Mapped[bool] = mapped_column(server_default=text("false"))
    #: When derive should look at it; null once it has.
    due_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    #: Claims in a row whose worker never said what came of them.
    deaths: Mapped[int] = mapped_column(server_default=text("0"))

    __table_args__ = (
        Index("ix_images_listing", "project_id", text("id DESC")),
        Index("ix_images_listing_model", "project_id", "model", text("id DESC")),
        Index("ix_images_derive", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        # most images have no parent, and cost this index nothing
        Index(
            "ix_images_parents",
            "parent_image_ids",
            postgresql_using="gin",
            postgresql_where=text("parent_image_ids <> '{}'"),
        ),
        # the columns besides: a count reads the index alone
        Index(
            "ix_images_listing_size",
            "project_id",
            text(SIZE_NUMBER),
            text("id DESC"),
            postgresql_include=["width", "height"],
        ),
        Index(
            "ix_images_favourites",
            "project_id",
            text("id DESC"),
            postgresql_where=text("is_favourite"),
        ),
        Index(
            "ix_images_search",
            "project_id",
            func.lower(text("prompt")).label("words"),
            postgresql_using="gin",
            postgresql_ops={"words": "gin_trgm_ops"},
            postgresql_with={"gin_pending_list_limit": SEARCH_PENDING_KB},
        ),
    )


class Delivery(Base):
    """One callback owed to a caller: the exact bytes, and where it stands."""

    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    #: None where it tells of a batch, or of a job that was not accepted.
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))
    #: Of its job, or the one it tells of.
    batch_id: Mapped[UUID | None]
    #: The job's event it tells of.
    seq: Mapped[int]
    type: Mapped[str]
    url: Mapped[str]
    #: Scheme, name and port of the URL; those of before there were origins are one host.
    origin: Mapped[str] = mapped_column(server_default=text("''"))
    #: Signed, sent and kept byte for byte.
    body: Mapped[str]
    status: Mapped[DeliveryStatus] = mapped_column(words(DeliveryStatus, "status"))
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    #: Those before its owner asked for it again; the schedule begins anew after them.
    tries_before: Mapped[int] = mapped_column(server_default=text("0"))
    #: When its schedule began.
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("job_id", "seq"),
        Index(
            "ix_deliveries_due",
            "project_id",
            "origin",
            "due_at",
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "ix_deliveries_exhausted",
            "project_id",
            text("id DESC"),
            postgresql_where=text("status = 'exhausted'"),
        ),
        Index("ix_deliveries_listing", "project_id", text("id DESC")),
        Index(
            "ix_deliveries_batch", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")
        ),
    )


class DeliveryAttempt(Base):
    """One try of a delivery."""

    __tablename__ = "delivery_attempts"

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    duration_ms: Mapped[int]
    http_status: Mapped[int | None]
    error: Mapped[str | None]
    #: The first 2 KiB of the caller's answer.
    answer: Mapped[str | None]
    #: Where a redirect would have led.
    location: Mapped[str | None]


class Ending(Base):
    """A job's end, for callers who ask what has ended instead of being called."""

    __tablename__ = "endings"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    #: The job's event that tells of it; 0 is the end of its batch, whose last it was.
    seq: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    type: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    #: Its place in what the project is told; null until somebody asks.
    position: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index("ix_endings_told", "project_id", "position", unique=True),
        Index("ix_endings_new", "project_id", "at", postgresql_where=text("position IS NULL")),
        Index("ix_endings_at", "at"),
    )


class CallbackHost(Base):
    """How the address of a project's callbacks does: a row for each that has ever failed."""

    __tablename__ = "callback_hosts"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    origin: Mapped[str] = mapped_column(primary_key=True)
    #: Failures in a row.
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failing_since: Mapped[datetime | None]
    #: When it is tried again; null unless it has been failing for long.
    probe_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    __table_args__ = (
        Index(
            "ix_callback_hosts_failing",
            "project_id",
            "failing_since",
            postgresql_where=text("failing_since IS NOT NULL"),
        ),
    )


#: Of each spool of results: when a worker of its host last looked after it, `spool:{id}`.
SPOOL_PULSE = "spool:"
#: Of what keeps a worker from submitting: when one last said so, `held:{in words for people}`.
HELD_PULSE = "held:"


class Pulse(Base):
    """When something that must go on happening last happened; the sweep's is watched by /readyz."""

    __tablename__ = "pulses"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class Deployment(Base):
    """This database's one row about itself: a restored copy of it must not pay again.

    Made by the first worker, not by a migration: copies of an empty database are other deployments.
    """

    __tablename__ = "deployments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Of the last mark that was to be left outside the database.
    mark_number: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    #: When a mark that S3 has acknowledged since was compared; null before the first.
    marked_at: Mapped[datetime | None]
    #: Where that was: the server's run, and the file of this table.
    marked_in: Mapped[str | None]
    #: Since when nothing is submitted until somebody has looked; null while all is well.
    held_at: Mapped[datetime | None]
    held_reason: Mapped[str | None]


class Balance(Base):
    """What a provider said was left of the account, in credits."""

    __tablename__ = "balances"

    provider: Mapped[str] = mapped_column(primary_key=True)
    #: When the answer was there; it was true at some moment since it was asked for.
    at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    asked_at: Mapped[datetime]
    credits: Mapped[Decimal]
