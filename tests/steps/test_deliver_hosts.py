"""One lane per host: who is slow, dead or busy holds up nobody else, and is not hammered."""

from typing import Any
from uuid import UUID

import pytest
from factories import ago, enqueue, job
from fakes.ringing import Ringing
from sqlalchemy import Row, select, update

from service.keys import NewKey
from service.messages import Message
from service.models import CallbackHost, Delivery, DeliveryStatus
from service.steps.deliver import Owed, Try
from service.steps.deliver.hosts import UNWELL_FAILURES, UNWELL_SECONDS
from service.steps.deliver.lane import JITTER, LATE_SECONDS, PLACES_PER_HOST
from service.wiring import Wiring

ONE, OTHER = "http://127.0.0.1:9001", "http://127.0.0.1:9002"
WELL, BROKEN = Try(http_status=200), Try(error="connecting failed: refused")


def owe(wiring: Wiring, key: NewKey, origin: str, count: int) -> None:
    """Owe a caller several callbacks."""
    for _ in range(count):
        job_id = enqueue(wiring, key, callback_url=f"{origin}/hook")
        wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)


def origins(claimed: list[Owed]) -> list[str]:
    return sorted(one.origin for one in claimed)


def host(wiring: Wiring) -> Row[Any]:
    with wiring.database.transaction() as tx:
        row: Row[Any] = tx.first(select(*CallbackHost.__table__.c))
    return row


def all_are_due(wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(Delivery).where(Delivery.due_at.is_not(None)).values(due_at=ago(1)))


def fail_for_long(wiring: Wiring, key: NewKey) -> None:
    """Have a host fail so often and so long that it is unwell, with more owed to it."""
    owe(wiring, key, ONE, PLACES_PER_HOST)
    for _ in range(UNWELL_FAILURES // PLACES_PER_HOST + 1):
        with wiring.database.transaction() as tx:
            tx.execute(update(CallbackHost).values(failing_since=ago(UNWELL_SECONDS + 1)))
        all_are_due(wiring)
        claimed = wiring.deliver.claim(100)
        assert claimed
        wiring.deliver.record([(one, BROKEN) for one in claimed])
    all_are_due(wiring)


def probe_is_due(wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(CallbackHost).values(probe_at=ago(1)))


def test_a_host_takes_no_more_places_than_it_has(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, PLACES_PER_HOST + 3)
    owe(wiring, key, OTHER, 2)
    claimed = wiring.deliver.claim(100)
    assert origins(claimed) == [ONE] * PLACES_PER_HOST + [OTHER] * 2
    assert wiring.deliver.claim(100) == []
    first = next(one for one in claimed if one.origin == ONE)
    wiring.deliver.record([(first, WELL)])
    assert origins(wiring.deliver.claim(100)) == [ONE]


def test_whoever_frees_a_place_of_a_full_host_looks_again(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    owe(wiring, key, ONE, PLACES_PER_HOST + 1)
    claimed = wiring.deliver.claim(100)
    ringing.rung.clear()
    wiring.deliver.record([(claimed[0], WELL)])
    assert Message.DELIVER in ringing.rung


def test_the_longest_waiting_goes_first_whoever_it_is_for(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, 1)
    owe(wiring, key, OTHER, 1)
    owe(wiring, key, ONE, 1)
    assert [one.origin for one in wiring.deliver.claim(2)] != []
    assert origins(wiring.deliver.claim(100)) == [ONE]


def test_a_host_that_fails_for_long_is_tried_by_one_call_at_a_time(
    wiring: Wiring, key: NewKey
) -> None:
    fail_for_long(wiring, key)
    assert host(wiring).reason == BROKEN.error
    assert wiring.deliver.claim(100) == []
    probe_is_due(wiring)
    assert len(wiring.deliver.claim(100)) == 1
    assert wiring.deliver.claim(100) == []


def test_a_host_that_is_back_is_called_as_before(wiring: Wiring, key: NewKey) -> None:
    fail_for_long(wiring, key)
    probe_is_due(wiring)
    (probe,) = wiring.deliver.claim(100)
    wiring.deliver.record([(probe, WELL)])
    assert host(wiring).failing_since is None
    assert len(wiring.deliver.claim(100)) == PLACES_PER_HOST - 1


def test_a_few_failures_or_a_short_trouble_change_nothing(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, PLACES_PER_HOST)
    for _ in range(UNWELL_FAILURES // PLACES_PER_HOST + 1):
        all_are_due(wiring)
        wiring.deliver.record([(one, BROKEN) for one in wiring.deliver.claim(100)])
    assert host(wiring).failures >= UNWELL_FAILURES
    assert host(wiring).probe_at is None


def test_what_one_projects_host_does_is_no_other_projects_matter(
    wiring: Wiring, key: NewKey
) -> None:
    fail_for_long(wiring, key)
    other = wiring.keys.create("another")
    owe(wiring, other, ONE, 2)
    claimed = wiring.deliver.claim(100)
    assert {one.project_id for one in claimed} == {project_of(wiring, claimed[0].job_id)}
    assert len(claimed) == 2


def project_of(wiring: Wiring, job_id: UUID) -> UUID:
    found: UUID = job(wiring, job_id).project_id
    return found


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 301])
def test_every_answer_but_success_and_410_counts_against_a_host(
    wiring: Wiring, key: NewKey, status: int
) -> None:
    owe(wiring, key, ONE, 1)
    (one,) = wiring.deliver.claim(1)
    wiring.deliver.record([(one, Try(http_status=status))])
    assert (host(wiring).failures, host(wiring).reason) == (1, f"answered {status}")


@pytest.mark.parametrize("status", [200, 204, 410])
def test_who_answers_well_or_has_had_enough_is_well(
    wiring: Wiring, key: NewKey, status: int
) -> None:
    owe(wiring, key, ONE, 1)
    (one,) = wiring.deliver.claim(1)
    wiring.deliver.record([(one, Try(http_status=status))])
    assert host(wiring) is None


def test_what_an_unwell_host_keeps_waiting_past_its_schedule_is_given_up(
    wiring: Wiring, key: NewKey
) -> None:
    owe(wiring, key, ONE, 1)
    owe(wiring, key, OTHER, 1)
    whole = sum(wiring.settings.callback_schedule_seconds)
    with wiring.database.transaction() as tx:
        late = update(Delivery).where(Delivery.origin == ONE)
        tx.execute(late.values(began_at=ago(whole * (1 + JITTER) + LATE_SECONDS + 1)))
    wiring.deliver.expire()
    with wiring.database.transaction() as tx:
        rows = tx.rows(select(Delivery.origin, Delivery.status))
    assert {row.origin: row.status for row in rows} == {
        ONE: DeliveryStatus.EXHAUSTED,
        OTHER: DeliveryStatus.PENDING,
    }
