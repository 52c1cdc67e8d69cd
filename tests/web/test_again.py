"""A person sends a callback again from the job's page."""

from uuid import UUID

import pytest
from factories import all_came_to, deliveries, enqueue, job
from flask.testing import FlaskClient
from web.browser import form_token, log_in

from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import DeliveryStatus, Scope
from service.steps.deliver import Try
from service.wiring import Wiring


def given_up(wiring: Wiring, key: NewKey) -> UUID:
    """Return a job whose callback was given up."""
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
    all_came_to(wiring, Try(http_status=410))
    return job_id


def form_of(wiring: Wiring, job_id: UUID) -> str:
    (row,) = deliveries(wiring, job_id)
    delivery_id = public_id(Kind.DELIVERY, row.id)
    return f"/jobs/{public_id(Kind.JOB, job_id)}/callbacks/{delivery_id}/again"


def test_the_button_makes_it_due_and_leads_back(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = given_up(wiring, key)
    form = form_of(wiring, job_id)
    page = f"/jobs/{public_id(Kind.JOB, job_id)}"
    assert form in browser.get(page).text
    answer = browser.post(
        form, data=form_token(browser), headers={"Origin": wiring.settings.base_url}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{page}#callbacks")
    assert deliveries(wiring, job_id)[0].status is DeliveryStatus.PENDING
    assert form not in browser.get(page).text


def test_another_site_or_project_cannot(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine, theirs = given_up(wiring, key), given_up(wiring, other_key)
    elsewhere = {"Origin": "https://elsewhere.example"}
    mine_form, token = form_of(wiring, mine), form_token(browser)
    assert browser.post(mine_form, data=token, headers=elsewhere).status_code == 403
    assert browser.post(form_of(wiring, theirs), data=token).status_code == 404
    for job_id in (mine, theirs):
        assert deliveries(wiring, job_id)[0].status is DeliveryStatus.EXHAUSTED


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "http://localhost.evil"])
def test_no_made_up_origin_is_ours(
    browser: FlaskClient, wiring: Wiring, key: NewKey, origin: str
) -> None:
    form = form_of(wiring, given_up(wiring, key))
    said = browser.post(form, data=form_token(browser), headers={"Origin": origin})
    assert said.status_code == 403


def test_a_callback_is_sent_again_from_its_own_jobs_page_only(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = given_up(wiring, key)
    *_, delivery, again = form_of(wiring, job_id).split("/")
    for other in (public_id(Kind.JOB, given_up(wiring, key)), "nonsense"):
        place = f"/jobs/{other}/callbacks/{delivery}/{again}"
        assert browser.post(place, data=form_token(browser)).status_code == 404
    assert deliveries(wiring, job_id)[0].status is DeliveryStatus.EXHAUSTED


def test_a_key_that_does_not_manage_sees_no_button_and_cannot(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = given_up(wiring, key)
    scopes = [Scope.READ, Scope.SUBMIT]
    reader = log_in(client, wiring.keys.create("default", scopes=scopes))
    page = reader.get(f"/jobs/{public_id(Kind.JOB, job_id)}")
    assert page.status_code == 200
    assert form_of(wiring, job_id) not in page.text
    assert reader.post(form_of(wiring, job_id), data=form_token(reader)).status_code == 403
    assert deliveries(wiring, job_id)[0].status is DeliveryStatus.EXHAUSTED
