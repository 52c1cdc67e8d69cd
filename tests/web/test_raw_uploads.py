"""Uploads over raw sockets to a real gunicorn: whole, chunked, cut, lied about."""

import time
from pathlib import Path

import pytest
from fakes.pictures import drawn
from fakes.waiting import wait_until
from web.gunicorn_process import GunicornProcess, heard, request, status_of

from service.pictures import MAX_IMAGE_BYTES

PNG = drawn("PNG")
RAW = "Content-Type: image/png"
FORM = "Content-Type: multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
BODIES = {RAW: PNG, FORM: PART + PNG + b"\r\n--b--\r\n"}


@pytest.fixture(params=BODIES, ids=["raw", "form"])
def declared(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def upload(bearer: str, *headers: str, body: bytes = b"") -> bytes:
    return request("POST /v1/uploads", bearer, *headers, body=body)


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def test_a_chunked_upload_is_taken_however_it_is_cut(
    web: GunicornProcess, bearer: str, declared: str
) -> None:
    coding = "Transfer-Encoding: chunked"
    for size in (1, 7, 70_000):
        body = chunked(BODIES[declared], size) + b"0\r\n\r\n"
        assert web.status(upload(bearer, declared, coding, body=body)) == 201, size


def test_an_upload_that_stops_half_way_is_not_taken(
    web: GunicornProcess, bearer: str, declared: str
) -> None:
    body = BODIES[declared]
    head = f"Content-Length: {len(body)}"
    cut = upload(bearer, declared, head, body=body[:-30])
    for end in ("closed", "silent"):
        with web.connect() as connection:
            connection.sendall(cut)
            if end == "closed":
                connection.shutdown(1)
            assert status_of(heard(connection)) == 400, end
    cut = upload(bearer, declared, "Transfer-Encoding: chunked", body=chunked(body[:-30], 99))
    with web.connect() as connection:
        connection.sendall(cut)
        connection.shutdown(1)
        assert status_of(heard(connection)) == 400


def test_a_length_that_lies_is_believed_and_the_rest_is_no_picture(
    web: GunicornProcess, bearer: str, declared: str
) -> None:
    for length, statuses in ((len(PNG) // 2, {400, 422}), (0, {400, 422})):
        head = f"Content-Length: {length}"
        said = web.say(upload(bearer, declared, head, body=BODIES[declared]))
        assert status_of(said) in statuses
        assert said.count(b"HTTP/1.1 ") == 1
    assert web.status(upload(bearer, declared)) in {400, 422}


def test_a_huge_upload_is_refused_before_it_comes(
    web: GunicornProcess, bearer: str, declared: str
) -> None:
    began = time.monotonic()
    with web.connect() as connection:
        connection.sendall(upload(bearer, declared, f"Content-Length: {2 * MAX_IMAGE_BYTES}"))
        assert status_of(connection.recv(65536)) == 413
    assert time.monotonic() - began < 2


def test_what_was_cut_leaves_nothing_on_the_disk(
    web: GunicornProcess, bearer: str, web_environment: dict[str, str]
) -> None:
    spool = Path(web_environment["DARKROOM_HOME"]) / "spool" / "uploads"
    with web.connect() as connection:
        half = PNG + bytes(3_000_000)
        connection.sendall(upload(bearer, RAW, "Content-Length: 6000000", body=half))
        wait_until(lambda: list(spool.glob("*")), bool)
    wait_until(lambda: list(spool.glob("*")), lambda files: not files)
