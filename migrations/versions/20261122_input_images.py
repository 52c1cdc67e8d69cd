"""Input images, lineage, Flux's own form of callback, slots per model."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_uploads_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(
        "ix_uploads_discard",
        "uploads",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )

    uuids = postgresql.ARRAY(sa.Uuid())
    none = sa.text("'{}'")
    op.add_column(
        "jobs", sa.Column("parent_image_ids", uuids, server_default=none, nullable=False)
    )
    op.add_column("jobs", sa.Column("callback_secret", sa.Text(), nullable=True))
    op.add_column(
        "jobs",
        sa.Column(
            "callback_form",
            sa.Enum(
                "standard",
                "flux",
                name="callback_form",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            server_default="standard",
            nullable=False,
        ),
    )
    op.add_column(
        "jobs", sa.Column("pool", sa.Text(), server_default=sa.text("''"), nullable=False)
    )
    queued = sa.text("status = 'queued'")
    op.drop_index("ix_jobs_submit", table_name="jobs", postgresql_where=queued)
    op.create_index(
        "ix_jobs_submit",
        "jobs",
        ["provider", "project_id", "pool", sa.literal_column("priority DESC"), "due_at"],
        unique=False,
        postgresql_where=queued,
    )

    op.add_column(
        "images", sa.Column("parent_image_ids", uuids, server_default=none, nullable=False)
    )
    op.add_column("images", sa.Column("revised_prompt", sa.Text(), nullable=True))
    op.create_index(
        "ix_images_parents",
        "images",
        ["parent_image_ids"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("parent_image_ids <> '{}'"),
    )

    op.add_column(
        "gates", sa.Column("pool", sa.Text(), server_default=sa.text("''"), nullable=False)
    )
    op.drop_constraint("pk_gates", "gates")
    op.create_primary_key("pk_gates", "gates", ["provider", "pool"])


def downgrade() -> None:
    op.execute("DELETE FROM gates WHERE pool <> ''")
    op.drop_constraint("pk_gates", "gates")
    op.create_primary_key("pk_gates", "gates", ["provider"])
    op.drop_column("gates", "pool")

    op.drop_index("ix_images_parents", table_name="images")
    op.drop_column("images", "revised_prompt")
    op.drop_column("images", "parent_image_ids")

    queued = sa.text("status = 'queued'")
    op.drop_index("ix_jobs_submit", table_name="jobs", postgresql_where=queued)
    op.create_index(
        "ix_jobs_submit",
        "jobs",
        ["project_id", sa.literal_column("priority DESC"), "due_at"],
        unique=False,
        postgresql_where=queued,
    )
    op.drop_column("jobs", "pool")
    op.drop_column("jobs", "callback_form")
    op.drop_column("jobs", "callback_secret")
    op.drop_column("jobs", "parent_image_ids")

    op.drop_index(
        "ix_uploads_discard",
        table_name="uploads",
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.drop_table("uploads")
