"""Jobs that a filter finds are withdrawn or tried again together, each at most once."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import pytest
from factories import enqueue, job, project_id, put
from sqlalchemy import func, select, update

from service.errors import CreditsSpent, QueueFull
from service.keys import NewKey
from service.models import Project, jobs
from service.states import ErrorCode, Status
from service.steps.browse import JobFilter, Matched, Span, matching
from service.steps.enqueue import together
from service.wiring import Wiring

ENDED = frozenset({Status.FAILED, Status.CANCELED})
QUEUED = frozenset({Status.QUEUED})


def failed(wiring: Wiring, key: NewKey, count: int = 1, **wanted: object) -> list[UUID]:
    """Return failed jobs, newest first."""
    made = [enqueue(wiring, key, **wanted) for _ in range(count)]
    with wiring.database.transaction() as tx:
        ended = {"status": Status.FAILED, "error_code": ErrorCode.INTERNAL}
        tx.execute(update(jobs).where(jobs.c.id.in_(made)).values(**ended, completed_at=func.now()))
    return made[::-1]


def found(
    wiring: Wiring,
    key: NewKey,
    states: frozenset[Status] = ENDED,
    only: JobFilter = JobFilter(),  # noqa: B008 - frozen
    span: Span | None = None,
    *,
    most: int = 100,
) -> Matched:
    return wiring.matching.find(project_id(wiring, key), only, states, most, span)


def retry(wiring: Wiring, key: NewKey, ids: Sequence[UUID]) -> together.TriedAgain:
    return wiring.together.retry(project_id(wiring, key), ids)


def retries(wiring: Wiring) -> list[UUID]:
    with wiring.database.transaction() as tx:
        rows = tx.rows(select(jobs.c.retry_of).where(jobs.c.retry_of.is_not(None)))
    return [row.retry_of for row in rows]


def test_the_newest_that_match_are_found_with_what_they_cost(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    failed(wiring, other_key)
    mine = failed(wiring, key, 3, metadata={"order": "17"})
    failed(wiring, key)
    enqueue(wiring, key, metadata={"order": "17"})
    put(wiring, mine[0], cost_estimated=None)
    only = JobFilter(metadata={"order": "17"})
    seen = found(wiring, key, only=only, most=2)
    assert (seen.ids, seen.count, seen.is_cut) == (mine[:2], 3, False)
    assert (seen.credits, seen.unpriced) == (Decimal(3), 1)
    assert found(wiring, key, only=JobFilter(status=Status.SUCCEEDED)).ids == []
    by_code = JobFilter(error_code=ErrorCode.INTERNAL)
    assert found(wiring, key, only=by_code).count == 4
    assert found(wiring, key, only=JobFilter(error_code=ErrorCode.EXPIRED)).count == 0


def test_no_more_are_looked_at_than_a_limit_which_is_said(
    wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MAX_LOOKED_AT", 2)
    mine = failed(wiring, key, 3)
    seen = found(wiring, key)
    assert (seen.ids, seen.count, seen.is_cut) == (mine[:2], 2, True)


def test_what_was_tried_again_is_left_out(wiring: Wiring, key: NewKey) -> None:
    tried, other = failed(wiring, key, 2)
    wiring.enqueue.retry(project_id(wiring, key), tried, None)
    assert found(wiring, key).ids == [other]


def test_a_span_holds_what_was_shown_and_nothing_that_ended_since(
    wiring: Wiring, key: NewKey
) -> None:
    oldest, meanwhile = failed(wiring, key)[0], enqueue(wiring, key)
    mine = failed(wiring, key, 2)
    seen = found(wiring, key, most=2)
    assert seen.ids == mine
    whole = found(wiring, key).span
    late = {"status": Status.FAILED, "error_code": ErrorCode.INTERNAL}
    with wiring.database.transaction() as tx:
        ended = update(jobs).where(jobs.c.id == meanwhile)
        tx.execute(ended.values(**late, completed_at=func.now()))
    failed(wiring, key)
    assert found(wiring, key, span=seen.span).ids == mine
    assert found(wiring, key, span=whole).ids == [*mine, oldest]


def test_together_is_tried_again_once_however_often_it_is_asked(
    wiring: Wiring, key: NewKey
) -> None:
    mine = failed(wiring, key, 3)
    assert retry(wiring, key, mine).count == 3
    assert found(wiring, key).ids == []
    assert retry(wiring, key, mine).count == 0
    assert sorted(retries(wiring)) == sorted(mine)


def test_a_limit_of_the_project_stops_it_and_says_what_is_left(wiring: Wiring, key: NewKey) -> None:
    mine = failed(wiring, key, 3)
    with wiring.database.transaction() as tx:
        tx.execute(update(Project).values(max_queued=1))
    done = retry(wiring, key, mine)
    assert (done.count, done.left, done.refused) == (1, 2, 0)
    assert isinstance(done.stopped, QueueFull)
    with wiring.database.transaction() as tx:
        tx.execute(update(Project).values(max_queued=None, credits_per_day=Decimal(1)))
    assert isinstance(retry(wiring, key, mine[1:]).stopped, CreditsSpent)


def test_one_that_is_refused_does_not_stop_the_others(wiring: Wiring, key: NewKey) -> None:
    first, second = failed(wiring, key, 2)
    put(wiring, first, model="flux-0")
    done = retry(wiring, key, [first, second])
    assert (done.count, done.refused, done.left, done.stopped) == (1, 1, 0, None)
    assert done.refusal is not None
    assert done.refusal.errors[0].pointer == "/model"


def test_only_what_is_still_queued_is_withdrawn(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine = [enqueue(wiring, key) for _ in range(3)][::-1]
    assert found(wiring, key, QUEUED).ids == mine
    put(wiring, mine[0], resubmitted=True)
    seen = found(wiring, key, QUEUED).ids
    assert seen == mine[1:]
    put(wiring, mine[1], status=Status.GENERATING)
    theirs = enqueue(wiring, other_key)
    assert wiring.together.cancel(project_id(wiring, key), [*seen, theirs]) == (1, 0)
    assert job(wiring, mine[2]).status is Status.CANCELED
    assert job(wiring, theirs).status is Status.QUEUED


def test_nobody_waits_for_ever(
    wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "MAX_SECONDS", 0.0)
    mine = failed(wiring, key, 2)
    assert retry(wiring, key, mine).left == 2
    assert wiring.together.cancel(project_id(wiring, key), mine) == (0, 2)
