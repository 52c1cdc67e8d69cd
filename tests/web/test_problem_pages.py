"""What a person reads when something is wrong: what, what to do about it, and a way back."""

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from web.browser import AS_BROWSER, Page, assert_inert, words

from service.errors import (
    BodyTooLarge,
    CallerError,
    CreditsSpent,
    FieldError,
    Gone,
    InvalidRequest,
    NotCancelable,
    OutOfScope,
)
from service.settings import Settings
from service.web.app import create_app
from service.wiring import Wiring


def failing(wiring: Wiring, error: Exception) -> FlaskClient:
    """Return a browser of an app with one page more, which always fails."""
    app = create_app(wiring)

    @app.get("/jobs/failing")
    def fail() -> str:
        raise error

    return app.test_client()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            NotCancelable("The job is being made."),
            "409 The job can no longer be canceled The job is being made. Go back, look at how",
        ),
        (
            OutOfScope("This takes `submit`."),
            "403 The API key may not do this This takes `submit`. If your key is not for this, log",
        ),
        (Gone("The image was deleted."), "410 That is gone The image was deleted."),
        (BodyTooLarge("It is long."), "413 The body is too large It is long. Go back, and send"),
        (
            CreditsSpent("50 of 50."),
            "429 The day's credits are spent 50 of 50. Nothing of it was done. Try again a little",
        ),
        (
            InvalidRequest("No job.", [FieldError("/input/width", "is 3")]),
            "422 The request is not valid No job. width: is 3 Go back, and change what is named",
        ),
        (RuntimeError("secret inside"), "500 Something broke on our side The fault is logged."),
    ],
)
def test_every_error_says_what_to_do_and_leads_back(
    wiring: Wiring, error: Exception, said: str
) -> None:
    answer = failing(wiring, error).get("/jobs/failing", headers=AS_BROWSER)
    assert_inert(answer)
    assert said in words(answer)
    assert "secret inside" not in answer.text
    assert answer.headers["X-Request-Id"] in words(answer)
    assert "/jobs" in Page(answer).links()
    if not isinstance(error, CallerError):
        assert "/jobs/failing" in Page(answer).links()


def test_the_way_back_is_the_page_before_if_it_is_ours(browser: FlaskClient) -> None:
    def back(referer: str, path: str = "/jobs/job_1") -> list[str]:
        answer = browser.get(path, headers={**AS_BROWSER, "Referer": referer})
        return Page(answer).links()[-1:]

    assert back("http://localhost/jobs?cursor=a%20b") == ["/jobs?cursor=a%20b"]
    assert back("https://evil.example/jobs?cursor=x") == ["/jobs"]
    assert back("http://localhost//evil.example/") == ["/jobs"]
    assert back("http://localhost/login/a-token") == ["/jobs"]
    assert back("http://localhost/jobs/job_1") == ["/jobs"]
    assert back("http://[", "/images/img_1") == ["/"]


def test_an_address_that_only_takes_forms_says_so(browser: FlaskClient) -> None:
    answer = browser.get("/logout", headers=AS_BROWSER)
    assert (answer.status_code, sorted(answer.allow or ())) == (405, ["OPTIONS", "POST"])
    assert "That needs a button" in words(answer)


def test_a_form_that_is_out_of_date_says_so(browser: FlaskClient) -> None:
    answer = browser.post("/logout", data={"form_token": "old"}, headers=AS_BROWSER)
    assert answer.status_code == 403
    assert "This form is out of date. Load its page again." in words(answer)


def test_a_cursor_that_is_none_names_the_field(browser: FlaskClient) -> None:
    answer = browser.get("/jobs?cursor=x", headers=AS_BROWSER)
    assert 400 <= answer.status_code < 500
    assert "cursor:" in words(answer)


def test_with_the_database_away_the_page_keeps_its_frame_and_asks_nothing(
    browser: FlaskClient, settings: Settings
) -> None:
    url = SecretStr("postgresql+psycopg://app:hush@127.0.0.1:9/none")
    away = create_app(Wiring(settings.model_copy(update={"database_url": url}))).test_client()
    found = browser.get_cookie("darkroom")
    assert found is not None
    away.set_cookie("darkroom", found.value)
    for path in ("/", "/jobs", "/account", "/images/img_" + "0" * 32):
        answer = away.get(path, headers=AS_BROWSER)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "Nothing was lost. Try again in a moment." in words(answer)
        assert {path, "/jobs", "/account"} <= set(Page(answer).links())
        assert "Log out" in words(answer)
        assert "hush" not in answer.text
    assert away.get("/login").status_code == 200


def test_an_error_of_a_page_keeps_whose_it_is_in_its_header(browser: FlaskClient) -> None:
    assert "default" in words(browser.get("/images/img_1", headers=AS_BROWSER))


def test_a_script_puts_the_error_in_place_of_the_whole_content(browser: FlaskClient) -> None:
    headers = {**AS_BROWSER, "HX-Request": "true"}
    answer = browser.get("/images/img_1", headers=headers)
    assert answer.status_code == 404
    assert (answer.headers["HX-Retarget"], answer.headers["HX-Reselect"]) == ("#main", "#main")


def test_what_a_page_was_given_is_shown_inert(browser: FlaskClient) -> None:
    answer = browser.get(
        "/?cursor=<script>alert(1)</script>&parent=<b>&parent=2", headers=AS_BROWSER
    )
    assert 400 <= answer.status_code < 500
    assert_inert(answer)
