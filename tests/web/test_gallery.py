"""The gallery: what it is asked by its address, and what it offers and answers."""

import re
from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from conftest import Api
from factories import enqueue, put
from flask.testing import FlaskClient
from sqlalchemy import insert, update
from web.browser import AS_BROWSER, Page, assert_inert, image_page, shown_image, words

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import ImageTag, images
from service.states import Status
from service.web.gallery import IMAGES_PER_PAGE
from service.wiring import Wiring

Store = Callable[..., UUID]

AS_SCRIPT = AS_BROWSER | {"HX-Request": "true"}


@pytest.fixture
def store(wiring: Wiring, key: NewKey) -> Store:
    """Return what makes an image of the project `default` and returns its id."""
    return partial(shown_image, wiring, key)


def label(wiring: Wiring, image_id: UUID, *, tag: str | None = None, **columns: object) -> None:
    with wiring.database.transaction() as tx:
        row = update(images).where(images.c.id == image_id)
        if columns:
            tx.execute(row.values(columns))
        if tag is not None:
            project_id = tx.scalar(images.select().with_only_columns(images.c.project_id))
            named = {"image_id": image_id, "project_id": project_id, "tag": tag}
            tx.execute(insert(ImageTag).values(named))


def shown(answer: Page) -> list[str]:
    return answer.links("/images/img_[0-9a-f]{32}$")


def test_every_filter_leaves_the_images_it_names_on_the_page_and_in_the_api(
    browser: FlaskClient, api: Api, wiring: Wiring, store: Store
) -> None:
    plain, loved = store("a fox"), store("a red lighthouse")
    label(wiring, loved, tag="sea side", is_favourite=True, width=2000, height=1000, model="flux-x")
    for query in (
        "q=LIGHTHOUSE", "tag=%20Sea%20Side", "favourite=true", "size=large", "model=flux-x",
        "q=red&tag=sea+side&favourite=true&size=large&model=flux-x",
    ):  # fmt: skip
        assert shown(Page(browser.get(f"/?{query}"))) == [image_page(loved)], query
        (listed,) = api.get(f"/v1/images?{query}").json["data"]
        assert listed["id"] == public_id(Kind.IMAGE, loved)
    assert shown(Page(browser.get("/?date=today&since=&before="))) == list(
        map(image_page, (loved, plain))
    )
    for query in ("before=2026-01-01", "size=medium", "tag=sea", "favourite=true&q=fox"):
        assert shown(Page(browser.get(f"/?{query}"))) == []
    listed = api.get("/v1/images?favourite=false").json["data"]
    assert [one["id"] for one in listed] == [public_id(Kind.IMAGE, plain)]


def test_chips_count_and_lead_to_what_they_count_and_back(
    browser: FlaskClient, wiring: Wiring, store: Store
) -> None:
    store("a fox")
    label(wiring, store("a fox"), tag="sea", is_favourite=True)
    page = Page(browser.get("/"))
    said = " ".join(page.text.split())
    for words_ in ("flux-2-pro 2", "Small, under 1 MP 2", "Large, from 2 MP 0", "sea 1", "Today 2"):
        assert words_ in said
    assert "Favourites 1" in said
    for link in ("/?tag=sea", "/?favourite=true", "/?size=small", "/?model=flux-2-pro"):
        assert link in page.links()
    narrowed = Page(browser.get("/?tag=sea&favourite=true"))
    # each taken off by its own chip
    links = narrowed.links(r"/\?(tag=sea|favourite=true)$")
    assert set(links) == {"/?favourite=true", "/?tag=sea"}
    # where another filter is on, the number of all would mislead
    assert "flux-2-pro 2" not in " ".join(narrowed.text.split())


def test_what_cannot_be_asked_is_refused_by_name(browser: FlaskClient) -> None:
    for query, field in (
        (f"q={'a' * 30_000}", "q"), ("q=a&q=b", "q"), ("tag=a&tag=b", "tag"),
        ("size=huge", "size"), ("favourite=perhaps", "favourite"), ("date=1d", "date"),
        ("since=yesterday", "since"), (f"before={'9' * 400}", "before"), ("cursor=x", "cursor"),
    ):  # fmt: skip
        answer = browser.get(f"/?{query}", headers=AS_BROWSER)
        assert 400 <= answer.status_code < 500, query
        assert field in words(answer)
    assert browser.get("/?q=%00", headers=AS_BROWSER).status_code == 400


@pytest.mark.parametrize(
    "text", ["%", "_", "\\", "/", "\u202e\u2066", "<script>alert(1)</script>", "\udcff", "'; --"]
)
def test_any_text_is_searched_as_it_is_and_shown_inert(
    browser: FlaskClient, store: Store, text: str
) -> None:
    store("a fox")
    asked = {"q": text.encode(errors="surrogateescape")}
    answer = browser.get("/", query_string=asked, headers=AS_BROWSER)
    assert answer.status_code == 200
    assert_inert(answer)
    assert shown(Page(answer)) == []
    assert "Nothing found. Show all images" in words(answer)


def test_unknown_models_and_far_days_find_nothing_and_say_what_was_asked(
    browser: FlaskClient, store: Store
) -> None:
    store()
    for query in ("model=flux-0", "since=9999-12-31", "before=0001-01-01", "tag=%07"):
        answer = browser.get(f"/?{query}", headers=AS_BROWSER)
        assert answer.status_code == 200
        assert "Nothing found." in words(answer)
    assert "flux-0 \u00d7" in words(browser.get("/?model=flux-0"))


def test_a_script_gets_the_next_cells_and_nothing_around_them(
    browser: FlaskClient, store: Store
) -> None:
    for _ in range(IMAGES_PER_PAGE + 2):
        store("fox")
    first = browser.get("/?q=fox")
    assert "HX-Request" in first.headers["Vary"]
    older = Page(first).link("next")
    assert older is not None
    assert re.match(r"/\?cursor=.+&q=fox$", older)
    cells = browser.get(older, headers=AS_SCRIPT)
    assert "HX-Request" in cells.headers["Vary"]
    assert {tag for tag, _ in Page(cells).tags} <= {
        "li", "figure", "a", "img", "figcaption", "p", "time", "label", "input", "span",
    }  # fmt: skip
    assert shown(Page(cells)) == shown(Page(browser.get(older, headers=AS_BROWSER)))
    assert len(shown(Page(cells))) == 2


def test_jobs_stand_first_on_the_wall_until_they_are_pictures(
    browser: FlaskClient, wiring: Wiring, key: NewKey, store: Store
) -> None:
    image_id = store()
    waiting, failing = enqueue(wiring, key), enqueue(wiring, key)
    put(wiring, failing, status=Status.FAILED, error_message="<b>Flux said no</b>")
    page = Page(browser.get("/"))
    cells = [a for tag, a in page.tags if tag == "li" and {"data-job", "data-image"} & set(a)]
    assert [cell.get("data-job") or cell["data-image"] for cell in cells] == [
        public_id(Kind.JOB, waiting),
        public_id(Kind.JOB, failing),
        public_id(Kind.IMAGE, image_id),
    ]
    assert "Waiting for its turn at Flux." in page.text
    assert "<b>Flux said no</b> See what happened." in " ".join(page.text.split())
    for path in ("/?favourite=true", "/?q=light"):
        assert public_id(Kind.JOB, waiting) not in browser.get(path).text


def test_the_news_are_the_cells_that_differ(
    browser: FlaskClient, wiring: Wiring, key: NewKey, store: Store
) -> None:
    old = store()
    age_by_an_hour = f"img_{new_id().hex[:8]}{'0' * 24}"
    waiting = public_id(Kind.JOB, enqueue(wiring, key))
    drawn = store("drawn")
    of_drawn = public_id(Kind.JOB, wiring.browse.image(_owner(wiring, drawn), drawn).job_id)
    known = f"{waiting}.queued,{of_drawn}.generating,job_{'0' * 32}.queued"

    def told(newest: str, jobs: str) -> list[dict[str, str]]:
        answer = browser.get("/news", query_string={"newest": newest, "jobs": jobs})
        return [attributes for tag, attributes in Page(answer).tags if tag == "li"]

    later = f"img_{'f' * 32}"
    image, gone = told(later, known)
    assert (image["data-image"], image["data-of-job"]) == (public_id(Kind.IMAGE, drawn), of_drawn)
    assert (gone["data-job"], "data-gone" in gone) == (f"job_{'0' * 32}", True)
    (moved,) = told(later, f"{waiting}.generating")
    assert (moved["data-job"], moved["data-status"]) == (waiting, "queued")
    (new,) = told(later, "")
    assert new["data-job"] == waiting
    names = [cell["data-image"] for cell in told(age_by_an_hour, known) if "data-image" in cell]
    assert sorted(names) == [public_id(Kind.IMAGE, one) for one in (old, drawn)]


def test_news_of_another_project_are_none(
    browser: FlaskClient, wiring: Wiring, other_key: NewKey
) -> None:
    image_id = shown_image(wiring, other_key)
    theirs = wiring.browse.image(_owner(wiring, image_id), image_id).job_id
    asked = {"jobs": f"{public_id(Kind.JOB, theirs)}.generating"}
    (cell,) = [a for tag, a in Page(browser.get("/news", query_string=asked)).tags if tag == "li"]
    assert "data-gone" in cell


@pytest.mark.parametrize(
    "query", ["newest=x", "jobs=x", "jobs=job_1.queued", "jobs=,", "jobs=a&jobs=b"]
)
def test_news_of_no_wall_of_ours_are_refused(browser: FlaskClient, query: str) -> None:
    assert browser.get(f"/news?{query}", headers=AS_BROWSER).status_code == 422


def _owner(wiring: Wiring, image_id: UUID) -> UUID:
    with wiring.database.transaction() as tx:
        mine = images.select().with_only_columns(images.c.project_id).where(images.c.id == image_id)
        found: UUID = tx.scalar(mine)
    return found
