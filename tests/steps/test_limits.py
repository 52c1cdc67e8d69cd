"""What a project may spend and queue: never over, whoever asks at once, and settled by truth."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

import pytest
from factories import enqueue, job, project_id
from generation.minimal import minimal_input
from sqlalchemy import update

from service.errors import CallerError, CreditsSpent, InvalidRequest, QueueFull
from service.keys import NewKey
from service.models import jobs
from service.states import ErrorCode, Status
from service.wiring import Wiring

#: What one of `factories.enqueue` costs, credits.
ONE = Decimal(3)


def spent(wiring: Wiring, key: NewKey) -> Decimal:
    _, usage = wiring.projects.of(project_id(wiring, key))
    assert usage.credits_today is not None
    return usage.credits_today


def at_once(wiring: Wiring, key: NewKey, count: int) -> list[str]:
    """Hand in so many jobs at once; return what came of each."""

    def one(_: int) -> str:
        try:
            enqueue(wiring, key)
        except CallerError as error:
            return error.code
        return "accepted"

    with ThreadPoolExecutor(16) as threads:
        return list(threads.map(one, range(count)))


def test_a_hundred_at_once_never_spend_more_than_the_day_has(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"credits_per_day": Decimal(10)})
    came = at_once(wiring, key, 100)
    assert came.count("accepted") == 3
    assert came.count("credits_spent") == 97
    assert spent(wiring, key) == 3 * ONE


def test_a_refusal_names_the_wait_until_the_next_day(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"credits_per_day": Decimal("2.99")})
    with pytest.raises(CreditsSpent, match=r"3 credits; 2\.99 of the 2\.99") as refused:
        enqueue(wiring, key)
    assert 0 < (refused.value.retry_after_seconds or 0) <= 86_401


def test_a_repeat_with_the_same_key_is_no_new_spending(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"credits_per_day": ONE})
    same = {"idempotency_key": "k", "sha256": b"same"}
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: enqueue(wiring, key, **same), range(40)))
    assert len(found) == 1
    assert spent(wiring, key) == ONE


def test_a_model_without_a_price_does_not_fit_a_limit(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"credits_per_day": Decimal(1000)})
    unpriced = [m for m in wiring.enqueue.catalogue.models.values() if m.price is None]
    assert unpriced
    with pytest.raises(InvalidRequest, match="no published price"):
        enqueue(wiring, key, model=unpriced[0].name, input=minimal_input(unpriced[0]))


def test_what_is_withdrawn_is_given_back(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"credits_per_day": ONE})
    job_id = enqueue(wiring, key)
    wiring.enqueue.cancel(project_id(wiring, key), job_id)
    wiring.sweep()
    assert spent(wiring, key) == 0
    enqueue(wiring, key)


def test_an_actual_cost_takes_the_place_of_what_was_reserved(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"credits_per_day": Decimal(100)})
    cheap, dear, charged, unpaid = (enqueue(wiring, key) for _ in range(4))
    for job_id, actual, status, task in (
        (cheap, "1.5", Status.SUCCEEDED, "t1"),
        (dear, "7", Status.SUCCEEDED, "t2"),
        (charged, None, Status.FAILED, "t3"),
        (unpaid, None, Status.FAILED, None),
    ):
        _end(wiring, job_id, status, None if actual is None else Decimal(actual), task)
    wiring.sweep()
    assert spent(wiring, key) == Decimal("1.5") + 7 + ONE
    wiring.sweep()
    assert spent(wiring, key) == Decimal("1.5") + 7 + ONE


def _end(
    wiring: Wiring, job_id: UUID, status: Status, actual: Decimal | None, task_id: str | None
) -> None:
    with wiring.database.transaction() as tx:
        was = Status.STORING if status is Status.SUCCEEDED else Status.SUBMITTING
        facts = {"status": was, "cost_actual": actual, "task_id": task_id}
        tx.execute(update(jobs).where(jobs.c.id == job_id).values(**facts))
        if status is Status.SUCCEEDED:
            assert wiring.moves.move(tx, job_id, status, "It is there")
        else:
            assert wiring.moves.fail(tx, job_id, ErrorCode.UPSTREAM_REJECTED, "No")


def test_no_more_jobs_wait_than_may(wiring: Wiring, key: NewKey) -> None:
    wiring.projects.change("default", {"max_queued": 7})
    came = at_once(wiring, key, 40)
    assert came.count("accepted") == 7
    assert came.count("queue_full") == 33
    with pytest.raises(QueueFull, match="At most 7"):
        enqueue(wiring, key)


def test_no_more_jobs_are_upstream_than_may(wiring: Wiring, key: NewKey, other_key: NewKey) -> None:
    wiring.projects.change("default", {"max_active": 2})
    mine = [enqueue(wiring, key) for _ in range(5)]
    others = [enqueue(wiring, other_key) for _ in range(3)]
    claimed = {intent.job_id for intent in wiring.submit.claim(20)}
    assert len(claimed & set(mine)) == 2
    assert claimed >= set(others)
    assert wiring.submit.claim(20) == []


def test_without_limits_nothing_is_kept_of_spending(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    assert job(wiring, job_id).reserved_on is None
