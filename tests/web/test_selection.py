"""What is done with the images that were picked."""

from urllib.parse import urlsplit
from uuid import UUID

import pytest
from conftest import Api
from factories import events, project_id
from flask.testing import FlaskClient
from sqlalchemy import select
from web.browser import (
    AS_BROWSER,
    AS_ONE,
    Page,
    assert_inert,
    form_token,
    log_in,
    shown_image,
    words,
)
from web.kept_image import kept_image
from web.test_pages import HOSTILE_PROMPTS
from werkzeug.test import TestResponse

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import ImageTag, Scope, images
from service.web.app import create_app
from service.wiring import Wiring

CHANGES = ("favourite", "unfavourite", "tag", "untag", "delete")


def names(*ids: UUID) -> list[str]:
    return [public_id(Kind.IMAGE, one) for one in ids]


def send(browser: FlaskClient, ids: list[str], act: str, **more: str) -> TestResponse:
    form = {"image": ids, "act": act, **form_token(browser), **more}
    return browser.post("/selection", data=form, headers=AS_ONE)


def done(browser: FlaskClient, answer: TestResponse) -> str:
    """Return what the page says to which an answer leads."""
    assert answer.status_code == 303, words(answer)
    return words(browser.get(answer.headers["Location"]))


def favourites(wiring: Wiring) -> set[UUID]:
    with wiring.database.transaction() as tx:
        return {row.id for row in tx.rows(select(images.c.id).where(images.c.is_favourite))}


def tags(wiring: Wiring) -> set[tuple[UUID, str]]:
    with wiring.database.transaction() as tx:
        return {(row.image_id, row.tag) for row in tx.rows(select(ImageTag.image_id, ImageTag.tag))}


def test_the_gallery_is_a_form_by_which_images_are_picked(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    ids = names(*(shown_image(wiring, key) for _ in range(3)))
    tags_of_page = Page(browser.get("/")).tags
    boxes = [a for tag, a in tags_of_page if a.get("type") == "checkbox"]
    assert [a["value"] for a in boxes] == ids[::-1]
    assert {(a["name"], a["form"]) for a in boxes} == {("image", "selection")}
    forms = {a["id"]: a for tag, a in tags_of_page if tag == "form" and "id" in a}
    assert (forms["selection"]["method"], forms["selection"]["action"]) == ("post", "/selection")


def test_favourites_and_tags_come_and_go_with_the_pick(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    one, two, three = (shown_image(wiring, key) for _ in range(3))
    assert "2 images among the favourites." in done(
        browser, send(browser, names(one, two), "favourite")
    )
    assert favourites(wiring) == {one, two}
    said = done(browser, send(browser, names(two), "unfavourite"))
    assert "1 image no longer among the favourites." in said
    assert favourites(wiring) == {one}
    assert "2 images tagged sea view." in done(
        browser, send(browser, names(two, three), "tag", tag=" Sea View ")
    )
    assert tags(wiring) == {(two, "sea view"), (three, "sea view")}
    done(browser, send(browser, names(two), "untag", tag="SEA VIEW"))
    assert tags(wiring) == {(three, "sea view")}


def test_a_tag_is_asked_for_and_one_that_cannot_be_is_asked_for_again(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    one = shown_image(wiring, key)
    asked = send(browser, names(one), "tag")
    assert asked.status_code == 200
    assert "Tag 1 image" in words(asked)
    for wrong in ("", "   ", "x" * 41, "a\u202eb", "a\0b", "a\nb"):
        again = send(browser, names(one), "tag", tag=wrong)
        assert again.status_code == 422
        assert "1 to 40 printable characters" in words(again)
        assert_inert(again)
    assert not tags(wiring)


def test_deleting_asks_first_and_then_deletes_all_of_it(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    kept, *ids = (kept_image(wiring, key, b"bytes") for _ in range(4))
    owner = project_id(wiring, key)
    rows = [wiring.browse.image(owner, one) for one in ids]
    asked = send(browser, names(*ids), "delete")
    assert asked.status_code == 200
    assert "Delete 3 images?" in words(asked)
    hidden = [a for tag, a in Page(asked).tags if tag == "input" and a["type"] == "hidden"]
    assert [a["value"] for a in hidden if a["name"] == "image"] == names(*ids)
    assert len(wiring.browse.images_named(owner, ids)) == 3

    said = done(browser, send(browser, names(*ids), "delete", sure="yes"))
    assert "3 images deleted." in said
    assert set(wiring.browse.images_named(owner, [kept, *ids])) == {kept}
    for row in rows:
        assert events(wiring, row.job_id)[-1] == "image.deleted"
        with pytest.raises(FileNotFoundError):
            wiring.object_store.get(row.bucket, row.key)
    assert wiring.object_store.get(rows[0].bucket, wiring.browse.image(owner, kept).key)


def test_what_was_deleted_meanwhile_is_left_out_and_said(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    here, gone = shown_image(wiring, key), shown_image(wiring, key)
    wiring.remove(project_id(wiring, key), gone)
    both = names(gone, here)
    assert "1 more that was picked has been deleted" in words(send(browser, both, "delete"))
    said = done(browser, send(browser, both, "favourite"))
    assert "1 image among the favourites. 1 image had been deleted before." in said
    assert send(browser, names(gone), "delete").status_code == 410
    done(browser, send(browser, both, "delete", sure="yes"))
    assert send(browser, both, "delete", sure="yes").status_code == 410


def test_two_are_compared_and_nothing_else(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    ids = names(*(shown_image(wiring, key) for _ in range(3)))
    answer = send(browser, ids[:2], "compare")
    assert answer.headers["Location"] == f"/compare?a={ids[0]}&b={ids[1]}"
    assert browser.get(answer.headers["Location"]).status_code == 200
    for wrong in (ids[:1], ids, [ids[0], ids[0]]):
        refused = send(browser, wrong, "compare")
        assert refused.status_code == 422
        assert "exactly two" in words(refused)


def test_it_leads_back_to_the_gallery_as_it_was_and_nowhere_else(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    ids = names(shown_image(wiring, key))
    parent = ids[0]
    for back, place in (
        (f"parent={parent}", f"/?parent={parent}"),
        ("", "/"),
        ("https://evil.example/", "/?https%3A%2F%2Fevil.example%2F="),
        ("a=1\r\nSet-Cookie: b=2", "/?a=1%0D%0ASet-Cookie%3A+b%3D2"),
        ("\0&\ud7ff", "/?%00=&%ED%9F%BF="),
        ("&" * 10_000, "/"),
    ):
        where = send(browser, ids, "favourite", back=back).headers["Location"]
        assert where == place
        assert not urlsplit(where).netloc


def test_an_act_that_cannot_be_is_refused_by_name(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine = names(shown_image(wiring, key))
    form = form_token(browser)
    for data, status, word in (
        ({"image": mine}, 422, "one of compare"),
        ({"image": mine, "act": "burn"}, 422, "one of compare"),
        ({"image": mine, "act": ["delete", "tag"]}, 422, "more than once"),
        ({"image": mine, "act": "delete", "sure": ["yes", "yes"]}, 422, "more than once"),
        ({"image": mine, "act": "tag", "tag": ["a", "b"]}, 422, "more than once"),
        ({"act": "favourite"}, 422, "nothing was picked"),
        ({"image": ["img_1"], "act": "favourite"}, 422, "32 hexadecimal digits"),
        ({"image": names(*(new_id() for _ in range(201))), "act": "tag"}, 422, "200 at most"),
    ):
        answer = browser.post("/selection", data={**data, **form}, headers=AS_BROWSER)
        assert answer.status_code == status, data
        assert word in words(answer), data
    said, theirs = set(), shown_image(wiring, other_key)
    for unknown in names(theirs, new_id()):
        for act in CHANGES:
            more = {"tag": "x", "sure": "yes"}
            answer = send(browser, [*mine, unknown], act, **more)
            assert answer.status_code == 404
            said.add(answer.data.replace(unknown.encode(), b""))
    assert len(said) == 1
    assert not favourites(wiring)
    assert not tags(wiring)
    assert wiring.browse.images_named(project_id(wiring, other_key), [theirs])


def test_who_may_only_read_is_shown_no_such_button_and_can_do_nothing(
    wiring: Wiring, key: NewKey, api: Api
) -> None:
    ids = names(shown_image(wiring, key), shown_image(wiring, key))
    reader = log_in(
        create_app(wiring).test_client(), wiring.keys.create("default", scopes=[Scope.READ])
    )
    buttons = [a.get("value") for tag, a in Page(reader.get("/")).tags if tag == "button"]
    assert "compare" in buttons
    assert not set(buttons) & set(CHANGES)
    for act in CHANGES:
        assert send(reader, ids, act, tag="x", sure="yes").status_code == 403
    assert send(reader, ids, "compare").status_code == 303
    forged = reader.post("/selection", data={"image": ids, "act": "compare"})
    assert forged.status_code == 403
    assert api.get(f"/v1/images/{ids[0]}").status_code == 200


@pytest.mark.parametrize("prompt", HOSTILE_PROMPTS)
def test_hostile_prompts_are_inert_where_it_asks(
    browser: FlaskClient, wiring: Wiring, key: NewKey, prompt: str
) -> None:
    ids = names(shown_image(wiring, key, prompt))
    for act in ("tag", "delete"):
        answer = send(browser, ids, act)
        assert answer.status_code == 200
        assert_inert(answer)
        assert len(answer.data) < 20_000
