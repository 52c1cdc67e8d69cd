from collections.abc import Mapping
from uuid import uuid4

from conftest import migrate, named, new_database
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool


def tables(url: str) -> set[str]:
    return set(inspect(create_engine(url, poolclass=NullPool)).get_table_names())


def test_the_models_are_what_the_migrations_make(database_url: str) -> None:
    """`alembic check` ends with an error when a model has changed without a migration."""
    migrate(database_url, "check")


def test_up_down_and_up_again_leaves_the_same_tables(servers: Mapping[str, str]) -> None:
    with new_database(servers["DATABASE_URL"], "template1") as name:
        url = named(servers["DATABASE_URL"], name)
        migrate(url)
        first = tables(url)
        migrate(url, "downgrade", "base")
        assert tables(url) == {"alembic_version"}
        migrate(url)
        assert tables(url) == first
        assert {"jobs", "attempts", "job_events", "images", "deliveries"} <= first


def test_a_check_on_jobs_is_validated_in_a_migration_after_the_one_that_adds_it(
    servers: Mapping[str, str],
) -> None:
    """Adding it valid would read every job while nobody else may."""
    with new_database(servers["DATABASE_URL"], "template1") as name:
        url = named(servers["DATABASE_URL"], name)
        engine = create_engine(url, poolclass=NullPool)

        def unchecked() -> set[str]:
            found = text("SELECT conname FROM pg_constraint WHERE NOT convalidated")
            with engine.connect() as connection:
                return set(connection.execute(found).scalars())

        migrate(url, "upgrade", "0003")
        assert unchecked() == {"ck_jobs_on_unconfirmed", "ck_jobs_heard_by"}
        migrate(url)
        assert unchecked() == set()


def test_jobs_of_before_are_found_by_their_metadata_after_it(servers: Mapping[str, str]) -> None:
    with new_database(servers["DATABASE_URL"], "template1") as name:
        url = named(servers["DATABASE_URL"], name)
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        indexes = "SELECT indexname FROM pg_indexes WHERE indexname = 'ix_jobs_metadata'"

        def add(*numbers: int) -> None:
            job = """
                INSERT INTO jobs (id, project_id, status, model, input, metadata, priority,
                    request_sha256, callback_events, provider)
                SELECT lpad(number::text, 32, '0')::uuid, id, 'queued', 'm', '{}',
                    CASE number % 2 WHEN 1
                        THEN jsonb_build_object('a', number::text, 'b', '1') ELSE '{}' END,
                    1, 'x', '{}', 'p'
                FROM projects, unnest(CAST(:numbers AS int[])) number
            """
            with engine.connect() as connection:
                connection.execute(text(job), {"numbers": list(numbers)})

        def rows(statement: str) -> list[object]:
            with engine.connect() as connection:
                return list(connection.execute(text(statement)).scalars())

        migrate(url, "upgrade", "0014")
        with engine.connect() as connection:
            project = "INSERT INTO projects (id, name, callback_secrets) VALUES (:id, 'p', '{}')"
            connection.execute(text(project), {"id": uuid4()})
        add(*range(1, 7))
        migrate(url, "upgrade", "0015")
        # by code of before or after
        add(7, 8)
        assert len(rows("SELECT 1 FROM job_pairs")) == 2
        migrate(url)
        missing = """
            SELECT key FROM jobs, jsonb_each_text(metadata) WHERE NOT EXISTS (
                SELECT FROM job_pairs WHERE job_id = id AND pair = job_pair(project_id, key, value))
        """
        assert rows(missing) == []
        assert len(rows("SELECT 1 FROM job_pairs")) == 2 * 4
        assert rows(indexes) == []
        migrate(url, "downgrade", "0014")
        assert rows(indexes) == ["ix_jobs_metadata"]
        add(9)
