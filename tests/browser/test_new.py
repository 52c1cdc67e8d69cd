"""People who hand in a job at the form: another like one, an edit, and without a script."""

import re

from browser.conftest import NewPerson
from browser.person import Person, Project
from fakes.pictures import drawn
from playwright.sync_api import Page, expect

PROMPT = "a lighthouse in fog\nwith <b>two</b> lines"


def fill_in(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt required", exact=True).fill(prompt)


def jobs(project: Project) -> list[str]:
    return [job["id"] for job in project.call("GET", "/v1/jobs")["data"]]


def test_somebody_makes_another_like_it_then_edits_it_and_pays_once_each(
    person: Person, project: Project
) -> None:
    page = person.page
    image = project.image(PROMPT, seed=7, safety_tolerance=1)
    page.goto(f"/new?like={image['id']}")
    expect(page.get_by_label("Prompt required")).to_have_value(PROMPT)
    expect(page.get_by_label("Seed", exact=True)).to_have_value("7")
    expect(page.get_by_label("Safety tolerance")).to_have_value("1")
    expect(page.locator("#price")).to_contain_text("Costs 3 credits")
    person.shoot("new-like")

    # the price follows what is typed
    page.get_by_label("Width").fill("2048")
    page.get_by_label("Height").fill("1024")
    expect(page.locator("#price")).to_contain_text("Costs 4.5 credits")
    page.get_by_label("New seed").check()
    page.get_by_role("button", name="Check it").click()
    person.shoot("new-check")
    send = page.get_by_role("button", name="Send: costs 4.5 credits")
    # and somebody who is impatient
    send.dblclick()
    page.wait_for_url("**/jobs/job_*")
    expect(page.locator("#state")).to_contain_text("succeeded")
    assert len(jobs(project)) == 2
    made = project.call("GET", f"/v1/jobs/{page.url.rpartition('/')[2]}")
    assert made["input"] == {
        "prompt": PROMPT, "width": 2048, "height": 1024, "safety_tolerance": 1,
    }  # fmt: skip

    page.goto(f"/new?edit={image['id']}")
    shown = page.get_by_role("img", name="a lighthouse in fog")
    expect(shown).to_be_visible()
    fill_in(page, "the same at night")
    expect(page.locator("#price")).to_contain_text("Costs")
    person.shoot("new-edit")
    page.get_by_role("button", name="Check it").click()
    page.get_by_role("button", name="Send: costs").click()
    page.wait_for_url("**/jobs/job_*")
    edited = project.call("GET", f"/v1/jobs/{page.url.rpartition('/')[2]}")
    assert edited["parent_image_ids"] == [image["id"]]


def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    person: Person, project: Project
) -> None:
    page = person.page
    page.goto("/")
    page.get_by_role("link", name="New", exact=True).click()
    person.shoot("new-empty")
    fill_in(page, "   ")
    wrong = page.get_by_label("Input image", exact=True)
    wrong.fill("img_" + "0" * 32)
    page.get_by_text("More settings").click()
    page.get_by_label("User").fill("me")
    # the Enter key checks the form, and changes no model
    page.get_by_label("User").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("must not be blank")
    expect(wrong).to_have_accessible_description(re.compile("^there is no such image"))
    person.shoot("new-wrong")
    expect(page.get_by_label("User")).to_have_value("me")
    page.get_by_label("Model").select_option("flux-kontext-pro")
    page.get_by_role("button", name="Use this model").click()
    expect(page.get_by_label("Aspect ratio")).to_be_visible()
    expect(page.get_by_label("Input image", exact=True)).to_have_value("img_" + "0" * 32)
    assert jobs(project) == []


def test_without_a_script_a_picture_is_handed_in_and_a_job_is_sent(
    new_person: NewPerson, project: Project
) -> None:
    person = new_person(javascript=False)
    person.log_in(project.api_key)
    page = person.page
    page.goto("/new?model=flux-2-flex")
    fill_in(page, PROMPT)
    file = page.locator("input[name='file.input_image']")
    file.set_input_files({"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("alert")).to_contain_text("must be a whole JPEG, PNG or WebP image")
    file.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": drawn("PNG")})
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("heading", name="Input images")).to_be_visible()
    person.shoot("new-check-no-script")
    page.get_by_role("button", name="Send: costs 10 credits").click()
    page.wait_for_url("**/jobs/job_*")
    (made,) = project.call("GET", "/v1/jobs")["data"]
    assert made["input"]["prompt"] == PROMPT
    assert made["input"]["input_image"].startswith("upl_")
