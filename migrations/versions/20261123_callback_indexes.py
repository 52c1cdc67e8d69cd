"""The indexes by which callbacks are found by host, built while everybody goes on working."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PENDING = sa.text("status = 'pending'")
_GIVEN_UP = sa.text("status = 'exhausted'")
_BUILT: dict[str, tuple[list[str | sa.TextClause], sa.TextClause | None]] = {
    "ix_deliveries_due": (["project_id", "origin", "due_at"], _PENDING),
    "ix_deliveries_given_up": (["project_id", "id"], _GIVEN_UP),
    "ix_deliveries_listing": (["project_id", sa.text("id DESC")], None),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (columns, where) in _BUILT.items():
            # one that was given up half-way is there and of no use
            _drop(name)
            op.create_index(
                name,
                "deliveries",
                columns,
                postgresql_where=where,
                postgresql_concurrently=True,
            )
        _drop("ix_deliveries_deliver")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_deliveries_deliver",
            "deliveries",
            ["due_at"],
            postgresql_where=_PENDING,
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        for name in _BUILT:
            _drop(name)


def _drop(name: str) -> None:
    op.drop_index(name, "deliveries", if_exists=True, postgresql_concurrently=True)
