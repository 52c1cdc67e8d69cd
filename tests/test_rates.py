"""Requests per minute: never more than the limit over all processes, and few statements."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest
from factories import project_id
from fakes.waiting import wait_until
from sqlalchemy import select, update

from service.errors import RateLimited
from service.keys import NewKey
from service.models import RequestCount
from service.rates import Rates
from service.wiring import Wiring


@pytest.fixture(autouse=True)
def _within_a_minute() -> None:
    """Begin early enough in a minute that a test ends in the same."""
    wait_until(lambda: datetime.now(UTC).second, lambda second: second < 45, 20)


@pytest.fixture
def owner(wiring: Wiring, key: NewKey) -> UUID:
    """A project."""
    return project_id(wiring, key)


def let_through(rates: Rates, owner: UUID, limit: int, count: int) -> int:
    """Ask so many times at once; return how many requests were let through."""

    def one(_: int) -> bool:
        try:
            rates.take(owner, limit)
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        return sum(threads.map(one, range(count)))


def granted(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(RequestCount.granted)) or 0
    return found


def test_processes_share_one_limit_to_the_last_request(wiring: Wiring, owner: UUID) -> None:
    first, second = Rates(wiring.database), Rates(wiring.database)
    counts = [let_through(rates, owner, 50, 30) for rates in (first, second, first)]
    assert counts == [30, 20, 0]


def test_a_large_limit_is_granted_in_hundredths(wiring: Wiring, owner: UUID) -> None:
    assert let_through(Rates(wiring.database), owner, 60_000, 500) == 500
    assert 600 <= granted(wiring) <= 600 * 8


def test_what_is_left_is_told(wiring: Wiring, owner: UUID) -> None:
    rates = Rates(wiring.database)
    assert [rates.take(owner, 3).remaining for _ in range(3)] == [2, 1, 0]
    with pytest.raises(RateLimited, match="3 requests of this minute are used up") as refused:
        rates.take(owner, 3)
    assert 1 <= (refused.value.retry_after_seconds or 0) <= 60
    known = rates.of(owner)
    assert known is not None
    assert known.remaining == 0


def test_who_is_over_the_limit_costs_the_database_nothing(wiring: Wiring, owner: UUID) -> None:
    rates = Rates(wiring.database)
    let_through(rates, owner, 2, 20)
    before = granted(wiring)
    assert let_through(rates, owner, 2, 200) == 0
    assert granted(wiring) == before


def test_another_minute_begins_anew(wiring: Wiring, owner: UUID) -> None:
    rates = Rates(wiring.database)
    assert let_through(rates, owner, 5, 9) == 5
    with wiring.database.transaction() as tx:
        tx.execute(update(RequestCount).values(minute=RequestCount.minute - 1))
    assert let_through(Rates(wiring.database), owner, 5, 9) == 5


def test_who_asked_in_the_minute_before_does_not_begin_it_anew(wiring: Wiring, owner: UUID) -> None:
    assert let_through(Rates(wiring.database), owner, 5, 5) == 5
    # somebody who came later was first: the row is of the next minute already
    with wiring.database.transaction() as tx:
        tx.execute(update(RequestCount).values(minute=RequestCount.minute + 1))
    assert let_through(Rates(wiring.database), owner, 5, 5) == 0


def test_a_clock_that_was_set_back_holds_nobody_up(wiring: Wiring, owner: UUID) -> None:
    assert let_through(Rates(wiring.database), owner, 5, 5) == 5
    with wiring.database.transaction() as tx:
        tx.execute(update(RequestCount).values(minute=RequestCount.minute + 60))
    assert let_through(Rates(wiring.database), owner, 5, 5) == 5


def test_a_lowered_limit_counts_at_once(wiring: Wiring, owner: UUID) -> None:
    rates = Rates(wiring.database)
    assert let_through(rates, owner, 10, 4) == 4
    assert let_through(rates, owner, 3, 5) == 0
