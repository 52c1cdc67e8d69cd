"""The log-in: who gets in, how long, and where it leads."""

import pytest
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, Page, form_token, log_in

from service.keys import NewKey


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
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "\t//e",
        "/\t/evil.example",
        "/\n/evil.example",
        "/jobs\r\nSet-Cookie: a=b",
        "\\\\evil.example",
        "evil",
        " //evil.example",
        "/\u202e",
        "/" + "9" * 5000,
        "/login",
        "/login/x",
        "/logout",
        "",
        "data:text/html,x",
        "http:evil.example",
        "/\x0b/evil.example",
    ],
)
def test_the_log_in_never_leads_to_another_site(
    client: FlaskClient, key: NewKey, elsewhere: str
) -> None:
    for query, form in (({"next": elsewhere}, {}), ({}, {"next": elsewhere})):
        data = {"api_key": key.api_key, **form}
        answer = client.post("/login", query_string=query, data=data)
        assert (answer.status_code, answer.location) == (303, "/")


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/%2Fevil.example", "/%2Fevil.example"),
        ("/%5Cevil.example", "/%5Cevil.example"),
        ("/%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b"),
        ("/jobs?cursor=//evil.example", "/jobs?cursor=//evil.example"),
    ],
)
def test_what_only_looks_like_another_site_stays_a_path_of_ours(
    client: FlaskClient, key: NewKey, wanted: str, location: str
) -> None:
    answer = client.post("/login", data={"api_key": key.api_key, "next": wanted})
    assert answer.location == location
    assert "a=b" not in answer.headers["Set-Cookie"]


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
