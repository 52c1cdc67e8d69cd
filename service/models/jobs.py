"""Jobs: the paid request, its attempts, its timeline, and what Flux told us."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base, words
from service.settings import OnUnconfirmed
from service.states import AttemptOutcome, ErrorCode, Status


class CallbackForm(StrEnum):
    """In whose words a job's caller is called back."""

    #: Standard Webhooks around the job as the API shows it.
    STANDARD = "standard"
    #: The body of get_result, with Flux's own proofs.
    FLUX = "flux"


class HeardBy(StrEnum):
    """How we learned of a result."""

    WEBHOOK = "webhook"
    POLL = "poll"


class Gate(Base):
    """What stands in front of the paid call; its row lock orders the claims of a provider.

    One row per provider for the whole account, with an empty pool, and one for each pool of slots
    that a model has of its own within the account's.
    """

    __tablename__ = "gates"

    provider: Mapped[str] = mapped_column(primary_key=True)
    pool: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    #: Tasks we allow ourselves upstream; shrinks on 429, recovers with each acceptance.
    slots: Mapped[int]
    #: Submissions in a row with an unknown outcome.
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    #: The latest outcomes, a bit each, the newest lowest: 1 was unknown.
    recent: Mapped[int] = mapped_column(server_default=text("0"))
    #: Why no job is submitted; null when open.
    closed_reason: Mapped[str | None]
    #: When one job may probe a closed gate.
    probe_at: Mapped[datetime | None]


class Job(Base):
    """One paid generation request and all that becomes of it."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    status: Mapped[Status] = mapped_column(words(Status, "status"))
    #: When the row needs somebody next; pushed forward as the lease of who claimed it.
    due_at: Mapped[datetime | None]
    #: Tries of the present state's step; back to 0 with each move.
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    #: Workers in a row that ended in the middle of it: the job may have killed them.
    deaths: Mapped[int] = mapped_column(server_default=text("0"))
    #: How often S3 has said no to the very bytes of this result; back to 0 with each move.
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    #: Number of the last event; events are numbered per job.
    event_seq: Mapped[int] = mapped_column(server_default=text("1"))

    model: Mapped[str]
    input: Mapped[dict[str, Any]]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    #: 0 low, 1 normal, 2 high.
    priority: Mapped[int] = mapped_column(SmallInteger)
    idempotency_key: Mapped[str | None]
    #: Of the request body, to tell a repeat from another request with the same key.
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    callback_url: Mapped[str | None]
    callback_events: Mapped[list[str]]
    #: Whose words the callback speaks: ours, or Flux's for a job handed in through its API.
    callback_form: Mapped[CallbackForm] = mapped_column(
        words(CallbackForm, "callback_form"), server_default=CallbackForm.STANDARD.value
    )
    #: A Flux client's own `webhook_secret`, sent back to it and shown nowhere.
    callback_secret: Mapped[str | None]
    #: Images of ours that the input names, in the order of the model's parameters.
    parent_image_ids: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'"))

    #: What becomes of it when nobody ever says whether upstream accepted it.
    on_unconfirmed: Mapped[OnUnconfirmed] = mapped_column(
        words(OnUnconfirmed, "on_unconfirmed"), server_default=OnUnconfirmed.FAIL.value
    )
    #: Whether it was sent once more, though an attempt of which nobody knows may have been paid.
    resubmitted: Mapped[bool] = mapped_column(server_default=text("false"))

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    start_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    #: Upstream's acceptance.
    submitted_at: Mapped[datetime | None]
    #: When we learned that the result is ready.
    generated_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]

    #: No foreign key: a batch is added with its jobs, and goes after them.
    batch_id: Mapped[UUID | None]
    #: The job that this one is another try of; it may be gone by now.
    retry_of: Mapped[UUID | None]

    #: Where its project has a limit: the day whose spending it counts to, and what it counts there.
    reserved_on: Mapped[date | None]
    reserved: Mapped[Decimal | None]
    #: Whether it has ended since that was last put right.
    is_unsettled: Mapped[bool] = mapped_column(server_default=text("false"))

    provider: Mapped[str]
    #: The slots it waits for within its provider's: the model's own, or empty for everybody's.
    pool: Mapped[str] = mapped_column(server_default=text("''"))
    #: Number of the current attempt; part of every WHERE that speaks for one. An earlier one is
    #: the current one again once what upstream says of it counts.
    attempt_count: Mapped[int] = mapped_column(server_default=text("0"))
    task_id: Mapped[str | None]
    polling_url: Mapped[str | None]
    cost_estimated: Mapped[Decimal | None]
    cost_actual: Mapped[Decimal | None]
    maybe_charged: Mapped[bool] = mapped_column(server_default=text("false"))

    result_url: Mapped[str | None]
    result_expires_at: Mapped[datetime | None]
    heard_by: Mapped[HeardBy | None] = mapped_column(words(HeardBy, "heard_by"))
    #: The spool that holds the bytes while S3 does not take them; its URL may be dead by then.
    kept_by: Mapped[str | None]
    #: What upstream says of the result besides the URL: seed, prompt, times.
    result: Mapped[dict[str, Any] | None]

    error_code: Mapped[ErrorCode | None] = mapped_column(words(ErrorCode, "error_code"))
    error_message: Mapped[str | None]
    error_upstream_status: Mapped[int | None]

    __table_args__ = (
        UniqueConstraint("project_id", "idempotency_key"),
        Index(
            "ix_jobs_submit",
            "provider",
            "project_id",
            "pool",
            text("priority DESC"),
            "due_at",
            postgresql_where=text("status = 'queued'"),
        ),
        Index("ix_jobs_expires", "expires_at", postgresql_where=text("status = 'queued'")),
        Index(
            "ix_jobs_active",
            "provider",
            "status",
            "due_at",
            postgresql_where=text("status IN ('submitting', 'unconfirmed', 'generating')"),
        ),
        Index(
            "ix_jobs_store",
            "result_expires_at",
            "due_at",
            postgresql_where=text("status = 'storing'"),
        ),
        Index("ix_jobs_listing", "project_id", text("id DESC")),
        Index("ix_jobs_listing_status", "project_id", "status", text("id DESC")),
        Index("ix_jobs_listing_model", "project_id", "model", text("id DESC")),
        Index("ix_jobs_batch", "batch_id", "status", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_jobs_retries", "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
        Index(
            "ix_jobs_listing_error",
            "project_id",
            "error_code",
            text("id DESC"),
            postgresql_where=text("error_code IS NOT NULL"),
        ),
        Index("ix_jobs_unsettled", "id", postgresql_where=text("is_unsettled")),
    )


class Attempt(Base):
    """One paid POST. The partial unique index lets the database itself forbid a second live one.

    Only the current attempt of a job is live. One that is written off and has a task was accepted
    all the same: a duplicate charge.
    """

    __tablename__ = "attempts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int]
    provider: Mapped[str]
    intent_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    outcome: Mapped[AttemptOutcome | None] = mapped_column(words(AttemptOutcome, "outcome"))
    task_id: Mapped[str | None]
    http_status: Mapped[int | None]
    error: Mapped[str | None]
    cost: Mapped[Decimal | None]

    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        Index(
            "uq_attempts_one_live",
            "job_id",
            unique=True,
            postgresql_where=text("outcome IS NULL OR outcome IN ('accepted', 'unknown')"),
        ),
    )


class JobEvent(Base):
    """A line of a job's timeline: append-only, written in the transaction of the move it tells."""

    __tablename__ = "job_events"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    #: One sentence for people.
    message: Mapped[str]
    detail: Mapped[dict[str, Any]]


class FluxWebhook(Base):
    """The inbox: what Flux told us, as it came; a repeat of the same bytes is one row."""

    __tablename__ = "flux_webhooks"

    attempt_id: Mapped[UUID] = mapped_column(primary_key=True)
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    #: No foreign key: after a restore a webhook may name an attempt that we no longer have.
    job_id: Mapped[UUID | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    body: Mapped[bytes] = mapped_column(LargeBinary)
    #: What came of it: moved, unchanged, progress, unmatched, unreadable.
    effect: Mapped[str]

    __table_args__ = (
        # after a restore they are counted; else there are hardly any
        Index(
            "ix_flux_webhooks_unmatched",
            "attempt_id",
            postgresql_where=text("effect = 'unmatched'"),
        ),
    )
