"""The pages as a browser gets them, over the app on a real database."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from factories import enqueue, project_id, run
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update
from web.browser import (
    AS_BROWSER,
    CSP,
    Page,
    assert_inert,
    failed_job,
    image_page,
    job_page,
    shown_image,
    words,
)

from service.ids import new_id
from service.keys import NewKey
from service.models import Delivery, DeliveryAttempt, JobEvent, jobs
from service.states import ErrorCode, Status
from service.web.gallery import IMAGES_PER_PAGE
from service.web.timeline import JOBS_PER_PAGE
from service.wiring import Wiring

HOSTILE_PROMPTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea></title><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "\u202eevil\u2066 \u200f مرحبا",
    "🦊👩🏽\u200d🚀" * 50,
    "&lt;script&gt; &amp;amp;",
    "a" * 30_000,
]

Store = Callable[..., UUID]


@pytest.fixture
def store(wiring: Wiring, key: NewKey) -> Store:
    """Return what makes an image of the project `default` and returns its id."""
    return partial(shown_image, wiring, key)


@pytest.mark.parametrize("prompt", HOSTILE_PROMPTS)
def test_hostile_prompts_are_inert_on_every_page(
    browser: FlaskClient, wiring: Wiring, store: Store, key: NewKey, prompt: str
) -> None:
    image_id = store(prompt)
    job_id = wiring.browse.image(project_id(wiring, key), image_id).job_id
    for path in ("/", "/jobs", image_page(image_id), job_page(job_id)):
        answer = browser.get(path, headers=AS_BROWSER)
        assert answer.status_code == 200
        assert_inert(answer)
        assert prompt[:18] in Page(answer).text
        assert len(answer.data) < 45_000


def test_every_page_carries_the_policy_errors_and_log_in_included(
    browser: FlaskClient, wiring: Wiring, store: Store
) -> None:
    store()
    for path in ("/login", "/", "/jobs", "/nothing", "/images/x", "/jobs/x", "/?cursor=x"):
        answer = browser.get(path, headers=AS_BROWSER)
        assert_inert(answer)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Frame-Options"] == "DENY"
    assert wiring.object_store.origin in browser.get("/").headers[CSP]


def test_another_projects_image_and_job_are_as_unknown_as_made_up_ones(
    browser: FlaskClient, wiring: Wiring, other_key: NewKey
) -> None:
    image_id = shown_image(wiring, other_key)
    job_id = wiring.browse.image(project_id(wiring, other_key), image_id).job_id
    for theirs, made_up in (
        (image_page(image_id), image_page(new_id())),
        (job_page(job_id), job_page(new_id())),
        (f"{image_page(image_id)}/content", f"{image_page(new_id())}/content"),
        (f"{image_page(image_id)}/thumbnail", f"{image_page(new_id())}/thumbnail"),
    ):
        headers = {**AS_BROWSER, "X-Request-Id": "the-same"}
        answers = [browser.get(path, headers=headers) for path in (theirs, made_up)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].data == answers[1].data
    assert not Page(browser.get("/")).links("/images/")


def test_an_empty_gallery_shows_the_first_curl(browser: FlaskClient, wiring: Wiring) -> None:
    for path in ("/", "/jobs"):
        assert f"curl {wiring.settings.base_url}/v1/jobs" in words(browser.get(path))


@pytest.mark.parametrize(
    ("path", "things", "per_page"),
    [("/", "images", IMAGES_PER_PAGE), ("/jobs", "jobs", JOBS_PER_PAGE)],
)
def test_older_links_lead_through_everything_exactly_once_and_back(
    browser: FlaskClient, store: Store, path: str, things: str, per_page: int
) -> None:
    for _ in range(2 * per_page + 1):
        store()
    seen: list[str] = []
    place: str | None = path
    while place is not None:
        page = Page(browser.get(place))
        seen += page.links(f"/{things}/")
        assert place == path or f"Newest {things}" in page.text
        place = page.link("next")
    assert len(seen) == len(set(seen)) == 2 * per_page + 1
    assert seen == sorted(seen, reverse=True)


def test_a_thumbnails_place_is_kept_before_it_is_loaded(browser: FlaskClient, store: Store) -> None:
    store("a lighthouse")
    pictures = [a for tag, a in Page(browser.get("/")).tags if tag == "img" and a["alt"]]
    shown = {name: pictures[0][name] for name in ("width", "height", "alt")}
    assert shown == {"width": "256", "height": "128", "alt": "a lighthouse"}


def test_an_images_page_says_how_to_verify_it_and_where_it_is(
    browser: FlaskClient, store: Store
) -> None:
    said = words(browser.get(image_page(store())))
    assert re.search(r'echo "(ab){32}  ?[0-9a-f]+\.png" \| sha256sum --check', said)
    assert re.search(r"s3://images/default/[0-9a-f]+\.png", said)
    assert "256 \u00d7 128 pixels, PNG, 214 kB" in said


def test_a_running_job_shows_its_state_and_since_when(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    run(wiring.submit)
    said = words(browser.get(job_page(job_id)))
    assert re.search(r"generating for .+, since \d+ \w{3} \d{4}, [\d:]{8} UTC", said)
    assert "Flux is making the picture." in said
    assert "generating" in words(browser.get("/jobs"))


@pytest.mark.parametrize(
    ("code", "cost"),
    [
        (ErrorCode.UPSTREAM_REJECTED, "nothing was charged"),
        (ErrorCode.EXPIRED, "nothing was charged"),
        (ErrorCode.INTERNAL, "nothing was charged"),
        (ErrorCode.CONTENT_MODERATED, "3 credits ($0.03) may have been charged"),
        (ErrorCode.SUBMISSION_UNCONFIRMED, "3 credits ($0.03) may have been charged"),
    ],
)
def test_a_failed_job_says_why_and_what_it_may_have_cost(
    browser: FlaskClient, wiring: Wiring, key: NewKey, code: ErrorCode, cost: str
) -> None:
    job_id = failed_job(wiring, key, code)
    for path in ("/jobs", job_page(job_id)):
        said = words(browser.get(path))
        assert "Flux had its reasons" in said
        assert cost in said


def test_a_job_whose_fate_is_unknown_may_have_been_charged(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    unknown = update(jobs).where(jobs.c.id == job_id).values(status=Status.UNCONFIRMED)
    with wiring.database.transaction() as tx:
        tx.execute(unknown)
    said = words(browser.get(job_page(job_id)))
    assert "3 credits ($0.03) may have been charged" in said
    assert "It is not sent again" in said


def test_a_withdrawn_job_cost_nothing(browser: FlaskClient, wiring: Wiring, key: NewKey) -> None:
    job_id = enqueue(wiring, key)
    wiring.enqueue.cancel(project_id(wiring, key), job_id)
    assert "nothing was charged" in words(browser.get(job_page(job_id)))


def test_a_jobs_page_tells_every_try_of_its_callback(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    hook = {"callback_url": "http://127.0.0.1:9/hook", "callback_events": ["job.failed"]}
    job_id = failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR, **hook)
    assert "Not tried yet. Next any moment now." in words(browser.get(job_page(job_id)))
    run(wiring.deliver)
    said = words(browser.get(job_page(job_id)))
    assert re.search(r"Tried once: no answer\. Next at \d\d:\d\d:\d\d UTC\.", said)
    assert re.search(r"no answer in .+ failed: Connection refused", said)
    answer = {"duration_ms": 1250, "http_status": 503, "answer": "<b>busy</b>"}
    with wiring.database.transaction() as tx:
        owed = tx.scalar(select(Delivery.id).where(Delivery.job_id == job_id))
        tx.execute(insert(DeliveryAttempt).values(delivery_id=owed, number=2, **answer))
    said = words(browser.get(job_page(job_id)))
    assert "answered 503 in 1.25 s" in said
    assert "<b>busy</b>" in said


def test_a_timeline_tells_the_time_between_its_lines(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = failed_job(wiring, key, ErrorCode.EXPIRED)
    start = datetime(2026, 1, 31, 23, 59, 58, tzinfo=UTC)
    with wiring.database.transaction() as tx:
        for seq, at in ((1, start), (2, start + timedelta(seconds=3725))):
            line = update(JobEvent).where(JobEvent.job_id == job_id, JobEvent.seq == seq)
            tx.execute(line.values(at=at))
    answer = browser.get(job_page(job_id))
    assert "queued 23:59:58.000 Accepted into the queue 1 h 2 min later failed" in words(answer)
    assert 'datetime="2026-02-01T01:02:03.000Z"' in answer.text


def test_a_parameter_as_long_as_a_picture_is_cut(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    long = update(jobs).where(jobs.c.id == job_id)
    with wiring.database.transaction() as tx:
        tx.execute(long.values(input={"prompt": "p", "input_image": "A" * 2_000_000}))
    assert "(2,000,000 characters)" in words(browser.get(job_page(job_id)))
    for path in ("/jobs", job_page(job_id)):
        assert len(browser.get(path).data) < 20_000


def test_errors_are_pages_for_people_and_problems_for_programs(browser: FlaskClient) -> None:
    shown = browser.get("/images/img_1", headers=AS_BROWSER)
    assert shown.content_type == "text/html; charset=utf-8"
    assert "There is no such image." in words(shown)
    assert "/" in Page(shown).links()
    told = browser.get("/images/img_1", headers={"Accept": "application/json"})
    assert told.content_type == "application/problem+json"
