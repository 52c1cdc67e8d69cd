"""Favourites and tags."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ONLY_QUICK = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_ONLY_QUICK)
    # a constant default, so that no row has to be written anew, and old code goes on beside this
    op.add_column(
        "images",
        sa.Column("is_favourite", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_table(
        "image_tags",
        sa.Column("image_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], ondelete="CASCADE", name=op.f("fk_image_tags_image_id")
        ),
        sa.PrimaryKeyConstraint("image_id", "tag", name=op.f("pk_image_tags")),
    )
    op.create_index(
        "ix_image_tags_listing", "image_tags", ["project_id", "tag", sa.text("image_id DESC")]
    )


def downgrade() -> None:
    op.execute(_ONLY_QUICK)
    op.drop_table("image_tags")
    op.drop_column("images", "is_favourite")
