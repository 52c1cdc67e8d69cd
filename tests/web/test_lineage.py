"""What was made from what, in the API and on an image's page."""

from uuid import UUID

import pytest
from conftest import Api
from factories import job, project_id
from flask.testing import FlaskClient
from sqlalchemy import delete
from web.browser import AS_BROWSER, Page, assert_inert, image_page, shown_image, words

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import images
from service.steps.browse import ImageFilter
from service.web.gallery import IMAGES_PER_PAGE
from service.web.tiles import CHILDREN_SHOWN
from service.wiring import Wiring


def name(image_id: UUID) -> str:
    return public_id(Kind.IMAGE, image_id)


def child_of(wiring: Wiring, key: NewKey, *parents: UUID) -> UUID:
    given = dict(zip(("input_image", "input_image_2"), map(name, parents), strict=False))
    return shown_image(wiring, key, "a child", **given)


def drop(wiring: Wiring, image_id: UUID) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(delete(images).where(images.c.id == image_id))


def listed(api: Api, query: str) -> list[str]:
    return [image["id"] for image in api.get(f"/v1/images?{query}").json["data"]]


def test_a_job_and_its_image_name_the_images_they_were_made_from(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    one, two = shown_image(wiring, key), shown_image(wiring, key)
    child = child_of(wiring, key, two, one)
    image = api.get(f"/v1/images/{name(child)}").json
    assert image["parent_image_ids"] == [name(two), name(one)]
    assert api.get(f"/v1/jobs/{image['job_id']}").json["parent_image_ids"] == [name(two), name(one)]
    assert api.get(f"/v1/images/{name(one)}").json["parent_image_ids"] == []


def test_an_image_tells_what_flux_made_of_its_prompt(api: Api, wiring: Wiring, key: NewKey) -> None:
    rewritten = shown_image(wiring, key, "a cat", revised_prompt="a tabby cat at noon")
    image = api.get(f"/v1/images/{name(rewritten)}").json
    assert (image["prompt"], image["revised_prompt"]) == ("a cat", "a tabby cat at noon")
    assert api.get(f"/v1/images/{name(shown_image(wiring, key))}").json["revised_prompt"] is None


def test_parent_lists_what_was_made_from_an_image_newest_first_page_by_page(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    parent, other = shown_image(wiring, key), shown_image(wiring, key)
    first = child_of(wiring, key, parent)
    child_of(wiring, key, other)
    second = child_of(wiring, key, other, parent)
    child_of(wiring, key, first)
    assert listed(api, f"parent={name(parent)}") == [name(second), name(first)]
    page = api.get(f"/v1/images?parent={name(parent)}&limit=1")
    assert [image["id"] for image in page.json["data"]] == [name(second)]
    after = api.get(page.headers["Link"].partition(">")[0].removeprefix("<")).json
    assert ([image["id"] for image in after["data"]], after["next"]) == ([name(first)], None)
    drop(wiring, parent)
    assert listed(api, f"parent={name(parent)}") == [name(second), name(first)]


def test_another_projects_parent_has_as_few_children_as_an_unknown_one(
    api: Api, other: Api, wiring: Wiring, key: NewKey
) -> None:
    parent = shown_image(wiring, key)
    child_of(wiring, key, parent)
    unknown = name(new_id())
    assert listed(other, f"parent={name(parent)}") == listed(other, f"parent={unknown}") == []


@pytest.mark.parametrize("text", ["", "img_1", f"upl_{'0' * 32}", f"IMG_{'0' * 32}"])
def test_a_parent_that_is_no_id_is_refused_by_name(
    api: Api, browser: FlaskClient, text: str
) -> None:
    answer = api.get(f"/v1/images?parent={text}")
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/parent")
    assert browser.get(f"/?parent={text}", headers=AS_BROWSER).status_code == 422


def test_an_images_page_leads_to_its_parents_and_children(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    one, two = shown_image(wiring, key, "first"), shown_image(wiring, key, "second")
    middle = child_of(wiring, key, one, two)
    child = child_of(wiring, key, middle)
    page = Page(browser.get(image_page(middle)))
    assert page.links("/images/img_[0-9a-f]{32}$") == list(map(image_page, (one, two, child)))
    alts = [a["alt"] for tag, a in page.tags if tag == "img" and "88" in a.get("width", "")]
    assert alts == ["first", "second", "", "a child"]
    assert " Made from This image Made into " in " ".join(page.text.split())
    assert "Lineage" in page.text
    assert "Lineage" not in words(browser.get(image_page(shown_image(wiring, key))))


def test_a_parent_that_was_deleted_is_shown_as_gone(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    gone, there = shown_image(wiring, key), shown_image(wiring, key)
    child = child_of(wiring, key, gone, there)
    drop(wiring, gone)
    page = Page(browser.get(image_page(child)))
    assert page.links("/images/img_[0-9a-f]{32}$") == [image_page(there)]
    assert "Made from gone This image" in " ".join(page.text.split())
    assert browser.get(image_page(gone)).status_code == 404


def test_of_many_children_the_newest_are_shown_and_a_link_leads_to_all(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    parent = shown_image(wiring, key)
    pages = [image_page(child_of(wiring, key, parent)) for _ in range(CHILDREN_SHOWN)]
    assert "All that was made from it" not in words(browser.get(image_page(parent)))
    pages.append(image_page(child_of(wiring, key, parent)))
    page = Page(browser.get(image_page(parent)))
    assert page.links("/images/img_[0-9a-f]{32}$") == pages[:0:-1]
    (every,) = page.links(r"/\?parent=")
    assert Page(browser.get(every)).links("/images/") == [image_page(parent), *pages[::-1]]


def test_pages_of_children_keep_to_their_parent(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    parent = shown_image(wiring, key)
    oldest, *_ = [child_of(wiring, key, parent) for _ in range(IMAGES_PER_PAGE + 1)]
    older = Page(browser.get(f"/?parent={name(parent)}")).link("next")
    assert older is not None
    last = Page(browser.get(older))
    assert last.links("/images/") == [image_page(parent), image_page(oldest)]
    assert last.links(r"/\?parent=[^&]+$") == [f"/?parent={name(parent)}"]
    assert last.link("next") is None


def test_an_image_without_children_has_a_page_that_says_so(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    said = words(browser.get(f"/?parent={name(shown_image(wiring, key))}"))
    assert "Nothing yet." in said
    assert "curl" not in said


@pytest.mark.parametrize(
    "revised", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "b" * 40_000]
)
def test_both_prompts_are_shown_and_a_hostile_one_is_inert(
    browser: FlaskClient, wiring: Wiring, key: NewKey, revised: str
) -> None:
    answer = browser.get(
        image_page(shown_image(wiring, key, "as I said", revised_prompt=revised)),
        headers=AS_BROWSER,
    )
    assert_inert(answer)
    said = words(answer)
    assert f"as I said What Flux made of the prompt {revised}" in said


def test_a_prompt_that_flux_kept_is_shown_once(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    assert "What Flux made" not in words(browser.get(image_page(shown_image(wiring, key))))


def test_lineage_never_leads_into_another_project(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    theirs, mine = shown_image(wiring, other_key), shown_image(wiring, key)
    with wiring.database.transaction() as tx:
        tx.execute(images.update().where(images.c.id == mine).values(parent_image_ids=[theirs]))
    assert Page(browser.get(image_page(mine))).links("/images/img_[0-9a-f]{32}$") == []
    assert (
        wiring.browse.images(
            project_id(wiring, other_key), None, 9, ImageFilter(parent_id=theirs)
        ).rows
        == []
    )
    assert job(wiring, wiring.browse.image(project_id(wiring, key), mine).job_id)
