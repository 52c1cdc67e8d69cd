"""Several images at once: compared, taken along, labelled, deleted."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from browser.conftest import NewPerson
from browser.person import Person, Project
from playwright.sync_api import Locator, expect


def box(person: Person, image: Any) -> Locator:  # noqa: ANN401 - JSON
    return person.page.locator(f"input[name=image][value={image['id']}]")


def bar(person: Person) -> Locator:
    return person.page.locator("#selection")


def press(person: Person, name: str) -> None:
    bar(person).get_by_role("button", name=name, exact=True).click()


def taken_along(person: Person) -> Path:
    """Press Download and return the file."""
    with person.page.expect_download() as download:
        press(person, "Download")
    assert download.value.suggested_filename.endswith("-images.zip")
    return Path(download.value.path())


def assert_holds(file: Path, images: list[Any]) -> None:
    """The zip is sound and holds these images, as the manifest and the API both say."""
    with zipfile.ZipFile(file) as read:
        assert read.testzip() is None
        manifest = json.loads(read.read("manifest.json"))
        files = {one["id"]: read.read(one["file"]) for one in manifest["images"]}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} == {
        image["id"]: image["sha256"] for image in images
    }


def test_two_are_compared_and_several_taken_along(person: Person, project: Project) -> None:
    page = person.page
    prompts = ("a red fox in snow", "a blue fox in snow", "a lighthouse", "a harbour", "a mill")
    images = [project.image(prompt) for prompt in prompts]
    mill, harbour, lighthouse, blue, red = reversed(images)
    page.goto("/")
    expect(bar(person)).to_be_hidden()

    # two are compared
    box(person, red).check()
    expect(bar(person)).to_contain_text("1 selected")
    expect(bar(person).get_by_role("button", name="Compare")).to_be_disabled()
    box(person, blue).check()
    expect(bar(person)).to_contain_text("2 selected")
    person.shoot("selection-bar")
    press(person, "Compare")
    expect(page.get_by_role("heading", name="Two images compared")).to_be_visible()
    marks = page.locator("section").first.locator(".prompt mark")
    expect(marks).to_have_text(["red", "blue"])
    page.locator("summary").click()
    person.shoot("compare")
    page.get_by_role("link", name="Swap sides").click()
    expect(marks).to_have_text(["blue", "red"])

    # a range with Shift, all, none; three are taken along
    page.goto("/")
    box(person, mill).check()
    box(person, lighthouse).click(modifiers=["Shift"])
    expect(bar(person)).to_contain_text("3 selected")
    expect(box(person, harbour)).to_be_checked()
    assert_holds(taken_along(person), [mill, harbour, lighthouse])
    press(person, "Select all shown")
    expect(bar(person)).to_contain_text("5 selected")
    press(person, "Clear")
    expect(bar(person)).to_be_hidden()

    # a cell that is drawn anew shows what was picked; one that is taken away is sent all the same
    box(person, mill).check()
    box(person, harbour).check()
    page.evaluate("wall.children[0].outerHTML = wall.children[0].outerHTML")
    expect(box(person, mill)).to_be_checked()
    page.evaluate("wall.children[1].remove()")
    expect(bar(person)).to_contain_text("2 selected")
    assert_holds(taken_along(person), [mill, harbour])


def test_labels_are_given_and_what_is_deleted_is_gone(person: Person, project: Project) -> None:
    page = person.page
    _, harbour, mill = [project.image(prompt) for prompt in ("a fox", "a harbour", "a mill")]
    page.goto("/")
    for image in (mill, harbour):
        box(person, image).check()
    press(person, "Favourite")
    expect(page.get_by_text("2 images among the favourites.")).to_be_visible()
    assert project.call("GET", f"/v1/images/{mill['id']}")["favourite"] is True
    box(person, mill).check()
    press(person, "Tag…")
    page.get_by_label("Tag", exact=True).fill("Sea View")
    person.shoot("selection-tag")
    page.get_by_role("button", name="Add the tag").click()
    expect(page.get_by_text("1 image tagged sea view.")).to_be_visible()
    assert project.call("GET", f"/v1/images/{mill['id']}")["tags"] == ["sea view"]

    # deleting asks; it can be left
    box(person, mill).check()
    box(person, harbour).check()
    press(person, "Delete…")
    expect(page.get_by_role("heading", name="Delete 2 images?")).to_be_visible()
    person.shoot("selection-delete")
    page.get_by_role("link", name="Keep them").click()
    expect(page.locator("#wall li")).to_have_count(3)
    box(person, mill).check()
    box(person, harbour).check()
    press(person, "Delete…")
    page.get_by_role("button", name="Delete 2 images").click()
    expect(page.get_by_text("2 images deleted.")).to_be_visible()
    expect(page.locator("#wall li")).to_have_count(1)
    assert page.request.get(f"/images/{mill['id']}/content").status == 410


def test_the_same_form_works_without_script(project: Project, new_person: NewPerson) -> None:
    images = [project.image(prompt) for prompt in ("a fox", "a lighthouse")]
    person = new_person(javascript=False)
    person.log_in(project.api_key)
    page = person.page
    expect(bar(person)).to_be_visible()
    for image in images:
        box(person, image).check()
    person.shoot("selection-plain")
    assert_holds(taken_along(person), images)
    press(person, "Compare")
    expect(page.get_by_role("heading", name="Two images compared")).to_be_visible()
    page.goto("/")
    box(person, images[0]).check()
    press(person, "Favourite")
    expect(page.get_by_text("1 image among the favourites.")).to_be_visible()
    box(person, images[0]).check()
    press(person, "Delete…")
    page.get_by_role("button", name="Delete 1 image").click()
    expect(page.get_by_text("1 image deleted.")).to_be_visible()
    expect(page.locator("#wall li")).to_have_count(1)
