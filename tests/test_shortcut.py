"""A statement run again does and says what it did and said the first time, only sooner."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from types import FrameType
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import enqueue
from fakes.ringing import Ringing
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import Date, DateTime, Integer, LargeBinary, Numeric, Text, TypeEngine, Uuid

from service import shortcut
from service.database import Database
from service.keys import NewKey
from service.models import Pulse, jobs
from service.models.schema import words
from service.shortcut import Answer, run
from service.states import Status
from service.wiring import Wiring

_ADD = insert(Pulse).values(at=func.now())
_KNOWN = select(Pulse.name).where(Pulse.name == bindparam("called"))


@pytest.fixture
def connection(wiring: Wiring) -> Iterator[Connection]:
    engine = create_engine(wiring.settings.database_url.get_secret_value())
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def cursors(connection: Connection) -> dict[str, Any]:
    """Return those that are kept with a connection."""
    kept: dict[str, Any] = connection.info.get("cursors", {})
    return kept


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Uuid(), [uuid4(), UUID(int=7)]),
        (ARRAY(Uuid), [[uuid4()], [uuid4(), uuid4()]]),
        (ARRAY(Text), [["a", "ü"], []]),
        (words(Status, "status"), [Status.STORING, Status.FAILED]),
        (JSONB(), [{"deep": [{"er": None}], "ü": "\\u"}, []]),
        (DateTime(timezone=True), [datetime(2026, 11, 23, 1, 2, 3, 4, tzinfo=UTC)]),
        (Date(), [date(2026, 11, 23)]),
        (Numeric(14, 4), [Decimal("1234567890.1234"), Decimal("0.0400")]),
        (LargeBinary(), [b"\x00\xff", b""]),
        (Integer(), [1, 1 << 14, 1 << 30]),
        (Text(), ["%(a)s :b", "it's"]),
    ],
)
def test_values_of_every_kind_go_in_and_come_out_as_the_first_time(
    connection: Connection, kind: TypeEngine[Any], values: list[Any]
) -> None:
    echo = select(bindparam("said", type_=kind).label("heard"))
    for value in [*values, None, *values]:
        heard = run(connection, echo, {"said": value}).scalar()
        assert (heard, type(heard)) == (value, type(value))


def test_a_row_read_again_is_the_same_row(
    connection: Connection, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    whole = select(*jobs.c).where(jobs.c.id == job_id)
    first = connection.execute(whole).one()
    for answer in (run(connection, whole, None) for _ in range(3)):
        assert isinstance(answer, Answer)
        again = answer.first()
        assert again._asdict() == first._asdict()
        assert [type(value) for value in again] == [type(value) for value in first]
        assert again == first


def test_only_the_first_run_is_sqlalchemys(connection: Connection) -> None:
    found = [run(connection, _KNOWN, {"called": "a"}) for _ in range(3)]
    assert [isinstance(answer, Answer) for answer in found] == [False, True, True]
    # one that is built anew is no other
    built = [run(connection, select(Pulse.at).where(Pulse.name == name), None) for name in "ab"]
    assert [isinstance(answer, Answer) for answer in built] == [False, True]


@contextmanager
def seen() -> Iterator[list[str]]:
    found: list[str] = []

    def look(*said: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        found.append(said[2])

    event.listen(Engine, "before_cursor_execute", look)
    yield found
    event.remove(Engine, "before_cursor_execute", look)


def test_who_listens_hears_of_every_statement(connection: Connection) -> None:
    run(connection, _KNOWN, {"called": "a"})
    with seen() as found:
        for _ in range(3):
            run(connection, _KNOWN, {"called": "a"})
    assert len(found) == 3
    assert isinstance(run(connection, _KNOWN, {"called": "a"}), Answer)


def test_lists_many_values_and_plain_text_are_run_again_too(connection: Connection) -> None:
    def names(statement: Executable) -> list[str]:
        return [row.name for row in run(connection, statement, None).all()]

    for number in range(3):
        run(connection, _ADD, [{"name": f"{number}-{letter}"} for letter in "abc"[: number + 1]])
    for wanted in (["0-a"], ["1-a", "1-b"], [], ["2-c"]):
        assert names(select(Pulse.name).where(Pulse.name.in_(wanted))) == wanted
    for _ in range(2):
        assert len(names(text("SELECT name FROM pulses"))) == 6


def test_the_count_is_of_what_each_run_touched(connection: Connection) -> None:
    once = upsert(Pulse).values(at=func.now()).on_conflict_do_nothing()
    counts = [run(connection, once, {"name": name}).rowcount for name in "aabbc"]
    assert counts == [1, 0, 1, 0, 1]
    assert run(connection, once, [{"name": name} for name in "cdef"]).rowcount == 3
    assert [run(connection, select(Pulse.name), None).rowcount for _ in range(2)] == [6, 6]


def test_what_the_database_refuses_is_refused_in_sqlalchemys_words_each_time(
    wiring: Wiring,
) -> None:
    for name in ("a", "b"):
        with wiring.database.transaction() as tx:
            assert tx.execute(_ADD, {"name": name}) == 1
        for _ in range(2):
            with pytest.raises(IntegrityError) as refusal, wiring.database.transaction() as tx:
                tx.execute(_ADD, {"name": name})
            # parameters are secrets
            assert "hidden" in str(refusal.value)
    with wiring.database.transaction() as tx:
        assert [row.name for row in tx.rows(select(Pulse.name).order_by(Pulse.name))] == ["a", "b"]


class Late(Exception):
    """Raised between any two lines, as Celery does when a task takes too long."""


def test_whoever_interrupts_a_statement_is_not_taken_for_the_database(
    connection: Connection,
) -> None:
    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise Late

    nap = select(func.pg_sleep(bindparam("seconds")))
    for _ in range(2):
        run(connection, nap, {"seconds": 0})
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Late):
            run(connection, nap, {"seconds": 5})
    finally:
        signal.signal(signal.SIGALRM, before)
    connection.invalidate()


def test_cursors_are_kept_but_neither_large_answers_nor_too_many(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcut, "MOST_CURSORS", 3)
    series = select(func.generate_series(1, bindparam("count", type_=Integer)).label("n"))
    for count in (1, 5, shortcut.FEW_ROWS):
        assert len(run(connection, series, {"count": count}).all()) == count
    assert len(cursors(connection)) == 1
    run(connection, series, {"count": shortcut.FEW_ROWS + 1})
    assert len(cursors(connection)) == 0
    for width in (1, 2, 3, 4, 2):
        for _ in range(2):
            run(connection, select(*(literal(n).label(f"n{n}") for n in range(width))), None)
    assert [kept.count("%(") for kept in cursors(connection)] == [3, 4, 2]


def test_a_look_and_a_transaction_take_turns_on_one_connection(wiring: Wiring) -> None:
    url = wiring.settings.database_url.get_secret_value()
    database = Database(url, Ringing(), pool_size=1)
    state = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
    for name in "ab":
        with database.look() as tx:
            pid = tx.scalar(select(func.pg_backend_pid()))
            with wiring.database.transaction() as other:
                assert other.scalar(state, {"pid": pid}) == "idle"
        with pytest.raises(ZeroDivisionError), database.transaction() as tx:  # noqa: PT012
            assert tx.scalar(select(func.pg_backend_pid())) == pid
            tx.execute(_ADD, {"name": name})
            raise ZeroDivisionError
        with database.transaction() as tx:
            assert tx.scalar(_KNOWN, {"called": name}) is None
            tx.execute(_ADD, {"name": name})
        with database.look() as tx:
            assert tx.scalar(_KNOWN, {"called": name}) == name
    database.dispose()
