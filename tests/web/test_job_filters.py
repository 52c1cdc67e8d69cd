"""The list of jobs is narrowed by a plain form, and says what it shows."""

from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from factories import enqueue, job, put
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, Page, assert_inert, failed_job, job_page, words

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.states import ErrorCode, Status
from service.web import timeline
from service.wiring import Wiring


def shown(browser: FlaskClient, **query: str) -> list[str]:
    answer = browser.get(f"/jobs?{urlencode(query)}", headers=AS_BROWSER)
    assert answer.status_code == 200
    assert_inert(answer)
    return Page(answer).links("/jobs/job_")


def test_each_filter_shows_what_it_names_and_no_more(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    failed = failed_job(wiring, key, ErrorCode.UPSTREAM_ERROR, metadata={"order": "17", "a=b": "c"})
    other = failed_job(wiring, key, ErrorCode.EXPIRED, model="flux-2-flex")
    batch_id = new_id()
    put(wiring, other, batch_id=batch_id)
    minute = job(wiring, failed).created_at.strftime("%Y-%m-%dT%H:%M")
    for query, found in (
        ({"status": "failed"}, [other, failed]),
        ({"status": "queued"}, []),
        ({"model": "flux-2-flex"}, [other]),
        ({"batch": public_id(Kind.BATCH, batch_id)}, [other]),
        ({"error": "upstream_error"}, [failed]),
        ({"metadata.order": "17"}, [failed]),
        ({"metadata": "order=17"}, [failed]),
        ({"metadata": "order=18"}, []),
        ({"metadata": "order = 17", "metadata.a=b": "c"}, [failed]),
        ({"since": minute}, [other, failed]),
        ({"since": "2999-12-31"}, []),
        ({"before": "1970-01-01"}, []),
        ({"before": "2999-12-31T23:59", "error": "expired"}, [other]),
        ({"status": "", "model": " ", "error": "", "since": "", "metadata": ""}, [other, failed]),
    ):
        assert shown(browser, **query) == [job_page(one) for one in found], query


def test_a_chip_takes_its_own_filter_away_and_no_other(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    enqueue(wiring, key, metadata={"<b>&order": "1=7"})
    said = {"status": "queued", "metadata.<b>&order": "1=7"}
    page = Page(browser.get(f"/jobs?{urlencode(said)}"))
    assert len(page.links("/jobs/job_")) == 1
    assert "status: queued" in page.text
    assert "metadata.<b>&order: 1=7" in page.text
    chips = [href for href in page.links(r"/jobs\?") if "cursor" not in href]
    assert chips == ["/jobs?metadata.%3Cb%3E%26order=1%3D7", "/jobs?status=queued"]
    kept = [a for tag, a in page.tags if tag == "input" and a.get("type") == "hidden"]
    assert {"type": "hidden", "name": "metadata.<b>&order", "value": "1=7"} in kept


def test_pages_keep_the_filters(
    browser: FlaskClient, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "JOBS_PER_PAGE", 2)
    ids = [enqueue(wiring, key, metadata={"k": "v"}) for _ in range(3)]
    enqueue(wiring, key)
    page = Page(browser.get("/jobs?metadata.k=v&status=queued"))
    assert page.links("/jobs/job_") == [job_page(ids[2]), job_page(ids[1])]
    older = page.link("next")
    assert older is not None
    page = Page(browser.get(older))
    assert page.links("/jobs/job_") == [job_page(ids[0])]
    assert "metadata.k: v" in page.text


def test_a_wrong_filter_is_refused_by_name_with_a_way_back(browser: FlaskClient) -> None:
    for query, name in (
        ("status=late", "status"),
        ("error=bad", "error"),
        ("batch=bat_1", "batch"),
        ("since=yesterday", "since"),
        ("since=0001-01-01", "since"),
        ("before=9999-12-31", "before"),
        ("before=2026-02-30", "before"),
        (f"before={'9' * 400}", "before"),
        (f"model={'m' * 5000}", "model"),
        ("model=a&model=b", "model"),
        ("metadata=order", "metadata"),
        ("metadata==7", "metadata"),
        (f"metadata.a={'x' * 5000}", "metadata.a"),
        ("metadata.a=1&metadata.a=2", "metadata.a"),
        ("&".join(f"metadata.{n}=1" for n in range(11)), "metadata"),
        ("cursor=x", "cursor"),
    ):
        answer = browser.get(f"/jobs?{query}", headers=AS_BROWSER)
        assert answer.status_code == 422, query
        assert f"{name}:" in words(answer)
        assert "All jobs" in words(answer)


def test_nothing_in_a_filter_breaks_the_page(browser: FlaskClient) -> None:
    hostile = ["%ED%A0%80", "%00", quote("\u202e"), quote("'; DROP TABLE jobs --"), "9" * 5000]
    for name in ("status", "model", "since", "batch", "metadata", "metadata.k", "cursor"):
        for text in hostile:
            answer = browser.get(f"/jobs?{name}={text}", headers=AS_BROWSER)
            assert answer.status_code in {200, 400, 422}, (name, text)
            assert_inert(answer)


def test_nothing_that_matches_leads_to_all_jobs(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    enqueue(wiring, key)
    answer = browser.get("/jobs?status=failed")
    assert "Nothing matches" in words(answer)
    assert "Clear the filters" in words(answer)
    assert "curl" not in words(answer)


def test_rows_that_are_under_way_are_live_and_ended_ones_are_not(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    under_way = {
        status: public_id(Kind.JOB, _in(wiring, key, status))
        for status in (Status.QUEUED, Status.GENERATING, Status.SUCCEEDED, Status.CANCELED)
    }
    rows = {a["id"]: a for tag, a in Page(browser.get("/jobs")).tags if tag == "li" and "id" in a}
    live = {status for status, job_id in under_way.items() if "data-live" in rows[job_id]}
    assert live == {Status.QUEUED, Status.GENERATING}


def _in(wiring: Wiring, key: NewKey, status: Status) -> UUID:
    job_id = enqueue(wiring, key)
    put(wiring, job_id, status=status)
    return job_id
