"""The wall of pictures with the keyboard alone, and one of them large with its facts beside."""

import re

import pytest
from browser.person import Person, Project
from fakes.waiting import wait_until
from playwright.sync_api import FloatRect, Locator, expect

HOSTILE = "</p><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>\u202e مرحبا"
PICTURES = 8


@pytest.fixture
def pictures(project: Project) -> list[str]:
    """The ids of two rows of pictures, newest first; the second's prompt is hostile."""
    for number in range(PICTURES - 2):
        project.enqueue(f"a lighthouse, number {number}")

    def stored() -> list[str]:
        return [one["id"] for one in project.call("GET", "/v1/images")["data"]]

    wait_until(stored, lambda ids: len(ids) == PICTURES - 2, 60)
    project.image(HOSTILE)
    project.image("the newest lighthouse")
    return stored()


def test_the_wall_and_the_lightbox_by_keyboard(
    person: Person, project: Project, pictures: list[str]
) -> None:
    person.page.goto("/")
    _walk_the_wall(person, pictures)
    _pick_and_star(person, project, pictures[1])
    _read_the_facts(person, project, pictures)
    _leaf_and_leave(person, pictures)


def _walk_the_wall(person: Person, pictures: list[str]) -> None:
    _press(person, "ArrowRight")
    assert _focused(person) == pictures[0]
    _press(person, "ArrowDown")
    below = _focused(person)
    assert below in pictures[4:]
    assert _box(person, below)["y"] > _box(person, pictures[0])["y"]
    assert _box(person, below)["x"] == pytest.approx(_box(person, pictures[0])["x"], abs=40)
    _press(person, "ArrowUp", "ArrowUp")
    assert _focused(person) == pictures[0]
    _press(person, "End")
    assert _focused(person) == pictures[-1]
    _press(person, "Home", "ArrowRight")
    assert _focused(person) == pictures[1]


def _pick_and_star(person: Person, project: Project, image: str) -> None:
    box = _cell(person, image).get_by_role("checkbox")
    _press(person, "x")
    expect(box).to_be_checked()
    _press(person, "Escape")
    expect(box).not_to_be_checked()
    _press(person, "f")
    said = person.page.get_by_role("status").filter(has_text="A favourite now.")
    expect(said).to_be_visible()
    expect(_cell(person, image)).to_have_attribute("data-favourite", "")
    assert project.call("GET", f"/v1/images/{image}")["favourite"]


def _read_the_facts(person: Person, project: Project, pictures: list[str]) -> None:
    page, lightbox = person.page, person.page.locator("#lightbox")
    _press(person, "Enter")
    expect(lightbox).to_have_attribute("data-image", pictures[1])
    expect(page.locator("#which-picture")).to_contain_text(f"Picture 2 of {len(pictures)}")
    facts = page.locator("#facts")
    expect(facts).to_contain_text(HOSTILE[:60])
    expect(facts).to_contain_text("flux-2-pro")
    assert page.evaluate("window.ran") is None
    assert facts.locator("img, script").count() == 0
    assert _is_beside(lightbox.locator(".large"), facts)
    star = facts.get_by_role("button", name="Favourite")
    expect(star).to_have_attribute("aria-pressed", "true")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "false")
    expect(star).to_be_focused()
    assert not project.call("GET", f"/v1/images/{pictures[1]}")["favourite"]


def _leaf_and_leave(person: Person, pictures: list[str]) -> None:
    page, lightbox = person.page, person.page.locator("#lightbox")
    _press(person, "ArrowRight", "ArrowRight")
    expect(lightbox).to_have_attribute("data-image", pictures[3])
    expect(page.locator("#facts")).to_contain_text(_prompt(person, pictures[3]))
    _press(person, "ArrowLeft", "x")
    expect(_cell(person, pictures[2]).get_by_role("checkbox")).to_be_checked()
    _press(person, "?")
    expect(page.locator("#help")).to_be_visible()
    _press(person, "ArrowRight", "Escape")
    expect(page.locator("#help")).not_to_be_visible()
    expect(lightbox).to_have_attribute("data-image", pictures[2])
    _press(person, "Escape")
    expect(lightbox).not_to_be_visible()
    assert _focused(person) == pictures[2]
    assert page.locator("#lightbox .pswp").count() == 0


def test_a_show_goes_on_with_what_the_wall_loads_and_holds_few_pictures(
    person: Person, pictures: list[str]
) -> None:
    page = person.page
    page.goto("/")
    page.evaluate(
        """() => {
          window.later = [...document.querySelectorAll("#wall > li")].slice(2);
          for (const cell of later) cell.remove();
        }"""
    )
    _press(person, "ArrowRight", "ArrowRight", "Enter", "ArrowRight")
    lightbox = page.locator("#lightbox")
    expect(lightbox).to_have_attribute("data-image", pictures[1])
    goes_on = lightbox.get_by_role("button", name="Next")
    expect(goes_on).to_be_hidden()
    page.evaluate("later.forEach((cell) => document.getElementById('wall').append(cell))")
    expect(goes_on).to_be_visible()
    large = lightbox.locator(".pswp__item[aria-hidden=false] .pswp__img")
    for shown in pictures[2:]:
        _press(person, "ArrowRight")
        expect(lightbox).to_have_attribute("data-image", shown)
        expect(large.last).to_have_attribute("src", f"/images/{shown}/content")
    assert page.locator("#lightbox .pswp__img:not(.pswp__img--placeholder)").count() <= 3
    _press(person, "Escape")
    expect(lightbox).not_to_be_visible()
    assert _focused(person) == pictures[-1]


def test_the_focus_stays_where_a_cell_is_replaced(person: Person, pictures: list[str]) -> None:
    page = person.page
    page.goto("/")
    _press(person, "ArrowRight", "ArrowRight")
    page.evaluate(
        """() => {
          const cell = document.activeElement.closest("li");
          const other = cell.cloneNode(true);
          other.dataset.image = "img_another";
          cell.replaceWith(other);
        }"""
    )
    expect(page.locator("[data-image=img_another] a.open")).to_be_focused()
    page.evaluate("document.activeElement.closest('li').remove()")
    expect(_cell(person, pictures[0]).locator("a.open")).to_be_focused()


def test_keys_are_left_to_whoever_types_and_lead_to_the_search(
    person: Person, pictures: list[str]
) -> None:
    page = person.page
    page.goto("/jobs")
    _press(person, "/")
    page.wait_for_url(re.compile(r"/#q$"))
    search = page.locator("#q")
    expect(search).to_be_focused()
    page.keyboard.type("x/?f")
    expect(search).to_have_value("x/?f")
    expect(page.locator("#help")).not_to_be_visible()
    assert page.locator("#wall input:checked").count() == 0
    page.get_by_role("button", name="Keyboard").click()
    expect(page.locator("#help")).to_be_visible()
    _press(person, "?")
    expect(page.locator("#help")).not_to_be_visible()
    assert len(pictures) == PICTURES


def test_lightbox_and_help_are_without_fault_in_every_width_and_scheme(
    person: Person, pictures: list[str]
) -> None:
    page = person.page
    page.goto("/")
    _press(person, "?")
    person.shoot("help", whole=False)
    _press(person, "Escape", "ArrowRight", "ArrowRight", "Enter")
    expect(page.locator("#facts")).to_contain_text("flux-2-pro")
    person.shoot("lightbox", whole=False)

    page.set_viewport_size({"width": 390, "height": 844})
    lightbox = page.locator("#lightbox")
    expect(page.locator("#facts")).not_to_be_visible()
    lightbox.get_by_role("button", name="About this picture").click()
    expect(page.locator("#facts")).to_be_visible()
    assert not _is_beside(lightbox.locator(".large"), page.locator("#facts"))
    person.shoot("lightbox-sheet", whole=False)
    assert pictures


def _press(person: Person, *keys: str) -> None:
    for key in keys:
        person.page.keyboard.press(key)


def _cell(person: Person, image: str) -> Locator:
    return person.page.locator(f"#wall > [data-image={image}]")


def _box(person: Person, image: str) -> FloatRect:
    box = _cell(person, image).bounding_box()
    assert box
    return box


def _focused(person: Person) -> str:
    """Return the image whose picture has the focus."""
    focused: str = person.page.evaluate(
        "document.activeElement.closest('a.open')?.closest('li').dataset.image"
    )
    return focused


def _prompt(person: Person, image: str) -> str:
    return _cell(person, image).locator("img").get_attribute("alt") or ""


def _is_beside(stage: Locator, facts: Locator) -> bool:
    left, right = stage.bounding_box(), facts.bounding_box()
    assert left
    assert right
    return left["x"] + left["width"] <= right["x"] + 1
