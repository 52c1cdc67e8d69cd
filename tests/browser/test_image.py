"""The page of an image, as its owner, a stranger with a link, and one without script meet it."""

import re

from browser.conftest import NewPerson
from browser.person import Person, Project
from playwright.sync_api import Page, expect

HOSTILE = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> "
    "\N{RIGHT-TO-LEFT OVERRIDE}מגדלור בערפל\N{POP DIRECTIONAL FORMATTING} 🏮🌊 \n"
)
LONG = (HOSTILE * (30_000 // len(HOSTILE) + 1))[:30_000]


def make_link(page: Page, *, shows_prompt: bool, lifetime: str = "1 day") -> str:
    """Make a link to share and return it; the newest comes first."""
    page.get_by_label("A link that opens it without a key").select_option(lifetime)
    page.get_by_label("Show the prompt").set_checked(shows_prompt)
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_role("link", name="Open it").first.get_attribute("href")
    assert link is not None
    return link


def test_its_owner_stars_tags_shares_and_deletes_a_picture(
    person: Person, project: Project, new_person: NewPerson
) -> None:
    image = project.image("a lighthouse in fog")
    page = person.page
    page.goto(f"/images/{image['id']}")
    star = page.get_by_role("button", name="Favourite")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    for words in ("Fog, sea side", "cliff"):
        page.get_by_label("Add tags").fill(words)
        page.get_by_label("Add tags").press("Enter")
    page.get_by_role("button", name="Remove the tag sea side").click()
    expect(page.get_by_role("list", name="Tags").get_by_role("link")).to_have_text(["cliff", "fog"])
    kept = project.call("GET", f"/v1/images/{image['id']}")
    assert (kept["favourite"], kept["tags"]) == (True, ["cliff", "fog"])

    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the prompt").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "a lighthouse in fog"

    hides = make_link(page, shows_prompt=False)
    shows = make_link(page, shows_prompt=True, lifetime="1 hour")
    assert shows != hides
    page.goto(f"/images/{image['id']}")
    person.shoot("image-shared")

    stranger = new_person()
    stranger.page.goto(hides)
    expect(stranger.page.get_by_role("img", name="Shared image")).to_be_visible()
    assert stranger.page.evaluate("document.querySelector('main img').naturalWidth") == 256
    expect(stranger.page.get_by_role("main")).not_to_contain_text("lighthouse")
    stranger.page.goto(shows)
    expect(stranger.page.get_by_role("main")).to_contain_text("a lighthouse in fog")
    stranger.shoot("share")

    page.get_by_role("button", name="Take it back").first.click()
    expect(page.get_by_role("link", name="Open it")).to_have_count(1)
    stranger.page.goto(shows)
    expect(stranger.page.get_by_role("main")).to_contain_text("This link was taken back.")
    stranger.shoot("share-over")

    page.get_by_role("link", name="Delete this image").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete this image?")
    person.shoot("image-delete")
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("link", name="Delete this image").click()
    page.get_by_role("button", name="Delete it for good").click()
    expect(page).to_have_url(f"{person.url}/")
    page.goto(f"/images/{image['id']}")
    expect(page.get_by_role("main")).to_contain_text("was deleted")
    stranger.page.goto(hides)
    expect(stranger.page.get_by_role("main")).to_contain_text("was deleted")


def test_a_long_and_hostile_prompt_is_shown_whole_inert_and_laid_out_well(
    person: Person, project: Project
) -> None:
    image = project.image(LONG)
    page = person.page
    page.goto(f"/images/{image['id']}")
    shown = page.get_by_role("group", name="Prompt, 30,000 characters")
    assert shown.evaluate("box => box.textContent") == LONG
    assert "owned" not in page.title().replace("'owned'", "")
    assert page.evaluate("document.querySelectorAll('main script, main [onerror]').length") == 0
    # it scrolls in its own box, and the picture stays within the window beside it
    assert shown.evaluate("box => box.clientHeight < box.scrollHeight && box.clientHeight < 400")
    person.shoot("image-long-prompt")
    page.set_viewport_size({"width": 390, "height": 900})
    picture = page.locator(".stage img").bounding_box()
    assert picture is not None
    assert picture["x"] >= 0
    assert picture["x"] + picture["width"] <= 390


def test_without_script_all_forms_of_an_image_work(new_person: NewPerson, project: Project) -> None:
    image = project.image("a plain lighthouse")
    plain = new_person(javascript=False)
    plain.log_in(project.api_key)
    page = plain.page
    page.goto(f"/images/{image['id']}")
    expect(page.get_by_role("button", name=re.compile("^Copy"))).to_have_count(0)
    page.get_by_role("button", name="Favourite").click()
    page.get_by_label("Add tags").fill("fog")
    page.get_by_role("button", name="Add", exact=True).click()
    kept = project.call("GET", f"/v1/images/{image['id']}")
    assert (kept["favourite"], kept["tags"]) == (True, ["fog"])
    link = make_link(page, shows_prompt=True)
    stranger = new_person(javascript=False)
    stranger.page.goto(link)
    expect(stranger.page.get_by_role("main")).to_contain_text("a plain lighthouse")
    page.get_by_role("button", name="Take it back").click()
    stranger.page.goto(link)
    expect(stranger.page.get_by_role("main")).to_contain_text("taken back")
    assert page.locator(".stage a").get_attribute("href") == f"/images/{image['id']}/content"
    page.get_by_role("link", name="Delete this image").click()
    page.get_by_role("button", name="Delete it for good").click()
    expect(page.get_by_role("main")).not_to_contain_text("a plain lighthouse")
