"""What a person does to one job from its page, and what the page then says."""

from uuid import UUID

import pytest
from factories import enqueue, job, put
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from web.browser import (
    AS_BROWSER,
    Page,
    assert_inert,
    failed_job,
    form_token,
    job_page,
    log_in,
    words,
)
from werkzeug.test import TestResponse

from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import Project, Scope, jobs
from service.states import TERMINAL, ErrorCode, Status
from service.wiring import Wiring


def act(browser: FlaskClient, job_id: UUID, action: str, **fields: str) -> TestResponse:
    place = f"{job_page(job_id)}/{action}"
    return browser.post(place, data={**form_token(browser), **fields}, headers=AS_BROWSER)


def retry_form(browser: FlaskClient, job_id: UUID) -> dict[str, str]:
    """Return the hidden fields of the page that asks."""
    page = Page(browser.get(f"{job_page(job_id)}/retry", headers=AS_BROWSER))
    return {a["name"]: a["value"] for tag, a in page.tags if a.get("type") == "hidden"}


def count(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        return int(tx.scalar(select(func.count()).select_from(jobs)))


def test_a_queued_job_is_canceled_by_its_button(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    assert "Cancel the job" in words(browser.get(job_page(job_id)))
    answer = act(browser, job_id, "cancel")
    assert (answer.status_code, answer.headers["Location"]) == (303, job_page(job_id))
    assert job(wiring, job_id).status is Status.CANCELED
    assert "Cancel the job" not in words(browser.get(job_page(job_id)))


def test_a_job_that_has_left_the_queue_is_not_canceled_and_the_way_leads_back(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    put(wiring, job_id, status=Status.GENERATING)
    answer = act(browser, job_id, "cancel")
    assert answer.status_code == 409
    assert_inert(answer)
    assert "only a queued job can be canceled." in words(answer)
    assert job_page(job_id) in Page(answer).links("/jobs/job_")


def test_a_page_shows_the_buttons_of_its_state_alone(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    for status in Status:
        put(wiring, job_id, status=status)
        said = words(browser.get(job_page(job_id)))
        assert ("Cancel the job" in said) == (status is Status.QUEUED)
        assert ("Try it again" in said) == (status in {Status.FAILED, Status.CANCELED})
        asked = browser.get(f"{job_page(job_id)}/retry", headers=AS_BROWSER)
        assert asked.status_code == (200 if status in TERMINAL else 409)


def test_a_job_that_may_be_paid_already_has_no_cancel_button(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    put(wiring, job_id, resubmitted=True)
    assert "Cancel the job" not in words(browser.get(job_page(job_id)))
    assert act(browser, job_id, "cancel").status_code == 409


def test_retry_asks_with_todays_price_and_makes_one_job_however_often_it_is_pressed(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR)
    put(wiring, job_id, cost_estimated=None)
    asked = browser.get(f"{job_page(job_id)}/retry", headers=AS_BROWSER)
    assert_inert(asked)
    assert "It costs 3 credits ($0.03) now" in words(asked)
    assert "Try again for 3 credits ($0.03)" in words(asked)
    assert count(wiring) == 1
    form = retry_form(browser, job_id)
    places = {
        browser.post(f"{job_page(job_id)}/retry", data=form).headers["Location"] for _ in range(2)
    }
    assert count(wiring) == 2
    (place,) = places
    assert f"Retry of{public_id(Kind.JOB, job_id)}" in words(browser.get(place))
    assert place in Page(browser.get(job_page(job_id))).links("/jobs/job_")
    assert "It was tried again before" in words(browser.get(f"{job_page(job_id)}/retry"))
    # asked once more it is another job
    assert browser.post(f"{job_page(job_id)}/retry", data=retry_form(browser, job_id))
    assert count(wiring) == 3


def test_a_retry_over_the_projects_limit_is_refused_in_words(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR)
    enqueue(wiring, key)
    form = retry_form(browser, job_id)
    with wiring.database.transaction() as tx:
        tx.execute(update(Project).values(max_queued=1))
    answer = browser.post(f"{job_page(job_id)}/retry", data=form, headers=AS_BROWSER)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "At most 1 jobs of this project may wait" in words(answer)
    assert job_page(job_id) in Page(answer).links("/jobs/job_")


def test_a_job_that_would_not_be_accepted_any_more_says_which_field(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR)
    put(wiring, job_id, model="flux-0")
    answer = browser.get(f"{job_page(job_id)}/retry", headers=AS_BROWSER)
    assert answer.status_code == 422
    assert "model:" in words(answer)
    assert job_page(job_id) in Page(answer).links("/jobs/job_")


def test_a_form_without_its_key_makes_no_job(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR)
    for key_sent in ("", " ", "x" * 300, "ü", "a\x00b", "\ud800"):
        sent = key_sent.encode("utf-8", "surrogatepass").decode("latin-1")
        answer = act(browser, job_id, "retry", idempotency_key=sent)
        assert answer.status_code == 422
        assert "idempotency_key:" in words(answer)
    assert count(wiring) == 1


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_nobody_acts_on_another_projects_job_or_without_the_forms_token(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey, action: str
) -> None:
    theirs, mine = enqueue(wiring, other_key), enqueue(wiring, key)
    answer = act(browser, theirs, action, idempotency_key="k")
    assert answer.status_code == 404
    assert Page(answer).links("/jobs/job_") == []
    assert act(browser, mine, action, form_token="x").status_code == 403
    assert browser.get(f"{job_page(theirs)}/retry").status_code == 404
    assert job(wiring, theirs).status is job(wiring, mine).status is Status.QUEUED


def test_a_key_that_only_reads_sees_no_button_and_gets_a_page_of_words(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    queued, failed = enqueue(wiring, key), failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR)
    reader = log_in(client, wiring.keys.create("default", scopes=[Scope.READ]))
    for job_id in (queued, failed):
        said = words(reader.get(job_page(job_id)))
        assert "Cancel the job" not in said
        assert "Try it again" not in said
    for answer in (
        act(reader, queued, "cancel"),
        act(reader, failed, "retry", idempotency_key="k"),
        reader.get(f"{job_page(failed)}/retry", headers=AS_BROWSER),
    ):
        assert answer.status_code == 403
        assert "takes a key with the scope submit" in words(answer).replace("`", "")
    assert count(wiring) == 2


def test_a_page_tells_why_its_job_waits_and_of_its_attempts(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    first = enqueue(wiring, key)
    waits = enqueue(wiring, key, metadata={"<script>": "\u202e" + "🦊" * 30})
    answer = browser.get(job_page(waits), headers=AS_BROWSER)
    assert_inert(answer)
    assert "Waiting: 1 before it." in words(answer)
    assert "Attempts at Flux" not in words(answer)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, wiring.submit.act(intent))])
    said = words(browser.get(job_page(first)))
    assert "Attempts at Flux" in said
    assert "simulator accepted (200)" in said
