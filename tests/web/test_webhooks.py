"""The receiver: who proves itself is heard, everybody else hears one thing."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from conftest import Api
from factories import enqueue, events, job
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select
from web.sent_job import Sent, sent_job

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import FluxWebhook
from service.settings import Settings
from service.signing.flux_webhook import MAX_BODY_BYTES
from service.states import Status
from service.upstream import Accepted
from service.web.app import create_app
from service.wiring import Wiring

READY = {"id": "task-1", "status": "Ready", "result": {"sample": "http://127.0.0.1:9/a.png"}}
ENDED = {"id": "task-1", "status": "Error"}


def post(client: FlaskClient, sent: Sent, body: object, headers: Mapping[str, str] | None) -> Any:  # noqa: ANN401
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(sent.path, data=raw, headers=sent.proof() if headers is None else headers)


def inbox(wiring: Wiring) -> list[str]:
    """Return the effects of the webhooks that were kept."""
    with wiring.database.transaction() as tx:
        rows = tx.rows(select(FluxWebhook.effect).order_by(FluxWebhook.received_at))
    return [row.effect for row in rows]


def test_either_proof_or_both_is_enough(client: FlaskClient, wiring: Wiring, key: NewKey) -> None:
    bodies = (b' { "status" :\n"Ready" }', '{"status":"Error","error":"naïve 🖼"}'.encode())
    for body in bodies:
        sent = sent_job(wiring, key)
        signed = {"X-BFL-Signature": f"sha256={sent.signature(body)}"}
        for headers in (signed, sent.proof(), signed | sent.proof()):
            assert post(client, sent, body, headers).status_code == 200


def wrong_proofs(sent: Sent, body: bytes, other: Sent) -> list[dict[str, str]]:
    """Return headers that prove nothing, each wrong in one way."""
    good, key = sent.signature(body), sent.secret.encode()
    flipped = ("0" if good[0] != "0" else "1") + good[1:]
    last = good[:-1] + ("0" if good[-1] != "0" else "1")
    signatures = [
        "", "sha256=", good, f"SHA256={good}", f"sha256={flipped}", f"sha256={last}",
        f"sha256={good[:-1]}", f"sha256={good[:8]}", f"sha256={good}0", f"sha256={good}{good}",
        f"sha256={good.upper()}" if good.upper() != good else "sha256=0", f"sha256= {good}",
        f"sha1={hmac.new(key, body, 'sha1').hexdigest()}",
        f"sha256={hmac.new(key, body, 'sha512').hexdigest()}",
        "none", "none=", f"sha256={hashlib.sha256(body).hexdigest()}",
        f"sha256={hashlib.sha256(key + body).hexdigest()}", f"sha256={other.signature(body)}",
        f"sha256={good},sha256={good}", f"sha256={good} sha256={good}", f'"sha256={good}"',
        "sha256=" + "\N{FULLWIDTH DIGIT ZERO}" * 64, "sha256=" + "a" * 10_000, "sha256=é", "v1,abc",
    ]  # fmt: skip
    secrets = [
        "", "x", sent.secret[:-1], f"{sent.secret}0", other.secret, good, "a" * 10_000, "é" * 64,
        f"{sent.secret},{sent.secret}", f'"{sent.secret}"', sent.secret.upper() + "x",
    ]  # fmt: skip
    right = f"sha256={good}"
    return [
        {},
        *({"X-BFL-Signature": text} for text in signatures),
        *({"X-Webhook-Secret": text} for text in secrets),
        {"X-Webhook-Secret": "x", "X-BFL-Signature": right},
        {"X-Webhook-Secret": sent.secret, "X-BFL-Signature": "sha256=" + flipped},
        {"X-Webhook-Secret": "", "X-BFL-Signature": right},
        {"X-Hub-Signature-256": right},
    ]


def test_everything_wrong_is_answered_alike_and_changes_nothing(
    client: FlaskClient, wiring: Wiring, key: NewKey, sent: Sent
) -> None:
    body = json.dumps(READY).encode()
    other = sent_job(wiring, key)
    answers = []
    for headers in wrong_proofs(sent, body, other):
        answer = client.post(sent.path, data=body, headers=headers)
        assert answer.status_code == 401, headers
        answers.append(answer)
    signed = {"X-BFL-Signature": f"sha256={sent.signature(body)}"}
    changed_bodies = (body + b" ", body + b"\n", b"\xef\xbb\xbf" + body, b"", body[:-1],
                      body.replace(b"Ready", b"Error"))  # fmt: skip
    answers += [client.post(sent.path, data=raw, headers=signed) for raw in changed_bodies]
    answers.append(client.post(other.path, data=body, headers=signed))
    answers.append(client.post(other.path, data=body, headers=sent.proof()))
    tokens = (
        sent.token[:-6] + "AAAAAA", "A" + sent.token[1:], sent.token.rpartition(".")[0], "x", ".",
        "é", wiring.cursors.write("jobs", [new_id().hex]), sent.token + ".x", "a" * 5000, "%00",
    )  # fmt: skip
    for token in tokens:
        path = f"/webhooks/flux/{token}"
        answers.append(client.post(path, data=body, headers=signed | sent.proof()))
    big = b" " * (MAX_BODY_BYTES + 1)
    answers.append(client.post(sent.path, data=big, headers=sent.proof()))
    seen = {
        (said.status_code, said.data, *(p for p in said.headers if p[0] != "X-Request-Id"))
        for said in answers
    }
    assert len(seen) == 1
    assert answers[0].status_code == 401
    assert inbox(wiring) == []
    assert job(wiring, sent.job_id).status is Status.SUBMITTING


def test_a_body_of_64_kib_is_read(client: FlaskClient, sent: Sent) -> None:
    body = json.dumps(READY).encode().ljust(MAX_BODY_BYTES)
    assert post(client, sent, body, None).status_code == 200


def test_only_post_is_taken(client: FlaskClient, sent: Sent) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        answer = client.open(sent.path, method=method, headers=sent.proof())
        assert (answer.status_code, "POST" in answer.headers["Allow"]) == (405, True), method


def test_what_is_authentic_but_odd_is_kept_and_fails_no_job(
    client: FlaskClient, wiring: Wiring, sent: Sent
) -> None:
    deep = b'{"status":' * 5000 + b"1" + b"}" * 5000
    huge = b'{"id":"%s","status":"Pending"}' % (b"x" * 60_000)
    odd = (
        b"hello", b"[]", b"null", b"1", b"{}", b'{"id":"gen_1","status":"Banana"}',
        b'{"status":"Ready"}', b'{"status":"Ready","result":[]}', b'{"id":"\xff"}', b"", deep, huge,
        b'{"status":"Ready","result":{"sample":""}}', b'{"id":"gen\\u0000"}', b'{"status":NaN}',
        b'{"status":null,"result":null,"id":7}', b'{"status":{"a":1}}', b'{"cost":1e999}',
        b'{"id":"\\ud800","status":"\\udfff"}', b'{"x":%s}' % (b"9" * 5000),
    )  # fmt: skip
    for body in odd:
        assert post(client, sent, body, None).status_code == 200, body[:80]
    assert len(inbox(wiring)) == len(odd)
    assert job(wiring, sent.job_id).status is Status.GENERATING


def test_facts_that_postgresql_does_not_keep_stop_no_result(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    sample = '"sample":"http://127.0.0.1:9/a.png"'
    for facts in (
        '"prompt":"a\\u0000b"', '"prompt":"\\ud800"', '"seed":NaN', '"seed":1e999',
        '"seed":1' + "0" * 4000, '"duration":{"a":[{"\\u0000":"\\udfff"}]}',
    ):  # fmt: skip
        sent = sent_job(wiring, key)
        body = f'{{"status":"Ready","result":{{{sample},{facts}}}}}'.encode()
        assert post(client, sent, body, None).status_code == 200, facts
        assert job(wiring, sent.job_id).status is Status.STORING, facts
    for details in ('{"a\\u0000":"\\ud800"}', '{"Moderation Reasons":["\\u0000"]}', '{"x":NaN}'):
        sent = sent_job(wiring, key)
        body = f'{{"status":"Error","details":{details}}}'.encode()
        assert post(client, sent, body, None).status_code == 200, details
        assert job(wiring, sent.job_id).status is Status.FAILED, details


def test_a_url_that_dies_at_an_odd_time_leaves_a_job_that_can_be_read(
    api: Api, client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    for end in (
        "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "x", "%00",
        "2026-11-22T12:00:00Z&se=x", "",
    ):  # fmt: skip
        sent = sent_job(wiring, key)
        sample = {"sample": f"http://127.0.0.1:9/a.png?se={end}"}
        assert post(client, sent, {"status": "Ready", "result": sample}, None).status_code == 200
        answer = api.get(f"/v1/jobs/{public_id(Kind.JOB, sent.job_id)}")
        assert (answer.status_code, answer.json["status"]) == (200, "storing"), end
    assert api.get("/v1/jobs").status_code == 200


def test_a_webhook_sent_many_times_at_once_has_one_effect(
    client: FlaskClient, wiring: Wiring, sent: Sent
) -> None:
    app = client.application

    def once(_: int) -> int:
        status: int = post(app.test_client(), sent, READY, None).status_code
        return status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(once, range(64))) == {200}
    assert inbox(wiring) == ["moved"]
    assert events(wiring, sent.job_id).count("job.storing") == 1


def test_the_first_terminal_word_wins_and_the_second_is_kept(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    for first, second, status in ((READY, ENDED, Status.STORING), (ENDED, READY, Status.FAILED)):
        sent = sent_job(wiring, key)
        for word in (first, second):
            assert post(client, sent, word, None).status_code == 200
        assert job(wiring, sent.job_id).status is status
    assert sorted(inbox(wiring)) == ["moved", "moved", "unchanged", "unchanged"]


def test_a_webhook_for_an_attempt_we_lost_is_kept(client: FlaskClient, wiring: Wiring) -> None:
    attempt = new_id()
    signer = wiring.webhook_signer
    sent = Sent(new_id(), signer.token(attempt), signer.secret(attempt))
    assert post(client, sent, READY, None).status_code == 200
    assert inbox(wiring) == ["unmatched"]


def test_a_webhook_before_the_answer_to_the_post_is_not_undone_by_it(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    signer = wiring.webhook_signer
    sent = Sent(job_id, signer.token(intent.attempt_id), signer.secret(intent.attempt_id))
    assert post(client, sent, READY, None).status_code == 200
    wiring.submit.record([(intent, Accepted("task-1", polling_url=None, cost=None))])
    row = job(wiring, job_id)
    assert (row.status, row.task_id) == (Status.STORING, "task-1")


def test_a_webhook_signed_with_the_former_key_is_still_heard(
    settings: Settings, wiring: Wiring, sent: Sent
) -> None:
    keys = [SecretStr("a-newer-key-that-is-long-enough-too"), *settings.secret_key]
    rotated = Wiring(settings.model_copy(update={"secret_key": keys}), ring=wiring.ring)
    client = create_app(rotated).test_client()
    assert post(client, sent, READY, None).status_code == 200
    rotated.close()
    assert inbox(wiring) == ["moved"]


def away(settings: Settings, **more: object) -> Wiring:
    """Return a wiring whose database is at a port where nothing listens."""
    nobody = SecretStr("postgresql+psycopg://user:password@127.0.0.1:9/none")
    return Wiring(settings.model_copy(update={"database_url": nobody, **more}))


def test_with_the_database_away_a_webhook_is_spooled_and_replayed(
    settings: Settings, wiring: Wiring, sent: Sent
) -> None:
    client = create_app(away(settings)).test_client()
    assert post(client, sent, READY, None).status_code == 200
    assert post(client, sent, READY, {"X-Webhook-Secret": "x"}).status_code == 401
    assert inbox(wiring) == []
    assert wiring.receive.replay() == 1
    assert inbox(wiring) == ["moved"]
    assert job(wiring, sent.job_id).status is Status.STORING
    assert wiring.receive.replay() == 0


def test_with_the_disk_away_too_flux_is_asked_to_send_again(
    settings: Settings, sent: Sent, tmp_path: Path
) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("in the way")
    client = create_app(away(settings, darkroom_home=no_folder)).test_client()
    assert post(client, sent, READY, None).status_code == 503
