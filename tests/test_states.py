"""The tables of states agree with each other."""

from service.states import (
    ENTERED_FROM,
    FAILED_FROM,
    HOLDS_SLOT,
    MAYBE_CHARGED,
    PROMOTABLE,
    TERMINAL,
    ErrorCode,
    Status,
)


def reachable(start: Status) -> set[Status]:
    found = {start}
    while more := {to for to in Status if ENTERED_FROM[to] & found} - found:
        found |= more
    return found


def test_every_state_can_be_reached_and_left_towards_an_end() -> None:
    assert set(ENTERED_FROM) == set(Status)
    assert reachable(Status.QUEUED) == set(Status)
    for status in Status:
        assert reachable(status) & TERMINAL


def test_an_end_is_an_end_but_for_a_promotion() -> None:
    left = {source for sources in ENTERED_FROM.values() for source in sources} & TERMINAL
    assert left == {Status.FAILED}
    assert {to for to in Status if Status.FAILED in ENTERED_FROM[to]} == set(PROMOTABLE)


def test_no_failure_is_left_for_where_it_may_come_from_again() -> None:
    for to, codes in PROMOTABLE.items():
        assert all(to not in FAILED_FROM[code] for code in codes), to


def test_only_a_job_not_known_to_be_taken_goes_back_to_the_queue_or_is_withdrawn() -> None:
    assert ENTERED_FROM[Status.QUEUED] == {Status.SUBMITTING, Status.UNCONFIRMED}
    assert ENTERED_FROM[Status.SUBMITTING] == ENTERED_FROM[Status.CANCELED] == {Status.QUEUED}


def test_every_failure_comes_from_states_that_may_fail() -> None:
    assert set(FAILED_FROM) == set(ErrorCode)
    assert all(sources <= ENTERED_FROM[Status.FAILED] for sources in FAILED_FROM.values())
    assert set().union(*FAILED_FROM.values()) == ENTERED_FROM[Status.FAILED]


def test_what_may_be_promoted_may_have_been_charged() -> None:
    codes = frozenset[ErrorCode]().union(*PROMOTABLE.values())
    assert codes == PROMOTABLE[Status.STORING] == MAYBE_CHARGED | {ErrorCode.EXPIRED}
    assert all(FAILED_FROM[code] <= HOLDS_SLOT for code in MAYBE_CHARGED)
