"""Vitals: nothing is bought that could not be kept."""

import io

import pytest
from fakes.ringing import Ringing

from service.messages import Message
from service.vitals import Vitals


class Spool:
    """Says whether it has room."""

    def __init__(self) -> None:
        self.room = True

    def has_room(self) -> bool:
        return self.room


@pytest.fixture
def spool() -> Spool:
    return Spool()


@pytest.fixture
def vitals(spool: Spool, ringing: Ringing) -> Vitals:
    return Vitals(spool.has_room, lambda: ringing(Message.STORE))


def test_all_is_well_until_somebody_says_otherwise(vitals: Vitals) -> None:
    assert vitals.trouble() is None
    assert vitals.bucket_is_well


def test_one_failed_put_is_a_hiccup_two_in_a_row_hold(vitals: Vitals) -> None:
    vitals.bucket_failed("S3 put: SlowDown")
    assert vitals.trouble() is None
    vitals.bucket_answered()
    vitals.bucket_failed("S3 put: SlowDown")
    assert vitals.trouble() is None
    vitals.bucket_failed("S3 put: SlowDown")
    assert vitals.trouble() == "S3 does not take results: SlowDown"
    assert not vitals.bucket_is_well


def test_a_failed_probe_holds_at_once_and_says_why(vitals: Vitals) -> None:
    vitals.bucket_is_away("S3 put: AccessDenied")
    assert vitals.trouble() == "S3 does not take results: AccessDenied"


def test_a_bucket_that_is_back_releases_and_has_the_spool_drained(
    vitals: Vitals, ringing: Ringing
) -> None:
    vitals.bucket_answered()
    assert ringing.rung == []
    vitals.bucket_is_away("S3 put: ConnectTimeoutError")
    vitals.bucket_answered()
    assert vitals.trouble() is None
    assert ringing.rung == [Message.STORE]


def test_a_spool_without_room_holds_as_long_as_it_is_full(vitals: Vitals, spool: Spool) -> None:
    spool.room = False
    assert vitals.trouble() == "the spool of results is nearly full"
    spool.room = True
    assert vitals.trouble() is None


def test_every_trouble_is_named_and_each_is_released_by_itself(vitals: Vitals) -> None:
    vitals.hold("receiver", "nobody answers")
    vitals.bucket_is_away("S3 put: 503")
    assert vitals.trouble() == "S3 does not take results: 503; nobody answers"
    vitals.release("receiver")
    assert vitals.trouble() == "S3 does not take results: 503"
    vitals.release("receiver")


def test_it_is_logged_when_it_changes_and_not_each_time_it_is_asked(
    vitals: Vitals, lines: io.StringIO
) -> None:
    for _ in range(5):
        vitals.trouble()
    vitals.bucket_is_away("S3 put: 503")
    for _ in range(5):
        vitals.trouble()
    vitals.bucket_answered()
    for _ in range(5):
        vitals.trouble()
    assert lines.getvalue().count("submit_held") == 1
    assert lines.getvalue().count("submit_resumed") == 1
