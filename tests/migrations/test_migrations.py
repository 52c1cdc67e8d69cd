from collections.abc import Mapping

from conftest import migrate, named, new_database
from sqlalchemy import create_engine, inspect
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
