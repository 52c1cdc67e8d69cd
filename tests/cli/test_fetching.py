"""An image's bytes into a file, from buckets that cut, lie and stumble."""

import fcntl
import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.answers import BUSY, LAST, NOTHING, header, in_turn
from fakes.scripted_peer import Script, ScriptedPeer, answer, ok

from service.client import Client, ContentAltered, FetchedElsewhere, JobImage

CONTENT = b"all the bytes of it"
IMAGE: JobImage = {"id": "img_1", "bytes": 19, "sha256": hashlib.sha256(CONTENT).hexdigest()}  # type: ignore[typeddict-item] # all that is read


@contextmanager
def bucket_of(script: Script) -> Iterator[tuple[ScriptedPeer, Client]]:
    """Run an API that leads to a bucket with this script."""
    with ScriptedPeer(script) as bucket:
        place = b"Location: %b/x?sig=1\r\n" % bucket.url.encode()
        away = b"HTTP/1.1 302 Found\r\n%bContent-Length: 0\r\n%b\r\n" % (place, LAST)
        with ScriptedPeer(answer(away)) as api, Client(api.url, "dk_1") as client:
            yield bucket, client
            assert header(api.requests[0], "authorization") == "Bearer dk_1"


def ranged(cut_after: int) -> Script:
    """Return a bucket that heeds ranges and hangs up after so many bytes."""

    def script(sock: socket.socket, peer: ScriptedPeer) -> None:
        asked = header(peer.read_request(sock), "range")
        start = int((asked or "bytes=0-")[len("bytes=") : -1])
        status = b"206 Partial Content" if asked else b"200 OK"
        place = b"Content-Range: bytes %d-18/19\r\n" % start if asked else b""
        head = b"HTTP/1.1 %b\r\n%b%bContent-Length: %d\r\n\r\n"
        sock.sendall(head % (status, place, LAST, 19 - start))
        sock.sendall(CONTENT[start : start + cut_after])

    return script


def test_a_cut_fetch_goes_on_from_its_bytes_and_the_bucket_never_sees_the_key(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.png"
    with bucket_of(ranged(cut_after=3)) as (bucket, client):
        client.fetch(IMAGE, path)
        asked = [header(request, "range") for request in bucket.requests]
        assert {header(request, "authorization") for request in bucket.requests} == {None}
    assert asked == [None, *(f"bytes={place}-" for place in range(3, 19, 3))]
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_a_later_fetch_goes_on_from_what_an_earlier_one_left(tmp_path: Path) -> None:
    (tmp_path / "a.png.part").write_bytes(CONTENT[:7])
    with bucket_of(ranged(cut_after=19)) as (bucket, client):
        client.fetch(IMAGE, tmp_path / "a.png")
        assert [header(request, "range") for request in bucket.requests] == ["bytes=7-"]
    assert (tmp_path / "a.png").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"other", b"other bytes of it..", CONTENT + b"and more"])
def test_a_part_that_is_not_of_the_image_is_begun_anew(left: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png.part").write_bytes(left)
    with bucket_of(ranged(cut_after=19)) as (bucket, client):
        client.fetch(IMAGE, tmp_path / "a.png")
        assert header(bucket.requests[-1], "range") is None
    assert (tmp_path / "a.png").read_bytes() == CONTENT


def test_a_bucket_without_ranges_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "a.png.part").write_bytes(CONTENT[:7])
    with bucket_of(in_turn(NOTHING, BUSY, ok(CONTENT))) as (_, client):
        client.fetch(IMAGE, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == CONTENT


@pytest.mark.parametrize("stored", [CONTENT[:-1] + b"!", CONTENT[:-1]])
def test_what_was_altered_gets_no_name(stored: bytes, tmp_path: Path) -> None:
    with bucket_of(answer(ok(stored))) as (_, client), pytest.raises(ContentAltered):
        client.fetch(IMAGE, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_two_processes_do_not_write_into_each_others_file(tmp_path: Path) -> None:
    part = tmp_path / "a.png.part"
    with bucket_of(ranged(cut_after=19)) as (bucket, client), part.open("ab") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(FetchedElsewhere):
            client.fetch(IMAGE, tmp_path / "a.png")
        assert bucket.connections == 0
        theirs.close()
        client.fetch(IMAGE, tmp_path / "a.png")
