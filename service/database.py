"""The one way to the database, and the one place that commits.

`with database.transaction() as tx:` gives a connection and collects doorbells; they ring after the
commit and are forgotten on rollback. No transaction stays open across a call to Flux, S3 or a
caller: steps claim, act, and record.
"""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Connection, Engine, Executable, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from service.errors import DatabaseUnavailable
from service.messages import Message
from service.patience import WORKERS, BoundedConnection, DatabaseSilent, Outage, Patience
from service.shortcut import Parameters, run

Ring = Callable[[Message], None]
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
#: The least that libpq takes; our own patience with a silent server may be shorter.
CONNECT_TIMEOUT_SECONDS = 2
#: A connection that has just been used is used again without a question, which would take as long
#: as a small statement, unless its server has hung up.
PING_AFTER_SECONDS = 0.2


def connect(url: str, *, pool_size: int, patience: Patience, keeps_plans: bool) -> Engine:
    """Return an engine that connects on first use, so that it is never shared by a fork."""
    plans = "force_generic_plan" if keeps_plans else "force_custom_plan"
    options = (
        f"-c statement_timeout={patience.statement_timeout_ms}"
        f" -c lock_timeout={patience.lock_timeout_ms}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}"
        f" -c plan_cache_mode={plans}"
        # what is acknowledged is on disk: a paid intent must not be lost with the server
        " -c synchronous_commit=on"
    )
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=patience.pool_timeout_seconds,
        # the one that was used last has its statements prepared and planned, and needs no question
        pool_use_lifo=True,
        # prompts and secrets are parameters, and errors are logged
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": options,
            "application_name": "darkroom",
            # a peer that is gone without a word is noticed in seconds, not in hours
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "tcp_user_timeout": 10_000,
        },
    )

    @event.listens_for(engine, "checkout")
    def ping(
        connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        """Find out whether the server is still there, unless it was a moment ago."""
        rested_seconds = time.monotonic() - record.info.get("used_at", 0.0)
        try:
            if rested_seconds >= PING_AFTER_SECONDS or _has_spoken(connection):
                engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            # nor are the others of the pool what they were
            raise InvalidatePoolError from error

    @event.listens_for(engine, "checkin")
    def note(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "do_connect")
    def bounded(
        _dialect: object, _record: object, arguments: list[Any], parameters: dict[str, Any]
    ) -> BoundedConnection:
        return BoundedConnection.connect(*arguments, **parameters)

    return engine


class Transaction:
    """What a step may do inside one transaction: execute, and ask for doorbells afterwards."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.rings: dict[Message, None] = {}
        self.counts: list[Callable[[], object]] = []

    def ring_after_commit(self, message: Message) -> None:
        """Ring a lane once this is committed; asking twice rings once."""
        self.rings[message] = None

    def count_after_commit(self, count: Callable[[], object]) -> None:
        """Raise a counter once this is committed: what is rolled back did not happen."""
        self.counts.append(count)

    def commit(self) -> None:
        """Make it durable."""
        self._connection.commit()

    def execute(self, statement: Executable, parameters: Parameters = None) -> int:
        """Execute a statement, once for each set of parameters; return how many rows it touched."""
        return run(self._connection, statement, parameters).rowcount

    def rows(self, statement: Executable, parameters: Parameters = None) -> list[Any]:
        """Return every row; statements here have a LIMIT of their own."""
        return list(run(self._connection, statement, parameters).all())

    def first(self, statement: Executable, parameters: Parameters = None) -> Any:  # noqa: ANN401 - a Row, by the statement's own columns
        """Return the first row, if there is one."""
        return run(self._connection, statement, parameters).first()

    def scalar(self, statement: Executable, parameters: Parameters = None) -> Any:  # noqa: ANN401 - a column's own type
        """Return the first column of the first row, or None."""
        return run(self._connection, statement, parameters).scalar()


class Database:
    """Transactions on one engine, with the doorbells they leave."""

    def __init__(
        self,
        url: str,
        ring: Ring,
        *,
        pool_size: int,
        patience: Patience = WORKERS,
        keeps_plans: bool = False,
    ) -> None:
        """Connect on first use, `pool_size` times at most.

        Whoever runs the same statements again and again `keeps_plans`: to plan one costs as much as
        to run it. The states that they ask for stand in their text (`constants`), or no kept plan
        could use the lanes' indexes. What people ask for is planned each time.
        """
        self._engine = connect(url, pool_size=pool_size, patience=patience, keeps_plans=keeps_plans)
        self._outage = Outage(patience)
        self._ring = ring

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commit what the block did, or nothing; then ring.

        Raises:
            DatabaseUnavailable: no connection, or it broke, fell silent, or leads to a standby. If
                that was during the commit, the rows may be there all the same: look them up by
                id, never assume a rollback.
        """
        return self._asking(is_look=False)

    def look(self) -> AbstractContextManager[Transaction]:
        """Read something with one statement, which is a transaction of its own.

        Raises:
            DatabaseUnavailable: as for `transaction`.
        """
        return self._asking(is_look=True)

    @contextmanager
    def _asking(self, *, is_look: bool) -> Iterator[Transaction]:
        try:
            with self._outage.asking(), self._engine.connect() as connection:
                self._outage.ended()
                pooled: Any = connection.connection.driver_connection
                pooled.stand_alone(each_statement=is_look)
                tx = Transaction(connection)
                yield tx
                if not is_look:
                    tx.commit()
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            if isinstance(_cause(error), DatabaseSilent):
                self._outage.began()
            raise DatabaseUnavailable(_reason(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated or isinstance(error.orig, ReadOnlySqlTransaction):
                raise DatabaseUnavailable(_reason(error)) from error
            raise
        for count in tx.counts:
            count()
        for message in tx.rings:
            self._ring(message)

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


def _has_spoken(connection: Any) -> bool:  # noqa: ANN401 - a psycopg connection
    """Say whether something came unasked: farewells, or the end of the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _cause(error: Exception) -> BaseException:
    return getattr(error, "orig", None) or error


def _reason(error: Exception) -> str:
    """Name the fault without the statement, its parameters or the server's address."""
    return type(_cause(error)).__name__
