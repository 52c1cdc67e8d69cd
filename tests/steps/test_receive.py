"""Webhooks: believed only with their proof, durable before they are answered, one effect each."""

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import (
    ACCEPTED,
    Rewire,
    SignedWebhook,
    attempt_id,
    deliveries,
    enqueue,
    events,
    hear,
    job,
    put,
    webhook,
)
from fakes.ringing import Ringing
from pydantic import SecretStr
from sqlalchemy import Row, delete, select

from service.errors import DatabaseUnavailable, RejectedWebhook
from service.keys import NewKey
from service.messages import Message
from service.models import Attempt, FluxWebhook
from service.signing.flux_webhook import FluxWebhookSigner
from service.states import ErrorCode, Status
from service.wiring import Wiring

NOWHERE = SecretStr("postgresql+psycopg://nobody:nothing@127.0.0.1:9/none")


def sent(wiring: Wiring, key: NewKey) -> UUID:
    """Return a job whose paid POST was accepted."""
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    return job_id


def inbox(wiring: Wiring) -> list[Row[Any]]:
    with wiring.database.transaction() as tx:
        return tx.rows(select(*FluxWebhook.__table__.c).order_by(FluxWebhook.received_at))


def spooled(wiring: Wiring) -> list[Path]:
    return sorted(Path(wiring.settings.spool_dir).rglob("*.webhook"))


def test_a_webhook_moves_its_job_and_is_kept_as_it_came(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    job_id = sent(wiring, key)
    call = webhook(wiring, job_id, cost=4.5)
    hear(wiring, call)
    row = job(wiring, job_id)
    assert (row.status, row.result_url) == (Status.STORING, "http://127.0.0.1:9/sample.jpeg")
    (kept,) = inbox(wiring)
    assert (kept.body, kept.job_id, kept.effect) == (call.body, job_id, "moved")
    assert Message.STORE in ringing.rung


def test_a_webhook_a_thousand_times_sixteen_at_once_has_one_effect(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = sent(wiring, key)
    call = webhook(wiring, job_id, status="Content Moderated", result=None)
    with ThreadPoolExecutor(16) as pool:
        for one in [pool.submit(hear, wiring, call) for _ in range(1000)]:
            one.result()
    # on a busy machine a few are thanked for by way of the spool
    wiring.receive.replay()
    assert [row.effect for row in inbox(wiring)] == ["moved"]
    assert events(wiring, job_id)[-1] == "job.failed"
    assert events(wiring, job_id).count("job.failed") == 1
    assert len(deliveries(wiring, job_id)) == 1
    assert spooled(wiring) == []


def test_either_proof_is_enough(wiring: Wiring, key: NewKey) -> None:
    for by in ("secret", "signature", "both"):
        job_id = sent(wiring, key)
        call = webhook(wiring, job_id)
        sign = "sha256=" + hmac.new(call.secrets[0].encode(), call.body, hashlib.sha256).hexdigest()
        hear(
            wiring,
            replace(
                call,
                secrets=[] if by == "signature" else call.secrets,
                signatures=[] if by == "secret" else [sign],
            ),
        )
        assert job(wiring, job_id).status is Status.STORING, by


def forgeries(wiring: Wiring, mine: UUID, other: UUID) -> dict[str, SignedWebhook]:
    good, foreign = webhook(wiring, mine), webhook(wiring, other)
    signature = (
        "sha256=" + hmac.new(good.secrets[0].encode(), good.body, hashlib.sha256).hexdigest()
    )
    signed = replace(good, secrets=[], signatures=[signature])
    unsalted = FluxWebhookSigner(["another-key-of-at-least-thirty-two-characters"])
    return {
        "no proof": replace(good, secrets=[]),
        "a wrong secret": replace(good, secrets=["0" * 64]),
        "an empty secret": replace(good, secrets=[""]),
        "a secret that is not ASCII": replace(good, secrets=["é" * 64]),
        "another job's secret": replace(good, secrets=foreign.secrets),
        "another job's token": replace(good, token=foreign.token),
        "an altered body": replace(signed, body=good.body.replace(b"task-1", b"task-2")),
        "a right secret and a wrong signature": replace(good, signatures=["sha256=" + "0" * 64]),
        "a right signature and a wrong secret": replace(signed, secrets=["0" * 64]),
        "a doubled secret": replace(good, secrets=good.secrets * 2),
        "a doubled signature": replace(signed, signatures=signed.signatures * 2),
        "a signature without its scheme": replace(signed, signatures=[signature[7:]]),
        "a signature in capitals": replace(signed, signatures=[signature.upper()]),
        "a token of another key": replace(good, token=unsalted.token(attempt_id(wiring, mine))),
        "a token of another salt": replace(good, token=wiring.cursors.write("jobs", [mine.hex])),
        "a bare id as token": replace(good, token=attempt_id(wiring, mine).hex),
        "no token": replace(good, token=""),
    }


def test_nothing_unproved_is_read_or_kept(rewire: Rewire, wiring: Wiring, key: NewKey) -> None:
    mine, other = sent(wiring, key), sent(wiring, key)
    away = rewire(database_url=NOWHERE)
    before = job(wiring, mine), job(wiring, other)
    for name, call in forgeries(wiring, mine, other).items():
        with pytest.raises(RejectedWebhook):
            hear(wiring, call)
        with pytest.raises(RejectedWebhook):
            hear(away, call)
        assert inbox(wiring) == spooled(wiring) == [], name
    assert (job(wiring, mine), job(wiring, other)) == before


def test_secrets_of_the_key_before_still_prove_and_open_the_job(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    job_id = sent(wiring, key)
    call = webhook(wiring, job_id)
    old = wiring.settings.secret_key
    rotated = rewire(secret_key=[SecretStr("a-new-key-for-tests-long-enough-to-be-one"), *old])
    hear(rotated, call)
    assert job(wiring, job_id).status is Status.STORING


def test_old_and_new_words_end_the_same(wiring: Wiring, key: NewKey) -> None:
    sample = {"sample": "http://127.0.0.1:9/1.png"}
    said: list[tuple[dict[str, Any], Status, ErrorCode | None]] = [
        ({"id": "t", "status": "Ready", "result": sample}, Status.STORING, None),
        ({"task_id": "t", "status": "SUCCESS", "result": sample}, Status.STORING, None),
        ({"status": "succeeded", "result": sample, "more": {"x": [1]}}, Status.STORING, None),
        ({"status": "Error"}, Status.FAILED, ErrorCode.UPSTREAM_ERROR),
        ({"task_id": "t", "status": "ERROR"}, Status.FAILED, ErrorCode.UPSTREAM_ERROR),
        ({"status": "FAILED"}, Status.FAILED, ErrorCode.UPSTREAM_ERROR),
        ({"status": "Request Moderated"}, Status.FAILED, ErrorCode.REQUEST_MODERATED),
        ({"status": "Content Moderated"}, Status.FAILED, ErrorCode.CONTENT_MODERATED),
        ({"status": "Pending", "progress": 0.5}, Status.GENERATING, None),
        ({"status": "processing"}, Status.GENERATING, None),
        ({"status": "Task not found"}, Status.GENERATING, None),
        ({"status": "Hallucinated"}, Status.GENERATING, None),
        ({"status": 7}, Status.GENERATING, None),
        ({"status": "Ready", "result": None}, Status.GENERATING, None),
        ({"status": "Ready", "result": {"sample": 7}}, Status.GENERATING, None),
        ({}, Status.GENERATING, None),
    ]
    for body, status, code in said:
        job_id = sent(wiring, key)
        call = replace(webhook(wiring, job_id), body=json.dumps(body).encode())
        hear(wiring, call)
        row = job(wiring, job_id)
        assert (row.status, row.error_code) == (status, code), body


def test_a_webhook_that_cannot_be_read_is_kept_and_changes_nothing(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = sent(wiring, key)
    before = job(wiring, job_id)
    bodies = [b"", b"\xff\xfe", b"[]", b'"Ready"', b"{", b"[" * 60_000, b'{"a":' * 9_000]
    for body in bodies:
        hear(wiring, replace(webhook(wiring, job_id), body=body))
    assert job(wiring, job_id) == before
    assert [(row.body, row.effect) for row in inbox(wiring)] == [
        (body, "unreadable") for body in bodies
    ]


def test_what_postgresql_does_not_keep_in_json_does_not_stop_a_webhook(
    wiring: Wiring, key: NewKey
) -> None:
    ready = (
        b'{"status": "Ready", "id": "t\\u0000", "result": {"prompt": "\\u0000\\ud800", "seed": NaN,'
        b' "duration": 1e999, "start_time": [[[[[[1]]]]]], "sample": "http://127.0.0.1:9/1.png"}}'
    )
    error = (
        b'{"status": "Error", "id": "\\ud800", "details": {"\\u0000": "\\udfff", "x": Infinity,'
        b' "deep": [[[[[[[[1]]]]]]]]}, "error": "\\u0000why"}'
    )
    for body, status in ((ready, Status.STORING), (error, Status.FAILED)):
        job_id = sent(wiring, key)
        hear(wiring, replace(webhook(wiring, job_id), body=body))
        assert job(wiring, job_id).status is status


def test_a_webhook_for_an_attempt_that_is_gone_is_kept_as_unmatched(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = sent(wiring, key)
    call = webhook(wiring, job_id)
    with wiring.database.transaction() as tx:
        tx.execute(delete(Attempt).where(Attempt.job_id == job_id))
    hear(wiring, call)
    (kept,) = inbox(wiring)
    assert (kept.effect, kept.job_id, kept.body) == ("unmatched", None, call.body)


def test_a_result_is_not_taken_back_by_what_comes_after_it(wiring: Wiring, key: NewKey) -> None:
    job_id = sent(wiring, key)
    hear(wiring, webhook(wiring, job_id))
    before = job(wiring, job_id)
    hear(wiring, webhook(wiring, job_id, status="Error", result=None))
    hear(wiring, webhook(wiring, job_id, result={"sample": "http://127.0.0.1:9/other.png"}))
    hear(wiring, webhook(wiring, job_id, status="Pending", result=None))
    assert job(wiring, job_id) == before
    assert [row.effect for row in inbox(wiring)] == ["moved", "unchanged", "unchanged", "progress"]


def test_an_earlier_attempts_no_does_not_touch_the_present_one(wiring: Wiring, key: NewKey) -> None:
    job_id = sent(wiring, key)
    call = webhook(wiring, job_id, status="Error", result=None)
    put(wiring, job_id, attempt_count=2)
    before = job(wiring, job_id)
    hear(wiring, call)
    assert job(wiring, job_id) == before


# --- without the database --------------------------------------------------------------------


def test_with_the_database_away_webhooks_are_spooled_and_replayed_once_it_is_back(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    away = rewire(database_url=NOWHERE)
    job_ids = [sent(wiring, key) for _ in range(3)]
    for job_id in job_ids:
        hear(away, webhook(wiring, job_id))
    assert len(spooled(wiring)) == 3
    assert inbox(wiring) == []
    with pytest.raises(DatabaseUnavailable):
        away.receive.replay()
    assert len(spooled(wiring)) == 3

    assert wiring.receive.replay() == 3
    assert {job(wiring, job_id).status for job_id in job_ids} == {Status.STORING}
    assert [row.effect for row in inbox(wiring)] == ["moved"] * 3
    assert spooled(wiring) == []
    assert wiring.receive.replay() == 0


def test_a_replay_by_two_processes_or_after_a_crash_has_one_effect(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    job_ids = [sent(wiring, key) for _ in range(10)]
    away = rewire(database_url=NOWHERE)
    for job_id in job_ids:
        hear(away, webhook(wiring, job_id, status="Error", result=None))
    copies = {path: path.read_bytes() for path in spooled(wiring)}
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(wiring.receive.replay) for _ in range(4)]:
            one.result()
    for path, content in copies.items():  # a crash after the commit leaves the files
        path.write_bytes(content)
    wiring.receive.replay()
    assert len(inbox(wiring)) == 10
    assert [len(deliveries(wiring, job_id)) for job_id in job_ids] == [1] * 10


def test_a_webhook_that_nobody_can_keep_is_not_said_to_be_kept(
    rewire: Rewire, wiring: Wiring, key: NewKey, tmp_path: Path
) -> None:
    job_id = sent(wiring, key)
    blocked = tmp_path / uuid4().hex
    blocked.write_text("a file where the folder should be")
    away = rewire(database_url=NOWHERE, darkroom_home=blocked)
    with pytest.raises(OSError, match="Not a directory"):
        hear(away, webhook(wiring, job_id))
