"""Callbacks by host: a slow or dead one does not hold up the others."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ONLY_QUICK = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_ONLY_QUICK)
    # in the order of those who move jobs
    op.execute("LOCK TABLE jobs, deliveries, delivery_attempts, projects IN ACCESS EXCLUSIVE MODE")
    # constant defaults, so that no row has to be written anew, and old code goes on beside this
    op.add_column(
        "deliveries", sa.Column("origin", sa.Text(), server_default="", nullable=False)
    )
    op.execute(
        "UPDATE deliveries SET origin = lower(substring(url FROM '^[A-Za-z]+://[^/?#]+')) "
        "WHERE status = 'pending'"
    )
    none = sa.text("0")
    op.add_column(
        "deliveries", sa.Column("tries_before", sa.Integer(), server_default=none, nullable=False)
    )
    op.add_column(
        "deliveries",
        sa.Column(
            "began_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
    op.add_column("delivery_attempts", sa.Column("location", sa.Text(), nullable=True))
    op.add_column("projects", sa.Column("callback_url", sa.Text(), nullable=True))
    op.add_column(
        "projects",
        sa.Column(
            "callback_events",
            sa.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.create_table(
        "callback_hosts",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=none, nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_callback_hosts_project_id")
        ),
        sa.PrimaryKeyConstraint("project_id", "origin", name=op.f("pk_callback_hosts")),
    )
    op.create_table(
        "endings",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_endings_job_id")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_endings_project_id")
        ),
        sa.PrimaryKeyConstraint("job_id", "seq", name=op.f("pk_endings")),
    )
    op.create_index("ix_endings_told", "endings", ["project_id", "position"], unique=True)
    op.create_index(
        "ix_endings_new",
        "endings",
        ["project_id", "at"],
        postgresql_where=sa.text("position IS NULL"),
    )


def downgrade() -> None:
    op.execute(_ONLY_QUICK)
    op.drop_table("endings")
    op.drop_table("callback_hosts")
    op.drop_column("projects", "callback_events")
    op.drop_column("projects", "callback_url")
    op.drop_column("delivery_attempts", "location")
    op.drop_column("deliveries", "began_at")
    op.drop_column("deliveries", "tries_before")
    op.drop_column("deliveries", "origin")
