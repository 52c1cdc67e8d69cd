"""The hours of the overview, and the index by which they are counted."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CREDITS = sa.Numeric(14, 4)
_TIME = sa.DateTime(timezone=True)
_LONG_AGO = sa.text("'1970-01-01Z'")
_BUILT: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "ix_endings_at": ("endings", ["at"], {}),
    "ix_callback_hosts_failing": (
        "callback_hosts",
        ["project_id", "failing_since"],
        {"postgresql_where": sa.text("failing_since IS NOT NULL")},
    ),
}


def upgrade() -> None:
    # first, while all goes on: who is stopped here begins anew
    with op.get_context().autocommit_block():
        for name, (table, columns, more) in _BUILT.items():
            # one that was given up half-way is there and of no use
            _drop(name, table)
            op.create_index(name, table, columns, postgresql_concurrently=True, **more)
    op.create_table(
        "hours",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("hour", _TIME, nullable=False),
        sa.Column("succeeded", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("canceled", sa.Integer(), nullable=False),
        sa.Column("polled", sa.Integer(), nullable=False),
        sa.Column("least_margin_seconds", sa.Float(), nullable=True),
        sa.Column("total_margin_seconds", sa.Float(), nullable=False),
        sa.Column("credits", _CREDITS, nullable=False),
        sa.Column("doubtful_credits", _CREDITS, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_hours_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("project_id", "hour", name="pk_hours"),
    )
    op.create_table(
        "folds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("through", _TIME, server_default=_LONG_AGO, nullable=False),
        sa.Column("mark", _TIME, server_default=_LONG_AGO, nullable=False),
        sa.Column("mark_transaction", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_folds"),
    )


def downgrade() -> None:
    op.drop_table("folds")
    op.drop_table("hours")
    with op.get_context().autocommit_block():
        for name, (table, _columns, _more) in _BUILT.items():
            _drop(name, table)


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
