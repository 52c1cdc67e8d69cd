"""All jobs that a list's filters find are canceled or tried again at one person's word."""

from urllib.parse import urlencode
from uuid import UUID

import pytest
from factories import enqueue, job
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from web.browser import AS_BROWSER, Page, assert_inert, failed_job, form_token, log_in, words
from werkzeug.test import TestResponse

from service.keys import NewKey
from service.models import Project, Scope, jobs
from service.states import ErrorCode, Status
from service.web import jobs_together
from service.wiring import Wiring

ORDER = {"metadata.order": "17"}
METADATA = {"metadata": {"order": "17"}}


def place(action: str, **query: str) -> str:
    return f"/jobs/all/{action}?{urlencode(query)}"


def asked(browser: FlaskClient, where: str) -> tuple[str, dict[str, str]]:
    """Return what the page that asks says, and the hidden fields of its form."""
    answer = browser.get(where, headers=AS_BROWSER)
    assert answer.status_code == 200
    assert_inert(answer)
    tags = Page(answer).tags
    return words(answer), {a["name"]: a["value"] for _, a in tags if a.get("type") == "hidden"}


def confirmed(browser: FlaskClient, where: str, form: dict[str, str]) -> TestResponse:
    answer = browser.post(where, data=form, headers=AS_BROWSER)
    assert answer.status_code == 200
    assert_inert(answer)
    return answer


def failed(wiring: Wiring, key: NewKey, count: int) -> list[UUID]:
    return [failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR, **METADATA) for _ in range(count)]


def total(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        return int(tx.scalar(select(func.count()).select_from(jobs)))


def statuses(wiring: Wiring, ids: list[UUID]) -> list[Status]:
    return [job(wiring, one).status for one in ids]


def test_a_filtered_list_leads_to_what_can_be_done_to_all(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    failed(wiring, key, 1)
    enqueue(wiring, key, **METADATA)

    def offered(**query: str) -> list[str]:
        return Page(browser.get(f"/jobs?{urlencode(query)}")).links("/jobs/all/")

    assert offered() == []
    assert offered(**ORDER) == [place("cancel", **ORDER), place("retry", **ORDER)]
    assert offered(status="queued") == [place("cancel", status="queued")]
    assert offered(error="upstream_error") == [place("retry", error="upstream_error")]
    assert offered(status="succeeded") == []
    log_in(browser, wiring.keys.create("default", scopes=[Scope.READ]))
    assert offered(**ORDER) == []


def test_all_that_match_are_canceled_and_no_other(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine = [enqueue(wiring, key, **METADATA) for _ in range(3)]
    others = [enqueue(wiring, key), enqueue(wiring, other_key, **METADATA)]
    where = place("cancel", **ORDER)
    said, form = asked(browser, where)
    assert "3 jobs will be withdrawn from the queue" in said
    assert statuses(wiring, mine) == [Status.QUEUED] * 3
    others.append(enqueue(wiring, key, **METADATA))
    done = words(confirmed(browser, where, form))
    assert "3 jobs canceled" in done
    assert "1 more matches." in done
    assert statuses(wiring, mine) == [Status.CANCELED] * 3
    assert statuses(wiring, others) == [Status.QUEUED] * 3


def test_all_that_match_are_tried_again_once_though_the_button_is_pressed_twice(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    failed(wiring, key, 3)
    where = place("retry", **ORDER)
    said, form = asked(browser, where)
    assert "3 jobs will be handed in once more and paid for anew: about 9 credits ($0.09)" in said
    assert "Try again 3 for about 9 credits" in said
    assert total(wiring) == 3
    assert "3 jobs handed in again" in words(confirmed(browser, where, form))
    assert total(wiring) == 6
    # they are under way, and what failed before is left out from now on
    assert "0 jobs handed in again" in words(confirmed(browser, where, form))
    assert total(wiring) == 6
    assert "None of them has failed" in asked(browser, where)[0]


def test_no_more_are_done_at_a_time_than_said_and_the_rest_is_told(
    browser: FlaskClient, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = jobs_together.Action("retry", "Try all", jobs_together.RETRY.states, 2)
    monkeypatch.setattr(jobs_together, "RETRY", few)
    failed(wiring, key, 3)
    where = place("retry", **ORDER)
    said, form = asked(browser, where)
    assert "2 jobs will be handed in once more and paid for anew: about 6 credits ($0.06)" in said
    assert "3 match in all; these are the newest." in said
    assert "1 more matches." in words(confirmed(browser, where, form))
    # the same form again acts on no more than it has shown
    assert "0 jobs handed in again" in words(confirmed(browser, where, form))
    assert total(wiring) == 5


def test_a_projects_limit_is_told_with_what_was_done(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    failed(wiring, key, 2)
    where = place("retry", **ORDER)
    _, form = asked(browser, where)
    with wiring.database.transaction() as tx:
        tx.execute(update(Project).values(max_queued=1))
    done = words(confirmed(browser, where, form))
    assert "1 job handed in again" in done
    assert "The rest was not begun: At most 1 jobs" in done


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_form_that_is_not_ours_does_nothing(
    browser: FlaskClient, wiring: Wiring, key: NewKey, action: str
) -> None:
    ids = [enqueue(wiring, key, **METADATA), *failed(wiring, key, 1)]
    for shown in ("", "x", "\u00ed\u00a0\u0080", "9" * 5000):
        form = {**form_token(browser), "shown": shown}
        answer = browser.post(place(action, **ORDER), data=form, headers=AS_BROWSER)
        assert answer.status_code == 422
        assert "shown:" in words(answer)
        assert "Back to the jobs" in words(answer)
    assert statuses(wiring, ids) == [Status.QUEUED, Status.FAILED]
    assert total(wiring) == 2


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_one_actions_form_does_not_do_the_other(
    browser: FlaskClient, wiring: Wiring, key: NewKey, action: str
) -> None:
    enqueue(wiring, key, **METADATA)
    failed(wiring, key, 1)
    _, form = asked(browser, place(action, **ORDER))
    other = "retry" if action == "cancel" else "cancel"
    assert browser.post(place(other, **ORDER), data=form).status_code == 422
    del form["form_token"]
    assert browser.post(place(action, **ORDER), data=form).status_code == 403
    assert browser.get(place(action, status="late"), headers=AS_BROWSER).status_code == 422


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_key_that_only_reads_is_refused_in_words(
    client: FlaskClient, wiring: Wiring, key: NewKey, action: str
) -> None:
    mine = enqueue(wiring, key, **METADATA)
    reader = log_in(client, wiring.keys.create("default", scopes=[Scope.READ]))
    where = place(action, **ORDER)
    assert reader.get(where, headers=AS_BROWSER).status_code == 403
    answer = reader.post(where, data=form_token(reader), headers=AS_BROWSER)
    assert answer.status_code == 403
    assert "this one has: read" in words(answer)
    assert job(wiring, mine).status is Status.QUEUED
