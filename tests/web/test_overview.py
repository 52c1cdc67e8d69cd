"""The overview as a browser gets it: a project's own figures, drawn and in words."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from ending import canceled, failed, fold_all, succeeded, was_hours_ago
from factories import ago, enqueue, project_id, put
from flask.testing import FlaskClient
from sqlalchemy import insert
from web.browser import AS_BROWSER, CSP, Page, words

from service.keys import NewKey
from service.models import CallbackHost, Gate, HeardBy
from service.states import Status
from service.wiring import Wiring

CHARTS = 4


def drawn(browser: FlaskClient, window: str = "24h") -> tuple[Page, str]:
    """Return the overview, and its words."""
    answer = browser.get("/overview", query_string={"window": window}, headers=AS_BROWSER)
    assert answer.status_code == 200
    return Page(answer), words(answer)


def bars(page: Page, look: str) -> list[dict[str, str]]:
    """Return the drawn parts of one look."""
    return [a for tag, a in page.tags if tag == "rect" and a["class"] == f"is-{look}"]


def test_a_project_without_jobs_reads_so_and_is_shown_the_first_curl(
    browser: FlaskClient, wiring: Wiring
) -> None:
    page, said = drawn(browser)
    assert f"curl {wiring.settings.base_url}/v1/jobs" in said
    assert "Nothing is counted yet" in said
    assert "No job ended in this time." in said
    assert "No picture was saved in this time." in said
    assert "Nothing was spent in this time." in said
    assert "0 of 24 slots in use" in said
    assert [tag for tag, _ in page.tags].count("svg") == 0
    assert "/overview" in page.links()


def test_charts_say_what_they_show(browser: FlaskClient, wiring: Wiring, key: NewKey) -> None:
    for margin_seconds, heard_by in ((590, HeardBy.WEBHOOK), (500, HeardBy.POLL)):
        succeeded(wiring, key, margin_seconds=margin_seconds, heard_by=heard_by, cost="4.5")
    failed(wiring, key, cost_actual=Decimal(2), task_id="task")
    was_hours_ago(wiring, canceled(wiring, key), 3)
    fold_all(wiring.fold)
    page, said = drawn(browser)
    assert "4 jobs ended, 0.2 an hour: 2 succeeded, 1 failed, 1 canceled." in said
    assert "had 545 s to live on average, 500 s at the least, of 10 min." in said
    assert "1 of 2 pictures (50.0 %) were found by asking" in said
    assert "9 credits ($0.09) for pictures. 2 credits ($0.02) may have been charged" in said
    assert "Spent today, UTC 9 credits ($0.09)" in said
    assert re.search(r"Counted up to \d+ \w{3} \d{4}, [\d:]{8} UTC, \d+ s ago\.", said)
    assert [tag for tag, _ in page.tags].count("svg") == CHARTS
    # the table of each chart tells the newest first: here the hours of the first
    hour = datetime.now(UTC).strftime("%H")
    assert f"From, UTC succeeded failed canceled {hour}:00 2 1 0" in said
    # two ends in this hour are twice as high as one
    (good, pale), (bad,) = bars(page, "good")[:2], bars(page, "bad")
    assert float(good["height"]) == pytest.approx(2 * float(bad["height"]))
    assert float(bad["y"]) == pytest.approx(100 - 1.5 * float(good["height"]))
    assert pale
    (withdrawn,) = bars(page, "quiet")
    assert float(withdrawn["x"]) == pytest.approx(float(good["x"]) - 3)


@pytest.mark.parametrize(("window", "shown"), [("24h", (24, 1)), ("7d", (28, 2)), ("30d", (30, 3))])
def test_a_window_shows_what_lies_in_it(
    browser: FlaskClient, wiring: Wiring, key: NewKey, window: str, shown: tuple[int, int]
) -> None:
    steps, ended = shown
    for hours in (0, 24 * 5, 24 * 20, 24 * 40):
        was_hours_ago(wiring, canceled(wiring, key), hours)
    fold_all(wiring.fold)
    page, said = drawn(browser, window)
    assert f"{ended} job{'s' if ended > 1 else ''} ended" in said
    (box,) = {a["viewbox"] for tag, a in page.tags if tag == "svg"}
    assert box == f"0 0 {steps} 100"


def test_no_figure_is_of_another_project(
    browser: FlaskClient, wiring: Wiring, other_key: NewKey
) -> None:
    before = drawn(browser)[1]
    failed(wiring, other_key, cost_actual=Decimal(777), task_id="task")
    succeeded(wiring, other_key, cost="888")
    put(wiring, enqueue(wiring, other_key), due_at=ago(5000))
    host = {
        "project_id": project_id(wiring, other_key),
        "origin": "https://theirs.example",
        "failures": 5,
        "failing_since": ago(60),
        "reason": "answered 503",
    }
    with wiring.database.transaction() as tx:
        tx.execute(insert(CallbackHost).values(host))
    assert drawn(browser)[1] == before
    fold_all(wiring.fold)
    after = drawn(browser)[1]
    counted = r"Counted up to .+? ago\."
    assert re.sub(counted, "", after) == before.replace(
        "Nothing is counted yet: that takes a worker some seconds.", ""
    )


def test_the_present_is_told(browser: FlaskClient, wiring: Wiring, key: NewKey) -> None:
    put(wiring, enqueue(wiring, key), due_at=ago(185))
    put(wiring, enqueue(wiring, key), due_at=ago(-600))
    put(wiring, enqueue(wiring, key), status=Status.GENERATING)
    put(wiring, enqueue(wiring, key), status=Status.STORING, result_expires_at=ago(-500))
    said = drawn(browser)[1]
    assert "Queue length 2 jobs" in said
    assert re.search(r"Queue age 3 min \d+ s, the oldest due job", said)
    assert "At Flux 1 job in a slot" in said
    assert "Being saved 1 picture " in said
    assert "1 of 24 slots in use" in said


def test_a_closed_gate_and_alarms_say_why(browser: FlaskClient, wiring: Wiring) -> None:
    wiring.sweep(by_beat=True)
    assert "Nothing needs you" in drawn(browser)[1]
    gate = {"provider": "simulator", "slots": 20, "probe_at": ago(-60)}
    reason = "the Flux account is out of credits (402)"
    with wiring.database.transaction() as tx:
        tx.execute(insert(Gate).values(**gate, closed_reason=reason))
    said = drawn(browser)[1]
    assert f"Needs somebody Nothing is submitted to simulator: {reason}." in said
    assert "simulator closed 0 of 20 slots in use; 24 are set" in said
    assert f"{reason}. One job tries it again from" in said


def test_hosts_that_fail_are_told_of_and_what_they_say_is_inert(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    mine = {"project_id": project_id(wiring, key), "failures": 12}
    failing = [
        {
            **mine,
            "origin": "https://shop.example",
            "failing_since": ago(7200),
            "reason": "<svg onload=x>",
        },
        {**mine, "origin": "https://well.example", "failing_since": None, "reason": None},
    ]
    with wiring.database.transaction() as tx:
        tx.execute(insert(CallbackHost).values(failing))
    page, said = drawn(browser)
    assert "https://shop.example <svg onload=x> 12 failures in a row, since 2 h ago" in said
    assert "well.example" not in said
    assert "svg" not in {tag for tag, _ in page.tags}


@pytest.mark.parametrize("query", ["window=2h", "window=", "window=24h&window=7d", "window=%F0%9F"])
def test_another_window_is_refused_by_name(browser: FlaskClient, query: str) -> None:
    answer = browser.get(f"/overview?{query}", headers=AS_BROWSER)
    assert answer.status_code == 422
    assert "window" in words(answer)


def test_the_page_runs_and_styles_nothing_but_our_own_files(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    succeeded(wiring, key)
    fold_all(wiring.fold)
    answer = browser.get("/overview", headers=AS_BROWSER)
    for tag, attributes in Page(answer).tags:
        assert tag not in {"style", "iframe", "object", "base"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "script" or attributes["src"].startswith("/static/")
    assert "script-src 'self'" in answer.headers[CSP]


def test_strangers_log_in_first(client: FlaskClient) -> None:
    answer = client.get("/overview?window=7d", headers=AS_BROWSER)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login")
