"""Batches, limits and scopes, links to share, and images that are deleted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ONLY_QUICK = "SET LOCAL lock_timeout = '5s'"
_NOW = sa.text("now()")
_TIME = sa.DateTime(timezone=True)
_CREDITS = sa.Numeric(14, 4)


def upgrade() -> None:
    op.execute(_ONLY_QUICK)
    op.execute("LOCK TABLE jobs, deliveries, projects, api_keys IN ACCESS EXCLUSIVE MODE")
    # constant defaults, so that no row has to be written anew, and old code goes on beside this
    op.add_column("jobs", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("retry_of", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("reserved_on", sa.Date(), nullable=True))
    op.add_column("jobs", sa.Column("reserved", _CREDITS, nullable=True))
    op.add_column(
        "jobs",
        sa.Column("is_unsettled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("deliveries", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.alter_column("deliveries", "job_id", nullable=True)
    # as good as none: whoever wants less says so
    op.add_column(
        "projects",
        sa.Column(
            "requests_per_minute", sa.Integer(), server_default=sa.text("60000"), nullable=False
        ),
    )
    op.add_column("projects", sa.Column("max_active", sa.Integer(), nullable=True))
    op.add_column("projects", sa.Column("max_queued", sa.Integer(), nullable=True))
    op.add_column("projects", sa.Column("credits_per_day", _CREDITS, nullable=True))
    op.add_column("projects", sa.Column("retention_days", sa.Integer(), nullable=True))
    op.add_column(
        "api_keys",
        sa.Column(
            "scopes",
            sa.ARRAY(sa.Text()),
            server_default=sa.text("'{submit,read,manage}'"),
            nullable=False,
        ),
    )
    op.add_column("api_keys", sa.Column("expires_at", _TIME, nullable=True))
    op.add_column("api_keys", sa.Column("last_used_at", _TIME, nullable=True))
    _create_batches()
    op.create_table(
        "request_counts",
        _project_id(),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        _of_project("request_counts"),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_request_counts")),
    )
    op.create_table(
        "spending",
        _project_id(),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("credits", _CREDITS, nullable=False),
        _of_project("spending"),
        sa.PrimaryKeyConstraint("project_id", "day", name=op.f("pk_spending")),
    )
    _create_shares_and_removals()


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        _project_id(),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("completed_at", _TIME, nullable=True),
        _of_project("batches"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("project_id", "idempotency_key", name=op.f("uq_batches_project_id_idempotency_key")),
    )
    op.create_index(
        "ix_batches_open", "batches", ["id"], postgresql_where=sa.text("completed_at IS NULL")
    )
    op.create_index("ix_batches_listing", "batches", ["project_id", sa.text("id DESC")])


def _create_shares_and_removals() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.Uuid(), nullable=False),
        _project_id(),
        sa.Column("image_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.Column("shows_prompt", sa.Boolean(), nullable=False),
        _of_project("shares"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
    )
    op.create_index("ix_shares_image_id", "shares", ["image_id"])
    op.create_table(
        "removals",
        sa.Column("image_id", sa.Uuid(), nullable=False),
        _project_id(),
        sa.Column("removed_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("objects", postgresql.JSONB(), nullable=False),
        sa.Column("due_at", _TIME, server_default=_NOW, nullable=True),
        _of_project("removals"),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_removals")),
    )
    op.create_index(
        "ix_removals_due", "removals", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )


def _project_id() -> sa.Column[object]:
    return sa.Column("project_id", sa.Uuid(), nullable=False)


def _of_project(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["project_id"], ["projects.id"], name=op.f(f"fk_{table}_project_id")
    )


def downgrade() -> None:
    op.execute(_ONLY_QUICK)
    # what was for less, or for a time, must not become a key for everything
    op.execute(
        "UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL AND "
        "(expires_at IS NOT NULL OR NOT scopes @> '{submit,read,manage}')"
    )
    # batches end for no code that does not know them
    op.execute("DELETE FROM endings WHERE seq = 0")
    op.execute(
        "DELETE FROM delivery_attempts USING deliveries "
        "WHERE delivery_id = deliveries.id AND job_id IS NULL"
    )
    op.execute("DELETE FROM deliveries WHERE job_id IS NULL")
    op.alter_column("deliveries", "job_id", nullable=False)
    op.drop_column("deliveries", "batch_id")
    for table in ("removals", "shares", "spending", "request_counts", "batches"):
        op.drop_table(table)
    for column in ("last_used_at", "expires_at", "scopes"):
        op.drop_column("api_keys", column)
    for column in (
        "retention_days",
        "credits_per_day",
        "max_queued",
        "max_active",
        "requests_per_minute",
    ):
        op.drop_column("projects", column)
    for column in ("is_unsettled", "reserved", "reserved_on", "retry_of", "batch_id"):
        op.drop_column("jobs", column)
