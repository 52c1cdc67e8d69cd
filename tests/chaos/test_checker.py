"""The checker finds each broken promise, and finds none where all were kept."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chaos.callers import Answers
from chaos.checker import Broken, judge
from chaos.evidence import Evidence
from chaos.plan import Order
from chaos.sink import Heard

SHA256 = "5e" * 32
ORDER = Order("order-0-00000-end", "project-0", (), ())
WAY = ("queued", "submitting", "generating", "storing", "succeeded")


def timeline(*states: str) -> list[dict[str, Any]]:
    return [
        {"seq": number, "type": f"job.{state}", "at": "2026-01-01T00:00:00.000Z"}
        for number, state in enumerate(states, 1)
    ]


def job(status: str = "succeeded", code: str | None = None) -> dict[str, Any]:
    image = {"sha256": SHA256, "key": "a/key", "bucket": "images"}
    return {
        "id": "job_1",
        "project": "project-0",
        "status": status,
        "images": [image] if status == "succeeded" else [],
        "error": None if code is None else {"code": code, "message": "why"},
        "cost": {"actual": "4.5", "maybe_charged": code == "submission_unconfirmed"},
        "callback": {"status": "delivered"},
    }


def accepted(task_id: str = "task-1") -> dict[str, Any]:
    prompt = ORDER.prompt
    return {"kind": "accepted", "task_id": task_id, "cost": 4.5, "request": {"prompt": prompt}}


READY = {"kind": "ready", "task_id": "task-1", "sha256": SHA256}
TOLD = {"kind": "webhook", "task_id": "task-1", "outcome": "delivered"}
CALL = Heard("dlv_1", "job_1", "job.succeeded", 5, "b0", verified=True, answered=200)

#: One job that went the straight way.
KEPT = Evidence(
    orders=[ORDER],
    answers={ORDER.marker: Answers({"job_1"}, ["202"])},
    jobs={"job_1": job()},
    events={"job_1": timeline(*WAY)},
    ledger=[accepted(), READY, TOLD],
    max_active_seen=1,
    slots=1,
    heard=[CALL],
    objects={"a/key": SHA256},
)


def failed(code: str, *way: str, **more: Any) -> Evidence:  # noqa: ANN401 - the fields' own types
    """Return a job that ended as `failed`, its callback heard."""
    return replace(
        KEPT,
        jobs={"job_1": job("failed", code)},
        events={"job_1": timeline(*way, "failed")},
        heard=[replace(CALL, type="job.failed", sequence=len(way) + 1)],
        **more,
    )


def broken(evidence: Evidence) -> set[Broken]:
    return {finding.broken for finding in judge(evidence).findings}


def test_a_run_in_which_all_was_kept_has_no_findings() -> None:
    assert broken(KEPT) == set()


BROKEN: dict[Broken, Callable[[], Evidence]] = {
    Broken.UNANSWERED: lambda: replace(
        KEPT, answers={ORDER.marker: Answers(set(), ["503"])}, jobs={}, ledger=[], heard=[]
    ),
    Broken.LOST: lambda: replace(KEPT, jobs={}),
    Broken.DOUBLED: lambda: replace(KEPT, answers={ORDER.marker: Answers({"job_1", "job_2"}, [])}),
    Broken.STUCK: lambda: replace(
        KEPT, jobs={"job_1": job("storing")}, events={"job_1": timeline(*WAY[:-1])}, heard=[]
    ),
    Broken.PAID_TWICE: lambda: replace(KEPT, ledger=[*KEPT.ledger, accepted("task-2")]),
    Broken.NOT_STORED: lambda: failed("result_expired", *WAY[:-1]),
    Broken.WRONG_BYTES: lambda: replace(KEPT, objects={"a/key": "00" * 32}),
    Broken.INVENTED: lambda: replace(KEPT, ledger=[]),
    Broken.UNCONFIRMED: lambda: _several_unconfirmed(3),
    Broken.STAGED: lambda: replace(KEPT, staged=["results/1.result"]),
    Broken.OVERFULL: lambda: replace(KEPT, max_active_seen=2),
    Broken.BACKWARDS: lambda: replace(KEPT, events={"job_1": timeline("queued", "succeeded")}),
    Broken.COST: lambda: replace(KEPT, ledger=[{**accepted(), "cost": 3.0}, READY, TOLD]),
    Broken.MISSED: lambda: replace(KEPT, heard=[replace(CALL, answered=500)]),
    Broken.FOLLOWED: lambda: replace(
        KEPT, heard=[CALL, replace(CALL, verified=False, redirected=True)]
    ),
    Broken.FORGED: lambda: replace(KEPT, heard=[CALL, replace(CALL, verified=False)]),
    Broken.TWO_IDS: lambda: replace(KEPT, heard=[CALL, replace(CALL, webhook_id="dlv_2")]),
    Broken.UNKNOWN_EVENT: lambda: replace(KEPT, heard=[CALL, replace(CALL, type="job.failed")]),
    Broken.REPEATED: lambda: replace(KEPT, heard=[CALL] * 34),
}


@pytest.mark.parametrize("promise", Broken)
def test_finds(promise: Broken) -> None:
    assert promise in broken(BROKEN[promise]())


def _several_unconfirmed(count: int) -> Evidence:
    one = failed("submission_unconfirmed", "queued", "submitting", "unconfirmed", ledger=[])
    names = [f"order-0-{number:05}-end" for number in range(count)]
    return replace(
        one,
        orders=[replace(ORDER, marker=name, callback=None) for name in names],
        answers={name: Answers({f"job_{name}"}, ["202"]) for name in names},
        jobs={f"job_{name}": {**one.jobs["job_1"], "id": f"job_{name}"} for name in names},
        events={f"job_{name}": one.events["job_1"] for name in names},
        heard=[],
    )


def test_what_upstream_refused_unclearly_may_end_unconfirmed() -> None:
    three = _several_unconfirmed(3)
    assert broken(replace(three, refused_unclearly=1)) == set()


def test_one_body_per_id() -> None:
    assert broken(replace(KEPT, heard=[CALL, replace(CALL, body_sha256="b1")])) == {Broken.TWO_IDS}


def test_a_job_that_no_caller_knows_of_is_a_doubled_one() -> None:
    other = {**job(), "id": "job_2"}
    evidence = replace(
        KEPT,
        jobs={**KEPT.jobs, "job_2": other},
        events={**KEPT.events, "job_2": timeline(*WAY)},
    )
    assert broken(evidence) == {Broken.DOUBLED}


LOST_TWICE = ("queued", "submitting", "unconfirmed")


def test_an_accepted_job_may_end_unconfirmed_only_if_no_webhook_was_taken() -> None:
    silent = [accepted(), READY, {**TOLD, "outcome": "given_up"}]
    assert broken(failed("submission_unconfirmed", *LOST_TWICE, ledger=silent)) == set()
    told = [accepted(), READY, TOLD]
    assert broken(failed("submission_unconfirmed", *LOST_TWICE, ledger=told)) == {Broken.NOT_STORED}


def test_both_events_of_a_job_that_failed_and_was_saved_after_all_are_owed() -> None:
    way = ("queued", "submitting", "unconfirmed", "failed", "storing", "succeeded")
    evidence = replace(KEPT, events={"job_1": timeline(*way)})
    later = replace(CALL, sequence=6)
    assert broken(replace(evidence, heard=[later])) == {Broken.MISSED}
    first = replace(CALL, webhook_id="dlv_0", type="job.failed", sequence=4)
    assert broken(replace(evidence, heard=[first, later])) == set()


def test_two_failures_of_a_job_are_two_events() -> None:
    way = ("queued", "submitting", "unconfirmed", "failed", "failed")
    evidence = failed("upstream_error", *way[:-1], ledger=[accepted(), {**READY, "kind": "error"}])
    (second,) = evidence.heard
    first = replace(second, webhook_id="dlv_0", sequence=4)
    assert broken(replace(evidence, heard=[first, second])) == set()
    assert broken(replace(evidence, heard=[second])) == {Broken.MISSED}


def test_what_upstream_refused_for_good_may_fail_and_nothing_else() -> None:
    rejected = failed("upstream_rejected", "queued", "submitting", ledger=[])
    assert broken(rejected) == {Broken.INVENTED}
    planned = replace(rejected, orders=[replace(ORDER, faults=("refused-422",))])
    assert broken(planned) == set()
