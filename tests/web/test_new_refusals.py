"""What the form of a new job refuses, beside which field, and that nothing typed is lost."""

import io
from typing import Any

import pytest
from conftest import Api
from factories import enqueue, project_id, upload
from fakes.pictures import drawn
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from web.browser import AS_BROWSER, Page, assert_inert, shown_image, words
from web.written_form import WrittenForm, sent
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from service.clients.object_store import ObjectStore
from service.errors import StorageUnavailable
from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import Project, jobs
from service.pictures import MAX_IMAGE_BYTES
from service.web.parsing import MAX_IMAGE_BODY_BYTES
from service.wiring import Wiring

PNG = drawn("PNG")
PROMPT = "two lines\n\n  of a \N{FOX FACE} prompt </textarea>"
UNKNOWN_IMAGE = public_id(Kind.IMAGE, new_id())


@pytest.fixture
def said(browser: FlaskClient) -> dict[str, Any]:
    """The empty form with a prompt."""
    return {**WrittenForm(browser.get("/new")).said, "input.prompt": PROMPT}


def count(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(jobs))
    return found


def picture(content: bytes = PNG) -> FileStorage:
    return FileStorage(io.BytesIO(content), "picture.png", content_type="image/png")


WRONG: list[tuple[dict[str, str], str, dict[str, Any]]] = [
    ({"input.prompt": "  "}, "input.prompt", {"prompt": "  "}),
    ({"input.prompt": "x" * 32_001}, "input.prompt", {"prompt": "x" * 32_001}),
    ({"input.width": "63"}, "input.width", {"width": 63}),
    ({"input.width": "5.5"}, "input.width", {"width": 5.5}),
    ({"input.width": "4097"}, "input.width", {"width": 4097}),
    ({"input.seed": "1e400"}, "input.seed", {"seed": 0.5}),
    ({"input.seed": "five"}, "input.seed", {"seed": "five"}),
    ({"input.disable_pup": "maybe"}, "input.disable_pup", {"disable_pup": "maybe"}),
    ({"input.output_format": "gif"}, "input.output_format", {"output_format": "gif"}),
    ({"input.user": "x" * 257}, "input.user", {"user": "x" * 257}),
    ({"input.input_image": "not a picture"}, "input.input_image", {"input_image": "not a picture"}),
    ({"input.input_image": UNKNOWN_IMAGE}, "input.input_image", {"input_image": UNKNOWN_IMAGE}),
]  # fmt: skip


def told(api: Api, given: dict[str, Any]) -> dict[str, str]:
    """Return the API's own words about an input."""
    body = {"model": "flux-2-pro", "input": {"prompt": "a fox", **given}}
    answer = api.post("/v1/jobs", body).json
    return {one["pointer"]: one["detail"] for one in answer["errors"]}


def test_each_error_stands_beside_its_field_in_the_apis_words_and_nothing_is_lost(
    browser: FlaskClient, wiring: Wiring, api: Api, said: dict[str, Any]
) -> None:
    for typed, name, given in WRONG:
        answer = sent(browser, "/new/check", {**said, "input.seed": "7", **typed})
        assert answer.status_code == 422, typed
        assert_inert(answer)
        form = WrittenForm(answer)
        pointer = "/input/" + name.removeprefix("input.")
        assert form.wrong(name) == told(api, given)[pointer]
        assert form.fields[name]["aria-invalid"] == "true"
        assert f"#{name}" in Page(answer).links()
        kept = {**said, "input.seed": "7", **typed}
        chosen = {"input.disable_pup", "input.output_format"}
        for field, text in kept.items():
            assert form.said[field] == text or field in chosen, field
    assert count(wiring) == 0


def test_all_errors_are_named_at_once(browser: FlaskClient, said: dict[str, Any]) -> None:
    wrong = {
        "input.prompt": "", "input.width": "1", "priority": "urgent", "metadata.1.value": "x",
        "metadata.2.name": "a/b", "metadata.2.value": "x" * 257,
    }  # fmt: skip
    answer = sent(browser, "/new/check", said | wrong)
    form = WrittenForm(answer)
    assert answer.status_code == 422
    assert form.wrong("input.prompt") == "is required and must not be empty"
    assert form.wrong("input.width") == "must be at least 64"
    assert "must be 'low', 'normal' or 'high'" in form.wrong("priority")
    assert form.wrong("metadata.1.name") == "must have at least 1 character"
    assert form.wrong("metadata.2.value") == "must have at most 256 characters"


def test_a_number_beyond_64_bits_is_named_whatever_its_length(
    browser: FlaskClient, said: dict[str, Any]
) -> None:
    for typed, why in (
        (str(2**63), f"must be at most {2**63 - 1}"),
        ("9" * 5000, f"must be at most {2**63 - 1}"),
        (str(-(2**63) - 1), f"must be at least {-(2**63)}"),
        ("-" + "9" * 5000, f"must be at least {-(2**63)}"),
    ):
        answer = sent(browser, "/new/check", said | {"input.seed": typed})
        form = WrittenForm(answer)
        assert (answer.status_code, form.wrong("input.seed")) == (422, why)
        assert form.said["input.seed"] == typed


def test_what_no_form_holds_is_named_and_nothing_breaks(
    browser: FlaskClient, wiring: Wiring, said: dict[str, Any]
) -> None:
    odd: list[tuple[dict[str, Any], str]] = [
        ({"callback_url": "http://x/"}, "callback_url: unknown field"),
        ({"metadata.17.name": "x"}, "metadata.17.name: unknown field"),
        ({"x/~\x00" * 99: "1"}, ": unknown field"),
        ({f"odd{n}": "1" for n in range(500)}, "and 480 unknown fields more"),
        ({"input.steps": "5"}, "is not a parameter of flux-2-pro"),
        ({"input.": "5"}, "is not a parameter of flux-2-pro"),
        ({"input.prompt": ["a", "b"]}, "stands there more than once"),
        ({"model": ["flux-2-pro", "flux-dev"]}, "stands there more than once"),
        ({"input.prompt": "a\x00b"}, "holds a character that cannot be read, or NUL"),
        ({"input.seed": "1\x00"}, "holds a character that cannot be read, or NUL"),
        ({"metadata.1.name": "\x00"}, "holds a character that cannot be read, or NUL"),
        ({"model": "flux-3"}, "must be one of flux-pro-1.1-ultra"),
        ({"model": "\x00"}, "holds a character that cannot be read, or NUL"),
        ({"model": "x" * 5000}, "must have at most 100 characters"),
        ({"metadata.1.name": "a", "metadata.2.name": "a"}, "stands there more than once"),
        ({"file.prompt": picture()}, "unknown field"),
        ({"file.input_image": [picture(), picture()]}, "stands there more than once"),
    ]
    for more, expected in odd:
        files = [name for name in more if name.startswith("file.")]
        answer = sent(browser, "/new/check", said | more)
        assert answer.status_code == 422, more
        assert expected in words(answer), more
        for step in ("", "/form", "/price"):
            again = {name: picture() for name in files}
            answer = sent(browser, f"/new{step}", said | more | again)
            assert answer.status_code == (200 if step else 422), more
    assert count(wiring) == 0


def test_a_query_that_means_nothing_is_refused_by_name(
    browser: FlaskClient, wiring: Wiring, other_key: NewKey
) -> None:
    theirs = public_id(Kind.IMAGE, shown_image(wiring, other_key))
    for query, status in (
        ("model=flux-3", 422), ("model=a&model=b", 422), ("like=a&edit=b", 422),
        ("like=" + "x" * 5000, 422), ("model=%ed%a0%80", 422), ("like=%00", 400),
        ("like=x", 404), ("edit=job_1", 404), (f"like={UNKNOWN_IMAGE}", 404),
    ):  # fmt: skip
        assert browser.get(f"/new?{query}", headers=AS_BROWSER).status_code == status, query
    for name in ("like", "edit"):
        answers = [
            browser.get(f"/new?{name}={one}", headers=AS_BROWSER) for one in (theirs, UNKNOWN_IMAGE)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        pages = [answer.text.replace(answer.headers["X-Request-Id"], "") for answer in answers]
        assert pages[0] == pages[1]


def test_another_projects_picture_is_as_unknown_as_a_made_up_one(
    browser: FlaskClient, wiring: Wiring, other_key: NewKey, said: dict[str, Any]
) -> None:
    theirs = public_id(Kind.IMAGE, shown_image(wiring, other_key))
    handed = upload(wiring, other_key, PNG)
    for one in (theirs, handed, UNKNOWN_IMAGE):
        answer = sent(browser, "/new/check", said | {"input.input_image": one})
        assert WrittenForm(answer).wrong("input.input_image") == "there is no such image or upload"
        assert not [a for tag, a in Page(answer).tags if tag == "img" and one in a["src"]]


def test_a_file_is_checked_kept_and_shown_and_goes_with_the_job(
    browser: FlaskClient, wiring: Wiring, said: dict[str, Any]
) -> None:
    file = {"file.input_image": picture(), "input.input_image": UNKNOWN_IMAGE}
    wrong = WrittenForm(sent(browser, "/new/check", said | file | {"input.width": "1"}))
    kept = wrong.said["input.input_image"]
    assert kept.startswith("upl_")
    page = sent(browser, "/new/check", wrong.said | {"input.width": "64"})
    shown = [a["src"] for tag, a in Page(page).tags if tag == "img" and a["width"] == "88"]
    assert len(shown) == 1
    assert shown[0].startswith(wiring.object_store.origin)
    assert sent(browser, "/new", WrittenForm(page, "/new").said).status_code == 303
    with wiring.database.transaction() as tx:
        assert tx.scalar(select(jobs.c.input["input_image"].astext)) == kept


def test_a_file_that_is_no_picture_is_refused_at_its_field(
    browser: FlaskClient, said: dict[str, Any]
) -> None:
    for content, why in (
        (b"", "must be a whole JPEG, PNG or WebP image"),
        (b"<svg/>", "must be a whole JPEG, PNG or WebP image"),
        (PNG[:-20], "must be a whole JPEG, PNG or WebP image"),
        (PNG + bytes(MAX_IMAGE_BYTES), f"may be {MAX_IMAGE_BYTES:,} bytes long at most"),
    ):
        answer = sent(browser, "/new/check", said | {"file.input_image": picture(content)})
        assert answer.status_code == 422
        form = WrittenForm(answer)
        assert why in form.wrong("input.input_image")
        assert form.said["input.prompt"] == PROMPT


def test_bytes_that_are_no_text_are_refused_at_their_field(
    browser: FlaskClient, said: dict[str, Any]
) -> None:
    _, body = encode_multipart(said | {"input.prompt": "SURROGATE"}, boundary="b")
    for odd in (b"\xed\xa0\x80", b"\xff", b"\0"):
        answer = browser.post(
            "/new/check",
            data=body.replace(b"SURROGATE", odd),
            content_type="multipart/form-data; boundary=b",
        )
        assert answer.status_code == 422
        assert "holds a character that cannot be read" in WrittenForm(answer).wrong("input.prompt")


def test_a_form_longer_than_a_body_of_the_api_is_refused_in_words(
    browser: FlaskClient, said: dict[str, Any]
) -> None:
    files = {f"file.input_image{n}": picture(bytes(MAX_IMAGE_BODY_BYTES // 2)) for n in ("", "_2")}
    answer = sent(browser, "/new/check", said | files)
    assert answer.status_code == 413
    assert "Hand them in one at a time" in words(answer)
    long = browser.post("/new/check", data=said | {"input.user": "x" * 300_000})
    assert long.status_code == 413


def assert_told(answer: TestResponse, why: str, second: dict[str, str]) -> None:
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert why in words(answer)
    assert WrittenForm(answer, "/new").said == second


def test_a_limit_is_told_in_words_and_the_form_can_be_sent_again(
    browser: FlaskClient, wiring: Wiring, key: NewKey, said: dict[str, Any]
) -> None:
    enqueue(wiring, key)
    second = WrittenForm(sent(browser, "/new/check", said), "/new").said
    mine = update(Project).where(Project.id == project_id(wiring, key))
    limits: list[tuple[str, int, str]] = [
        ("max_queued", 1, "At most 1 jobs of this project may wait"),
        ("credits_per_day", 2, "This takes 3 credits; 2 of the 2"),
    ]
    for limit, most, why in limits:
        with wiring.database.transaction() as tx:
            tx.execute(mine.values({limit: most}))
        assert_told(sent(browser, "/new", second), why, second)
        assert count(wiring) == 1
        with wiring.database.transaction() as tx:
            tx.execute(mine.values({limit: None}))
    assert sent(browser, "/new", second).status_code == 303
    with wiring.database.transaction() as tx:
        tx.execute(mine.values(requests_per_minute=0))
    assert_told(sent(browser, "/new", second), "requests", second)


def test_while_the_bucket_is_silent_the_form_is_kept_to_be_sent_again(
    browser: FlaskClient, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = WrittenForm(sent(browser, "/new/check", said), "/new")

    def silent(*_: object, **__: object) -> None:
        raise StorageUnavailable("S3 is silent")

    monkeypatch.setattr(ObjectStore, "put", silent)
    answer = sent(browser, "/new/check", said | {"file.input_image": picture()})
    assert "could not be stored just now" in WrittenForm(answer).wrong("input.input_image")
    assert sent(browser, "/new", second.said).status_code == 303
