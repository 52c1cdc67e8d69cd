"""What survives deaths, restores and silent neighbours: policies, counts and marks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ONLY_QUICK = "SET LOCAL lock_timeout = '5s'"


#: Checked text. These hold for what is written from now on: to look at every job, as a checked
#: column would, is the next migration's, which keeps nobody away meanwhile.
_CHECKS = {
    "on_unconfirmed": ("fail", "resubmit"),
    "heard_by": ("webhook", "poll"),
}


def _words(name: str) -> sa.Enum:
    return sa.Enum(*_CHECKS[name], name=name, native_enum=False, length=40)


def upgrade() -> None:
    op.execute(_ONLY_QUICK)
    op.add_column(
        "jobs",
        sa.Column(
            "on_unconfirmed",
            _words("on_unconfirmed"),
            server_default="fail",
            nullable=False,
        ),
    )
    none = sa.text("0")
    op.add_column(
        "jobs",
        sa.Column("resubmitted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("jobs", sa.Column("deaths", sa.Integer(), server_default=none, nullable=False))
    op.add_column("images", sa.Column("deaths", sa.Integer(), server_default=none, nullable=False))
    op.add_column("jobs", sa.Column("kept_by", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("refusals", sa.Integer(), server_default=none, nullable=False))
    op.add_column("jobs", sa.Column("heard_by", _words("heard_by"), nullable=True))
    for name, words in _CHECKS.items():
        op.create_check_constraint(
            op.f(f"ck_jobs_{name}"), "jobs", sa.column(name).in_(words), postgresql_not_valid=True
        )
    op.add_column("gates", sa.Column("recent", sa.Integer(), server_default=none, nullable=False))
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "deployments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("mark_number", sa.BigInteger(), server_default=none, nullable=False),
        sa.Column("marked_at", moment, nullable=True),
        sa.Column("marked_in", sa.Text(), nullable=True),
        sa.Column("held_at", moment, nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
    )
    op.create_table(
        "balances",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("credits", sa.Numeric(14, 4), nullable=False),
        sa.PrimaryKeyConstraint("provider", "at", name=op.f("pk_balances")),
    )


def downgrade() -> None:
    op.execute(_ONLY_QUICK)
    op.drop_table("balances")
    op.drop_table("deployments")
    op.drop_column("gates", "recent")
    op.drop_column("jobs", "heard_by")
    op.drop_column("jobs", "refusals")
    op.drop_column("jobs", "kept_by")
    op.drop_column("images", "deaths")
    op.drop_column("jobs", "deaths")
    op.drop_column("jobs", "resubmitted")
    op.drop_column("jobs", "on_unconfirmed")
