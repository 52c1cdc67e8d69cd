"""Callbacks that are asked for again, or had by two workers at once, while a try is under way."""

from uuid import UUID

import pytest
from factories import Rewire, deliveries
from steps.owing import in_seconds, owed, tries

from service.keys import NewKey
from service.models import DeliveryStatus
from service.steps.deliver import Try
from service.wiring import Wiring


def test_of_two_workers_that_had_it_at_once_the_one_that_succeeded_ends_it(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = owed(wiring, key, "http://127.0.0.1:9/hook")
    (claim,) = wiring.deliver.claim(1)
    asked_for_again(wiring, job_id)
    wiring.deliver.busy.runs.clear()
    (other,) = wiring.deliver.claim(1)
    wiring.deliver.record([(claim, [Try(500)])])
    wiring.deliver.record([(other, [Try(200)])])
    (row,) = deliveries(wiring, job_id)
    assert (row.status, row.tries) == (DeliveryStatus.DELIVERED, 2)
    assert [one.http_status for one in tries(wiring)] == [500, 200]


def test_a_failure_and_a_success_noted_together_are_a_success(wiring: Wiring, key: NewKey) -> None:
    job_id = owed(wiring, key, "http://127.0.0.1:9/hook")
    (claim,) = wiring.deliver.claim(1)
    wiring.deliver.record([(claim, [Try(200)]), (claim, [Try(500)])])
    assert deliveries(wiring, job_id)[0].status is DeliveryStatus.DELIVERED


def asked_for_again(wiring: Wiring, job_id: UUID) -> None:
    (row,) = deliveries(wiring, job_id)
    wiring.redeliver.one(row.project_id, row.id)


@pytest.mark.parametrize("status", [500, 410])
def test_what_is_asked_for_again_during_its_last_try_begins_anew(
    rewire: Rewire, key: NewKey, status: int
) -> None:
    wiring = rewire(callback_schedule_seconds=[0])
    job_id = owed(wiring, key, "http://127.0.0.1:9/hook")
    (claim,) = wiring.deliver.claim(1)
    asked_for_again(wiring, job_id)
    wiring.deliver.record([(claim, [Try(status)])])
    (row,) = deliveries(wiring, job_id)
    assert (row.status, row.tries, row.tries_before) == (DeliveryStatus.PENDING, 1, 1)
    assert in_seconds(row) <= 0
    assert len(tries(wiring)) == 1


def test_what_is_asked_for_again_during_a_try_that_succeeds_is_delivered(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = owed(wiring, key, "http://127.0.0.1:9/hook")
    (claim,) = wiring.deliver.claim(1)
    asked_for_again(wiring, job_id)
    wiring.deliver.record([(claim, [Try(200)])])
    (row,) = deliveries(wiring, job_id)
    assert (row.status, row.due_at) == (DeliveryStatus.DELIVERED, None)
