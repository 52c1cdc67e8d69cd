"""A silent database: waited for once, not for long, and used again as soon as it is back."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from chaos.proxy import Mode
from fakes.own_postgres import OwnPostgres, own_postgres
from fakes.ringing import Ringing
from fakes.waiting import wait_until
from sqlalchemy import func, insert, select, text

from service.database import Database, Transaction
from service.errors import DatabaseUnavailable
from service.models import Pulse
from service.patience import WEB, WORKERS, Outage

#: Several times our patience, and well below what a silent connection takes by itself.
LIMIT_SECONDS = 5.0
POOL_SIZE = 4


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture
def database(server: OwnPostgres) -> Iterator[Database]:
    """Transactions as the web process has them; one connection is made already."""
    server.heal()
    database = Database(server.url, Ringing(), pool_size=POOL_SIZE, patience=WEB)
    answers(database)
    yield database
    server.heal()
    database.dispose()


def answers(database: Database) -> bool:
    with database.transaction() as tx:
        return bool(tx.scalar(select(1)))


def is_back(database: Database) -> bool:
    try:
        return answers(database)
    except DatabaseUnavailable:
        return False


@contextmanager
def unavailable(why: str) -> Iterator[None]:
    """Expect an end in time, and the reason for it."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=why):
        yield
    assert time.monotonic() - began < LIMIT_SECONDS


def black_hole(server: OwnPostgres) -> None:
    server.proxy.set(Mode.BLACK_HOLE)


def no_answers(server: OwnPostgres) -> None:
    server.proxy.set(Mode.HALF_OPEN)


@pytest.mark.parametrize("silence", [black_hole, no_answers])
def test_a_connection_that_went_silent_is_given_up_and_replaced(
    server: OwnPostgres, database: Database, silence: Callable[[OwnPostgres], None]
) -> None:
    silence(server)
    with unavailable("DatabaseSilent"):
        answers(database)
    server.heal()
    wait_until(lambda: is_back(database), bool)


def test_a_stopped_server_is_given_up_and_used_again_when_it_goes_on(
    server: OwnPostgres, database: Database
) -> None:
    with server.frozen(), unavailable("DatabaseSilent"):
        answers(database)
    wait_until(lambda: is_back(database), bool)


def test_a_new_connection_to_a_silent_server_is_given_up(server: OwnPostgres) -> None:
    database = Database(server.url, Ringing(), pool_size=1, patience=WEB)
    server.proxy.set(Mode.BLACK_HOLE)
    with unavailable("DatabaseSilent"):
        answers(database)
    server.heal()
    wait_until(lambda: is_back(database), bool)
    database.dispose()


def test_silence_in_the_middle_ends_the_transaction_and_commits_nothing(
    server: OwnPostgres, database: Database
) -> None:
    def add(tx: Transaction) -> None:
        tx.execute(insert(Pulse).values(name="middle", at=func.now()))

    with unavailable("DatabaseSilent"), database.transaction() as tx:
        add(tx)
        server.proxy.set(Mode.BLACK_HOLE)
        tx.scalar(select(1))
    server.heal()
    wait_until(lambda: is_back(database), bool)
    with database.transaction() as tx:
        assert tx.scalar(select(Pulse.name).where(Pulse.name == "middle")) is None


def test_a_commit_whose_answer_never_comes_may_have_happened(
    server: OwnPostgres, database: Database
) -> None:
    with unavailable("DatabaseSilent"), database.transaction() as tx:
        tx.execute(insert(Pulse).values(name="commit", at=func.now()))
        server.proxy.set(Mode.HALF_OPEN)
    server.heal()
    wait_until(lambda: is_back(database), bool)
    with database.transaction() as tx:
        assert tx.scalar(select(Pulse.name).where(Pulse.name == "commit")) == "commit"


def test_after_silence_nobody_waits_in_vain(server: OwnPostgres, database: Database) -> None:
    server.proxy.set(Mode.BLACK_HOLE)
    with unavailable("DatabaseSilent"):
        answers(database)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(DatabaseUnavailable):
            answers(database)
    # most fail at once; one may have asked again meanwhile
    assert time.monotonic() - began < LIMIT_SECONDS


def test_all_who_ask_at_once_are_told_at_once(server: OwnPostgres, database: Database) -> None:
    """More of them than connections: who waits for one does not then wait for the server too."""
    server.proxy.set(Mode.BLACK_HOLE)
    began = time.monotonic()
    with ThreadPoolExecutor(4 * POOL_SIZE) as pool:
        assert not any(pool.map(lambda _: is_back(database), range(4 * POOL_SIZE)))
    assert time.monotonic() - began < LIMIT_SECONDS


def test_a_slow_statement_is_not_silence(database: Database) -> None:
    with unavailable("QueryCanceled"), database.transaction() as tx:
        tx.execute(text("SELECT pg_sleep(60)"))
    assert answers(database)


def test_a_transaction_of_many_slow_statements_has_an_end_too(database: Database) -> None:
    with unavailable("OutOfTime"), database.transaction() as tx:
        for _ in range(100):
            tx.execute(text("SELECT pg_sleep(0.5)"))
    assert answers(database)


def test_a_server_that_was_restarted_is_used_at_once(
    server: OwnPostgres, database: Database
) -> None:
    server.crash()
    # a backend may outlive its postmaster for a moment
    wait_until(lambda: is_back(database), lambda back: not back)
    server.start()
    assert answers(database)


def test_neither_connections_nor_threads_are_left_behind(
    server: OwnPostgres, database: Database
) -> None:
    threads = threading.active_count()
    for _ in range(2):
        with server.frozen(), unavailable("DatabaseSilent"):
            answers(database)
        wait_until(lambda: is_back(database), bool)
    assert threading.active_count() == threads

    def connections() -> int:
        plain = server.server.environment["DATABASE_URL"].replace("+psycopg", "")
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'darkroom'"
        with psycopg.connect(plain) as own:
            found = own.execute(query).fetchone()
        assert found is not None
        return int(found[0])

    wait_until(connections, lambda count: count <= POOL_SIZE)


def test_an_asker_who_was_refused_leaves_the_question_to_the_next() -> None:
    outage = Outage(WORKERS)
    outage.began()

    def is_refused() -> bool:
        try:
            with pytest.raises(ConnectionRefusedError), outage.asking():
                raise ConnectionRefusedError
        except DatabaseUnavailable:
            return False
        return True

    wait_until(is_refused, bool)
    # at once, not after all the time that silence would have taken
    assert is_refused()


def test_while_one_asks_after_a_silence_the_others_go_without() -> None:
    outage = Outage(WORKERS)
    outage.began()

    def is_shut_out() -> bool:
        try:
            with outage.asking(), pytest.raises(DatabaseUnavailable), outage.asking():
                pass
        except DatabaseUnavailable:
            return False
        return True

    wait_until(is_shut_out, bool)
