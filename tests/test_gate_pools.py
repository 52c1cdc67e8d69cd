"""Slots of a model's own, within those of its provider's account."""

from uuid import UUID

import pytest
from factories import Rewire, enqueue, job, put, run
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.upstream_answers import http
from sqlalchemy import select, update

from service.keys import NewKey
from service.models import Gate
from service.states import Status
from service.wiring import Wiring

CAPPED = "flux-kontext-max"
PICTURE = {"prompt": "a lighthouse at dusk"}


def capped(wiring: Wiring, key: NewKey, **wanted: str) -> UUID:
    return enqueue(wiring, key, model=CAPPED, input=PICTURE, **wanted)


def slots(wiring: Wiring) -> dict[str, int]:
    with wiring.database.transaction() as tx:
        return {row.pool: row.slots for row in tx.rows(select(Gate.pool, Gate.slots))}


def claimed(wiring: Wiring, limit: int = 24) -> list[str]:
    return [intent.model for intent in wiring.submit.claim(limit)]


def test_a_model_with_slots_of_its_own_takes_no_more_of_the_accounts(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    for whose in (key, other_key):
        for _ in range(5):
            capped(wiring, whose)
    assert claimed(wiring) == [CAPPED] * 6
    assert claimed(wiring) == []


def test_a_queue_of_a_full_model_keeps_nobody_from_free_slots(wiring: Wiring, key: NewKey) -> None:
    for _ in range(40):
        capped(wiring, key, priority="high")
    for _ in range(20):
        enqueue(wiring, key, priority="low")
    models = claimed(wiring)
    assert (models.count(CAPPED), models.count("flux-2-pro")) == (6, 18)


def test_a_backlog_of_a_full_model_costs_its_project_no_turn(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    for _ in range(30):
        capped(wiring, key)
    assert claimed(wiring, 6) == [CAPPED] * 6
    with_backlog = {enqueue(wiring, key) for _ in range(12)}
    others = {enqueue(wiring, other_key) for _ in range(18)}
    # the first six turns make up for what the backlog's project holds already
    sent = {intent.job_id for intent in wiring.submit.claim(18)}
    assert (len(sent & with_backlog), len(sent & others)) == (6, 12)


def test_a_model_of_its_own_slots_waits_for_the_accounts_as_well(
    rewire: Rewire, key: NewKey
) -> None:
    wiring = rewire(flux_max_active=2)
    for _ in range(3):
        capped(wiring, key)
    assert claimed(wiring) == [CAPPED] * 2


@pytest.mark.parametrize(("model", "left"), [(CAPPED, (24, 5)), ("flux-2-pro", (23, 6))])
def test_a_429_takes_a_slot_of_whom_it_was_about_and_an_acceptance_gives_it_back(
    rewire: Rewire, wiring: Wiring, key: NewKey, model: str, left: tuple[int, int]
) -> None:
    job_id = enqueue(wiring, key, model=model, input=PICTURE)
    with ScriptedPeer(answer(http(429))) as peer:
        run(rewire(flux_api_url=[peer.url]).submit)
    assert slots(wiring) == {"": left[0], CAPPED: left[1]}
    put(wiring, job_id, due_at=None)
    enqueue(wiring, key, model=model, input=PICTURE)
    with ScriptedPeer(answer(http(200, b'{"id": "t-1"}'))) as peer:
        run(rewire(flux_api_url=[peer.url]).submit)
    assert slots(wiring) == {"": 24, CAPPED: 6}


def test_a_pool_that_lost_its_limit_strands_no_job(wiring: Wiring, key: NewKey) -> None:
    enqueue(wiring, key)
    claimed(wiring)
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).where(Gate.pool == CAPPED).values(pool="of-an-older-release"))
    job_id = enqueue(wiring, key)
    put(wiring, job_id, pool="of-an-older-release")
    assert claimed(wiring) == ["flux-2-pro"]
    assert job(wiring, job_id).status is Status.SUBMITTING
