"""The indexes by which a job's other tries, and jobs by their failure, are found."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BUILT: dict[str, tuple[list[str | sa.TextClause], str]] = {
    "ix_jobs_retries": (["retry_of"], "retry_of IS NOT NULL"),
    "ix_jobs_listing_error": (
        ["project_id", "error_code", sa.text("id DESC")],
        "error_code IS NOT NULL",
    ),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (columns, where) in _BUILT.items():
            # one that was given up half-way is there and of no use
            _drop(name)
            op.create_index(
                name,
                "jobs",
                columns,
                postgresql_where=sa.text(where),
                postgresql_concurrently=True,
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in _BUILT:
            _drop(name)


def _drop(name: str) -> None:
    op.drop_index(name, "jobs", if_exists=True, postgresql_concurrently=True)
