"""Explain: a job's page knows why it waits, from the same facts as the claim."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from factories import ACCEPTED, ago, enqueue, job, project_id, put, run
from sqlalchemy import update

from service.gate import ACCOUNT_STATUSES, BREAKER_REASON
from service.keys import NewKey
from service.models import HELD_PULSE, Gate, Project, Pulse
from service.pulses import SWEEP_PULSE, beat
from service.states import ErrorCode, Status
from service.steps.explain import Line, Slots, line
from service.upstream import Refused, Unknown
from service.wiring import Wiring

CAPPED = {"model": "flux-kontext-max", "input": {"prompt": "a lighthouse"}}


def line_of(wiring: Wiring, job_id: UUID) -> Line:
    found = wiring.explain.read(job(wiring, job_id)).line
    assert found is not None
    return found


def before(wiring: Wiring, job_id: UUID) -> int | None:
    return line_of(wiring, job_id).before


def limit(wiring: Wiring, key: NewKey, max_active: int) -> None:
    mine = update(Project).where(Project.id == project_id(wiring, key))
    with wiring.database.transaction() as tx:
        tx.execute(mine.values(max_active=max_active))


def test_the_place_in_the_queue_is_that_of_the_claim(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    wanted = [
        (key, "normal"), (key, "low"), (key, "high"), (key, "normal"), (other_key, "low"),
        (other_key, "normal"), (other_key, "high"), (other_key, "normal"), (key, "low"),
        (other_key, "low"), (other_key, "low"), (key, "high"),
    ]  # fmt: skip
    ids = [enqueue(wiring, whose, priority=priority) for whose, priority in wanted]
    # a model with slots of its own waits in a line of its own
    assert before(wiring, enqueue(wiring, key, priority="low", **CAPPED)) == 0
    places = {one: before(wiring, one) for one in ids}
    for place in range(12):
        (intent,) = wiring.submit.claim(1)
        assert places[intent.job_id] == place


def test_turns_that_a_project_has_taken_put_it_behind_others(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    for _ in range(3):
        put(wiring, enqueue(wiring, key), status=Status.GENERATING)
    mine = enqueue(wiring, key)
    for _ in range(5):
        enqueue(wiring, other_key)
    # its turn is the fourth: of the other project's five, three come before
    assert before(wiring, mine) == 3
    limit(wiring, other_key, 2)
    assert before(wiring, mine) == 2


def test_what_is_not_due_is_before_nobody_and_has_no_place(wiring: Wiring, key: NewKey) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    waits = enqueue(wiring, key, priority="high", start_at=later)
    assert before(wiring, waits) is None
    assert before(wiring, enqueue(wiring, key)) == 0


def test_a_long_queue_is_counted_to_a_limit(
    wiring: Wiring, key: NewKey, other_key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "MAX_COUNTED", 3)
    monkeypatch.setattr(line, "_MANY", 4)
    ids = [enqueue(wiring, key) for _ in range(7)]
    assert [before(wiring, one) for one in ids] == [0, 1, 2, 3, 4, 4, 4]
    others = [enqueue(wiring, other_key) for _ in range(4)]
    assert [before(wiring, one) for one in others] == [1, 3, 4, 4]


def test_slots_are_told_as_they_are_counted(wiring: Wiring, key: NewKey) -> None:
    assert wiring.submit.claim(1) == []
    limit(wiring, key, 2)
    put(wiring, enqueue(wiring, key), status=Status.GENERATING)
    put(wiring, enqueue(wiring, key, **CAPPED), status=Status.UNCONFIRMED)
    told = line_of(wiring, enqueue(wiring, key, **CAPPED))
    assert (told.account, told.pool, told.project) == (Slots(24, 2), Slots(6, 1), Slots(2, 2))
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).where(Gate.pool == "").values(slots=9))
    told = line_of(wiring, enqueue(wiring, key))
    assert (told.account, told.pool) == (Slots(9, 2), None)


def test_a_closed_gate_says_why_and_when_it_is_tried(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    assert line_of(wiring, job_id).closed_reason is None
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, Refused(401, "no", 1.0))])
    told = line_of(wiring, job_id)
    assert (told.closed_reason, told.probe_every_seconds) == (ACCOUNT_STATUSES[401], 60)
    assert told.probe_at is not None
    assert 50 < (told.probe_at - datetime.now(UTC)).total_seconds() <= 60
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).values(closed_reason=BREAKER_REASON))
    assert line_of(wiring, job_id).probe_every_seconds == 15


def test_what_holds_workers_back_is_told_while_they_say_so(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    assert line_of(wiring, job_id).held == []
    assert line_of(wiring, job_id).sweep_age_seconds is None
    with wiring.database.transaction() as tx:
        beat(tx, f"{HELD_PULSE}the spool of results is nearly full")
        beat(tx, SWEEP_PULSE)
    told = line_of(wiring, job_id)
    assert told.held == ["the spool of results is nearly full"]
    assert told.sweep_age_seconds is not None
    assert 0 <= told.sweep_age_seconds < 10
    with wiring.database.transaction() as tx:
        tx.execute(update(Pulse).values(at=ago(60)))
    assert line_of(wiring, job_id).held == []


def test_attempts_and_other_tries_are_told(wiring: Wiring, key: NewKey, other_key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    assert (told := wiring.explain.read(job(wiring, job_id))).attempts == []
    assert told.retried_as == []
    for outcome in (Refused(429, "busy", 0.0), ACCEPTED):
        put(wiring, job_id, due_at=ago(1))
        (intent,) = wiring.submit.claim(1)
        wiring.submit.record([(intent, outcome)])
    put(wiring, job_id, status=Status.FAILED, error_code=ErrorCode.UPSTREAM_ERROR)
    mine = job(wiring, job_id).project_id
    again = [wiring.enqueue.retry(mine, job_id, None).row.id for _ in range(2)]
    told = wiring.explain.read(job(wiring, job_id))
    assert [(one.number, one.outcome, one.task_id) for one in told.attempts] == [
        (1, "refused", None),
        (2, "accepted", "task-1"),
    ]
    assert told.retried_as == again[::-1]
    assert told.line is None


def test_only_a_queued_job_waits_in_line(wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, Unknown("no answer"))])
    assert wiring.explain.read(job(wiring, job_id)).line is None
    assert run(wiring.submit) == []
