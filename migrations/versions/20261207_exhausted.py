"""The index of the callbacks that were given up has them newest first, as lists show them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_GIVEN_UP = sa.text("status = 'exhausted'")


def upgrade() -> None:
    _replace("ix_deliveries_given_up", "ix_deliveries_exhausted", sa.text("id DESC"))


def downgrade() -> None:
    _replace("ix_deliveries_exhausted", "ix_deliveries_given_up", "id")


def _replace(old: str, new: str, key: str | sa.TextClause) -> None:
    with op.get_context().autocommit_block():
        # one that was given up half-way is there and of no use
        _drop(new)
        op.create_index(
            new,
            "deliveries",
            ["project_id", key],
            postgresql_where=_GIVEN_UP,
            postgresql_concurrently=True,
        )
        _drop(old)


def _drop(name: str) -> None:
    op.drop_index(name, "deliveries", if_exists=True, postgresql_concurrently=True)
