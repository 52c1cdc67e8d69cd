"""The overview, as an operator keeps it open."""

from browser.conftest import NewPerson
from browser.person import Person, Project
from playwright.sync_api import expect
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

#: Ends are counted every ten seconds, and the page looks every five: milliseconds until it shows.
COUNTED_MS = 40_000
#: A month of hours: busier by day, with a bad afternoon.
_MONTH = """
INSERT INTO hours (project_id, hour, succeeded, failed, canceled, polled, least_margin_seconds,
    total_margin_seconds, credits, doubtful_credits)
SELECT project.id, hour, made, made / 40 + bad * 9, made / 90, made / 25 + bad * 20,
    560 - bad * 400 - made % 17, made * (585 - bad * 120), made * 4.5, bad * 13.5
FROM projects project,
    generate_series(date_trunc('hour', now()) - interval '30 days',
                    date_trunc('hour', now()) - interval '1 hour', interval '1 hour') hour,
    LATERAL (SELECT 40 + round(35 * sin(extract(hour FROM hour) / 24 * 6.28))::int AS made,
                    (hour BETWEEN now() - interval '9 hours' AND now() - interval '6 hours')::int
                        AS bad) how
WHERE project.name = :name
"""
_HOST = """
INSERT INTO callback_hosts (project_id, origin, failures, failing_since, probe_at, reason)
SELECT id, 'https://hooks.shop.example', 37, now() - interval '3 hours',
    now() + interval '20 seconds', 'answered 503' FROM projects WHERE name = :name
"""


def had_a_month(project: Project) -> None:
    """Give a project a past."""
    engine = create_engine(project.service.environment["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        for statement in (_MONTH, _HOST):
            connection.execute(text(statement), {"name": project.name})


def test_an_operator_watches_without_reloading(
    person: Person, project: Project, new_person: NewPerson
) -> None:
    page = person.page
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="No jobs lately")).to_be_visible()
    person.shoot("overview-empty")

    had_a_month(project)
    project.image()
    ended = page.get_by_role("img", name="Jobs ended per hour")
    expect(ended).to_be_visible(timeout=COUNTED_MS)
    expect(page.get_by_text("https://hooks.shop.example")).to_be_visible()

    # an opened table stays open while its figures change
    table = page.locator("#table-throughput")
    table.get_by_text("The figures").click()
    page.get_by_role("heading", name="Overview").click()
    newest = table.get_by_role("row").nth(1).get_by_role("cell").first
    before = int(newest.inner_text())
    project.image()
    expect(newest).not_to_have_text(str(before), timeout=COUNTED_MS)
    assert int(newest.inner_text()) > before
    person.shoot("overview")

    page.get_by_role("link", name="30 days").click()
    expect(page.get_by_role("heading", name="The last 30 days")).to_be_visible()
    person.shoot("overview-30d")

    plain = new_person(javascript=False)
    plain.log_in(project.api_key)
    plain.page.get_by_role("link", name="Overview").click()
    plain.page.get_by_role("link", name="7 days").click()
    expect(plain.page.get_by_role("heading", name="Jobs ended per 6 hours")).to_be_visible()
