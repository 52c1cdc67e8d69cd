"""A statement that has run before runs again past most of SQLAlchemy.

SQLAlchemy compiles a statement once and remembers how its columns are read. Yet for each run it
prepares for all that a statement might be and that a result might be asked for, which takes longer
than to have a small one answered. What it remembers is all that a usual statement needs: the text,
what makes parameters of values, and what makes rows of an answer. The first run, and whatever is
not usual, stays with SQLAlchemy, and so does what an error means for the connection.
"""
# ruff: noqa: SLF001 - what SQLAlchemy remembers is its own; no statement would run if it moved

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import Connection, CursorResult, Row
from sqlalchemy.sql.compiler import WARN_LINTING, SQLCompiler

#: Values for a statement's parameters; a statement that is kept and run again costs half of one
#: that is built anew.
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

#: Without it SQLAlchemy forgets the count of an INSERT and says -1, which is true.
_KEEP = {"preserve_rowcount": True}
#: A cursor knows how to write what its statement is given and to read what it answers, and is kept
#: with its connection for the next run. It holds its last answer until then, if that is not large.
FEW_ROWS = 20
#: As many statements as psycopg keeps prepared; the one that was not run for longest goes.
MOST_CURSORS = 100


class Answer:
    """What of SQLAlchemy's result our steps ask for."""

    __slots__ = ("_cursor", "_known")

    def __init__(self, cursor: psycopg.Cursor[Any], known: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        self._cursor = cursor
        self._known = known

    @property
    def rowcount(self) -> int:
        """Return how many rows were touched or found."""
        return self._cursor.rowcount

    def all(self) -> list[Any]:
        """Return every row."""
        return list(map(self._row(), self._cursor.fetchall()))

    def first(self) -> Any:  # noqa: ANN401 - a Row, by the statement's own columns
        """Return the first row, if there is one."""
        values = self._cursor.fetchone()
        return None if values is None else self._row()(values)

    def scalar(self) -> Any:  # noqa: ANN401 - a column's own type
        """Return the first column of the first row, or None."""
        row = self.first()
        return None if row is None else row[0]

    def _row(self) -> "partial[Row[Any]]":
        known = self._known
        return partial(Row, known, known._effective_processors, known._key_to_index)


def run(
    connection: Connection,
    statement: Any,  # noqa: ANN401 - an Executable, and what it hides
    parameters: Parameters,
) -> Answer | CursorResult[Any]:
    """Execute a statement, once for each set of parameters.

    Raises:
        DBAPIError: the driver's error, as SQLAlchemy puts it.
    """
    said = parameters[0] if isinstance(parameters, list) and len(parameters) == 1 else parameters
    if isinstance(said, dict | None) and not _is_watched(connection):
        compiled, own, collected, _ = statement._compile_w_cache(
            connection.dialect,
            compiled_cache=connection.engine._compiled_cache,
            column_keys=sorted(said or ()),
            linting=connection.dialect.compiler_linting | WARN_LINTING,
        )
        if _is_usual(compiled):
            values = compiled.construct_params(
                said, escape_names=False, extracted_parameters=own, _collected_params=collected
            )
            return _ask(connection, compiled, values)
    return connection.execute(statement, parameters, execution_options=_KEEP)


def _is_watched(connection: Connection) -> bool:
    """Say whether somebody listens to statements; they are told by SQLAlchemy."""
    if not (connection._has_events or connection.engine._has_events):
        return False
    told = connection.dispatch
    return bool(told.before_cursor_execute or told.after_cursor_execute)


def _is_usual(compiled: Any) -> bool:  # noqa: ANN401 - a compiled statement, and what it hides
    """Say whether it is known how its rows are read, and its text is all there is to it."""
    return isinstance(compiled, SQLCompiler) and not (
        compiled.isplaintext
        or (compiled._result_columns and compiled._cached_metadata is None)
        or compiled.post_compile_params
        or compiled.literal_execute_params
        or compiled.insert_prefetch
        or compiled.update_prefetch
        or compiled.escaped_bind_names
    )


def _ask(connection: Connection, compiled: Any, values: dict[str, Any]) -> Answer:  # noqa: ANN401 - as above
    for name, process in compiled._bind_processors.items():
        values[name] = process(values[name])
    if not connection.in_transaction():
        connection.begin()
    pooled: Any = connection.connection
    kept = pooled.info.setdefault("cursors", {})
    text = compiled.string
    # one that fails is closed, and not put back
    cursor = kept.pop(text, None)
    try:
        if cursor is None:
            cursor = pooled.cursor()
        cursor.execute(text, values)
    except BaseException as error:  # noqa: BLE001 - raised again below
        # what is no fault of the statement is raised as it is
        blamed = text if isinstance(error, psycopg.Error) else None
        connection._handle_dbapi_exception(error, blamed, values, cursor, None)
    if cursor.rowcount <= FEW_ROWS:
        kept[text] = cursor
    if len(kept) > MOST_CURSORS:
        del kept[next(iter(kept))]
    return Answer(cursor, compiled._cached_metadata)
