"""Rounds: each goes on whatever becomes of it, and of the others."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import DatabaseUnavailable
from service.rounds import Rounds

WAIT_SECONDS = 10


@contextmanager
def making(**rounds: Callable[[], object]) -> Iterator[None]:
    made = Rounds({name: (0.01, act) for name, act in rounds.items()})
    made.start()
    yield
    made.stop()


def waits(semaphore: threading.Semaphore, times: int) -> bool:
    return all(semaphore.acquire(timeout=WAIT_SECONDS) for _ in range(times))


def test_a_round_is_made_at_once_and_again_and_again() -> None:
    made = threading.Semaphore(0)
    with making(one=made.release):
        assert waits(made, 3)


def test_a_round_that_hangs_delays_no_other() -> None:
    made, go_on = threading.Semaphore(0), threading.Event()
    with making(one=lambda: go_on.wait(WAIT_SECONDS), other=made.release):
        assert waits(made, 3)
        go_on.set()


def test_a_round_goes_on_after_a_crash(lines: io.StringIO) -> None:
    made = threading.Semaphore(0)

    def crash() -> None:
        made.release()
        raise ZeroDivisionError

    with making(one=crash):
        assert waits(made, 3)
    assert "round_crashed" in lines.getvalue()


def test_a_database_that_is_away_is_one_line_without_a_traceback(lines: io.StringIO) -> None:
    made = threading.Semaphore(0)

    def ask() -> None:
        made.release()
        raise DatabaseUnavailable("OperationalError")

    with making(one=ask):
        assert waits(made, 3)
    assert "round_waits_for_database" in lines.getvalue()
    assert "Traceback" not in lines.getvalue()


def test_stopped_rounds_are_not_made_again() -> None:
    began, go_on, made = threading.Event(), threading.Event(), []

    def once() -> None:
        made.append(1)
        began.set()
        go_on.wait(WAIT_SECONDS)

    # a name of its own: threads of other tests may still be about to end
    rounds = Rounds({"alone": (0.0, once)})
    rounds.start()
    assert began.wait(WAIT_SECONDS)
    rounds.stop()
    (thread,) = [one for one in threading.enumerate() if one.name == "round-alone"]
    go_on.set()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert made == [1]
