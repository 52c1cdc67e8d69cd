"""The gallery as people use it: watching, searching, narrowing, scrolling."""

import re
from datetime import UTC, datetime, timedelta

from browser.conftest import NewPerson
from browser.person import Person, Project
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

MANY = 120
_COPIES = """
WITH one AS (
       SELECT * FROM images WHERE project_id = (SELECT id FROM projects WHERE name = :name)),
     numbered AS (
       SELECT gen_random_uuid() AS new_job_id, number,
              (lpad(to_hex(CAST(:now AS bigint) - number * 1000), 12, '0') || '7000'
               || '8002' || lpad(to_hex(number), 12, '0'))::uuid AS image_id
       FROM generate_series(1, :many) number),
     made AS (
       INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, request_sha256,
                         callback_events, provider)
       SELECT new_job_id, project_id, 'succeeded', model, '{}', '{}', 1, '\\x00', '{}', 'simulator'
       FROM numbered, one)
INSERT INTO images (id, project_id, job_id, bucket, key, content_type, width, height, bytes,
                    sha256, model, prompt, thumbnail_key, due_at)
SELECT image_id, project_id, new_job_id, bucket, key, content_type, 256 + number % 3 * 128, 256,
       bytes, sha256, model, 'copy number ' || number, thumbnail_key, NULL
FROM numbered, one
"""


def copy_images(project: Project) -> None:
    """Make many images of a project's one, all with its bytes, a second apart and older."""
    url = project.service.environment["DATABASE_URL"]
    now_ms = int(datetime.now(UTC).timestamp() * 1000) - 60_000
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(_COPIES), {"name": project.name, "now": now_ms, "many": MANY})


def assert_far_cells_are_no_more_than_their_place(page: Page) -> None:
    """Go up and down: what is in the cells comes and goes, and the wall keeps its size."""
    first = page.locator("[data-image]").first
    height_px = "document.documentElement.scrollHeight"
    expect(first.get_by_role("img")).to_have_count(0)
    before_px = page.evaluate(height_px)
    page.evaluate("scrollTo({ top: 0 })")
    expect(first.get_by_role("img", name="the newest")).to_be_visible()
    expect(page.locator("[data-image]").last.get_by_role("img")).to_have_count(0)
    # rows that were scrolled past too fast to be drawn have sizes that are guessed
    assert page.evaluate(height_px) > before_px / 2
    page.evaluate(f"scrollTo({{ top: {height_px} }})")
    expect(first.get_by_role("img")).to_have_count(0)


def test_a_job_becomes_a_picture_while_somebody_looks_on(person: Person, project: Project) -> None:
    page = person.page
    soon = datetime.now(UTC) + timedelta(seconds=6)
    project.enqueue("a slow lighthouse", start_at=soon.isoformat())
    page.goto("/")
    page.evaluate("window.isTheSamePage = true")
    cell = page.locator("#wall > li").first
    expect(cell).to_contain_text("Waiting for its turn at Flux.")
    person.shoot("gallery-waiting")
    expect(page.locator("[data-job]")).to_have_count(0)
    picture = cell.get_by_role("img", name="a slow lighthouse")
    expect(picture).to_be_visible()
    assert picture.evaluate("async (picture) => { await picture.decode(); return true; }")
    assert page.evaluate("window.isTheSamePage")


def test_a_wall_of_many_pictures_is_scrolled_searched_and_narrowed(
    person: Person, project: Project, new_person: NewPerson
) -> None:
    project.image("the newest")
    copy_images(project)
    page = person.page
    page.goto("/")
    person.shoot("gallery-many")
    pictures, older = page.locator("[data-image]"), page.locator(".older")
    for _ in range(10):
        if older.count() == 0:
            break
        seen = pictures.count()
        older.scroll_into_view_if_needed()
        page.wait_for_function(
            "seen => document.querySelectorAll('[data-image]').length > seen", arg=seen
        )
    expect(pictures).to_have_count(MANY + 1)
    ids = pictures.evaluate_all("cells => cells.map((cell) => cell.dataset.image)")
    assert ids == sorted(set(ids), reverse=True)

    assert_far_cells_are_no_more_than_their_place(page)

    # who looks further down is told, not pushed
    project.image("made meanwhile")
    new = page.get_by_role("button", name="1 new")
    expect(new).to_be_visible()
    expect(pictures).to_have_count(MANY + 1)
    new.click()
    expect(pictures.first).to_contain_text("made meanwhile")
    assert page.evaluate("scrollY") == 0

    page.get_by_label("Search in prompts").fill("number 77")
    page.keyboard.press("Enter")
    expect(pictures).to_have_count(1)
    page.get_by_role("link", name=re.compile("number 77.+remove")).click()
    expect(pictures).to_have_count(48)
    page.get_by_text("Size", exact=True).click()
    person.shoot("gallery-filters")
    page.get_by_role("link", name="Small, under 1 MP 122").click()
    expect(pictures).to_have_count(48)
    page.get_by_role("link", name="Favourites").click()
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    person.shoot("gallery-nothing-found")
    page.get_by_role("link", name="Clear all").click()
    expect(pictures).to_have_count(48)

    quiet = new_person(javascript=False)
    quiet.log_in(project.api_key)
    shown = quiet.page.locator("[data-image]")
    expect(shown).to_have_count(48)
    for left in (48, MANY + 2 - 96):
        newest = shown.first.get_attribute("data-image") or ""
        # by key: rows that are just drawn may push it from under a mouse
        quiet.page.get_by_role("link", name="Older images").press("Enter")
        expect(shown.first).not_to_have_attribute("data-image", newest)
        expect(shown).to_have_count(left)
    expect(quiet.page.get_by_role("link", name="Older images")).to_have_count(0)
    quiet.page.get_by_label("Search in prompts").fill("NUMBER 77")
    quiet.page.get_by_role("button", name="Search").click()
    expect(shown).to_have_count(1)
