"""Pace: a few at once after a rest, and then so many a second."""

from service.pace import Pace


def test_a_few_may_come_at_once_and_the_next_has_to_wait() -> None:
    pace = Pace(per_second=0.5, at_once=3)
    for _ in range(3):
        assert pace.wait_seconds == 0
        pace.count()
    assert 1.5 < pace.wait_seconds <= 2


def test_a_rest_allows_no_more_at_once_than_before() -> None:
    pace = Pace(per_second=1000, at_once=2)
    for _ in range(10):
        pace.count()
    slow = Pace(per_second=0.5, at_once=1)
    assert slow.wait_seconds == 0
    slow.count()
    assert slow.wait_seconds > 1.5
    assert pace.wait_seconds < 0.02
