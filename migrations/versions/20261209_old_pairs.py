"""The pairs of the jobs that were there before; the index that found jobs by them goes."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

#: Jobs at a time: no transaction stays open for long.
_AT_A_TIME = 20_000
_INDEX = "ix_jobs_metadata"
_FILL = sa.text(f"""
    WITH filled AS (
        SELECT id, project_id, metadata FROM jobs WHERE id > :after AND metadata <> '{{}}'
        ORDER BY id LIMIT {_AT_A_TIME} FOR KEY SHARE
    ), added AS (
        INSERT INTO job_pairs (pair, job_id)
        SELECT job_pair(project_id, key, value), id FROM filled, jsonb_each_text(metadata)
        -- one that was given up half-way has left some
        ON CONFLICT DO NOTHING
    )
    SELECT id FROM filled ORDER BY id DESC LIMIT 1
""").bindparams(sa.bindparam("after", type_=sa.Uuid()))


def upgrade() -> None:
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        after: UUID | None = UUID(int=0)
        while after is not None:
            after = connection.scalar(_FILL, {"after": after})
        # lists read pairs by their index alone as soon as this is known of them
        op.execute("VACUUM ANALYZE job_pairs")
        _drop()


def downgrade() -> None:
    with op.get_context().autocommit_block():
        # one that was given up half-way is there and of no use
        _drop()
        op.create_index(
            _INDEX,
            "jobs",
            ["metadata"],
            postgresql_using="gin",
            postgresql_ops={"metadata": "jsonb_path_ops"},
            postgresql_where=sa.text("metadata <> '{}'"),
            postgresql_concurrently=True,
        )


def _drop() -> None:
    op.drop_index(_INDEX, "jobs", if_exists=True, postgresql_concurrently=True)
