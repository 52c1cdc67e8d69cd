"""A real gunicorn with the product's configuration, and clients that mean no good.

Whatever is sent: no 5xx, no hang of other requests, no process lost.
"""

import json
import select
import time
from contextlib import ExitStack

import pytest
from web.gunicorn_process import GunicornProcess, heard, request, status_of, statuses_of

BODY = json.dumps({"model": "flux-2-pro", "input": {"prompt": "x"}}).encode()
JSON = "Content-Type: application/json"


def test_a_refusal_is_logged_without_what_was_sent(web: GunicornProcess) -> None:
    canary = "canary-of-a-refusal"
    for head in (
        f"GE(T /v1/jobs?{canary} HTTP/1.1",
        f"GET  /v1/get_result?token={canary} HTTP/1.1",
        f"GET /v1/jobs?{canary} HTTP/7.{canary}",
        f"{canary} HTTP/1.1",
        f"GET /v1/jobs HTTP/1.1\r\nAuthorization: Bearer {canary}\x00",
        f"GET /v1/jobs HTTP/1.1\r\nX\x00{canary}: y",
        f"GET /v1/jobs HTTP/1.1\r\nX: y\r\n {canary}",
        f"GET /v1/jobs HTTP/1.1\r\nExpect: {canary}",
    ):
        assert web.status(f"{head}\r\nHost: x\r\nConnection: close\r\n\r\n".encode()) in {400, 417}
    assert "Invalid request from ip=127.0.0.1: Invalid HTTP request line" in web.log
    assert canary not in web.log


def test_a_whole_request_is_answered(web: GunicornProcess, bearer: str) -> None:
    length = f"Content-Length: {len(BODY)}"
    said = web.say(request("POST /v1/jobs", bearer, JSON, length, body=BODY))
    assert status_of(said) == 202
    head = said.split(b"\r\n\r\n")[0].lower()
    assert b"x-request-id: " in head
    assert b"\r\nserver: gunicorn\r\n" in head  # without its version


def test_a_chunked_body_is_read(web: GunicornProcess, bearer: str) -> None:
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, BODY[:10], len(BODY) - 10, BODY[10:])
    sent = request("POST /v1/jobs", bearer, JSON, "Transfer-Encoding: chunked", body=chunks)
    assert web.status(sent) == 202


def test_without_a_length_there_is_no_body(web: GunicornProcess, bearer: str) -> None:
    assert web.status(request("POST /v1/jobs", bearer, JSON)) == 400


def test_who_expects_100_is_told_to_go_on(web: GunicornProcess, bearer: str) -> None:
    length = f"Content-Length: {len(BODY)}"
    with web.connect() as connection:
        connection.sendall(request("POST /v1/jobs", bearer, JSON, length, "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY)
        assert status_of(heard(connection)) == 202


def test_a_huge_length_is_refused_before_its_body_comes(web: GunicornProcess, bearer: str) -> None:
    began = time.monotonic()
    for path, status in (("/v1/jobs", 413), ("/webhooks/flux/token", 401)):
        head = request(f"POST {path}", bearer, JSON, "Content-Length: 10000000000")
        with web.connect() as connection:
            connection.sendall(head)
            answer = connection.recv(65536)
        assert status_of(answer) == status, path
        assert b"application/problem+json" in answer
    assert time.monotonic() - began < 2


def test_an_endless_chunked_body_is_cut_at_the_limit(web: GunicornProcess) -> None:
    head = request("POST /webhooks/flux/token", "Transfer-Encoding: chunked")
    with web.connect() as connection:
        connection.sendall(head + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 4)
        assert status_of(connection.recv(65536)) == 401


def test_pipelined_requests_are_answered_in_order(web: GunicornProcess, bearer: str) -> None:
    def one(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n{bearer}\r\n\r\n".encode()

    said = web.say(
        one("/healthz") + one("/v1/none") + one("/v1/jobs?limit=0") + request("GET /v1/jobs")
    )
    assert statuses_of(said) == [200, 404, 422, 401]


def test_a_second_request_smuggled_in_a_body_is_not_answered(
    web: GunicornProcess, bearer: str
) -> None:
    inner = request("GET /v1/jobs", bearer)
    for headers in (
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5, 6",),
        ("Content-Length: 5", "Content-Length: 50"),
        ("Content-Length: -1",),
        ("Content-Length: +5",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding : chunked",),
    ):
        said = web.say(request("POST /v1/jobs", JSON, *headers, body=b"0\r\n\r\n" + inner))
        assert said.count(b"HTTP/1.1 ") == 1, headers
        assert status_of(said) == 400, headers


def test_a_malformed_chunk_is_the_clients_fault(web: GunicornProcess, bearer: str) -> None:
    for chunks in (
        b"zz\r\nabc\r\n",
        b"5\r\nabcdefgh\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"5;\x00\r\nabcde",
    ):
        sent = request("POST /v1/jobs", bearer, JSON, "Transfer-Encoding: chunked", body=chunks)
        assert web.status(sent) == 400, chunks


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        (["Authorization: "], {401}),
        (["Authorization: Bearer"], {401}),
        (["Authorization: Bearer "], {401}),
        (["Authorization: Basic KEY"], {401}),
        (["Authorization: Bearer \xe9"], {401}),
        (["Authorization: Bearer k\x00"], {400}),
        (["Authorization: Bearer " + "a" * 100_000], {400, 431}),
        (["{bearer} extra"], {401}),
        (["{bearer}\x00"], {400}),
        (["Authorization : Bearer {key}"], {400}),
        (["{bearer}", "Authorization: Bearer other"], {401}),
        (["authorization: bEARER {key}"], {200}),
        (["{bearer}", "X-Forwarded-For: 127.0.0.1"], {200}),
        (["{bearer}", "X-HTTP-Method-Override: DELETE"], {200}),
        (["{bearer}", "SCRIPT_NAME: /elsewhere"], {200}),
        (["{bearer}", "PATH_INFO: /healthz"], {200}),
        (["{bearer}", "Cookie: session=" + "a" * 9000], {200, 400, 431}),
        (["{bearer}", "X-Request-Id: a\r\n Set-Cookie: b=c"], {400}),
        (["{bearer}", "X-Request-Id: a\nSet-Cookie: b=c"], {400}),
        (["{bearer}", *[f"X-{number}: y" for number in range(200)]], {400, 431}),
        (["{bearer}", "X" * 70_000 + ": y"], {400, 431}),
        (["{bearer}", "Expect: 200-everything"], {200, 417}),
    ],
)
def test_odd_headers_are_refused_or_harmless(
    web: GunicornProcess, bearer: str, lines: list[str], statuses: set[int]
) -> None:
    key = bearer.rpartition(" ")[2]
    headers = [line.replace("{bearer}", bearer).replace("{key}", key) for line in lines]
    said = web.say(request("GET /v1/jobs", *headers))
    assert status_of(said) in statuses, said[:300]
    assert b"set-cookie" not in said.lower()
    if status_of(said) != 200:
        assert key.encode() not in said


@pytest.mark.parametrize(
    "host", ["evil.com", "localhost:8080@evil.com", "", "a b", "[::1", "x" * 300]
)
def test_the_host_header_changes_no_answer(web: GunicornProcess, bearer: str, host: str) -> None:
    sent = f"GET /v1/jobs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{bearer}\r\n\r\n"
    said = web.say(sent.encode())
    assert status_of(said) in {200, 400}
    assert b"evil.com" not in said


@pytest.mark.parametrize(
    ("line", "statuses"),
    [
        ("GET /v1/jobs/%00", {404}),
        ("GET //evil.com/%2f..", {404}),
        ("GET /v1/jobs/%ff%fe", {404}),
        ("GET /v1/jobs?cursor=" + "A" * 9000, {400, 414}),
        ("GET /v1/jobs?limit=1e9", {422}),
        ("GET /login?next=//evil.com", {200}),
        ("GET /../../etc/passwd", {404}),
        ("GET /static/../app.py", {404}),
        ("GET /console", {404}),
        ("GET /v1/jobs?__debugger__=yes&cmd=resource&f=style.css", {200}),
        ("TRACE /v1/jobs", {405}),
        ("FOO /v1/jobs", {400, 405}),
        ("OPTIONS /v1/jobs", {200}),
        ("CONNECT evil.com:443", {400, 404, 405}),
        ("GET http://evil.com/v1/jobs", {200, 400}),
        ("\x16\x03\x01\x02", {400}),
        ("GET", {400}),
    ],
)
def test_odd_request_lines_are_refused_or_harmless(
    web: GunicornProcess, bearer: str, line: str, statuses: set[int]
) -> None:
    said = web.say(request(line, bearer))
    assert status_of(said) in statuses, said[:300]
    assert b"location: //evil" not in said.lower()


def test_slow_clients_are_cut_off_and_keep_nobody_waiting(
    web: GunicornProcess, bearer: str
) -> None:
    # more than a process has threads: all may fall to one
    whole = request("POST /v1/jobs", bearer, JSON, "Content-Length: 500")
    chunked = request("POST /v1/jobs", bearer, JSON, "Transfer-Encoding: chunked", body=b"50\r\n{")
    with ExitStack() as opened:
        slow = [
            opened.enter_context(web.connect())
            for sent in (whole[:60], whole + b"{", chunked)
            for _ in range(6)
        ]
        for number, connection in enumerate(slow):
            connection.sendall((whole[:60], whole + b"{", chunked)[number // 6])
        began = time.monotonic()
        for _ in range(10):
            assert web.status(request("GET /v1/jobs", bearer)) == 200
        assert time.monotonic() - began < 3.5
        # a byte now and then wins no time
        while time.monotonic() - began < 3.5:
            for connection in slow:
                if not select.select([connection], [], [], 0)[0]:
                    connection.sendall(b"x")
            time.sleep(0.2)
        answers = [heard(connection) for connection in slow]
        assert time.monotonic() - began < 10
    assert {status_of(answer) for answer in answers[:6]} <= {0, 400}
    # a busy machine may have had no database for one of them in time
    assert {400} <= {status_of(answer) for answer in answers[6:]} <= {400, 503}


def test_a_body_shorter_than_its_length_is_refused(web: GunicornProcess, bearer: str) -> None:
    length = f"Content-Length: {len(BODY) + 10}"
    with web.connect() as connection:
        connection.sendall(request("POST /v1/jobs", bearer, JSON, length, body=BODY))
        connection.shutdown(1)
        assert status_of(heard(connection)) == 400


def test_what_follows_a_body_is_no_part_of_it(web: GunicornProcess, bearer: str) -> None:
    length = f"Content-Length: {len(BODY)}"
    assert web.status(request("POST /v1/jobs", bearer, JSON, length, body=BODY + b"junk")) == 202


def test_an_unread_body_does_not_become_the_next_request(web: GunicornProcess, bearer: str) -> None:
    inner = request("GET /healthz")
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: {len(inner)}\r\n\r\n"
    said = web.say(head.encode() + inner + request("GET /v1/none"))
    assert statuses_of(said) == [401, 404]
