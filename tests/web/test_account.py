"""The account: what its key may do, and which browsers are logged in with it."""

from conftest import Api
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, Page, assert_inert, form_token, log_in, words

from service.keys import NewKey
from service.models import Scope
from service.wiring import Wiring


def ends(browser: FlaskClient) -> list[str]:
    """Return where the buttons lead that end a session."""
    page = Page(browser.get("/account"))
    actions = [a.get("action", "") for tag, a in page.tags if tag == "form"]
    return [action for action in actions if action.startswith("/account/sessions/ses_")]


def test_the_account_says_what_the_key_is_and_may(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    page = browser.get("/account", headers=AS_BROWSER)
    assert_inert(page)
    said = words(page)
    assert f"Key{key.api_key[:10]}… Maysubmit, read, manage Endswhen it is revoked" in said
    assert f"curl {wiring.settings.base_url}/v1/jobs" in said
    assert key.api_key not in page.text
    assert "/account" in Page(browser.get("/jobs")).links()


def test_a_key_for_nothing_but_reading_has_its_account_too(
    client: FlaskClient, wiring: Wiring
) -> None:
    log_in(client, wiring.keys.create("default", scopes=[Scope.READ]))
    assert "Mayread Ends" in words(client.get("/account"))


def test_another_browser_is_logged_out_from_here(browser: FlaskClient, key: NewKey) -> None:
    other = log_in(browser.application.test_client(), key)
    assert words(browser.get("/account")).count("This browser") == 1
    (there,) = ends(browser)
    assert browser.post(there, data=form_token(browser)).location == "/account#sessions"
    assert other.get("/").status_code == 303
    assert ends(browser) == []
    again = browser.post(there, data=form_token(browser), headers=AS_BROWSER)
    assert again.status_code == 404


def test_logging_out_everywhere_is_for_the_browsers_of_this_key(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    app = browser.application
    mine = log_in(app.test_client(), key)
    same_project = log_in(app.test_client(), wiring.keys.create(key.project))
    sent = browser.post("/account/sessions/end", data=form_token(browser))
    assert (sent.status_code, sent.location) == (303, "/login")
    assert [b.get("/").status_code for b in (browser, mine, same_project)] == [303, 303, 200]


def test_a_session_of_another_key_is_as_unknown_as_a_made_up_one(
    browser: FlaskClient, other: Api, key: NewKey
) -> None:
    app = browser.application
    stranger = app.test_client()
    stranger.post("/login", data={"api_key": other.api_key})
    log_in(app.test_client(), key)
    (mine,) = ends(browser)
    headers = {**AS_BROWSER, "X-Request-Id": "the-same"}
    answers = [
        stranger.post(path, data=form_token(stranger), headers=headers)
        for path in (mine, "/account/sessions/ses_" + "0" * 32 + "/end", "/account/sessions/x/end")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert ends(browser) == [mine]
