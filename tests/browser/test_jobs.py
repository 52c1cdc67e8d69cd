"""Jobs as people follow them: a wait that ends by itself, a callback sent again, many canceled."""

from datetime import UTC, datetime, timedelta
from typing import Any

from browser.conftest import NewPerson
from browser.person import Person, Project
from fakes.webhook_sink import WebhookSink
from playwright.sync_api import expect

HOSTILE = "<script>alert(1)</script> \u202eevil\u2066 مرحبا " + "🦊" * 20 + " word" * 5_900


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def page_of(job: Any) -> str:  # noqa: ANN401 - JSON
    return f"/jobs/{job['id']}"


def test_a_job_is_watched_until_its_picture_is_there(person: Person, project: Project) -> None:
    page = person.page
    job = project.enqueue("a lighthouse at dawn", start_at=soon(5))
    page.goto("/jobs?status=queued")
    row = page.locator(f"#{job['id']}")
    expect(row).to_be_visible()
    # it does not match any more
    expect(row).to_have_count(0)
    job = project.enqueue("a lighthouse at dusk", start_at=soon(6))
    page.goto("/jobs")
    row = page.locator(f"#{job['id']}")
    expect(row).to_contain_text("queued")
    row.get_by_role("link").click()
    expect(page.locator("#state")).to_contain_text("It may start at")
    page.evaluate("window.stayed = true")
    expect(page.locator("#state")).to_contain_text("succeeded")
    expect(page.locator("#state").get_by_role("img")).to_be_visible()
    expect(page.locator("#attempts")).to_contain_text("accepted")
    expect(page.get_by_role("button", name="Cancel the job")).to_have_count(0)
    assert page.evaluate("window.stayed")
    person.shoot("job-succeeded")


def test_a_callback_that_failed_is_sent_again(person: Person, project: Project) -> None:
    page = person.page
    with WebhookSink(410) as caller:
        job = project.enqueue("a harbour", wait_seconds=60, callback_url=caller.url)
        caller.wait_for(1)
        page.goto(page_of(job))
        callbacks = page.locator("#callbacks")
        expect(callbacks).to_contain_text("Tried once: 410. Given up.")
        person.shoot("job-callback-failed")
        callbacks.get_by_role("button", name="Send it again").click()
        caller.wait_for(2)
        expect(callbacks).to_contain_text("Tried 2 times: 410, 200. Taken.")


def test_what_a_filter_finds_is_canceled_together_and_one_is_tried_again(
    person: Person, project: Project
) -> None:
    later, page = soon(3_600), person.page
    for number in range(3):
        project.enqueue(HOSTILE if number else "two foxes", start_at=later, metadata={"order": "7"})
    other = project.enqueue("an old tram", start_at=later)
    page.goto("/jobs")
    page.get_by_text("Filter", exact=True).click()
    person.shoot("jobs-filters")
    page.get_by_label("Status").select_option("queued")
    page.get_by_label("Metadata").fill("order=7")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".jobs li")).to_have_count(3)
    person.shoot("jobs-filtered")
    page.get_by_role("link", name="Cancel all that match").click()
    expect(page.get_by_role("main")).to_contain_text("3 jobs will be withdrawn")
    person.shoot("jobs-cancel-all")
    page.get_by_role("button", name="Cancel 3").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 jobs canceled")
    page.goto(f"{page_of(other)}")
    expect(page.locator("#state")).to_contain_text("It may start at")
    person.shoot("job-waiting")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#state")).to_contain_text("canceled")
    page.get_by_role("link", name="Try it again…").click()
    person.shoot("job-retry")
    page.get_by_role("button", name="Try again for 3 credits").click()
    page.get_by_role("link", name=other["id"]).wait_for()
    page.goto("/jobs?metadata.order=7")
    page.locator(".jobs a").first.click()
    person.shoot("job-hostile")


def test_without_scripts_a_job_is_found_and_seen(new_person: NewPerson, project: Project) -> None:
    image = project.image("a paper boat")
    person = new_person(javascript=False)
    person.log_in(project.api_key)
    page = person.page
    page.goto("/jobs?status=failed")
    page.get_by_role("link", name="Clear the filters").click()
    page.get_by_role("link", name="a paper boat").click()
    expect(page.locator("#state")).to_contain_text("succeeded")
    expect(page.locator("#timeline")).to_contain_text("its checksum confirmed")
    assert image["job_id"] in page.url
