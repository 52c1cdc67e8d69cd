"""A job's story in words that answer "why?"."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from service.models import DeliveryStatus
from service.settings import OnUnconfirmed
from service.states import AttemptOutcome, Status
from service.steps.explain import Line, Slots
from service.web.story import Terms, at, attempt, callback, happened, why

NOW = datetime(2026, 11, 23, 14, 5, 0, tzinfo=UTC)
TERMS = Terms(is_called_back=True, deadline_seconds=900)
NOT_CALLED = Terms(is_called_back=False, deadline_seconds=900)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_job(status: Status, **columns: Any) -> Any:  # noqa: ANN401 - as a Row
    usual = {
        "due_at": NOW, "tries": 0, "resubmitted": False, "expires_at": None, "pool": "",
        "on_unconfirmed": OnUnconfirmed.FAIL, "submitted_at": None, "kept_by": None,
        "result_expires_at": None,
    }  # fmt: skip
    return SimpleNamespace(status=status, **{**usual, **columns})


def a_line(**facts: Any) -> Line:  # noqa: ANN401 - its fields
    usual: dict[str, Any] = {
        "before": 0, "account": Slots(24, 3), "pool": None, "project": None,
        "closed_reason": None, "probe_at": None, "probe_every_seconds": 60.0, "held": [],
        "sweep_age_seconds": 0.5,
    }  # fmt: skip
    return Line(**{**usual, **facts})


def said(job: Any, line: Line | None = None, terms: Terms = TERMS) -> str:  # noqa: ANN401 - as a Row
    return " ".join(why(job, line, terms, NOW))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "Its turn is next: 3 of 24 slots busy, nobody before it."),
        (
            {"before": 3, "account": Slots(24, 24)},
            "Waiting: 24 of 24 slots busy, 3 before it.",
        ),
        ({"before": 1001}, "Waiting: more than 1,000 before it."),
        ({"before": 1000}, "Waiting: 1,000 before it."),
        ({"pool": Slots(6, 6)}, "Waiting: 6 of 6 slots of flux-kontext-max busy."),
        ({"project": Slots(2, 2)}, "Waiting: 2 of 2 of this project's own slots busy."),
        ({"project": Slots(2, 1)}, "Its turn is next: 3 of 24 slots busy, nobody before it."),
        ({"held": ["S3 is away", "the disk is full"]}, "now: S3 is away; the disk is full."),
        ({"sweep_age_seconds": 185.2}, "No worker has been heard of for 3 min 5 s."),
        (
            {"closed_reason": "Flux refuses our API key (401)", "probe_at": later(30)},
            "Every 60 s one job tries whether it is open again, next at 14:05:30 UTC. Its turn is",
        ),
        ({"closed_reason": "no", "probe_at": later(-1)}, "open again, next any moment now."),
    ],
)
def test_a_queued_job_says_what_it_waits_for(facts: dict[str, Any], words: str) -> None:
    assert words in said(a_job(Status.QUEUED, pool="flux-kontext-max"), a_line(**facts))


def test_a_queued_job_says_when_it_may_start_and_until_when() -> None:
    waits = a_line(before=None)
    told = said(a_job(Status.QUEUED, due_at=later(86_400), expires_at=later(90_000)), waits)
    assert told == (
        "It may start at 24 Nov 2026, 14:05:00 UTC. "
        "If it is not sent by 24 Nov 2026, 15:05:00 UTC, it fails as expired."
    )
    again = a_job(Status.QUEUED, due_at=later(4), tries=2, resubmitted=True)
    assert said(again, waits).startswith("It may be sent again at 14:05:04 UTC.")
    assert "can no longer be canceled" in said(again, waits)


def test_an_unconfirmed_job_says_that_it_is_not_sent_again_and_what_comes() -> None:
    told = said(a_job(Status.UNCONFIRMED, due_at=later(600)))
    assert "It is not sent again by itself" in told
    assert "until 14:15:00 UTC; then the job fails as submission_unconfirmed" in told
    wants = {"on_unconfirmed": OnUnconfirmed.RESUBMIT, "due_at": later(600)}
    assert "then the job is sent once more" in said(a_job(Status.UNCONFIRMED, **wants))
    second = a_job(Status.UNCONFIRMED, **wants, resubmitted=True)
    assert "then the job fails as submission_unconfirmed" in said(second)


def test_a_generating_job_says_when_flux_is_asked_and_when_given_up() -> None:
    asked = a_job(Status.GENERATING, due_at=later(12), tries=2, submitted_at=later(-60))
    assert said(asked) == (
        "Flux is making the picture. If its webhook does not come, we ask Flux at 14:05:12 UTC, "
        "having asked 2 times. It is given up if Flux has nothing by 14:19:00 UTC."
    )
    assert "We ask Flux at 14:05:12 UTC" in said(asked, terms=NOT_CALLED)


def test_a_storing_job_says_how_long_its_url_lives() -> None:
    dying = a_job(Status.STORING, result_expires_at=later(420), tries=1, due_at=later(-1))
    assert said(dying) == (
        "The picture is ready and on its way into the bucket. Flux's URL of it dies in 7 min. "
        "Tried once without success; next any moment now."
    )
    dead = a_job(Status.STORING, result_expires_at=later(-60))
    assert "Flux's URL of it died at 14:04:00 UTC." in said(dead)
    kept = a_job(Status.STORING, result_expires_at=later(420), kept_by="spool")
    assert "safe on a worker's disk" in said(kept)


def test_a_job_that_is_being_sent_says_until_when_and_an_ended_one_nothing() -> None:
    assert "unconfirmed from 14:05:10 UTC" in said(a_job(Status.SUBMITTING, due_at=later(10)))
    for status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED):
        assert said(a_job(status)) == ""


def a_timeline(heard_by: str) -> Sequence[Any]:
    return [
        SimpleNamespace(type=f"job.{status}", at=later(seconds), message=status, detail=detail)
        for status, seconds, detail in (
            ("submitting", -300, {}), ("queued", -290, {}), ("submitting", 0, {}),
            ("generating", 1, {}), ("storing", 16, {"heard_by": heard_by}),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("heard_by", "terms", "words"),
    [
        ("webhook", TERMS, "Flux's webhook came after 16 s: the image is ready"),
        ("poll", TERMS, "Flux's webhook did not come, found by polling after 16 s"),
        ("poll", NOT_CALLED, "Found by polling after 16 s, as no webhook is asked for"),
    ],
)
def test_a_timeline_says_how_the_result_was_heard_of(
    heard_by: str, terms: Terms, words: str
) -> None:
    *before, last = a_timeline(heard_by)
    assert happened(last, before, terms).startswith(words)
    assert happened(before[0], [], terms) == "submitting"
    assert " after " not in happened(last, [], terms)


def a_callback(status: DeliveryStatus, tries: int, **columns: Any) -> Any:  # noqa: ANN401 - as a Row
    usual = {"due_at": None, "probe_at": None, "failing_since": None}
    return SimpleNamespace(status=status, tries=tries, **{**usual, **columns})


def answered(*statuses: int | None) -> list[Any]:
    return [SimpleNamespace(http_status=status) for status in statuses]


def test_a_callback_says_what_came_of_its_tries_and_when_the_next_is() -> None:
    pending = a_callback(DeliveryStatus.PENDING, 4, due_at=later(60))
    assert callback(pending, answered(503, 503, 500, None), NOW) == (
        "Tried 4 times: 503 (2 times), 500, no answer. Next at 14:06:00 UTC."
    )
    new = a_callback(DeliveryStatus.PENDING, 0, due_at=NOW)
    assert callback(new, [], NOW) == "Not tried yet. Next any moment now."
    gone = a_callback(DeliveryStatus.EXHAUSTED, 1)
    assert callback(gone, answered(410), NOW) == "Tried once: 410. Given up."
    taken = a_callback(DeliveryStatus.DELIVERED, 1)
    assert callback(taken, answered(204), NOW) == "Tried once: 204. Taken."


def test_a_callback_behind_a_failing_host_says_so() -> None:
    failing = {"failing_since": later(-3600), "probe_at": later(300), "due_at": later(60)}
    told = callback(a_callback(DeliveryStatus.PENDING, 1, **failing), answered(None), NOW)
    assert "failing since 13:05:00 UTC" in told
    assert told.endswith("tried one call at a time; next at 14:10:00 UTC.")


def test_every_outcome_of_an_attempt_has_words() -> None:
    told = {
        attempt(SimpleNamespace(outcome=outcome, task_id=None))
        for outcome in [None, *AttemptOutcome]
    }
    assert len(told) == len(AttemptOutcome) + 1
    twice = SimpleNamespace(outcome=AttemptOutcome.WRITTEN_OFF, task_id="t")
    assert attempt(twice) == "accepted all the same, and charged for nothing"


def test_moments_are_told_in_utc_with_the_date_of_another_day() -> None:
    assert at(later(0), NOW) == "14:05:00 UTC"
    assert at(later(-86_400), NOW) == "22 Nov 2026, 14:05:00 UTC"
