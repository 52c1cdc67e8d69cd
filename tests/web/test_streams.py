"""A job's timeline is told as it is written, to many at once, and to nobody else's loss."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from factories import enqueue
from fakes.waiting import wait_until
from sqlalchemy import delete, insert, update
from web.event_stream import EventStream, follow, wait_for_end
from web.gunicorn_process import GunicornProcess, heard, request, status_of

from service.ids import Kind, new_id, public_id, read_id
from service.keys import NewKey
from service.models import JobEvent, jobs
from service.settings import load_settings
from service.wiring import Wiring

ATTENTIVE = Path(__file__).with_name("attentive_gunicorn_conf.py")
#: Of the configuration above.
STREAMS = 8
HEARTBEAT_SECONDS = 0.5
TAKE_SECONDS = 1.0
#: Several times what anything takes here.
LIMIT_SECONDS = 5.0


@pytest.fixture(scope="module")
def web(
    web_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornProcess]:
    log = tmp_path_factory.mktemp("attentive") / "web.log"
    with GunicornProcess(web_environment, log, ATTENTIVE) as web:
        yield web
        assert "Traceback" not in web.log
        assert "_crashed" not in web.log


@pytest.fixture(scope="module")
def wiring(web_environment: dict[str, str]) -> Iterator[Wiring]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in web_environment.items():
            patch.setenv(name, value)
        wiring = Wiring(load_settings(), ring=lambda _message: None)
    yield wiring
    wiring.close()


@pytest.fixture(scope="module")
def key(wiring: Wiring) -> NewKey:
    return wiring.keys.create("default")


@pytest.fixture(scope="module")
def bearer(key: NewKey) -> str:
    return f"Authorization: Bearer {key.api_key}"


@pytest.fixture
def job_id(wiring: Wiring, key: NewKey) -> str:
    """A queued job."""
    return public_id(Kind.JOB, enqueue(wiring, key))


def listen(web: GunicornProcess, bearer: str, job_id: str, *headers: str) -> EventStream:
    """Open a stream as soon as there is room: those of clients that are gone end soon."""

    def opened() -> EventStream | None:
        stream = follow(web, bearer, job_id, *headers)
        if stream.status != 503:
            return stream
        stream.close()
        return None

    stream = wait_until(opened, bool, LIMIT_SECONDS)
    assert stream is not None
    return stream


def fill(stack: ExitStack, web: GunicornProcess, bearer: str, job_id: str) -> list[EventStream]:
    """Open streams until there is no more room."""
    return [stack.enter_context(listen(web, bearer, job_id)) for _ in range(STREAMS)]


def cancel(web: GunicornProcess, bearer: str, job_id: str) -> None:
    assert web.status(request(f"POST /v1/jobs/{job_id}/cancel", bearer)) == 200


def timeline(web: GunicornProcess, bearer: str, job_id: str) -> list[dict[str, object]]:
    answer = web.say(request(f"GET /v1/jobs/{job_id}/events", bearer, "Accept: */*"))
    data: list[dict[str, object]] = json.loads(answer.split(b"\r\n\r\n", 1)[1])["data"]
    return data


def test_what_is_written_is_told_at_once_and_the_end_of_the_job_is_that_of_the_answer(
    web: GunicornProcess, bearer: str, job_id: str
) -> None:
    with listen(web, bearer, job_id) as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["Cache-Control"] == "no-store"
        assert stream.headers["X-Accel-Buffering"] == "no"
        first = stream.event()
        assert first is not None
        assert stream.blocks[0].startswith("retry: ")
        cancel(web, bearer, job_id)
        began = time.monotonic()
        told = [first, *stream.events()]
        assert time.monotonic() - began < 1.0
        assert stream.has_ended
    assert [event.data for event in told] == timeline(web, bearer, job_id)
    assert [(event.id, event.type) for event in told] == [(1, "job.queued"), (2, "job.canceled")]


def test_a_connection_is_used_again_after_a_stream(
    web: GunicornProcess, bearer: str, job_id: str
) -> None:
    cancel(web, bearer, job_id)
    with listen(web, bearer, job_id) as stream:
        assert len(stream.events()) == 2
        stream._connection.sendall(request("GET /v1/jobs", bearer))  # noqa: SLF001 - the same one
        assert status_of(heard(stream._connection)) == 200  # noqa: SLF001 - likewise


def test_last_event_id_goes_on_after_it_and_204_says_that_nothing_is_left(
    web: GunicornProcess, bearer: str, job_id: str
) -> None:
    with listen(web, bearer, job_id, "Last-Event-ID: 1") as stream:
        cancel(web, bearer, job_id)
        assert [event.id for event in stream.events()] == [2]
    with listen(web, bearer, job_id, "Last-Event-ID: 0") as stream:
        assert [event.id for event in stream.events()] == [1, 2]
    for position in (2, 3, 2**31):
        with listen(web, bearer, job_id, f"Last-Event-ID: {position}") as stream:
            assert stream.status == 204
            assert "Content-Type" not in stream.headers


@pytest.mark.parametrize("wrong", ["", "x", "-1", "1.0", str(2**31 + 1), "9" * 5000, "1, 2", "²"])
def test_what_is_no_last_event_id_is_named(
    web: GunicornProcess, bearer: str, job_id: str, wrong: str
) -> None:
    path, accept = f"GET /v1/jobs/{job_id}/events", "Accept: text/event-stream"
    sent = request(path, bearer, accept, "Last-Event-ID: @").replace(b"@", wrong.encode("latin-1"))
    answer = web.say(sent)
    assert status_of(answer) == 422
    assert b'"pointer": "/headers/Last-Event-ID"' in answer


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/event-stream;q=0.5, */*;q=0.8", "text/html", ""]
)
def test_who_does_not_ask_for_events_gets_json(
    web: GunicornProcess, bearer: str, job_id: str, accept: str
) -> None:
    path = f"GET /v1/jobs/{job_id}/events"
    # nor is what only a stream needs looked at
    answer = web.say(request(path, bearer, f"Accept: {accept}", "Last-Event-ID: 1"))
    assert status_of(answer) == 200
    assert b"Content-Type: application/json" in answer


def test_another_projects_job_is_answered_as_an_unknown_one(
    web: GunicornProcess, wiring: Wiring, job_id: str
) -> None:
    other = f"Authorization: Bearer {wiring.keys.create('other').api_key}"
    answers = set()
    for one in (job_id, public_id(Kind.JOB, new_id()), "job_nonsense"):
        accept = ("Accept: text/event-stream", "X-Request-Id: same", "Last-Event-ID: 1")
        answer = web.say(request(f"GET /v1/jobs/{one}/events", other, *accept))
        assert status_of(answer) == 404
        answers.add(re.sub(rb"Date: .*\r\n", b"", answer))
    assert len(answers) == 1


def test_a_quiet_stream_says_that_it_is_there(
    web: GunicornProcess, bearer: str, job_id: str
) -> None:
    began = time.monotonic()
    with listen(web, bearer, job_id, "Last-Event-ID: 1") as stream:
        blocks = [stream.read_block() for _ in range(4)]
        assert blocks[1:] == [": still here"] * 3
        assert 1.5 * HEARTBEAT_SECONDS <= time.monotonic() - began < LIMIT_SECONDS


def test_a_head_request_is_not_held(web: GunicornProcess, bearer: str, job_id: str) -> None:
    for _ in range(STREAMS + 1):
        sent = request(f"HEAD /v1/jobs/{job_id}/events", bearer, "Accept: text/event-stream")
        answer = web.say(sent)
        assert status_of(answer) == 200
        assert b"Content-Type: text/event-stream" in answer


def test_streams_beyond_the_cap_are_told_so_and_all_else_goes_on(
    web: GunicornProcess, bearer: str, job_id: str
) -> None:
    body = b'{"model": "flux-2-pro", "input": {"prompt": "x"}}'
    post = (
        "POST /v1/jobs",
        bearer,
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    with ExitStack() as stack:
        open_ones = fill(stack, web, bearer, job_id)
        with follow(web, bearer, job_id) as refused:
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "2"
        # a wait that finds no place does not wait
        began = time.monotonic()
        assert web.status(request(*post, body=body)) == 202
        assert web.status(request(*post, "Prefer: wait=30", body=body)) == 202
        assert time.monotonic() - began < LIMIT_SECONDS
        cancel(web, bearer, job_id)
        assert [len(stream.events()) for stream in open_ones] == [2] * STREAMS
    with listen(web, bearer, job_id) as stream:
        assert stream.status == 200


def test_who_hangs_up_leaves_a_place_at_once(
    web: GunicornProcess, bearer: str, job_id: str
) -> None:
    body = b'{"model": "flux-2-pro", "input": {"prompt": "x"}}'
    post = ("POST /v1/jobs", bearer, "Content-Type: application/json", "Prefer: wait=30")
    with ExitStack() as stack:
        for _ in range(STREAMS):
            connection = stack.enter_context(web.connect())
            connection.sendall(request(*post, f"Content-Length: {len(body)}", body=body))
        wait_until(lambda: _is_full(web, bearer, job_id), bool, LIMIT_SECONDS)
    for _ in range(2):
        with ExitStack() as stack:
            fill(stack, web, bearer, job_id)


def _is_full(web: GunicornProcess, bearer: str, job_id: str) -> bool:
    with follow(web, bearer, job_id) as stream:
        return stream.status == 503


def test_a_revoked_key_ends_its_streams(web: GunicornProcess, wiring: Wiring, job_id: str) -> None:
    one, two = (wiring.keys.create("default") for _ in range(2))
    bearers = [f"Authorization: Bearer {key.api_key}" for key in (one, two)]
    with listen(web, bearers[0], job_id) as gone, listen(web, bearers[1], job_id) as stays:
        assert gone.event() == stays.event()
        assert wiring.keys.revoke(one.key_id)
        assert wait_for_end(gone, LIMIT_SECONDS) < 3 * HEARTBEAT_SECONDS
        cancel(web, bearers[1], job_id)
        assert [event.id for event in stays.events()] == [2]


def test_a_job_that_is_gone_ends_its_streams(
    web: GunicornProcess, wiring: Wiring, bearer: str, job_id: str
) -> None:
    found = read_id(Kind.JOB, job_id)
    with listen(web, bearer, job_id) as stream:
        assert stream.event()
        with wiring.database.transaction() as tx:
            tx.execute(delete(JobEvent).where(JobEvent.job_id == found))
            tx.execute(delete(jobs).where(jobs.c.id == found))
        wait_for_end(stream, LIMIT_SECONDS)
        assert stream.has_ended


def test_who_does_not_read_is_cut_off_and_holds_nobody_up(
    web: GunicornProcess, wiring: Wiring, key: NewKey, bearer: str, job_id: str
) -> None:
    found = read_id(Kind.JOB, job_id)
    with ExitStack() as stack:
        listener, *deaf = fill(stack, web, bearer, job_id)
        with wiring.database.transaction() as tx:
            # more than the kernel keeps for those who do not read
            line = {"job_id": found, "seq": 2, "type": "job.queued", "message": "x" * 20_000_000}
            tx.execute(insert(JobEvent).values(**line, detail={}))
            tx.execute(update(jobs).where(jobs.c.id == found).values(event_seq=2))
        assert [listener.event() is not None for _ in range(2)] == [True, True]
        listener.close()
        fill(stack, web, bearer, public_id(Kind.JOB, enqueue(wiring, key)))
        for stream in deaf:
            with pytest.raises((AssertionError, OSError)):
                stream.events()


def test_told_to_stop_a_process_ends_its_streams_and_waits(
    web_environment: dict[str, str], bearer: str, job_id: str, tmp_path: Path
) -> None:
    with (
        GunicornProcess(web_environment, tmp_path / "web.log", ATTENTIVE) as web,
        ExitStack() as stack,
    ):
        open_ones = fill(stack, web, bearer, job_id)
        assert all(stream.event() for stream in open_ones)
        web.process.terminate()
        for stream in open_ones:
            wait_for_end(stream, LIMIT_SECONDS)
            assert stream.has_ended
        assert web.process.wait(LIMIT_SECONDS) == 0
