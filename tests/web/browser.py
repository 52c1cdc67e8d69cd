"""A page as a browser would read it."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from factories import enqueue, job, project_id
from flask.testing import FlaskClient
from sqlalchemy import insert, update
from werkzeug.test import TestResponse

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import images, jobs
from service.states import FAILED_FROM, TERMINAL, ErrorCode, Status
from service.wiring import Wiring

CSP = "Content-Security-Policy"
AS_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
#: For answers that are compared byte for byte: pages of errors name their request.
AS_ONE = {**AS_BROWSER, "X-Request-Id": "the-same"}


class Page(HTMLParser):
    """What a browser would act on in a page."""

    def __init__(self, answer: TestResponse) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self, pattern: str = "") -> list[str]:
        found = (attributes.get("href", "") for tag, attributes in self.tags if tag == "a")
        return [href for href in found if re.match(pattern, href)]

    def link(self, rel: str) -> str | None:
        found = [a["href"] for tag, a in self.tags if tag == "a" and a.get("rel") == rel]
        return found[0] if found else None


def image_page(image_id: UUID) -> str:
    return f"/images/{public_id(Kind.IMAGE, image_id)}"


def job_page(job_id: UUID) -> str:
    return f"/jobs/{public_id(Kind.JOB, job_id)}"


def words(answer: TestResponse) -> str:
    return " ".join(Page(answer).text.split())


def assert_inert(answer: TestResponse) -> None:
    """Nothing in the page runs or styles but our own files, and the policy forbids the rest."""
    for tag, attributes in Page(answer).tags:
        assert tag not in {"style", "svg", "iframe", "object", "base"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "script" or attributes["src"].startswith("/static/")
        assert not attributes.get("href", "").startswith("javascript:")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers[CSP].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"


def log_in(client: FlaskClient, key: NewKey) -> FlaskClient:
    assert client.post("/login", data={"api_key": key.api_key}).status_code == 303
    return client


def form_token(browser: FlaskClient) -> dict[str, str]:
    """Return what the forms of a person's pages carry."""
    hidden = [a for tag, a in Page(browser.get("/")).tags if a.get("name") == "form_token"]
    return {"form_token": hidden[0]["value"]}


def failed_job(wiring: Wiring, key: NewKey, code: ErrorCode, **overrides: Any) -> UUID:  # noqa: ANN401 - of JobRequest
    """Enqueue a job and let it fail from a state in which it can."""
    job_id = enqueue(wiring, key, **overrides)
    state = min(FAILED_FROM[code] - TERMINAL)
    elsewhere = update(jobs).where(jobs.c.id == job_id).values(status=state)
    with wiring.database.transaction() as tx:
        tx.execute(elsewhere)
        assert wiring.moves.fail(tx, job_id, code, "Flux had its reasons")
    return job_id


def shown_image(
    wiring: Wiring,
    key: NewKey,
    prompt: str = "a lighthouse",
    *,
    revised_prompt: str | None = None,
    **given: object,
) -> UUID:
    """Make the rows of a stored image and return its id; its bytes are nowhere."""
    whole = {"prompt": prompt, "width": 256, "height": 128, **given}
    job_id = enqueue(wiring, key, input=whole)
    image_id = new_id()
    row = {
        "id": image_id,
        "project_id": project_id(wiring, key),
        "job_id": job_id,
        "bucket": "images",
        "key": f"{key.project}/{job_id.hex}.png",
        "content_type": "image/png",
        "width": 256,
        "height": 128,
        "bytes": 214_321,
        "sha256": "ab" * 32,
        "model": "flux-2-pro",
        "prompt": prompt,
        "revised_prompt": revised_prompt,
        "parent_image_ids": job(wiring, job_id).parent_image_ids,
    }
    ended = update(jobs).where(jobs.c.id == job_id)
    with wiring.database.transaction() as tx:
        tx.execute(insert(images).values(row))
        tx.execute(ended.values(status=Status.SUCCEEDED, completed_at=datetime.now(UTC)))
    return image_id
