"""`/images.zip`: what was picked, proved, or nothing that looks whole."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from chaos.proxy import Mode, TcpProxy
from factories import Rewire, project_id
from flask.testing import FlaskClient
from sqlalchemy import update
from web.browser import AS_BROWSER, AS_ONE, form_token, log_in, shown_image, words
from web.kept_image import kept_image
from werkzeug.test import TestResponse

from service.errors import StorageUnavailable
from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import images
from service.web.app import create_app
from service.web.archive import MAX_BYTES
from service.web.bulkhead import ZIPS
from service.web.downloads import PIECE_BYTES
from service.wiring import Wiring

HOSTILE = ["../../etc/passwd", "C:\\CON", "\u202egnp.exe", "x" * 30_000, "<b>🦊</b>", "..", "маяк"]


def names(*ids: UUID) -> list[str]:
    return [public_id(Kind.IMAGE, one) for one in ids]


def ask(browser: FlaskClient, ids: list[str]) -> TestResponse:
    return browser.get("/images.zip", query_string={"image": ids}, headers=AS_ONE)


def opened(answer: TestResponse) -> tuple[zipfile.ZipFile, Any]:
    """Return a zip that is sound, and what its manifest says."""
    assert answer.status_code == 200, words(answer)
    read = zipfile.ZipFile(io.BytesIO(answer.data))
    # as the server does when it has sent it
    answer.close()
    assert read.testzip() is None
    return read, json.loads(read.read("manifest.json"))


def test_a_zip_holds_each_picture_as_it_was_stored_and_says_what_made_it(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    contents = [bytes([number]) * (PIECE_BYTES + number) for number in range(3)]
    ids = [
        kept_image(wiring, key, content, f"Fox number {number}", seed=number)
        for number, content in enumerate(contents)
    ]
    asked = {"image": names(*ids), **form_token(browser)}
    for answer in (ask(browser, names(*ids)), browser.post("/images.zip", data=asked)):
        assert answer.content_type == "application/zip"
        said = answer.headers["Content-Disposition"]
        assert re.fullmatch(r"attachment; filename=default-\d{4}-\d\d-\d\d-3-images\.zip", said)
        read, manifest = opened(answer)
        assert manifest["left_out"] == []
        assert read.namelist() == [*(one["file"] for one in manifest["images"]), "manifest.json"]
        for one, content, image_id in zip(manifest["images"], contents, ids, strict=True):
            assert read.read(one["file"]) == content
            assert one["sha256"] == hashlib.sha256(content).hexdigest()
            assert one["id"] == public_id(Kind.IMAGE, image_id)
            assert one["model"] == "flux-2-pro"
            assert re.fullmatch(
                rf"\d{{4}}-\d\d-\d\d-fox-number-\d-{one['id']}\.png", one["file"]
            ), one["file"]
        assert [one["prompt"] for one in manifest["images"]] == [
            f"Fox number {number}" for number in range(3)
        ]


def test_hostile_prompts_make_no_hostile_names(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    ids = [kept_image(wiring, key, b"png", prompt) for prompt in [*HOSTILE, *HOSTILE]]
    read, manifest = opened(ask(browser, names(*ids)))
    assert len(set(read.namelist())) == len(ids) + 1
    for name in read.namelist()[:-1]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d-([\w-]+-)?img_[0-9a-f]{32}\.png", name), name
        assert len(name.encode()) < 255
    assert [one["prompt"] for one in manifest["images"]] == [*HOSTILE, *HOSTILE]


def test_what_is_not_there_any_more_is_named_and_the_rest_arrives(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    whole, lost, damaged, deleted = (
        kept_image(wiring, key, content) for content in (b"whole", b"lost", b"damaged", b"deleted")
    )
    owner = project_id(wiring, key)
    place = wiring.browse.image(owner, lost)
    wiring.object_store.delete(place.bucket, place.key)
    wiring.object_store.put_bytes(wiring.browse.image(owner, damaged).key, b"other", "image/png")
    wiring.remove(owner, deleted)
    read, manifest = opened(ask(browser, names(lost, deleted, whole, damaged)))
    assert [read.read(one["file"]) for one in manifest["images"]] == [b"whole"]
    assert {one["id"]: one["reason"] for one in manifest["left_out"]} == dict(
        zip(
            names(lost, damaged, deleted),
            (
                "the bucket does not hold it any more",
                "its bytes in the bucket are not those that were stored",
                "it was deleted",
            ),
            strict=True,
        )
    )
    assert ask(browser, names(deleted)).status_code == 410


def test_another_projects_image_is_as_unknown_as_none(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine = names(kept_image(wiring, key, b"mine"))
    said = set()
    for unknown in names(kept_image(wiring, other_key, b"theirs"), new_id()):
        answer = ask(browser, [*mine, unknown])
        assert answer.status_code == 404
        assert f"{unknown} is not known" in words(answer)
        said.add(answer.data.replace(unknown.encode(), b""))
    assert len(said) == 1


def test_a_pick_that_cannot_be_is_refused_by_name(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    mine = names(kept_image(wiring, key, b"mine"))
    many = names(*(new_id() for _ in range(201)))
    form = form_token(browser)
    for ids, word in (
        ([], "nothing was picked"),
        (["job_" + "0" * 32], "32 hexadecimal digits"),
        (["img_\0", *mine], "32 hexadecimal digits"),
        (["9" * 5000], "32 hexadecimal digits"),
        (many, "200 at most; these are 201"),
    ):
        answer = browser.post("/images.zip", data={"image": ids, **form}, headers=AS_BROWSER)
        assert answer.status_code == 422, word
        assert word in words(answer)
    # said twice it is there once
    _, manifest = opened(ask(browser, mine * 150))
    assert [one["id"] for one in manifest["images"]] == mine


def test_more_than_a_zip_can_hold_everywhere_is_refused(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    image_id = shown_image(wiring, key)
    with wiring.database.transaction() as tx:
        tx.execute(update(images).values(bytes=MAX_BYTES + 1))
    answer = ask(browser, names(image_id))
    assert answer.status_code == 422
    assert "4,000,000,000 bytes at most" in words(answer)


def test_only_so_many_are_sent_at_a_time_and_who_leaves_makes_room(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    ids = names(*(kept_image(wiring, key, b"x" * 100) for _ in range(3)))
    # the answers' heads are there, their bodies are not asked for
    under_way = [
        browser.get("/images.zip", query_string={"image": ids}, buffered=False) for _ in range(ZIPS)
    ]
    refused = ask(browser, ids)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "Other downloads are under way" in words(refused)
    assert next(under_way[0].iter_encoded()).startswith(b"PK")
    under_way[0].close()
    opened(ask(browser, ids))
    # nor does who is refused for another reason keep a place
    for _ in range(ZIPS):
        assert ask(browser, names(new_id())).status_code == 404
    opened(ask(browser, ids))
    for answer in under_way[1:]:
        answer.close()


@pytest.fixture
def s3(wiring: Wiring) -> Iterator[TcpProxy]:
    """A way to the bucket that may break."""
    port = urlsplit(wiring.object_store.origin).port
    assert port is not None
    proxy = TcpProxy(port)
    yield proxy
    proxy.close()


def test_a_stream_that_breaks_is_no_zip(
    wiring: Wiring,
    rewire: Rewire,
    key: NewKey,
    s3: TcpProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = names(*(kept_image(wiring, key, bytes(100_000)) for _ in range(3)))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{s3.port}")
    browser = log_in(create_app(rewire()).test_client(), key)
    answer = browser.get("/images.zip", query_string={"image": ids}, buffered=False)
    pieces = answer.iter_encoded()
    sent = [next(pieces), next(pieces)]
    s3.set(Mode.REFUSE)
    with pytest.raises(StorageUnavailable):
        sent.extend(pieces)
    answer.close()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(sent)))
    # with nothing sent it is still an answer in words, and it keeps no place
    for _ in range(ZIPS + 1):
        assert browser.get("/images.zip", query_string={"image": ids}).status_code == 503
    s3.set(Mode.PASS)
    opened(ask(browser, ids))


def test_a_form_of_another_site_gets_nothing(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    ids = names(kept_image(wiring, key, b"mine"))
    assert browser.post("/images.zip", data={"image": ids}).status_code == 403
    stranger = browser.application.test_client()
    answer = stranger.get("/images.zip", query_string={"image": ids})
    assert answer.status_code == 303
    assert "/login" in answer.headers["Location"]
