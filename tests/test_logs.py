"""The log: JSON lines that can be followed by their ids, and not one secret."""

import io
import json
import logging
import re
from typing import Any

import pytest
from conftest import Api, named
from factories import attempt_id, due_now, enqueue, hear, job, run, webhook
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink
from pydantic import SecretStr
from sqlalchemy import text

from service.ids import Kind, public_id
from service.keys import NewKey
from service.logs import get_log
from service.states import Status
from service.web.app import create_app
from service.wiring import Wiring

BODY = {"model": "flux-2-pro", "input": {"prompt": "a canary in a mine"}}


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def crash(words: str) -> None:
    try:
        int(words)
    except ValueError:
        get_log("ours").exception("crashed")


def test_every_line_is_json_whatever_is_logged(lines: io.StringIO) -> None:
    get_log("ours").info("odd", value="a\nb\r\nc\x00 \ud800 é", number=float("nan"), raw=b"\xff")
    logging.getLogger("theirs").warning("text with %s", "line\nbreaks")
    crash("two\nlines")
    assert [line["event"] for line in read(lines)] == ["odd", "text with line\nbreaks", "crashed"]
    assert "Traceback" in read(lines)[-1]["exception"]
    assert all({"timestamp", "level", "logger"} <= line.keys() for line in read(lines))


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("POST /webhooks/flux/IjAx.abc-_def HTTP/1.1", "IjAx.abc-_def"),
        ("Invalid header: 'Authorization: Bearer dk_0123456789abcdefghij-_'", "dk_0123"),
        ("key whsec_Cba7bcjFvaP+tCj9nCI1WgXM7zFO75+WK+Gx6LrxD1A= used", "Cba7bcjF"),
        ("https://s3/a.png?X-Amz-Date=1&X-Amz-Signature=0123456789abcdef&x=1", "0123456789abcdef"),
        ("https://store.example/a.png?se=2026&sig=ab%2Bcd%3D", "ab%2Bcd%3D"),
        ("redis://user:hush@127.0.0.1:6379/0", "hush"),
        ("postgresql://app:hu%20sh@db/name", "hu%20sh"),
    ],
)
def test_a_secret_that_slips_into_a_line_is_cut_out(
    lines: io.StringIO, line: str, secret: str
) -> None:
    logging.getLogger("theirs").error("failed: %s", line)
    get_log("ours").info("noted", url=line, inside={"list": [line]})
    crash(line)
    assert secret not in lines.getvalue()
    assert lines.getvalue().count("***") >= 4
    assert len(read(lines)) == 3


def test_all_lines_of_a_request_carry_its_id(
    lines: io.StringIO, wiring: Wiring, key: NewKey
) -> None:
    api = Api(create_app(wiring).test_client(), key.api_key)
    api.post("/v1/jobs", BODY, X_Request_Id="order-7")
    mine = [line for line in read(lines) if line.get("request_id") == "order-7"]
    assert [line["event"] for line in mine] == ["job_enqueued", "request"]
    request = mine[-1]
    assert (request["method"], request["route"], request["status"]) == ("POST", "/v1/jobs", 202)
    assert request["duration_ms"] > 0
    api.get("/v1/jobs")
    other = read(lines)[-1]["request_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", other)


def test_probes_are_not_logged(lines: io.StringIO, wiring: Wiring) -> None:
    client = create_app(wiring).test_client()
    for path in ("/healthz", "/readyz", "/metrics"):
        client.get(path)
    assert read(lines) == []


def _whole_way(wiring: Wiring, key: NewKey, simulator: Simulator, callback_url: str) -> Any:  # noqa: ANN401
    """Take a job through every step and return its id."""
    simulator.set_fault("lose")
    job_id = enqueue(wiring, key, callback_url=callback_url, metadata={"note": "canary"})
    run(wiring.submit)

    def polled() -> Status:
        due_now(wiring, job_id)
        run(wiring.poll)
        status: Status = job(wiring, job_id).status
        return status

    wait_until(polled, Status.STORING.__eq__)
    hear(wiring, webhook(wiring, job_id))
    for step in (wiring.store, wiring.deliver, wiring.derive):
        run(step)
    return job_id


def test_each_attempt_is_one_line_with_its_ids_and_duration(
    lines: io.StringIO, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    with WebhookSink() as caller:
        job_id = _whole_way(wiring, key, simulator, caller.url)
    for step in ("submit", "poll", "store", "deliver"):
        attempts = [line for line in read(lines) if line["event"] == f"{step}_attempt"]
        assert attempts, step
        assert all(line["job_id"] == str(job_id) for line in attempts), step
        assert all(line["duration_ms"] >= 0 for line in attempts), step
    assert len([line for line in read(lines) if line["event"] == "submit_attempt"]) == 1


def test_no_secret_is_in_any_line_of_a_jobs_whole_life(
    lines: io.StringIO,
    wiring: Wiring,
    key: NewKey,
    simulator: Simulator,
    environment: dict[str, str],
) -> None:
    api = Api(create_app(wiring).test_client(), key.api_key)
    with WebhookSink(500) as caller:
        job_id = _whole_way(wiring, key, simulator, f"{caller.url}?token=canary-of-the-caller")
    public = public_id(Kind.JOB, job_id)
    attempt = attempt_id(wiring, job_id)
    token, secret = wiring.webhook_signer.token(attempt), wiring.webhook_signer.secret(attempt)
    document = api.get(f"/v1/jobs/{public}").json
    image = document["images"][0]
    content = api.get(f"/v1/images/{image['id']}/content")
    # everything that goes wrong, too
    api.client.get(f"/v1/jobs?api_key={key.api_key}")
    api.client.get("/v1/jobs", headers={"Authorization": f"Bearer {key.api_key}x"})
    api.client.post("/login", data={"api_key": key.api_key})
    api.client.post(f"/webhooks/flux/{token}", data=b"{}", headers={"X-Webhook-Secret": "x"})
    api.client.post(f"/webhooks/flux/{token}", data=b"{}", headers={"X-Webhook-Secret": secret})
    api.client.get(f"/webhooks/flux/{token}")
    api.post("/v1/jobs", {**BODY, "callback_url": "http://user:hush-hush@10.0.0.1/"})
    unmigrated = SecretStr(named(environment["DATABASE_URL"], "postgres"))
    broken = Wiring(wiring.settings.model_copy(update={"database_url": unmigrated}))
    faulty = Api(create_app(broken).test_client(), key.api_key)
    assert faulty.post("/v1/jobs", BODY).status_code == 500
    broken.close()
    result_url = job(wiring, job_id).result_url
    with wiring.database.transaction() as tx:
        tx.execute(text("DROP TABLE jobs CASCADE"))
    # its prompt and metadata are parameters of the statement that fails
    assert (
        api.post("/v1/jobs", {**BODY, "metadata": {"note": key.callback_secret}}).status_code == 500
    )

    log = lines.getvalue()
    assert "request_crashed" in log
    assert "webhook_rejected" in log
    presigned = [image["url"], content.headers["Location"]]
    signatures = [url.partition("X-Amz-Signature=")[2].partition("&")[0] for url in presigned]
    secrets = {
        "api key": key.api_key,
        "its hidden part": key.api_key[12:],
        "callback secret": key.callback_secret.removeprefix("whsec_"),
        "webhook token": token,
        "webhook secret": secret,
        "signature of a presigned URL": signatures[0],
        "signature of a content URL": signatures[1],
        "key of the service": environment["SECRET_KEY"],
        "upstream's key": environment["FLUX_API_KEY"],
        "S3's key": environment["AWS_SECRET_ACCESS_KEY"],
        "database address": environment["DATABASE_URL"],
        "password in a caller's address": "hush-hush",
        "token in a caller's address": "canary-of-the-caller",
        "result URL": result_url,
        "prompt": "a canary in a mine",
    }
    assert {name for name, value in secrets.items() if value in log} == set()
    assert all(secrets.values())
