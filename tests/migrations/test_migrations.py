from collections.abc import Mapping

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
