"""What a database holds that callers and operators are shown of errors and events."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from service.models import Base

_COLUMNS = frozenset({"closed_reason", "detail", "error", "error_message", "message", "reason"})


def shown(database_url: str) -> Iterator[str]:
    """Yield the errors and events of a database, as far as a test has left it its tables."""
    engine = create_engine(database_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with contextlib.suppress(ProgrammingError), engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            columns = [column for column in table.c if column.name in _COLUMNS]
            if columns:
                words = func.concat_ws(" ", *columns)
                yield from connection.scalars(select(words).where(words != ""))
