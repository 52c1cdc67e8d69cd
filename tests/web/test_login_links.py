"""A link logs one browser in, once; whatever it is that does not, is told the same."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from web.browser import AS_BROWSER, Page, assert_inert, words

from service.keys import LINK_SECONDS, NewKey
from service.models import BrowserSession, LoginLink
from service.wiring import Wiring


@pytest.fixture
def token(wiring: Wiring, key: NewKey) -> str:
    """The token of a link for the project `default`."""
    made = wiring.keys.links.create(key.key_id)
    assert made is not None
    return made


def test_a_link_shows_a_button_that_logs_in(
    client: FlaskClient, token: str, wiring: Wiring
) -> None:
    shown = client.get(f"/login/{token}", headers=AS_BROWSER)
    assert shown.status_code == 200
    assert "project default" in words(shown)
    assert_inert(shown)
    assert [a["method"] for tag, a in Page(shown).tags if tag == "form"] == ["post"]
    sent = client.post(f"/login/{token}")
    assert (sent.status_code, sent.location) == (303, "/")
    assert client.get("/").status_code == 200


def test_whoever_looks_ahead_does_not_use_it_up(client: FlaskClient, token: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        assert client.open(f"/login/{token}", method=method).status_code == 200
    assert client.get("/").status_code == 303
    assert client.post(f"/login/{token}").status_code == 303


def test_used_expired_wrong_and_revoked_links_answer_alike(
    client: FlaskClient, wiring: Wiring, key: NewKey, token: str
) -> None:
    app = client.application

    def said(token: str) -> set[tuple[int, str]]:
        answers = [
            app.test_client().open(f"/login/{token}", method=method, headers=AS_BROWSER)
            for method in ("GET", "POST")
        ]
        return {(answer.status_code, answer.text) for answer in answers}

    client.post(f"/login/{token}")
    used = said(token)
    expired, revoked = (wiring.keys.links.create(key.key_id) for _ in range(2))
    with wiring.database.transaction() as tx:
        tx.execute(update(LoginLink).values(expires_at=func.now()))
    answers = [used, said(str(expired))]
    revoked = wiring.keys.links.create(key.key_id)
    wiring.keys.revoke(key.key_id)
    answers += [said(str(revoked)), said("x" * 43), said("é%00" + "9" * 3000), said(token + "x")]
    assert all(answer == used for answer in answers)
    ((status, text),) = used
    assert status == 410
    assert "darkroom keys link" in text
    with wiring.database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(BrowserSession)) == 1


def test_of_many_who_use_a_link_at_the_same_instant_one_gets_in(
    client: FlaskClient, wiring: Wiring, token: str
) -> None:
    def use(_number: int) -> int:
        return client.application.test_client().post(f"/login/{token}").status_code

    with ThreadPoolExecutor(8) as people:
        answers = sorted(people.map(use, range(8)))
    assert answers == [303] + [410] * 7
    with wiring.database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(BrowserSession)) == 1


def test_a_link_lives_for_ten_minutes_and_only_its_hash_is_kept(wiring: Wiring, token: str) -> None:
    with wiring.database.transaction() as tx:
        row = tx.first(select(*LoginLink.__table__.c))
    assert (row.expires_at - row.created_at).total_seconds() == LINK_SECONDS == 600
    assert token not in repr(row)


def test_a_link_takes_the_browser_out_of_the_session_it_had(
    browser: FlaskClient, wiring: Wiring
) -> None:
    other = wiring.keys.links.create(wiring.keys.create("other").key_id)
    assert browser.post(f"/login/{other}").status_code == 303
    assert "other" in words(browser.get("/account"))
    with wiring.database.transaction() as tx:
        living = select(func.count()).where(BrowserSession.ended_at.is_(None))
        assert tx.scalar(living) == 1


def test_another_site_cannot_log_anybody_in(client: FlaskClient, token: str) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post(f"/login/{token}", headers=headers).status_code == 403
    assert client.post(f"/login/{token}").status_code == 303


def test_no_log_line_holds_a_link(client: FlaskClient, token: str, lines: io.StringIO) -> None:
    client.get(f"/login/{token}")
    client.post(f"/login/{token}")
    client.post(f"/login/{token}")
    client.delete(f"/login/{token}")
    assert lines.getvalue().count("/login/<token>") >= 3
    assert token not in lines.getvalue()


@pytest.mark.parametrize("key_id", ["key_" + "0" * 32, "img_1", "", "key_\x00"])
def test_there_is_no_link_for_a_key_that_is_not_there(wiring: Wiring, key_id: str) -> None:
    assert wiring.keys.links.create(key_id) is None
