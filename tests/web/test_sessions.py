"""A browser's session is a row: what has ended there opens nothing, whoever kept the cookie."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import Api
from factories import Rewire
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import Engine, Row, event, func, select, update
from web.browser import AS_BROWSER, form_token, log_in

from service.clock import seconds
from service.ids import Kind, read_id
from service.keys import SESSION_SECONDS, NewKey
from service.models import ApiKey, BrowserSession
from service.web.app import create_app
from service.wiring import Wiring

COOKIE = "darkroom"


def cookie(browser: FlaskClient) -> str:
    found = browser.get_cookie(COOKIE)
    assert found is not None
    return found.value


def thief(browser: FlaskClient, app: Flask | None = None) -> FlaskClient:
    """Return a browser with a copy of another's cookie."""
    copy = (app or browser.application).test_client()
    copy.set_cookie(COOKIE, cookie(browser))
    return copy


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/", headers=AS_BROWSER).status_code == 200


def sessions(wiring: Wiring) -> list[Row[Any]]:
    rows = select(*BrowserSession.__table__.c).order_by(BrowserSession.id)
    with wiring.database.transaction() as tx:
        return tx.rows(rows)


def change(wiring: Wiring, **values: object) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(BrowserSession).values(**values))


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what the database is asked in the block."""
    found: list[str] = []

    def look(*seen: Any) -> None:  # noqa: ANN401 - SQLAlchemy's: connection, cursor, text, ...
        found.append(seen[2])

    event.listen(Engine, "after_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(Engine, "after_cursor_execute", look)


def test_a_copied_cookie_is_worth_nothing_after_the_log_out(browser: FlaskClient) -> None:
    copy = thief(browser)
    assert is_in(copy)
    browser.post("/logout", data=form_token(browser))
    assert not is_in(copy)
    assert not is_in(browser)


def test_logging_in_anew_ends_what_the_browser_had(browser: FlaskClient, key: NewKey) -> None:
    copy = thief(browser)
    log_in(browser, key)
    assert not is_in(copy)
    assert is_in(browser)


def revoke(wiring: Wiring, key: NewKey) -> None:
    assert wiring.keys.revoke(key.key_id)


def expire_key(wiring: Wiring, key: NewKey) -> None:
    with wiring.database.transaction() as tx:
        mine = update(ApiKey).where(ApiKey.id == read_id(Kind.KEY, key.key_id))
        tx.execute(mine.values(expires_at=func.now()))


def expire_session(wiring: Wiring, key: NewKey) -> None:
    change(wiring, expires_at=func.now())


@pytest.mark.parametrize("end", [revoke, expire_key, expire_session])
def test_a_session_ends_with_its_key_or_its_time(
    browser: FlaskClient, wiring: Wiring, key: NewKey, end: Callable[[Wiring, NewKey], None]
) -> None:
    thumbnail = "/images/img_" + "0" * 32 + "/thumbnail"
    assert is_in(browser)
    assert browser.get(thumbnail).status_code == 404
    copy = thief(browser)
    end(wiring, key)
    assert browser.get("/jobs").location == "/login?next=/jobs"
    assert copy.get(thumbnail).status_code == 401


def test_a_session_lasts_for_14_days_and_no_visit_prolongs_it(
    browser: FlaskClient, wiring: Wiring
) -> None:
    (begun,) = sessions(wiring)
    assert begun.expires_at - begun.created_at == timedelta(seconds=SESSION_SECONDS)
    change(wiring, last_seen_at=func.now() - seconds(61))
    assert is_in(browser)
    assert sessions(wiring)[0].expires_at == begun.expires_at


def test_the_database_and_the_cookie_hold_nothing_that_makes_the_other(
    browser: FlaskClient, wiring: Wiring
) -> None:
    (row,) = sessions(wiring)
    token = browser.application.session_interface.get_signing_serializer(  # type: ignore[attr-defined] # of Flask's own
        browser.application
    ).loads(cookie(browser))["session"]
    assert len(token) >= 43
    assert token not in repr(row)
    assert row.key_id.hex not in cookie(browser)


def test_a_page_asks_once_who_is_there_and_writes_nothing(browser: FlaskClient) -> None:
    with statements() as asked:
        assert is_in(browser)
    assert len([text for text in asked if "sessions" in text]) == 1
    assert not [text for text in asked if not text.lstrip().startswith(("SELECT", "WITH"))]


def test_when_a_session_was_seen_is_kept_to_the_minute(
    browser: FlaskClient, wiring: Wiring
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    change(wiring, last_seen_at=long_ago)
    assert is_in(browser)
    (row,) = sessions(wiring)
    assert row.last_seen_at - long_ago > timedelta(minutes=59)
    assert is_in(browser)
    assert sessions(wiring) == [row]


def test_the_cookie_is_sent_once(client: FlaskClient, key: NewKey) -> None:
    assert "Set-Cookie" in client.post("/login", data={"api_key": key.api_key}).headers
    for path in ("/", "/jobs", "/account"):
        assert "Set-Cookie" not in client.get(path).headers


def test_a_cookie_that_another_key_signed_is_no_cookie(
    browser: FlaskClient, rewire: Rewire
) -> None:
    other = rewire(secret_key=[SecretStr("another-key-of-a-service-elsewhere")])
    assert not is_in(thief(browser, create_app(other)))
    mine = browser.application.config["SECRET_KEY"]
    rotated = rewire(secret_key=[SecretStr("another-key-of-a-service-elsewhere"), SecretStr(mine)])
    assert is_in(thief(browser, create_app(rotated)))


def test_a_session_that_a_visitor_brings_is_not_the_one_that_a_log_in_begins(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    attacker = log_in(client.application.test_client(), key)
    victim = thief(attacker)
    log_in(victim, wiring.keys.create("victim"))
    assert cookie(victim) != cookie(attacker)
    assert "victim" in victim.get("/").text
    assert not is_in(attacker)


def test_nobody_is_logged_in_by_a_cookie_from_before_there_were_sessions(
    client: FlaskClient, key: NewKey
) -> None:
    with client.session_transaction() as old:
        old["key"] = key.key_id.removeprefix("key_")
    assert not is_in(client)


def test_a_session_opens_the_pages_and_not_the_api(browser: FlaskClient, api: Api) -> None:
    assert is_in(browser)
    assert browser.get("/v1/jobs").status_code == 401
    assert api.get("/v1/jobs").status_code == 200


def test_a_form_whose_session_has_ended_leads_back_to_its_page(
    browser: FlaskClient, wiring: Wiring
) -> None:
    token = form_token(browser)
    change(wiring, ended_at=func.now())
    path = "/jobs/job_" + "0" * 32 + "/callbacks/dlv_" + "0" * 32 + "/again"
    page = {"Referer": "http://localhost/jobs/job_1"}
    assert browser.post(path, data=token, headers=page).location == "/login?next=/jobs/job_1"


def test_a_script_whose_session_has_ended_has_its_page_leave(
    browser: FlaskClient, wiring: Wiring
) -> None:
    change(wiring, ended_at=func.now())
    asked = {"HX-Request": "true", "Referer": "http://localhost/jobs?cursor=x"}
    answer = browser.get("/", headers=asked)
    assert (answer.status_code, answer.data) == (401, b"")
    assert answer.headers["HX-Redirect"] == "/login?next=/jobs?cursor%3Dx"


def test_a_script_may_send_the_token_in_a_header(browser: FlaskClient) -> None:
    (token,) = form_token(browser).values()
    assert browser.post("/logout", headers={"X-Form-Token": token[:-1]}).status_code == 403
    assert browser.post("/logout", headers={"X-Form-Token": token}).status_code == 303
