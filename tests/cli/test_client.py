import hashlib
import itertools
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.scripted_peer import Script, ScriptedPeer, ok

from service.client import ApiRefused, ApiUnreachable, Client, Image
from service.client.api import MAX_UPLOAD_BYTES

JOB = json.dumps({"id": "job_1", "status": "queued"}).encode()
LAST = b"Connection: close\r\n"
BUSY = b"HTTP/1.1 503 Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n%b\r\n" % LAST
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
NOTHING = b""


def in_turn(*answers: bytes) -> Script:
    """Return a script that gives each connection the next answer, and the last one for ever."""
    left: Iterator[bytes] = itertools.chain(answers, itertools.repeat(answers[-1]))

    def script(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        sock.sendall(next(left))

    return script


def header(request: bytes, name: str) -> str | None:
    for line in request.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
        if line.lower().startswith(f"{name}: "):
            return line.partition(": ")[2]
    return None


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


def test_the_bucket_is_asked_until_it_gives_all_bytes_and_never_sees_the_api_key() -> None:
    sha256 = hashlib.sha256(b"all bytes").hexdigest()
    image: Image = {"id": "img_1", "bytes": 9, "sha256": sha256}  # type: ignore[typeddict-item] # all that is read
    with ScriptedPeer(in_turn(CUT, BUSY, ok(b"all bytes"))) as bucket:
        place = b"Location: %b/x?sig=1\r\n" % bucket.url.encode()
        away = b"HTTP/1.1 302 Found\r\n%bContent-Length: 0\r\n%b\r\n" % (place, LAST)
        with ScriptedPeer(in_turn(away)) as api, Client(api.url, "dk_1") as client:
            assert client.content(image) == b"all bytes"
            assert header(api.requests[0], "authorization") == "Bearer dk_1"
        assert [header(asked, "authorization") for asked in bucket.requests] == [None] * 3


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
