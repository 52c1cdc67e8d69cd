"""An index of the webhooks whose attempt is not there: they are few, and so is what it keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_NAME = "ix_flux_webhooks_unmatched"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # one that was given up half-way is there and of no use
        _drop()
        op.create_index(
            _NAME,
            "flux_webhooks",
            ["attempt_id"],
            postgresql_where=sa.text("effect = 'unmatched'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        _drop()


def _drop() -> None:
    op.drop_index(_NAME, "flux_webhooks", if_exists=True, postgresql_concurrently=True)
