"""A job's timeline as it grows: over streams that are cut, refused and odd, and on the real API."""

import json
import threading
from typing import Any

import pytest
import urllib3
from cli.answers import BUSY, LAST, NOTHING, header, in_turn
from cli.command_line import CommandLine
from cli.working import job_name
from factories import enqueue
from fakes.scripted_peer import ScriptedPeer, ok
from journeys.running_service import RunningService

from service.client import ApiRefused, ApiUnreachable, Client, streams
from service.client.streams import Message, messages
from service.keys import NewKey
from service.wiring import Wiring

NO_MORE = b"HTTP/1.1 204 No Content\r\n%b\r\n" % LAST
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"


def told(*seqs: int, whole: bool = True) -> bytes:
    """Return a chunked stream of these events; its last chunk may be missing."""
    pieces = [b": still here\n\n"]
    for seq in seqs:
        data = json.dumps({"seq": seq, "type": "job.queued"}).encode()
        pieces.append(b"id: %d\nevent: job.queued\ndata: %b\n\n" % (seq, data))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = HEAD + LAST + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + chunks + (b"0\r\n\r\n" if whole else b"")


def seqs(client: Client, after: int = 0) -> list[int]:
    return [event["seq"] for event in client.follow("job_1", after)]


def test_a_stream_that_is_cut_goes_on_behind_the_last_event_until_nothing_is_left() -> None:
    script = in_turn(told(1, 2, whole=False), NOTHING, told(3), NO_MORE)
    with ScriptedPeer(script) as api, Client(api.url, "dk_1") as client:
        assert seqs(client) == [1, 2, 3]
        places = [header(request, "last-event-id") for request in api.requests]
        assert places == ["0", "2", "2", "3"]
        assert {header(each, "accept") for each in api.requests} == {"text/event-stream"}


def test_what_was_seen_before_is_not_asked_for() -> None:
    with ScriptedPeer(in_turn(told(5), NO_MORE)) as api, Client(api.url, "dk_1") as client:
        assert seqs(client, after=4) == [5]
        assert header(api.requests[0], "last-event-id") == "4"


def test_an_event_that_was_cut_in_two_is_told_once_and_whole() -> None:
    cut = HEAD + LAST + b'\r\nid: 1\nevent: x\ndata: {"seq": 1}\n'
    with ScriptedPeer(in_turn(cut, told(1), NO_MORE)) as api, Client(api.url, "dk_1") as client:
        assert seqs(client) == [1]


def test_tries_come_to_an_end() -> None:
    with ScriptedPeer(in_turn(NOTHING)) as api, Client(api.url, "dk_1") as client:
        with pytest.raises(ApiUnreachable):
            seqs(client)
        assert len(api.requests) == 5


def test_a_refusal_is_the_apis() -> None:
    problem = b'{"detail":"There is no such job."}'
    unknown = b"HTTP/1.1 404 Not Found\r\n%bContent-Length: %d\r\n\r\n%b"
    script = in_turn(unknown % (LAST, len(problem), problem))
    with ScriptedPeer(script) as api, Client(api.url, "dk_1") as client:
        with pytest.raises(ApiRefused, match=r"There is no such job\."):
            seqs(client)
        assert len(api.requests) == 1


def asked(status: str, *seqs: int) -> tuple[bytes, bytes]:
    """Return the answers of the two questions that stand in for a stream."""
    events = {"data": [{"seq": seq} for seq in seqs], "next": None}
    return ok(json.dumps({"status": status}).encode()), ok(json.dumps(events).encode())


def test_where_there_are_too_many_streams_it_asks() -> None:
    script = in_turn(told(1, whole=False), BUSY, *asked("queued", 1, 2), *asked("failed", 1, 2, 3))
    with ScriptedPeer(script) as api, Client(api.url, "dk_1") as client:
        assert seqs(client) == [1, 2, 3]


def test_a_stream_that_says_nothing_is_given_up_for_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "SILENCE_SECONDS", 0.2)
    answers = iter([HEAD + LAST + b"\r\n: here\n\n", *asked("succeeded", 1)])

    def script(sock: Any, peer: ScriptedPeer) -> None:  # noqa: ANN401 - a socket
        is_stream = header(peer.read_request(sock), "accept") == "text/event-stream"
        sock.sendall(next(answers))
        if is_stream:
            peer.closing.wait(10)

    with ScriptedPeer(script) as api, Client(api.url, "dk_1") as client:
        assert seqs(client) == [1]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("piece_bytes", [1, 2, 1000])
def test_messages_are_read_as_the_standard_says(end: str, piece_bytes: int) -> None:
    lines = [
        *("\ufeff: a comment", "retry: 10", "unknown: x", "event: nothing", ""),
        *("id: 7", "data: one", "data:two", "data:  three", "event: x", ""),
        *("id: 8\0", "data", "data", "", "data: not ended"),
    ]
    text = end.join(lines).encode()
    pieces = [text[i : i + piece_bytes] for i in range(0, len(text), piece_bytes)]
    assert list(messages(pieces)) == [
        Message("7", "x", "one\ntwo\n three"),
        Message("7", "message", "\n"),
    ]


def test_a_line_without_end_is_not_kept() -> None:
    with pytest.raises(ApiUnreachable):
        list(messages(b"x" * 65536 for _ in range(100)))


def test_the_real_api_streams_a_job_to_its_end(
    web: RunningService, darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    job_id = job_name(enqueue(wiring, key))
    with Client(web.url, key.api_key) as client:
        events = client.follow(job_id)
        assert next(events)["type"] == "job.queued"
        cancel = threading.Timer(0, darkroom, ("jobs", "cancel", job_id))
        cancel.start()
        assert [event["type"] for event in events] == ["job.canceled"]
        cancel.join()
        url, accepted = f"{web.url}/v1/jobs/{job_id}/events", {"Accept": streams.MEDIA_TYPE}
        bearer = {"Authorization": f"Bearer {key.api_key}"}
    # without this, asking instead would pass for streaming
    with urllib3.PoolManager() as http:
        found = http.request("GET", url, headers={**bearer, **accepted})
    assert found.headers["Content-Type"].startswith(streams.MEDIA_TYPE)
