"""The pages as they are first met."""

from browser.conftest import NewPerson
from browser.person import Person, Project


def test_pages_are_without_fault_in_every_width_and_scheme(
    person: Person, project: Project, new_person: NewPerson
) -> None:
    person.page.goto("/")
    person.shoot("gallery-empty")
    image = project.image("a lighthouse in fog")
    for name, path in (
        ("gallery", "/"),
        ("jobs", "/jobs"),
        ("image", f"/images/{image['id']}"),
        ("job", f"/jobs/{image['job_id']}"),
    ):
        person.page.goto(path)
        person.shoot(name)
    stranger = new_person()
    stranger.page.goto("/")
    stranger.shoot("login")
