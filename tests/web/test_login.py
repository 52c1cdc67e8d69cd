"""The log-in: who gets in, how long, and where it leads."""

import pytest
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, Page, form_token, log_in

from service.keys import NewKey
from service.wiring import Wiring


@pytest.fixture
def browser(client: FlaskClient, key: NewKey) -> FlaskClient:
    """A person of the project `default`, logged in."""
    return log_in(client, key)


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs?cursor=x", "/images/img_1", "/jobs/job_1"])
def test_strangers_log_in_and_come_back_to_where_they_wanted_to_go(
    client: FlaskClient, key: NewKey, path: str
) -> None:
    sent = client.get(path, headers=AS_BROWSER)
    assert sent.status_code == 303
    form = client.get(sent.location)
    hidden = [a for tag, a in Page(form).tags if tag == "input" and a.get("type") == "hidden"]
    answer = client.post("/login", data={"api_key": key.api_key, "next": hidden[0]["value"]})
    assert (answer.status_code, answer.location) == (303, path)


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "\t//e"],
)
def test_the_log_in_never_leads_to_another_site(
    client: FlaskClient, key: NewKey, elsewhere: str
) -> None:
    answer = client.post("/login", data={"api_key": key.api_key, "next": elsewhere})
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_wrong_key_is_refused_in_words_and_opens_nothing(client: FlaskClient) -> None:
    answer = client.post("/login", data={"api_key": "dk_" + "x" * 43})
    assert answer.status_code == 401
    assert "That key is unknown or was revoked." in answer.text
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_another_site_can_neither_log_in_nor_log_out(
    browser: FlaskClient, key: NewKey, origin: str
) -> None:
    form = {"api_key": key.api_key, **form_token(browser)}
    for path in ("/login", "/logout"):
        sent = browser.post(path, data=form, headers={"Origin": origin})
        assert sent.status_code == 403
    assert browser.get("/").status_code == 200


def test_our_own_forms_are_sent_with_their_origin(client: FlaskClient) -> None:
    # under `no-referrer` a browser would send `Origin: null`, which is refused
    assert client.get("/login").headers["Referrer-Policy"] == "same-origin"


def test_a_revoked_key_ends_the_session(browser: FlaskClient, wiring: Wiring, key: NewKey) -> None:
    assert browser.get("/").status_code == 200
    assert wiring.keys.revoke(key.key_id)
    assert browser.get("/").location == "/login?next=/"


def test_logging_out_ends_the_session(browser: FlaskClient) -> None:
    assert browser.post("/logout", data=form_token(browser)).status_code == 303
    assert browser.get("/jobs").status_code == 303
