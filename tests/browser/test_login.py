"""People come in, by key or by link, and leave nothing behind."""

from browser.conftest import NewPerson
from browser.person import Person, Project
from playwright.sync_api import expect


def log_out(person: Person) -> None:
    person.page.get_by_role("button", name="Log out", exact=True).click()
    expect(person.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_first_visit_logs_in_with_a_key_looks_around_and_leaves_nothing(
    new_person: NewPerson, project: Project
) -> None:
    image = project.image("a lighthouse nobody else may see")
    person = new_person()
    page = person.page
    page.goto("/jobs")
    page.get_by_label("API key").fill("dk_" + "x" * 43)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That key is unknown or was revoked.")
    page.get_by_label("API key").fill(project.api_key)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{person.url}/jobs")
    expect(page.get_by_text("a lighthouse nobody else may see")).to_be_visible()

    page.get_by_role("link", name=project.name).click()
    expect(page.get_by_text("This browser")).to_be_visible()
    person.shoot("account")
    page.goto(f"/images/{image['id']}")
    page.goto("/images/img_1")
    expect(page.get_by_text("There is no such image.")).to_be_visible()
    person.shoot("problem")
    page.get_by_role("link", name="Back to the images").click()

    log_out(person)
    for _ in range(3):
        page.go_back()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        assert "nobody else may see" not in page.content()


def test_a_link_opens_one_clean_browser_and_no_second(
    new_person: NewPerson, project: Project
) -> None:
    key_id = project.call("GET", "/v1/keys")["data"][0]["id"]
    link = project.service.command("keys", "link", key_id).strip()
    first, second = new_person(), new_person()
    second.page.goto(link)
    second.shoot("login-link")
    first.page.goto(link)
    first.page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(first.page.get_by_role("link", name=project.name)).to_be_visible()
    second.page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(second.page.get_by_text("This link opens nothing any more")).to_be_visible()
    second.shoot("login-link-used")

    second.log_in(project.api_key)
    second.page.goto("/account")
    second.page.get_by_role("button", name="End the session").click()
    expect(second.page.get_by_role("button", name="End the session")).to_have_count(0)
    first.page.reload()
    expect(first.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_without_scripts_all_of_it_works(new_person: NewPerson, project: Project) -> None:
    person = new_person(javascript=False)
    person.log_in(project.api_key)
    person.page.goto("/account")
    person.page.get_by_role("button", name="Log out everywhere").click()
    expect(person.page.get_by_role("heading", name="Log in")).to_be_visible()
    key_id = project.call("GET", "/v1/keys")["data"][0]["id"]
    person.page.goto(project.service.command("keys", "link", key_id).strip())
    person.page.get_by_role("main").get_by_role("button", name="Log in").click()
    log_out(person)
