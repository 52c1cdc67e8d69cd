"""Upstream's answers to many submissions are written down at once, each as if it were alone."""

from decimal import Decimal

from factories import attempts, deliveries, enqueue, events, hear, job, put, webhook

from service.keys import NewKey
from service.models import Attempt
from service.states import AttemptOutcome, Status
from service.steps.submit import Intent
from service.upstream import Accepted, NotSent, Refused, SubmitOutcome, Unknown
from service.wiring import Wiring

CALLBACK = "http://127.0.0.1:9/hook"


def yes(intent: Intent) -> Accepted:
    return Accepted(f"task-{intent.job_id.hex}", "http://127.0.0.1:9/poll", Decimal("4.5"))


def claimed(wiring: Wiring, key: NewKey, count: int, **more: object) -> list[Intent]:
    for _ in range(count):
        enqueue(wiring, key, **more)
    return sorted(wiring.submit.claim(count), key=lambda intent: intent.job_id)


def test_each_of_many_has_its_own_task_line_and_attempt(wiring: Wiring, key: NewKey) -> None:
    intents = claimed(wiring, key, 5)
    wiring.submit.record([(intent, yes(intent)) for intent in reversed(intents)])
    for intent in intents:
        row = job(wiring, intent.job_id)
        assert (row.status, row.task_id) == (Status.GENERATING, f"task-{intent.job_id.hex}")
        assert (row.cost_actual, row.polling_url) == (Decimal("4.5"), "http://127.0.0.1:9/poll")
        assert row.submitted_at is not None
        (attempt,) = attempts(wiring, intent.job_id)
        assert (attempt.outcome, attempt.http_status) == (AttemptOutcome.ACCEPTED, 200)
        assert (attempt.task_id, attempt.cost) == (row.task_id, Decimal("4.5"))
        assert events(wiring, intent.job_id) == [
            "job.queued",
            "job.submitting",
            "job.generating",
        ]


def test_one_that_a_webhook_has_overtaken_keeps_its_state(wiring: Wiring, key: NewKey) -> None:
    intents = claimed(wiring, key, 3)
    hear(wiring, webhook(wiring, intents[1].job_id, id=f"task-{intents[1].job_id.hex}"))
    wiring.submit.record([(intent, yes(intent)) for intent in intents])
    states = [job(wiring, intent.job_id).status for intent in intents]
    assert states == [Status.GENERATING, Status.STORING, Status.GENERATING]
    row = job(wiring, intents[1].job_id)
    assert (row.polling_url, row.submitted_at is None) == ("http://127.0.0.1:9/poll", False)
    (attempt,) = attempts(wiring, row.id)
    assert (attempt.outcome, attempt.http_status) == (AttemptOutcome.ACCEPTED, 200)


def test_written_down_twice_they_count_once(wiring: Wiring, key: NewKey) -> None:
    intents = claimed(wiring, key, 3)
    ended: list[tuple[Intent, SubmitOutcome]] = [(intent, yes(intent)) for intent in intents]
    with wiring.database.transaction() as tx:
        assert len(wiring.submit.outcomes.write(tx, ended)) == 3
    before = [job(wiring, intent.job_id) for intent in intents]
    with wiring.database.transaction() as tx:
        assert wiring.submit.outcomes.write(tx, ended) == []
    assert [job(wiring, intent.job_id) for intent in intents] == before


def test_an_answer_to_an_earlier_attempt_moves_no_other(wiring: Wiring, key: NewKey) -> None:
    """Its job was sent again meanwhile: what the first came to is written beside the second."""
    first, other = claimed(wiring, key, 2)
    with wiring.database.transaction() as tx:
        tx.execute(
            Attempt.__table__.update()  # type: ignore[attr-defined] # a Table
            .where(Attempt.id == first.attempt_id)
            .values(outcome=AttemptOutcome.WRITTEN_OFF)
        )
    put(wiring, first.job_id, attempt_count=2, status=Status.GENERATING, task_id="task-second")
    wiring.submit.record([(first, yes(first)), (other, yes(other))])
    assert job(wiring, first.job_id).task_id == "task-second"
    assert job(wiring, other.job_id).status is Status.GENERATING
    (attempt,) = attempts(wiring, first.job_id)
    assert attempt.task_id == f"task-{first.job_id.hex}"


def test_outcomes_of_all_kinds_share_a_transaction(wiring: Wiring, key: NewKey) -> None:
    intents = claimed(wiring, key, 4)
    outcomes: list[SubmitOutcome] = [
        yes(intents[0]),
        NotSent("no route"),
        Refused(422, "no such size"),
        Unknown("cut"),
    ]
    wiring.submit.record(list(zip(intents, outcomes, strict=True)))
    assert [job(wiring, intent.job_id).status for intent in intents] == [
        Status.GENERATING,
        Status.QUEUED,
        Status.FAILED,
        Status.UNCONFIRMED,
    ]


def test_who_asked_for_it_is_called_for_each(wiring: Wiring, key: NewKey) -> None:
    asked = {"callback_url": CALLBACK, "callback_events": ["job.generating"]}
    intents = claimed(wiring, key, 3, **asked)
    wiring.submit.record([(intent, yes(intent)) for intent in intents])
    for intent in intents:
        (owed,) = deliveries(wiring, intent.job_id)
        assert owed.type == "job.generating"
        assert f"task-{intent.job_id.hex}" in owed.body
