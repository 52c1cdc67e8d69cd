import json
from pathlib import Path

import pytest
from cli.answers import BUSY, CUT, NOTHING, header, in_turn
from fakes.scripted_peer import ScriptedPeer, answer, ok

from service.client import ApiRefused, ApiUnreachable, Client
from service.client.api import MAX_UPLOAD_BYTES

JOB = json.dumps({"id": "job_1", "status": "queued"}).encode()


def test_a_job_is_handed_in_again_under_the_same_key_until_there_is_an_answer() -> None:
    with ScriptedPeer(in_turn(NOTHING, BUSY, CUT, ok(JOB))) as api, Client(api.url, "dk_1") as it:
        assert it.submit({"model": "flux-2-pro"}, "one-key")["id"] == "job_1"
    assert [header(sent, "idempotency-key") for sent in api.requests] == ["one-key"] * 4
    assert len({sent.partition(b"\r\n\r\n")[2] for sent in api.requests}) == 1


def test_tries_come_to_an_end() -> None:
    with ScriptedPeer(in_turn(NOTHING)) as api, Client(api.url, "dk_1") as client:
        with pytest.raises(ApiUnreachable, match="gives no whole answer"):
            client.job("job_1")
        assert len(api.requests) == 5


@pytest.mark.parametrize("answer", [NOTHING, BUSY])
def test_a_cancel_is_sent_once(answer: bytes) -> None:
    with ScriptedPeer(in_turn(answer)) as api, Client(api.url, "dk_1") as client:
        with pytest.raises((ApiUnreachable, ApiRefused)):
            client.cancel("job_1")
        assert len(api.requests) == 1


def test_an_upload_is_the_files_bytes_and_sent_until_there_is_an_answer(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\r\n\x00")
    created = b'HTTP/1.1 201 Created\r\nContent-Length: 14\r\n\r\n{"id":"upl_1"}'
    with ScriptedPeer(in_turn(NOTHING, created)) as api, Client(api.url, "dk_1") as client:
        assert client.upload(picture)["id"] == "upl_1"
    for sent in api.requests:
        assert header(sent, "content-type") == "application/octet-stream"
        assert sent.partition(b"\r\n\r\n")[2] == picture.read_bytes()
    assert len(api.requests) == 2


def test_a_file_that_is_too_large_or_endless_is_not_sent(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1)
    with ScriptedPeer(in_turn(ok(JOB))) as api, Client(api.url, "dk_1") as client:
        for path in (large, Path("/dev/zero")):
            with pytest.raises(ApiRefused, match="is larger than 25,000,000 bytes") as refused:
                client.upload(path)
            assert refused.value.status == 413
        with pytest.raises(FileNotFoundError):
            client.upload(tmp_path / "none.png")
        assert api.connections == 0


LATER = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\nConnection: close\r\n"


def test_who_sends_too_much_waits_and_sends_it_again() -> None:
    too_much = LATER % 0 + b"Content-Length: 0\r\n\r\n"
    with ScriptedPeer(in_turn(too_much, ok(JOB))) as api, Client(api.url, "dk_1") as client:
        assert client.retry("job_1", "one-key")["id"] == "job_1"
    assert [header(sent, "idempotency-key") for sent in api.requests] == ["one-key"] * 2


def test_what_asks_for_hours_of_patience_is_said_at_once() -> None:
    problem = json.dumps({"code": "credits_spent", "detail": "The day's credits are spent."})
    spent = LATER % 3600 + b"Content-Length: %d\r\n\r\n" % len(problem) + problem.encode()
    with ScriptedPeer(answer(spent)) as api, Client(api.url, "dk_1") as client:
        with pytest.raises(ApiRefused, match=r"The day's credits are spent\.") as refused:
            client.submit_batch([{"model": "flux-2-pro"}], "one-key")
        assert len(api.requests) == 1
    assert (refused.value.status, refused.value.code) == (429, "credits_spent")


def test_a_batch_is_handed_in_again_under_the_same_key_and_said_to_be_found() -> None:
    body = b'{"id":"bat_1","job_ids":["job_1"]}'
    found = b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nIdempotent-Replayed: true\r\n"
    found += b"Content-Length: %d\r\n\r\n" % len(body) + body
    with ScriptedPeer(in_turn(NOTHING, CUT, found)) as api, Client(api.url, "dk_1") as client:
        made = client.submit_batch([{"model": "m"}], "one-key", metadata={"order": "17"})
    assert (made.batch["job_ids"], made.is_replayed) == (["job_1"], True)
    assert [header(sent, "idempotency-key") for sent in api.requests] == ["one-key"] * 3
    bodies = {sent.partition(b"\r\n\r\n")[2] for sent in api.requests}
    assert [json.loads(sent) for sent in bodies] == [
        {"jobs": [{"model": "m"}], "metadata": {"order": "17"}}
    ]


def test_an_image_that_is_gone_counts_as_deleted_and_an_unknown_one_does_not() -> None:
    gone = b"HTTP/1.1 410 Gone\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with ScriptedPeer(in_turn(NOTHING, gone)) as api, Client(api.url, "dk_1") as client:
        client.delete_image("img_1")
        assert [sent.split(b" ")[0] for sent in api.requests] == [b"DELETE"] * 2
    unknown = gone.replace(b"410 Gone", b"404 Not Found")
    with (
        ScriptedPeer(answer(unknown)) as api,
        Client(api.url, "dk_1") as client,
        pytest.raises(ApiRefused),
    ):
        client.delete_image("img_1")


@pytest.mark.parametrize("name", ["", "..", "../jobs", "flux/../../jobs", "flux?x=1", "flux#", "/"])
def test_what_is_no_models_name_is_not_asked_for(name: str) -> None:
    with ScriptedPeer(in_turn(ok(JOB))) as api, Client(api.url, "dk_1") as client:
        with pytest.raises(ApiRefused, match="is no model's name"):
            client.model(name)
        assert api.connections == 0


@pytest.mark.parametrize("job_id", ["", "..", "job_1/cancel", "job_1?x=1"])
def test_what_is_no_id_is_not_asked_for(job_id: str) -> None:
    with ScriptedPeer(in_turn(ok(JOB))) as api, Client(api.url, "dk_1") as client:
        with pytest.raises(ApiRefused, match="is no id"):
            client.job(job_id)
        assert api.connections == 0
