"""Looks at the jobs of before whether they pass the checks that came with 0003.

In a transaction of its own: reading every job with the locks of 0003 would stop the service.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHECKS = ("ck_jobs_on_unconfirmed", "ck_jobs_heard_by")


def upgrade() -> None:
    for check in _CHECKS:
        op.execute(f"ALTER TABLE jobs VALIDATE CONSTRAINT {check}")


def downgrade() -> None:
    """Nothing is to be undone: a check that was looked at only holds for more."""
