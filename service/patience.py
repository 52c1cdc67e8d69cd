"""How long this process waits for the database, and that nobody waits in vain right afterwards.

A database that is shut down refuses at once. One that was stopped, or that lies behind a network
which drops packets, says nothing, and its kernel may go on acknowledging what we send: no option of
a socket notices that. So every wait for an answer has an end here. A wait that ended closes its
connection, and all others of its pool are replaced before they are used again.
"""

import math
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready

from service.errors import DatabaseUnavailable

#: How long nobody asks a database that has said nothing.
PAUSE_SECONDS = 1.0

Wish = TypeVar("Wish")
Found = TypeVar("Found")


class DatabaseSilent(psycopg.OperationalError):
    """Asked, it said nothing in time; it may do all the same what it was asked for."""


class OutOfTime(psycopg.OperationalError):
    """It answers, but the transaction as a whole has taken too long."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a transaction may take.

    The server's own limits end a slow statement, or a wait for a lock, well before it could be
    taken for silence.
    """

    #: Without a word: for connecting, a ping, a statement, a commit.
    silence_seconds: float
    #: From the wish for a connection to the end of the commit.
    transaction_seconds: float
    #: For a connection of the pool.
    pool_timeout_seconds: float
    statement_timeout_ms: int
    lock_timeout_ms: int


#: Somebody waits for the answer: two seconds at most, whatever the database does.
WEB = Patience(
    silence_seconds=1.5,
    transaction_seconds=1.8,
    pool_timeout_seconds=1.5,
    statement_timeout_ms=1_100,
    lock_timeout_ms=900,
)
#: Nobody waits; what a busy database does late is done.
WORKERS = Patience(
    silence_seconds=10.0,
    transaction_seconds=60.0,
    pool_timeout_seconds=2.0,
    statement_timeout_ms=8_000,
    lock_timeout_ms=5_000,
)


class _Asking:
    """One transaction of the thread it belongs to, as far as its time goes."""

    __slots__ = ("_give_up_at", "_is_silent", "_outage", "_silence_seconds", "_token", "_turn")

    def __init__(self, outage: "Outage", patience: Patience) -> None:
        self._outage = outage
        self._silence_seconds = patience.silence_seconds
        self._give_up_at = time.monotonic() + patience.transaction_seconds
        self._is_silent = False

    def __enter__(self) -> None:
        self._turn = self._outage.admit()
        self._token = _asking.set(self)

    def __exit__(self, *_: object) -> None:
        _asking.reset(self._token)
        self._outage.pass_on(self._turn)

    def bounded(
        self, work: Generator[Wish, Ready | int, Found]
    ) -> Generator[Wish, Ready | int, Found]:
        """Return psycopg's dialogue with the server, which it resumes ten times a second or so.

        Raises:
            DatabaseSilent: nothing was heard for too long.
            OutOfTime: the transaction is over, silent or not.
        """
        silent_at = time.monotonic() + self._silence_seconds
        self._check(math.inf)
        try:
            wish = next(work)
            while True:
                self._check(silent_at)
                ready = yield wish
                if ready:
                    silent_at = time.monotonic() + self._silence_seconds
                wish = work.send(ready)
        except StopIteration as end:
            found: Found = end.value
            return found
        finally:
            work.close()

    def end(self) -> None:
        """Wait no second time: a ping that was not answered is followed by a new connection."""
        self._is_silent = True

    def _check(self, silent_at: float) -> None:
        now = time.monotonic()
        if self._is_silent or now >= silent_at:
            raise DatabaseSilent("no answer in time")
        if now >= self._give_up_at:
            raise OutOfTime("the transaction took too long")


_asking: ContextVar[_Asking | None] = ContextVar("asking", default=None)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose waits end in time; afterwards it is closed, and its transaction undone."""

    def wait(self, gen: PQGen[Found], *args: Any, **kwargs: Any) -> Found:  # noqa: ANN401 - psycopg's own
        """Wait for what was asked; every statement, commit and rollback passes here.

        Raises:
            DatabaseSilent: nothing was heard for too long.
            OutOfTime: the transaction has taken too long.
        """
        asking = _asking.get()
        if asking is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(asking.bounded(gen), *args, **kwargs)
        except DatabaseSilent:
            asking.end()
            # a late answer would be taken for that of the next question
            self.close()
            raise
        except OutOfTime:
            self.close()
            raise

    def stand_alone(self, *, each_statement: bool) -> None:
        """Make each statement from now on a transaction, or all until the next commit one.

        Nothing is asked for that, and so there is nothing to wait for, as psycopg's setter does.
        """
        self._autocommit = each_statement

    def rollback(self) -> None:
        """Undo it, if there is anything: the pool asks for it whenever a connection comes back."""
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            super().rollback()

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        asking = _asking.get()
        work = super()._connect_gen(conninfo)
        return work if asking is None else asking.bounded(work)


class Outage:
    """Remembers silence: for a second nobody asks, then one does while the others go without."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._ask_again_at = 0.0

    def asking(self) -> AbstractContextManager[None]:
        """Give the block's questions to the database an end.

        Raises:
            DatabaseUnavailable: it was silent a moment ago.
        """
        return _Asking(self, self._patience)

    def began(self) -> None:
        """Note that the database was silent just now."""
        self._ask_again_at = time.monotonic() + PAUSE_SECONDS

    def ended(self) -> None:
        """Note that it answers."""
        self._ask_again_at = 0.0

    def admit(self) -> float:
        """Return until when the others go without; 0 if all may ask."""
        with self._lock:
            if not self._ask_again_at:
                return 0.0
            now = time.monotonic()
            if now < self._ask_again_at:
                raise DatabaseUnavailable(DatabaseSilent.__name__)
            self._ask_again_at = now + self._patience.silence_seconds
            return self._ask_again_at

    def pass_on(self, turn: float) -> None:
        """Let the next one ask if who had the turn found neither an answer nor silence.

        It was refused, or found no connection free: that says nothing to the others.
        """
        with self._lock:
            if turn and self._ask_again_at == turn:
                self._ask_again_at = time.monotonic()
