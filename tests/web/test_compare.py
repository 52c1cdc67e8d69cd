"""Two images side by side."""

import re
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from web.browser import AS_BROWSER, AS_ONE, Page, assert_inert, image_page, shown_image, words
from web.test_pages import HOSTILE_PROMPTS
from werkzeug.test import TestResponse

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import images
from service.wiring import Wiring


def compared(browser: FlaskClient, ours: UUID, theirs: UUID) -> TestResponse:
    place = f"/compare?a={public_id(Kind.IMAGE, ours)}&b={public_id(Kind.IMAGE, theirs)}"
    return browser.get(place, headers=AS_ONE)


def test_what_differs_stands_apart_from_what_is_the_same(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    ours = shown_image(wiring, key, "a red fox in snow", seed=7, output_format="png")
    theirs = shown_image(wiring, key, "a blue fox in snow", seed=7, safety_tolerance=1)
    with wiring.database.transaction() as tx:
        tx.execute(update(images).where(images.c.id == theirs).values(height=512, seed=2**70))
    answer = compared(browser, ours, theirs)
    assert answer.status_code == 200
    assert_inert(answer)
    differing, _, same = words(answer).partition("the same")
    assert "a red fox in snow" in differing
    assert re.findall(r"<mark>([^<]+)</mark>", answer.text) == ["marked", "red", "blue"]
    assert "size 256 \u00d7 128 pixels 256 \u00d7 512 pixels" in differing
    assert "output_format png not sent" in differing
    assert "safety_tolerance not sent 1" in differing
    assert f"seed 7 {2**70}" in differing
    assert "model flux-2-pro flux-2-pro" in same
    assert "width 256 256" in same
    assert "model flux-2-pro" not in differing
    assert image_page(ours) in Page(answer).links()
    assert image_page(theirs) in Page(answer).links()


def test_its_sides_can_be_swapped(browser: FlaskClient, wiring: Wiring, key: NewKey) -> None:
    ours, theirs = shown_image(wiring, key, "one"), shown_image(wiring, key, "two")
    answer = compared(browser, ours, theirs)
    (swap,) = Page(answer).links("/compare")
    assert urlsplit(swap).query.index(public_id(Kind.IMAGE, theirs)) < urlsplit(swap).query.index(
        public_id(Kind.IMAGE, ours)
    )
    again = browser.get(swap, headers=AS_BROWSER)
    assert "A two" in words(again)
    assert "Word for word the same." not in words(again)


@pytest.mark.parametrize("prompt", HOSTILE_PROMPTS)
def test_hostile_prompts_are_inert(
    browser: FlaskClient, wiring: Wiring, key: NewKey, prompt: str
) -> None:
    ours = shown_image(wiring, key, prompt, revised_prompt=prompt[::-1])
    answer = compared(browser, ours, shown_image(wiring, key, f"not {prompt}"))
    assert_inert(answer)
    assert prompt[:18] in Page(answer).text
    assert len(answer.data) < 150_000


def test_who_is_asked_for_has_to_be_there(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine = shown_image(wiring, key)
    answers = [compared(browser, mine, one) for one in (shown_image(wiring, other_key), new_id())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].data == answers[1].data
    name = public_id(Kind.IMAGE, mine)
    for query, status, word in (
        ("", 422, "a : the id of an image"),
        (f"?a={name}", 422, "b : the id of an image"),
        (f"?a={name}&b={name}", 422, "b : another image"),
        (f"?a={name}&a={name}&b={name}", 422, "more than once"),
        (f"?a={name}&b=" + "9" * 5000, 422, "at most"),
        (f"?a={name}&b=job_1", 404, "There is no such image."),
        (f"?a={name}&b=%00", 400, "NUL"),
    ):
        answer = browser.get(f"/compare{query}", headers=AS_BROWSER)
        assert answer.status_code == status, query
        said = words(answer).replace("/", "").replace(":", " :")
        assert word in " ".join(said.split()), query
