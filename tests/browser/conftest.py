"""People at the pages: a real Chromium, and a whole service that a worker's tests share.

A test has a project of its own, so what others made is not on its pages. At the end of a test every
person must have stayed with us: no request to elsewhere, nothing that the policy refused, no error
in a script.
"""

import contextlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from browser.person import CHROMIUM, OPTIONS, Person, Project
from fakes.webhook_sink import WebhookSink
from journeys.running_service import RunningService
from journeys.services import StartService
from playwright.sync_api import Browser, sync_playwright

NewPerson = Callable[..., Person]
NewProject = Callable[[], Project]

_numbers = count(1)
_running = contextlib.ExitStack()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; ended with the module, as Playwright keeps a loop of its own running."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def service(start_service: StartService) -> Iterator[RunningService]:
    """All processes, for all browser tests of one of xdist's workers."""
    with _running:
        yield _running.enter_context(start_service())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End the service after the last of these tests: idle, it would take its share to the end."""
    if nextitem is not None and Path(__file__).parent not in nextitem.path.parents:
        _running.close()


@pytest.fixture
def new_project(service: RunningService) -> NewProject:
    """Return what makes a project of a test's own, with a key for everything."""

    def made() -> Project:
        return Project.made(service, f"people-{next(_numbers)}")

    return made


@pytest.fixture
def project(new_project: NewProject) -> Project:
    """The project of this test."""
    return new_project()


@pytest.fixture
def new_person(chromium: Browser, service: RunningService) -> Iterator[NewPerson]:
    """Return what opens a clean browser; `javascript=False` for one that runs no script."""
    people: list[Person] = []

    def made(*, javascript: bool = True) -> Person:
        people.append(Person(chromium, service.url, javascript=javascript))
        return people[-1]

    yield made
    for person in people:
        person.leave()


@pytest.fixture
def person(new_person: NewPerson, project: Project) -> Person:
    """Somebody who has logged in with the project's key."""
    somebody = new_person()
    somebody.log_in(project.api_key)
    return somebody


@pytest.fixture
def caller() -> Iterator[WebhookSink]:
    """An address of a caller."""
    with WebhookSink() as caller:
        yield caller
