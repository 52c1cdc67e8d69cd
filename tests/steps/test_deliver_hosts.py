"""One lane per host: who is slow, dead or busy holds up nobody else, and is not hammered."""

from dataclasses import replace
from typing import Any

import pytest
from factories import ago, all_came_to, enqueue, job, project_id
from fakes.webhook_sink import WebhookSink
from sqlalchemy import Row, select, update

from service.keys import NewKey
from service.models import CallbackHost, Delivery, DeliveryStatus
from service.steps.deliver import Run, Try
from service.steps.deliver.busy import FIRST_RUN, MAX_RUN
from service.steps.deliver.due import PLACES_PER_HOST, PLACES_PER_PROJECT
from service.steps.deliver.hosts import UNWELL_FAILURES, UNWELL_SECONDS
from service.steps.deliver.lane import JITTER, LATE_SECONDS
from service.wiring import Wiring

ONE, OTHER = "http://127.0.0.1:9001", "http://127.0.0.1:9002"
WELL, BROKEN = Try(http_status=200), Try(error="connecting failed: refused")


def owe(wiring: Wiring, key: NewKey, origin: str, count: int) -> None:
    """Owe a caller several callbacks."""
    for _ in range(count):
        job_id = enqueue(wiring, key, callback_url=f"{origin}/hook")
        wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)


def places(claimed: list[Run]) -> list[str]:
    return sorted(run.host[1] for run in claimed)


def count(claimed: list[Run]) -> int:
    return sum(len(run.owed) for run in claimed)


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
        assert all_came_to(wiring, BROKEN)
    all_are_due(wiring)


def probe_is_due(wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(CallbackHost).values(probe_at=ago(1)))


def test_a_host_takes_no_more_places_than_it_has(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, PLACES_PER_HOST + 3)
    owe(wiring, key, OTHER, 2)
    claimed = wiring.deliver.claim(100)
    assert places(claimed) == [ONE] * PLACES_PER_HOST + [OTHER] * 2
    owe(wiring, key, ONE, 1)
    assert wiring.deliver.claim(100) == []
    first = next(run for run in claimed if run.host[1] == ONE)
    wiring.deliver.record([(first, [WELL] * len(first.owed))])
    assert places(wiring.deliver.claim(100)) == [ONE]


def test_in_a_place_several_go_one_after_the_other(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, FIRST_RUN + 9)
    first = wiring.deliver.claim(1)
    assert [len(run.owed) for run in first] == [FIRST_RUN]
    assert sorted(len(run.owed) for run in wiring.deliver.claim(100)) == [3, 3, 3]


def test_a_host_that_keeps_up_gets_more_at_a_time_and_a_slow_one_what_it_took(
    wiring: Wiring, key: NewKey
) -> None:
    owe(wiring, key, ONE, 4 * FIRST_RUN)
    (first,) = wiring.deliver.claim(1)
    wiring.deliver.record([(first, [WELL] * FIRST_RUN)])
    (second,) = wiring.deliver.claim(1)
    assert len(second.owed) == 2 * FIRST_RUN
    wiring.deliver.record([(second, [WELL])])
    (third,) = wiring.deliver.claim(1)
    assert len(third.owed) == 1
    for _ in range(10):
        wiring.deliver.busy.end([(Run(list(second.owed) * 8), [WELL] * 64)])
    assert wiring.deliver.busy.paces == {third.host: MAX_RUN}


def test_one_projects_hosts_leave_places_to_the_others(wiring: Wiring, key: NewKey) -> None:
    for number in range(3):
        owe(wiring, key, f"http://127.0.0.1:{9100 + number}", 1)
    other = wiring.keys.create("another")
    owe(wiring, other, OTHER, 2)
    owe(wiring, other, ONE, 1)
    first = wiring.deliver.claim(4)
    mine = [run.host[0] == project_id(wiring, key) for run in first]
    assert sorted(mine) == [False, False, True, True]


def test_a_project_has_so_many_places_and_no_more(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, 2)
    for run in wiring.deliver.claim(1):
        wiring.deliver.busy.runs.extend([replace_host(run)] * (PLACES_PER_PROJECT - 1))
    assert wiring.deliver.claim(256) == []
    wiring.deliver.busy.runs.pop()
    owe(wiring, key, OTHER, 2)
    assert places(wiring.deliver.claim(256)) == [OTHER]


def replace_host(run: Run) -> Run:
    """Return a run of the same project to somewhere else."""
    return Run([replace(run.owed[0], origin="http://127.0.0.1:9003")])


def test_what_a_slow_host_leaves_no_time_for_is_not_tried_and_due_at_once(
    wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.steps.deliver.lane.RUN_SECONDS", 0.0)
    with WebhookSink() as sink:
        owe(wiring, key, sink.url.rpartition("/")[0], 3)
        (run,) = wiring.deliver.claim(1)
        tries = wiring.deliver.act(run)
        assert len(sink.calls) == len(tries) == 1
    wiring.deliver.record([(run, tries)])
    again = wiring.deliver.claim(100)
    assert {one.id for run in again for one in run.owed} == {one.id for one in run.owed[1:]}
    assert {one.tries for run in again for one in run.owed} == {0}


def test_what_somebody_else_has_by_now_is_not_given_back(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, 2)
    (run,) = wiring.deliver.claim(1)
    all_are_due(wiring)
    wiring.deliver.busy.runs.clear()
    assert count(wiring.deliver.claim(1)) == 2
    wiring.deliver.record([(run, [WELL])])
    wiring.deliver.busy.runs.clear()
    assert wiring.deliver.claim(100) == []


def test_each_host_has_a_place_before_any_has_a_second(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, PLACES_PER_HOST)
    owe(wiring, key, OTHER, 1)
    assert places(wiring.deliver.claim(2)) == [ONE, OTHER]


def test_the_longest_waiting_host_goes_first(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, OTHER, 1)
    owe(wiring, key, ONE, 1)
    assert places(wiring.deliver.claim(1)) == [OTHER]


def test_whoever_frees_a_place_for_which_somebody_may_wait_looks_again(
    wiring: Wiring, key: NewKey
) -> None:
    owe(wiring, key, ONE, 1)
    (alone,) = wiring.deliver.claim(100)
    assert not wiring.deliver.record([(alone, [WELL])])
    owe(wiring, key, ONE, PLACES_PER_HOST)
    full, *_, last = wiring.deliver.claim(100)
    assert wiring.deliver.record([(full, [WELL])])
    assert wiring.deliver.record([(last, [BROKEN])])


def test_a_host_that_has_begun_to_fail_has_one_place(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, PLACES_PER_HOST)
    all_came_to(wiring, BROKEN)
    all_are_due(wiring)
    (run,) = wiring.deliver.claim(100)
    assert count([run]) == PLACES_PER_HOST
    wiring.deliver.record([(run, [WELL])])
    assert len(wiring.deliver.claim(100)) == PLACES_PER_HOST - 1


def test_a_host_that_fails_for_long_is_tried_by_one_call_at_a_time(
    wiring: Wiring, key: NewKey
) -> None:
    fail_for_long(wiring, key)
    assert host(wiring).reason == BROKEN.error
    assert wiring.deliver.claim(100) == []
    probe_is_due(wiring)
    assert count(wiring.deliver.claim(100)) == 1
    assert wiring.deliver.claim(100) == []


def test_a_host_that_is_back_is_called_as_before(wiring: Wiring, key: NewKey) -> None:
    fail_for_long(wiring, key)
    probe_is_due(wiring)
    (probe,) = wiring.deliver.claim(100)
    wiring.deliver.record([(probe, [WELL])])
    assert host(wiring).failing_since is None
    assert len(wiring.deliver.claim(100)) == PLACES_PER_HOST - 1


def test_a_few_failures_or_a_short_trouble_change_nothing(wiring: Wiring, key: NewKey) -> None:
    owe(wiring, key, ONE, PLACES_PER_HOST)
    for _ in range(UNWELL_FAILURES // PLACES_PER_HOST + 1):
        all_are_due(wiring)
        all_came_to(wiring, BROKEN)
    assert host(wiring).failures >= UNWELL_FAILURES
    assert host(wiring).probe_at is None


def test_what_one_projects_host_does_is_no_other_projects_matter(
    wiring: Wiring, key: NewKey
) -> None:
    fail_for_long(wiring, key)
    other = wiring.keys.create("another")
    owe(wiring, other, ONE, 2)
    claimed = wiring.deliver.claim(100)
    assert {run.host[0] for run in claimed} == {project_id(wiring, other)}
    assert count(claimed) == 2


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 301])
def test_every_answer_but_success_and_410_counts_against_a_host(
    wiring: Wiring, key: NewKey, status: int
) -> None:
    owe(wiring, key, ONE, 1)
    all_came_to(wiring, Try(http_status=status))
    assert (host(wiring).failures, host(wiring).reason) == (1, f"answered {status}")


@pytest.mark.parametrize("status", [200, 204, 410])
def test_who_answers_well_or_has_had_enough_is_well(
    wiring: Wiring, key: NewKey, status: int
) -> None:
    owe(wiring, key, ONE, 1)
    all_came_to(wiring, Try(http_status=status))
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
