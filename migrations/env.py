"""Alembic's entry: `alembic upgrade head` before new code starts (Procfile `release`).

Needs DATABASE_URL only. One migration runs at a time, whichever hosts try.
"""

import sys
from logging.config import dictConfig

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from service.models import Base
from service.settings import DatabaseSettings

_LOCK = 0x64617266  # any number that no other advisory lock of this database uses


def run() -> None:
    """Bring the schema up to date, or compare it with the models for `alembic check`."""
    dictConfig(
        {"version": 1, "disable_existing_loggers": False, "loggers": {"alembic": {"level": "INFO"}}}
    )
    engine = create_engine(DatabaseSettings().database_url.get_secret_value())
    try:
        connection = engine.connect()
    except OperationalError as error:
        sys.exit(f"DATABASE_URL: the database does not answer: {error.orig}")
    with connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        # ends the transaction that the statement began: Alembic commits only one of its own
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            # the locks of one migration are not held while the next one reads whole tables
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
