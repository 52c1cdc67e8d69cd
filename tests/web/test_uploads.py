"""`/v1/uploads`: a picture comes in raw or as a form; nothing else does, and nothing breaks us."""

import hashlib
import io
from typing import Any

import pytest
from conftest import Api
from fakes.pictures import drawn

from service.ids import Kind, new_id, public_id
from service.pictures import MAX_IMAGE_BYTES
from service.web.multipart import MAX_HELD_BYTES

PNG = drawn("PNG")
FORM = "multipart/form-data; boundary=b"


def post(api: Api, body: bytes, content_type: str | None) -> Any:  # noqa: ANN401 - werkzeug's
    headers = api.headers(**({} if content_type is None else {"Content_Type": content_type}))
    return api.client.post("/v1/uploads", data=body, headers=headers)


def part(
    content: bytes = PNG, head: bytes = b'form-data; name="file"; filename="a.png"', more: str = ""
) -> bytes:
    lines = more.encode()
    return b"--b\r\nContent-Disposition: " + head + b"\r\n" + lines + b"\r\n" + content + b"\r\n"


def test_a_raw_picture_is_taken_and_shown(api: Api) -> None:
    answer = post(api, PNG, "image/png")
    assert answer.status_code == 201
    document = answer.json
    assert list(document) == [
        "id", "object", "content_type", "width", "height", "bytes", "sha256", "created_at",
        "expires_at", "urls",
    ]  # fmt: skip
    assert (document["object"], document["content_type"]) == ("upload", "image/png")
    assert (document["width"], document["height"], document["bytes"]) == (64, 48, len(PNG))
    assert document["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert answer.headers["Location"] == f"/v1/uploads/{document['id']}"
    assert document["urls"]["self"].endswith(answer.headers["Location"])
    assert api.get(answer.headers["Location"]).json == document


def test_what_a_picture_is_its_content_says(api: Api) -> None:
    for kind, content_type in (
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
    ):
        for declared in (
            "application/octet-stream", "image/png", "image/jpg", "IMAGE/JPEG; q=1",
        ):  # fmt: skip
            assert post(api, drawn(kind), declared).json["content_type"] == content_type


def test_a_form_with_one_file_of_any_name_is_taken(api: Api) -> None:
    for name, filename in (("file", "a.png"), ("image", "ü/../..\\nul\0.exe"), ("", "")):
        answer = api.client.post(
            "/v1/uploads",
            data={name: (io.BytesIO(PNG), filename or "x")},
            headers=api.headers(),
        )
        assert answer.status_code == 201, name


ODD_FORMS = {
    "a blank line before it": b"\r\n" + part() + b"--b--\r\n",
    "a preamble and an epilogue": b"hello\r\n" + part() + b"--b--\r\nbye",
    "no line break at the end": part() + b"--b--",
    "bare line feeds": b'--b\nContent-Disposition: form-data; name="f"; filename="a"\n\n'
    + PNG
    + b"\n--b--\n",
    "a lying type": part(more="Content-Type: text/html\r\n") + b"--b--\r\n",
    "a lying length": part(more="Content-Length: 5\r\n") + b"--b--\r\n",
    "a filename with a path": part(head=b'form-data; name="f"; filename="/etc/passwd"') + b"--b--",
    "a filename with NUL": part(head=b'form-data; name="f"; filename="a\0.png"') + b"--b--",
    "an encoded filename": part(head=b"form-data; name=f; filename*=utf-8''%ff%00%2f") + b"--b--",
    "no name": part(head=b'form-data; filename="a"') + b"--b--",
}


@pytest.mark.parametrize("name", ODD_FORMS)
def test_an_odd_form_with_one_file_is_taken(api: Api, name: str) -> None:
    answer = post(api, ODD_FORMS[name], FORM)
    assert (answer.status_code, answer.json.get("bytes")) == (201, len(PNG)), answer.data


BROKEN_FORMS = {
    "nothing but a line break": (400, b"\r\n"),
    "no part": (422, b"--b--\r\n"),
    "two files": (422, part() + part() + b"--b--\r\n"),
    "a text field only": (422, part(b"x", b'form-data; name="file"') + b"--b--\r\n"),
    "a text field before": (422, part(b"x", b'form-data; name="a"') + part() + b"--b--\r\n"),
    "a text field after": (422, part() + part(b"x", b'form-data; name="a"') + b"--b--\r\n"),
    "an empty file": (422, part(b"") + b"--b--\r\n"),
    "no picture": (422, part(b"<svg/>") + b"--b--\r\n"),
    "half a picture": (422, part(PNG[: len(PNG) // 2]) + b"--b--\r\n"),
    "no end": (400, part()),
    "ends in a part's head": (400, b"--b\r\nContent-Disposition: form-da"),
    "another boundary": (400, part().replace(b"--b", b"--c") + b"--c--\r\n"),
    "no disposition": (400, b"--b\r\nContent-Type: image/png\r\n\r\n" + PNG + b"\r\n--b--\r\n"),
    "a head that is no UTF-8": (400, part(head=b'form-data; filename="\xff"') + b"--b--\r\n"),
    "a head without end": (400, b"--b\r\n" + b"x" * (MAX_HELD_BYTES + 1)),
    "a preamble without end": (400, b"x" * (MAX_HELD_BYTES + 1)),
    "an epilogue without end": (400, part() + b"--b--\r\n" + b"x" * (MAX_HELD_BYTES + 1)),
    "thousands of parts": (422, part(b"") * 20_000 + b"--b--\r\n"),
}


FORM_ADVICE = {
    "no part": "is required",
    "two files": "there is something beside the picture",
    "a text field only": "came as a text field, which holds no picture; send the picture as",
    "a text field after": "there is something beside the picture",
    "no picture": "must be a whole JPEG, PNG or WebP image: it is no JPEG, PNG or WebP, or it is",
}


@pytest.mark.parametrize("name", BROKEN_FORMS)
def test_a_broken_form_is_refused_in_words(api: Api, name: str) -> None:
    status, body = BROKEN_FORMS[name]
    answer = post(api, body, FORM)
    assert answer.status_code == status, answer.data
    assert answer.content_type == "application/problem+json"
    if status == 422:
        assert [error["pointer"] for error in answer.json["errors"]] == ["/file"]
    if name in FORM_ADVICE:
        assert answer.json["errors"][0]["detail"].startswith(FORM_ADVICE[name])


def test_a_boundary_longer_than_the_standard_allows_is_taken(api: Api) -> None:
    boundary = "b" * 80
    body = part().replace(b"--b", b"--" + boundary.encode()) + f"--{boundary}--\r\n".encode()
    content_type = f"multipart/form-data; boundary={boundary}"
    answer = api.client.post(
        "/v1/uploads", data=body, content_type=content_type, headers=api.headers()
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "b" * 201,
        "multipart/form-data; boundary=ü",
    ],
)
def test_a_form_without_a_usable_boundary_is_refused(api: Api, content_type: str) -> None:
    assert post(api, part() + b"--b--\r\n", content_type).status_code == 400


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "text/plain", "image/gif", "image/svg+xml", "multipart/mixed",
     "application/x-www-form-urlencoded", "image", "*/*"],
)  # fmt: skip
def test_another_media_type_is_refused(api: Api, content_type: str | None) -> None:
    answer = post(api, PNG, content_type)
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    assert "image/webp" in answer.json["detail"]


def test_a_raw_body_that_is_no_picture_is_refused(api: Api) -> None:
    for body in (b"", b"\0", b"<svg/>", drawn("GIF"), PNG[:-20]):
        answer = post(api, body, "image/png")
        assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
        assert [error["pointer"] for error in answer.json["errors"]] == ["/file"]


def test_a_picture_is_taken_up_to_its_limit_in_bytes(api: Api) -> None:
    largest = PNG + bytes(MAX_IMAGE_BYTES - len(PNG))
    assert post(api, largest, "image/png").status_code == 201
    assert post(api, part(largest) + b"--b--\r\n", FORM).status_code == 201
    for body, declared in ((largest + b"\0", "image/png"), (part(largest + b"\0"), FORM)):
        answer = post(api, body, declared)
        assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_uploads_need_a_key_and_belong_to_its_project(api: Api, other: Api) -> None:
    assert api.client.post("/v1/uploads", data=PNG, content_type="image/png").status_code == 401
    mine = post(api, PNG, "image/png").json["id"]
    assert api.get(f"/v1/uploads/{mine}").status_code == 200
    unknown = other.get(f"/v1/uploads/{public_id(Kind.UPLOAD, new_id())}")
    assert unknown.status_code == 404
    for asked in (mine, "x", mine.upper(), f"img_{mine[4:]}", f"{mine}0"):
        assert other.get(f"/v1/uploads/{asked}").data == unknown.data, asked
