"""The gate: whose turn it is, how many may be upstream, and what closes it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from factories import (
    Rewire,
    due_now,
    enqueue,
    gate_row,
    job,
    put,
    run,
)
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.simulator import Simulator
from fakes.upstream_answers import http
from sqlalchemy import make_url, text, update

from service import gate
from service.keys import NewKey
from service.models import Gate, jobs
from service.states import HOLDS_SLOT, Status
from service.wiring import Wiring


def claimed(wiring: Wiring, limit: int) -> list[UUID]:
    return [intent.job_id for intent in wiring.submit.claim(limit)]


def test_the_more_urgent_job_of_a_project_goes_first_then_the_older(
    wiring: Wiring, key: NewKey
) -> None:
    low, normal, older, high = (
        enqueue(wiring, key, priority=word) for word in ("low", "normal", "normal", "high")
    )
    put(wiring, older, due_at=datetime.now(UTC) - timedelta(minutes=1))
    assert [claimed(wiring, 1) for _ in range(4)] == [[high], [older], [normal], [low]]


def test_projects_take_turns_however_much_one_of_them_has_queued(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    flood = {enqueue(wiring, key, priority="high") for _ in range(12)}
    few = {enqueue(wiring, other_key, priority="low") for _ in range(3)}
    first = set(claimed(wiring, 4))
    assert (len(first & flood), len(first & few)) == (2, 2)
    assert set(claimed(wiring, 1)) <= few | flood
    assert few <= first | set(claimed(wiring, 3))


def test_what_a_project_has_upstream_counts_as_turns_taken(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine = [enqueue(wiring, key) for _ in range(6)]
    assert len(claimed(wiring, 4)) == 4
    others = [enqueue(wiring, other_key) for _ in range(4)]
    assert set(claimed(wiring, 4)) == set(others)
    assert len(set(claimed(wiring, 4)) & set(mine)) == 2


def test_a_job_starts_at_its_time_and_not_after_its_end(wiring: Wiring, key: NewKey) -> None:
    now = datetime.now(UTC)
    later = enqueue(wiring, key, start_at=now + timedelta(hours=1))
    over = enqueue(wiring, key)
    put(wiring, over, expires_at=now - timedelta(seconds=1))
    ready = enqueue(
        wiring, key, start_at=now - timedelta(seconds=1), expires_at=now + timedelta(hours=1)
    )
    assert claimed(wiring, 10) == [ready]
    due_now(wiring, later)
    assert claimed(wiring, 10) == [later]


def test_three_workers_claiming_at_once_never_take_more_than_the_slots(
    rewire: Rewire, key: NewKey
) -> None:
    workers = [rewire(flux_max_active=8) for _ in range(3)]
    for _ in range(30):
        enqueue(workers[0], key)
    with ThreadPoolExecutor(12) as pool:
        batches = list(pool.map(lambda n: claimed(workers[n % 3], 5), range(24)))
    taken = [job_id for batch in batches for job_id in batch]
    assert len(taken) == len(set(taken)) == 8
    # a slot that is freed is taken once
    put(workers[0], taken[0], status=Status.STORING)
    with ThreadPoolExecutor(3) as pool:
        assert sum(map(len, pool.map(lambda worker: claimed(worker, 5), workers))) == 1


def test_slots_are_counted_by_one_worker_at_a_time(rewire: Rewire, key: NewKey) -> None:
    one, two = rewire(flux_max_active=1), rewire(flux_max_active=1)
    enqueue(one, key)
    claimed(one, 0)  # the gate's row is there
    with ThreadPoolExecutor(1) as pool:
        with one.database.transaction() as tx:
            assert gate.room(tx, "simulator", {gate.ACCOUNT: 1}) == {gate.ACCOUNT: 1}
            waiting = pool.submit(claimed, two, 1)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        assert len(waiting.result(10)) == 1


def test_a_job_that_may_be_upstream_holds_its_slot(rewire: Rewire, key: NewKey) -> None:
    wiring = rewire(flux_max_active=1)
    first, second = enqueue(wiring, key), enqueue(wiring, key)
    assert claimed(wiring, 5) == [first]
    for held in HOLDS_SLOT:
        put(wiring, first, status=held)
        assert claimed(wiring, 5) == []
    put(wiring, first, status=Status.STORING)
    assert claimed(wiring, 5) == [second]


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_account_closes_the_gate_and_a_probe_a_minute_opens_it(
    rewire: Rewire, wiring: Wiring, key: NewKey, simulator: Simulator, status: int
) -> None:
    job_ids = [enqueue(wiring, key) for _ in range(3)]
    with ScriptedPeer(answer(http(status))) as peer:
        refused = rewire(flux_api_url=[peer.url])
        run(refused.submit, 1)
        assert gate_row(wiring).closed_reason is not None
        for job_id in job_ids:
            due_now(wiring, job_id)
        assert run(refused.submit) == []
        let_gate_be_probed(wiring)
        assert len(run(refused.submit)) == 1
        let_queue_be_due(wiring, job_ids)
        assert run(refused.submit) == []
    assert len(peer.requests) == 2
    assert {job(wiring, one).status for one in job_ids} == {Status.QUEUED}
    assert 50 < gate_row(wiring).probe_at.timestamp() - time.time() <= 60
    let_gate_be_probed(wiring)
    let_queue_be_due(wiring, job_ids)
    assert len(run(wiring.submit)) == 1
    assert gate_row(wiring).closed_reason is None
    assert len(run(wiring.submit)) == 2


def let_gate_be_probed(wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).values(probe_at=datetime.now(UTC) - timedelta(seconds=1)))


def let_queue_be_due(wiring: Wiring, job_ids: list[UUID]) -> None:
    for job_id in job_ids:
        if job(wiring, job_id).status is Status.QUEUED:
            due_now(wiring, job_id)


def test_five_unknown_outcomes_in_a_row_close_the_gate_and_the_rest_wait_unharmed(
    rewire: Rewire, key: NewKey
) -> None:
    with ScriptedPeer(answer(http(500))) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        job_ids = [enqueue(wiring, key) for _ in range(12)]
        for _ in range(12):
            run(wiring.submit, 1)
        assert len(peer.requests) == 5
        let_gate_be_probed(wiring)
        for _ in range(3):
            run(wiring.submit)
        assert len(peer.requests) == 6
    assert [job(wiring, one).status for one in job_ids].count(Status.QUEUED) == 6
    assert 10 < gate_row(wiring).probe_at.timestamp() - time.time() <= 15


def test_a_definite_answer_in_between_starts_the_count_anew(
    rewire: Rewire, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    with ScriptedPeer(answer(http(500))) as peer:
        broken = rewire(flux_api_url=[peer.url])
        for _ in range(9):
            enqueue(broken, key)
        for _ in range(4):
            run(broken.submit, 1)
        run(wiring.submit, 1)
        for _ in range(4):
            run(broken.submit, 1)
    assert len(peer.requests) == 8
    assert gate_row(wiring).closed_reason is None


def test_nothing_is_bought_while_the_spool_is_nearly_full(
    rewire: Rewire, key: NewKey, simulator: Simulator
) -> None:
    wiring = rewire(spool_max_bytes=1000)
    kept = Path(wiring.settings.spool_dir) / "results" / "1.result"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(bytes(800))
    enqueue(wiring, key)
    assert run(wiring.submit) == []
    kept.write_bytes(bytes(799))
    assert len(run(wiring.submit)) == 1


@pytest.mark.parametrize("off", ["hashjoin", "mergejoin,hashagg,hashjoin,material,sort"])
def test_a_claim_takes_no_more_than_it_was_told_whatever_the_planner_chooses(
    rewire: Rewire, wiring: Wiring, key: NewKey, off: str
) -> None:
    for _ in range(12):
        enqueue(wiring, key)
    name = make_url(wiring.settings.database_url.get_secret_value()).database
    with wiring.database.transaction() as tx:
        for method in off.split(","):
            tx.execute(text(f"ALTER DATABASE {name} SET enable_{method} = off"))
    planned = rewire()
    assert len(planned.submit.claim(3)) == 3
    with planned.database.transaction() as tx:
        tx.execute(update(jobs).values(status=Status.GENERATING, task_id="t"))
        tx.execute(update(jobs).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert len(planned.poll.claim(3)) == 3
    with planned.database.transaction() as tx:
        tx.execute(update(jobs).values(status=Status.STORING, result_url="http://127.0.0.1:9/"))
        tx.execute(update(jobs).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert len(planned.store.claim(3)) == 3
