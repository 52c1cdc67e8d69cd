"""What each outcome of the paid POST does to its job; whatever it is, nothing is ever sent twice.

Which behaviour of upstream is which outcome, tests/clients/test_flux.py proves.
"""

import socket
import time
from uuid import UUID

import pytest
from factories import (
    Rewire,
    attempts,
    due_now,
    enqueue,
    events,
    gate_row,
    hear,
    job,
    put,
    run,
    webhook,
)
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.simulator import Simulator
from fakes.upstream_answers import ACCEPTING, REFUSING, UNKNOWN, by_prompt, http
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from service.errors import NotCancelable
from service.keys import NewKey
from service.models import Gate
from service.states import AttemptOutcome, ErrorCode, Status
from service.wiring import Wiring

MANY = 100


def due_in_seconds(wiring: Wiring, job_id: UUID) -> float:
    return float(job(wiring, job_id).due_at.timestamp() - time.time())


def open_gate(wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(Gate).values(closed_reason=None, failures=0))


def enqueue_each(wiring: Wiring, key: NewKey, names: dict[str, object]) -> dict[str, UUID]:
    return {name: enqueue(wiring, key, input={"prompt": name}) for name in names}


def test_accepted_jobs_wait_for_their_result(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(by_prompt(ACCEPTING)) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        accepted = enqueue_each(wiring, key, dict(ACCEPTING))
        run(wiring.submit, MANY)
        for job_id in accepted.values():
            row = job(wiring, job_id)
            assert (row.status, row.task_id) == (Status.GENERATING, "t-1")
            assert str(row.cost_actual) == "4.5000"
            assert row.submitted_at is not None
            assert 0 < due_in_seconds(wiring, job_id) <= wiring.settings.poll_after_seconds
            (attempt,) = attempts(wiring, job_id)
            assert (attempt.outcome, attempt.task_id) == (AttemptOutcome.ACCEPTED, "t-1")
            due_now(wiring, job_id)
        assert run(wiring.submit, MANY) == []
    assert len(peer.requests) == len(ACCEPTING)


def test_unknown_outcomes_are_parked_then_written_off_and_never_sent_again(
    rewire: Rewire, key: NewKey
) -> None:
    with ScriptedPeer(by_prompt(UNKNOWN)) as peer:
        wiring = rewire(flux_api_url=[peer.url], flux_timeout_seconds=0.5, flux_max_active=MANY)
        parked = enqueue_each(wiring, key, dict(UNKNOWN))
        run(wiring.submit, MANY)
        for name, job_id in parked.items():
            assert job(wiring, job_id).status is Status.UNCONFIRMED, name
            assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.UNKNOWN
            assert 0 < due_in_seconds(wiring, job_id) <= wiring.settings.unconfirmed_grace_seconds
        for _ in range(3):
            open_gate(wiring)
            for job_id in parked.values():
                due_now(wiring, job_id)
            assert run(wiring.submit, MANY) == []
            wiring.sweep()
        for name, job_id in parked.items():
            row = job(wiring, job_id)
            assert (row.status, row.error_code) == (
                Status.FAILED,
                ErrorCode.SUBMISSION_UNCONFIRMED,
            ), name
            assert row.maybe_charged
            (attempt,) = attempts(wiring, job_id)
            assert attempt.outcome is AttemptOutcome.WRITTEN_OFF
            with pytest.raises(NotCancelable):
                wiring.enqueue.cancel(row.project_id, job_id)
    assert len(peer.requests) == len(UNKNOWN)


def test_a_refused_request_fails_its_job_alone(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(by_prompt(REFUSING)) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        refused = enqueue_each(wiring, key, dict(REFUSING))
        run(wiring.submit, MANY)
        for name, job_id in refused.items():
            row = job(wiring, job_id)
            assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.UPSTREAM_REJECTED)
            assert (row.error_upstream_status, row.maybe_charged) == (int(name), False)
            assert "width is odd" in row.error_message
            assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.REFUSED
    assert len(peer.requests) == len(REFUSING)
    assert gate_row(wiring).closed_reason is None


def assert_not_sent(wiring: Wiring, job_id: UUID) -> None:
    row = job(wiring, job_id)
    assert (row.status, row.tries, row.maybe_charged) == (Status.QUEUED, 1, False)
    assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.NOT_SENT
    assert gate_row(wiring).failures == 0


def test_what_was_not_sent_goes_back_to_the_queue_and_is_sent_later(
    rewire: Rewire, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = rewire(flux_api_url=[f"http://127.0.0.1:{port}/v1"])
    job_id = enqueue(away, key)
    run(away.submit)
    assert_not_sent(away, job_id)
    due_now(wiring, job_id)
    run(wiring.submit)
    assert job(wiring, job_id).status is Status.GENERATING
    assert [one.outcome for one in attempts(wiring, job_id)] == ["not_sent", "accepted"]


def test_an_error_of_ours_before_the_first_byte_is_not_sent(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(answer(http(200, b'{"id": "t-1"}'))) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        job_id = enqueue(wiring, key)
        put(wiring, job_id, input=["no object"])
        run(wiring.submit)
        assert_not_sent(wiring, job_id)
    assert peer.connections == 0


NEVER: dict[str, tuple[dict[str, object], str]] = {
    "a model that this release does not offer": ({"model": "flux-withdrawn"}, "flux-withdrawn"),
    "a picture that is gone": ({"input": {"input_image": f"img_{'0' * 32}"}}, "no longer there"),
}


@pytest.mark.parametrize("why", NEVER)
def test_what_can_never_be_sent_fails_without_a_charge(
    rewire: Rewire, key: NewKey, why: str
) -> None:
    columns, said = NEVER[why]
    with ScriptedPeer(answer(http(200, b'{"id": "t-1"}'))) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        job_id = enqueue(wiring, key)
        put(wiring, job_id, **columns)
        run(wiring.submit)
    row = job(wiring, job_id)
    assert (row.status, row.error_code, row.maybe_charged) == (
        Status.FAILED,
        ErrorCode.INTERNAL,
        False,
    )
    assert said in row.error_message
    assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.NOT_SENT
    assert peer.connections == 0


def test_what_is_not_sent_waits_longer_each_time_up_to_a_minute(
    rewire: Rewire, key: NewKey
) -> None:
    wiring = rewire(flux_api_url=["http://127.0.0.1:9/v1"])
    for tries, low, high in ((0, 0.3, 1), (3, 3.5, 8), (40_000, 29, 60)):
        job_id = enqueue(wiring, key)
        put(wiring, job_id, tries=tries, attempt_count=tries)
        run(wiring.submit)
        assert low < due_in_seconds(wiring, job_id) <= high


def test_429_waits_as_told_and_takes_a_slot_away_until_jobs_are_accepted_again(
    rewire: Rewire, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    most = wiring.settings.flux_max_active
    with ScriptedPeer(answer(http(429, b"{}", b"Retry-After: 7"))) as peer:
        full = rewire(flux_api_url=[peer.url])
        job_ids = [enqueue(full, key), enqueue(full, key)]
        run(full.submit)
    for job_id in job_ids:
        assert job(wiring, job_id).status is Status.QUEUED
        assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.REFUSED
        assert 5 < due_in_seconds(wiring, job_id) <= 7
        due_now(wiring, job_id)
    assert gate_row(wiring).slots == most - 2
    run(wiring.submit, 1)
    assert gate_row(wiring).slots == most - 1
    run(wiring.submit, 1)
    assert gate_row(wiring).slots == most
    assert {job(wiring, job_id).status for job_id in job_ids} == {Status.GENERATING}


def test_a_lost_answer_to_an_accepted_job_is_paid_once_and_mended_by_the_webhook(
    rewire: Rewire, key: NewKey, simulator: Simulator
) -> None:
    faults: dict[str, tuple[str, dict[str, object]]] = {
        "reset afterwards": ("accept_then_reset", {}),
        "hang afterwards": ("accept_then_hang", {"seconds": 2.0}),
        "truncate afterwards": ("accept_truncate", {}),
        "bad JSON afterwards": ("accept_bad_json", {}),
        "no id afterwards": ("accept_no_id", {}),
        **{f"{n} afterwards": ("accept_then_status", {"status": n}) for n in (500, 502, 503, 504)},
    }
    for prompt, (fault, args) in faults.items():
        simulator.set_fault(fault, args=args, match={"prompt_contains": prompt})
    wiring = rewire(flux_timeout_seconds=0.5)
    lost = enqueue_each(wiring, key, dict(faults))
    run(wiring.submit, MANY)
    open_gate(wiring)
    assert run(wiring.submit, MANY) == []
    for prompt, job_id in lost.items():
        assert job(wiring, job_id).status is Status.UNCONFIRMED, prompt
        paid = [
            one for one in simulator.ledger("accepted") if one["request"].get("prompt") == prompt
        ]
        assert len(paid) == 1, prompt
        hear(wiring, webhook(wiring, job_id, id=paid[0]["task_id"]))
        row = job(wiring, job_id)
        assert (row.status, row.task_id) == (Status.STORING, paid[0]["task_id"])
        assert events(wiring, job_id)[-2:] == ["job.unconfirmed", "job.storing"]
        assert attempts(wiring, job_id)[0].outcome is AttemptOutcome.ACCEPTED


@pytest.mark.parametrize("live", [None, AttemptOutcome.UNKNOWN, AttemptOutcome.ACCEPTED])
def test_the_database_itself_forbids_a_second_live_attempt(
    rewire: Rewire, key: NewKey, live: AttemptOutcome | None
) -> None:
    scripts = {"accepted": ACCEPTING["200"], "unknown": UNKNOWN["500"]}
    with ScriptedPeer(by_prompt(scripts)) as peer:
        wiring = rewire(flux_api_url=[peer.url])
        job_id = enqueue(wiring, key, input={"prompt": live.value if live else "unknown"})
        if live is None:
            wiring.submit.claim(1)
        else:
            run(wiring.submit)
        sent = len(peer.requests)
        put(wiring, job_id, status=Status.QUEUED)  # as a bug elsewhere might
        due_now(wiring, job_id)
        with pytest.raises(IntegrityError, match="uq_attempts_one_live"):
            wiring.submit.claim(1)
    assert len(peer.requests) == sent
    assert len(attempts(wiring, job_id)) == 1
