"""The indexes by which jobs and images are found, built while all goes on."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NEWEST_FIRST = sa.text("id DESC")
_BUILT: dict[str, tuple[str, list[str | sa.TextClause], dict[str, Any]]] = {
    "ix_jobs_listing_model": ("jobs", ["project_id", "model", _NEWEST_FIRST], {}),
    "ix_jobs_metadata": (
        "jobs",
        ["metadata"],
        {
            "postgresql_using": "gin",
            "postgresql_ops": {"metadata": "jsonb_path_ops"},
            "postgresql_where": sa.text("metadata <> '{}'"),
        },
    ),
    "ix_jobs_batch": (
        "jobs",
        ["batch_id", "status"],
        {"postgresql_where": sa.text("batch_id IS NOT NULL")},
    ),
    "ix_deliveries_batch": (
        "deliveries",
        ["batch_id", "id"],
        {"postgresql_where": sa.text("batch_id IS NOT NULL")},
    ),
    "ix_jobs_unsettled": ("jobs", ["id"], {"postgresql_where": sa.text("is_unsettled")}),
    "ix_images_listing_model": ("images", ["project_id", "model", _NEWEST_FIRST], {}),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (table, columns, more) in _BUILT.items():
            # one that was given up half-way is there and of no use
            _drop(name, table)
            op.create_index(name, table, columns, postgresql_concurrently=True, **more)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (table, _columns, _more) in _BUILT.items():
            _drop(name, table)


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
