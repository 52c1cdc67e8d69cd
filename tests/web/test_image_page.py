"""An image's page: star, tags, links and deletion by plain forms, for whoever may manage."""

import re
from typing import Any
from uuid import UUID

import pytest
from factories import project_id
from flask.testing import FlaskClient
from sqlalchemy import func, update
from web.browser import (
    AS_BROWSER,
    Page,
    assert_inert,
    form_token,
    image_page,
    log_in,
    shown_image,
    words,
)

from service.clock import seconds
from service.errors import Gone
from service.keys import NewKey
from service.models import MAX_TAGS_PER_IMAGE, Scope, Share
from service.wiring import Wiring

HOSTILE = '"><script>alert(1)</script> \N{RIGHT-TO-LEFT OVERRIDE}עברית 🏮 '


@pytest.fixture
def image_id(wiring: Wiring, key: NewKey) -> UUID:
    return shown_image(wiring, key)


@pytest.fixture
def place(image_id: UUID) -> str:
    return image_page(image_id)


def send(browser: FlaskClient, place: str, **fields: object) -> Any:  # noqa: ANN401 - werkzeug's
    data = {**form_token(browser), **fields}
    return browser.post(place, data=data, headers=AS_BROWSER)


def actions(page: Page) -> set[str]:
    return {
        attributes["action"].rpartition("/")[2]
        for tag, attributes in page.tags
        if tag == "form" and "/images/" in attributes.get("action", "")
    }


def links(page: Page) -> list[str]:
    return page.links(r"https?://[^/]+/share/")


def test_a_star_and_tags_come_and_go_by_plain_forms(
    browser: FlaskClient, place: str, wiring: Wiring, key: NewKey, image_id: UUID
) -> None:
    def labels() -> tuple[bool, list[str]]:
        row = wiring.browse.image(project_id(wiring, key), image_id)
        return row.is_favourite, row.tags

    answer = send(browser, f"{place}/favourite", favourite="yes")
    assert (answer.status_code, answer.location) == (303, f"{place}#labels")
    send(browser, f"{place}/tags", add=" Fog, Sea Side,, fog ")
    assert labels() == (True, ["fog", "sea side"])
    page = Page(browser.get(place))
    (star,) = [a for tag, a in page.tags if a.get("name") == "favourite"]
    assert (star["aria-pressed"], star["value"]) == ("true", "no")
    removes = [a["value"] for tag, a in page.tags if a.get("name") == "remove"]
    assert removes == ["fog", "sea side"]
    send(browser, f"{place}/tags", remove="fog")
    send(browser, f"{place}/favourite", favourite="no")
    assert labels() == (False, ["sea side"])


@pytest.mark.parametrize(
    ("form", "fields", "named"),
    [
        ("favourite", {}, "favourite"),
        ("favourite", {"favourite": "1"}, "favourite"),
        ("favourite", {"favourite": ["yes", "no"]}, "favourite"),
        ("tags", {"add": "x" * 41}, "add"),
        ("tags", {"add": "fog,a\x00b"}, "add"),
        ("tags", {"add": ",".join(f"{n}" for n in range(MAX_TAGS_PER_IMAGE + 1))}, "add"),
        ("tags", {"add": b"\xed\xa0\x80" * 50}, "add"),
        ("tags", {"remove": "a\x00b"}, "remove"),
        ("shares", {"lifetime": "60"}, "lifetime"),
        ("shares", {"lifetime": "9" * 5000}, "lifetime"),
        ("shares", {"shows_prompt": "on"}, "shows_prompt"),
    ],
)
def test_a_form_that_is_not_ours_names_the_field_and_changes_nothing(
    browser: FlaskClient, place: str, form: str, fields: dict[str, Any], named: str
) -> None:
    answer = send(browser, f"{place}/{form}", **fields)
    assert answer.status_code == 422
    assert re.search(rf"\b{named}\b", words(answer))
    page = browser.get(place)
    assert links(Page(page)) == []
    assert "Remove the tag" not in page.text


def test_a_link_is_made_listed_while_it_lives_and_taken_back(
    browser: FlaskClient, place: str, wiring: Wiring
) -> None:
    answer = send(browser, f"{place}/shares", lifetime="3600", shows_prompt="yes")
    assert (answer.status_code, answer.location) == (303, f"{place}#sharing")
    send(browser, f"{place}/shares", lifetime="86400")
    newest, oldest = links(Page(browser.get(place)))
    stranger = browser.application.test_client()
    base = wiring.settings.base_url

    def shared(link: str) -> Any:  # noqa: ANN401 - werkzeug's
        return stranger.get(link.removeprefix(base), headers=AS_BROWSER)

    assert "a lighthouse" in shared(oldest).text
    assert "a lighthouse" not in shared(newest).text
    assert 'name="twitter:card" content="summary_large_image"' in shared(newest).text
    assert shared(newest).headers["X-Robots-Tag"] == "noindex"

    (first, second) = [
        attributes["action"] for tag, attributes in Page(browser.get(place)).tags
        if attributes.get("action", "").endswith("/revoke")
    ]  # fmt: skip
    send(browser, first)
    over = shared(newest)
    assert over.status_code == 410
    assert_inert(over)
    assert "taken back" in words(over)
    # nothing of ours to go to: a stranger would land at the log-in
    assert Page(over).links() == ["#main", "/"]
    assert links(Page(browser.get(place))) == [oldest]
    with wiring.database.transaction() as tx:
        tx.execute(update(Share).values(expires_at=func.now() - seconds(1)))
    assert links(Page(browser.get(place))) == []
    assert "has ended" in words(shared(oldest))
    assert second != first


def test_deleting_asks_first_and_says_what_goes(
    browser: FlaskClient, place: str, wiring: Wiring, key: NewKey, image_id: UUID
) -> None:
    send(browser, f"{place}/shares")
    asked = browser.get(f"{place}/delete", headers=AS_BROWSER)
    assert "Nobody can bring it back" in words(asked)
    assert "The link that shows it to others stops working" in words(asked)
    assert browser.get(place).status_code == 200
    (link,) = links(Page(browser.get(place)))
    answer = send(browser, f"{place}/delete")
    assert (answer.status_code, answer.location) == (303, "/")
    with pytest.raises(Gone):
        wiring.browse.image(project_id(wiring, key), image_id)
    gone = browser.get(place, headers=AS_BROWSER)
    assert gone.status_code == 410
    assert "was deleted" in words(gone)
    assert Page(gone).links("/$")
    over = browser.get(link.removeprefix(wiring.settings.base_url), headers=AS_BROWSER)
    assert over.status_code == 410
    assert "was deleted" in words(over)


def test_who_may_only_read_sees_no_button_and_is_refused_in_words(
    browser: FlaskClient, place: str, wiring: Wiring, key: NewKey
) -> None:
    send(browser, f"{place}/favourite", favourite="yes")
    send(browser, f"{place}/tags", add="fog")
    send(browser, f"{place}/shares")
    assert actions(Page(browser.get(place))) == {"favourite", "tags", "shares", "revoke"}
    reader = log_in(
        browser.application.test_client(), wiring.keys.create(key.project, scopes=[Scope.READ])
    )
    page = Page(reader.get(place))
    assert actions(page) == set()
    assert not page.links(r"/new|.*/delete")
    assert "Favourite" in page.text
    assert "fog" in page.text
    for form in ("favourite", "tags", "shares", "delete"):
        refused = send(reader, f"{place}/{form}", favourite="no", add="sea")
        assert refused.status_code == 403, form
        assert "manage" in words(refused)
    assert reader.get(f"{place}/delete", headers=AS_BROWSER).status_code == 403
    assert browser.get(place).status_code == 200


def test_both_prompts_are_whole_inert_and_may_be_copied(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    prompt, rewritten = HOSTILE * 500, HOSTILE * 400
    place = image_page(shown_image(wiring, key, prompt, revised_prompt=rewritten))
    answer = browser.get(place)
    assert_inert(answer)
    page = Page(answer)
    assert prompt in page.text
    assert rewritten in page.text
    named = [a["data-copy"] for _, a in page.tags if "data-copy" in a]
    assert named[:2] == ["Copy the prompt", "Copy the rewritten prompt"]
    boxes = [a for _, a in page.tags if a.get("class") == "prompt"]
    assert {box["dir"] for box in boxes} == {"auto"}
    assert_inert(browser.get(f"{place}/delete"))


def test_the_page_leads_to_another_like_it_and_to_an_edit_of_it(
    browser: FlaskClient, place: str
) -> None:
    name = place.rpartition("/")[2]
    page = Page(browser.get(place))
    assert page.links(r"/new\?") == [f"/new?like={name}", f"/new?edit={name}"]
    assert page.links("/jobs/")
    opened = [a["href"] for tag, a in page.tags if tag == "a" and "download" not in a]
    assert f"{place}/content" in opened
