"""A row for each pair of a job's metadata, which the database adds with the job."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ONLY_QUICK = "SET LOCAL lock_timeout = '5s'"
_PAIR = """
    CREATE FUNCTION job_pair(project_id uuid, name text, value text) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN substr(
        sha256(convert_to(jsonb_build_array(project_id, name, value)::text, 'UTF8')), 1, 16)
"""
# connections of web plan all that they run anew, which here takes longer than to run it
_ADD = """
    CREATE FUNCTION add_job_pairs() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan AS $$
    BEGIN
        INSERT INTO job_pairs (pair, job_id)
        SELECT job_pair(NEW.project_id, key, value), NEW.id FROM jsonb_each_text(NEW.metadata)
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
    $$
"""
# here and not in the statements that add jobs: old code goes on beside this, and adds more
_TRIGGER = """
    CREATE TRIGGER add_job_pairs AFTER INSERT OR UPDATE OF metadata ON jobs
    FOR EACH ROW WHEN (NEW.metadata <> '{}') EXECUTE FUNCTION add_job_pairs()
"""


def upgrade() -> None:
    op.execute(_ONLY_QUICK)
    op.create_table(
        "job_pairs",
        sa.Column("pair", sa.LargeBinary(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], ondelete="CASCADE", name=op.f("fk_job_pairs_job_id")
        ),
        sa.PrimaryKeyConstraint("pair", "job_id", name=op.f("pk_job_pairs")),
    )
    op.create_index("ix_job_pairs_job_id", "job_pairs", ["job_id"])
    for made in (_PAIR, _ADD, _TRIGGER):
        op.execute(made)


def downgrade() -> None:
    op.execute(_ONLY_QUICK)
    op.execute("DROP TRIGGER add_job_pairs ON jobs")
    op.execute("DROP FUNCTION add_job_pairs")
    op.execute("DROP FUNCTION job_pair")
    op.drop_table("job_pairs")
