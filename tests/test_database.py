"""Transactions: all or nothing, doorbells after the commit, faults named without their secrets."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from factories import Rewire, enqueue, job
from fakes.ringing import Ringing
from fakes.scripted_peer import ScriptedPeer
from pydantic import SecretStr
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from service.database import Database
from service.errors import DatabaseUnavailable
from service.keys import NewKey
from service.messages import Message
from service.models import Pulse
from service.patience import WORKERS
from service.states import Status
from service.wiring import Wiring


def pulses(database: Database) -> int:
    with database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(Pulse))
    return found


def add(database: Database, name: str, error: type[Exception] | None = None) -> None:
    with database.transaction() as tx:
        tx.execute(insert(Pulse).values(name=name, at=func.now()))
        tx.ring_after_commit(Message.POLL)
        tx.ring_after_commit(Message.STORE)
        tx.ring_after_commit(Message.POLL)
        if error:
            raise error


def test_a_block_is_committed_whole_and_then_rung(wiring: Wiring, ringing: Ringing) -> None:
    seen: list[int] = []

    def ring(message: Message) -> None:
        ringing(message)
        seen.append(pulses(wiring.database))

    url = wiring.settings.database_url.get_secret_value()
    database = Database(url, ring, pool_size=2)
    add(database, "a")
    database.dispose()
    assert ringing.rung == [Message.POLL, Message.STORE]
    assert seen == [1, 1]


def test_an_error_undoes_everything_and_rings_nobody(wiring: Wiring, ringing: Ringing) -> None:
    with pytest.raises(ZeroDivisionError):
        add(wiring.database, "a", ZeroDivisionError)
    assert pulses(wiring.database) == 0
    assert ringing.rung == []


def test_a_wrong_statement_is_no_lack_of_a_database(wiring: Wiring) -> None:
    with pytest.raises(ProgrammingError), wiring.database.transaction() as tx:
        tx.execute(text("SELECT nonsense"))


SECRET_URL = "postgresql+psycopg://canary-user:canary-word@127.0.0.1:9/canary-name"


def test_no_server_is_unavailable_and_says_no_secret(rewire: Rewire) -> None:
    with pytest.raises(DatabaseUnavailable) as failure:
        pulses(rewire(database_url=SecretStr(SECRET_URL)).database)
    assert "canary" not in str(failure.value)


def test_a_server_that_says_nothing_is_unavailable_in_time(rewire: Rewire) -> None:
    def silent(_sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.closing.wait(30)

    with ScriptedPeer(silent) as peer:
        url = make_url(SECRET_URL).set(port=peer.port).render_as_string(hide_password=False)
        with pytest.raises(DatabaseUnavailable):
            pulses(rewire(database_url=SecretStr(url)).database)


def test_connections_cut_by_the_server_are_unavailable_once_and_replaced(wiring: Wiring) -> None:
    def cut_ours() -> None:
        engine = create_engine(wiring.settings.database_url.get_secret_value(), poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    with pytest.raises(DatabaseUnavailable), wiring.database.transaction() as tx:  # noqa: PT012
        tx.execute(insert(Pulse).values(name="a", at=func.now()))
        cut_ours()
        tx.execute(insert(Pulse).values(name="b", at=func.now()))
    assert pulses(wiring.database) == 0
    cut_ours()
    assert pulses(wiring.database) == 0  # a dead pooled connection is noticed before it is used


def test_a_used_up_pool_is_unavailable_and_not_a_hang(rewire: Rewire, wiring: Wiring) -> None:
    url = wiring.settings.database_url.get_secret_value()
    database = Database(url, Ringing(), pool_size=1)
    held, go_on = threading.Barrier(2), threading.Event()

    def hold() -> None:
        with database.transaction() as tx:
            tx.scalar(select(1))
            held.wait(10)
            go_on.wait(10)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold)
        held.wait(10)
        with pytest.raises(DatabaseUnavailable):
            pulses(database)
        go_on.set()
        holder.result()
    assert pulses(database) == 0
    database.dispose()


def test_a_read_only_database_is_unavailable_and_nothing_is_sent_or_lost(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    name = make_url(wiring.settings.database_url.get_secret_value()).database
    with wiring.database.transaction() as tx:
        tx.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    standby = rewire()
    with pytest.raises(DatabaseUnavailable):
        add(standby.database, "a")
    with pytest.raises(DatabaseUnavailable):
        standby.submit.claim(1)
    assert job(standby, job_id).status is Status.QUEUED


def test_a_lock_that_nobody_gives_back_ends_as_unavailable(wiring: Wiring) -> None:
    url = wiring.settings.database_url.get_secret_value()
    quick = replace(WORKERS, lock_timeout_ms=50)
    impatient = Database(url, Ringing(), pool_size=1, patience=quick)
    add(wiring.database, "a")
    with wiring.database.transaction() as tx:
        tx.execute(select(Pulse.name).with_for_update())
        with pytest.raises(DatabaseUnavailable, match="LockNotAvailable"):
            _ = add_for_update(impatient)
    impatient.dispose()


def add_for_update(database: Database) -> int:
    with database.transaction() as tx:
        return tx.execute(select(Pulse.name).with_for_update())
