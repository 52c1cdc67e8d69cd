"""Who gets in, and what stays shut, where no other module tells.

Beside it: another project's things in test_other_projects, a key with another body in test_jobs,
fifty equal requests at once in journeys/test_repeats, signed links in test_flux_result, hostile
prompts in test_pages, `/console` and the Server header in test_raw_requests, a key's jobs after
its end in test_auth, upstream's key on its way in egress.
"""

import re
import threading

import pytest
from conftest import Api
from fakes.waiting import wait_until
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, form_token, log_in
from web.fuzz.keep_alive import KeepAlive, with_body
from web.gunicorn_process import GunicornProcess, request
from web.things import is_a_page, made, path_of, rules
from werkzeug.routing import Rule

from service.keys import NewKey
from service.settings import Settings
from service.web.app import create_app
from service.wiring import Wiring

BODY = {"model": "flux-2-pro", "input": {"prompt": "a canary in a prompt"}}
ODD_KEYS = [
    "k", "a" * 31, "a" * 33, "a" * 10_000, "dk_" + "a" * 28, "dk_" + "a" * 30, "dk_" + "a" * 9997,
    "dk_" + "a" * 20 + "\x00", "dk_" + "é" * 43, "ключ", "dk_" + "\N{ROMAN NUMERAL TEN}" * 43,
]  # fmt: skip
HOSTILE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Referer": "https://evil.example/page"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


def test_a_connection_that_stays_open_outlives_no_key(
    web: GunicornProcess, web_wiring: Wiring
) -> None:
    key = web_wiring.keys.create("default")
    asked = with_body("GET /v1/jobs", {"Authorization": f"Bearer {key.api_key}"}, None)
    with KeepAlive(web) as connection:
        assert connection.ask(asked).status == 200
        place = connection.place
        assert web_wiring.keys.revoke(key.key_id)
        assert connection.ask(asked).status == 401
        assert connection.place == place


def test_who_waits_with_a_key_that_is_revoked_is_told_nothing(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    said = []

    def wait() -> None:
        said.append(api.post("/v1/jobs", BODY, Prefer="wait=1"))

    thread = threading.Thread(target=wait)
    thread.start()
    reader = wiring.keys.create(key.project)
    seen = Api(api.client.application.test_client(), reader.api_key)
    wait_until(lambda: seen.get("/v1/jobs").json["data"], bool)
    assert wiring.keys.revoke(key.key_id)
    thread.join(10)
    assert said[0].status_code == 401
    assert "job_" not in said[0].text


def test_a_key_in_a_query_is_none_and_is_in_no_log(web: GunicornProcess, bearer: str) -> None:
    key = bearer.rpartition(" ")[2]
    for name in ("api_key", "key", "token"):
        assert web.status(request(f"GET /v1/jobs?{name}={key}")) == 401
        assert web.status(request(f"GET /{key}?{name}={key}")) == 404
        assert web.status(request(f"GE(T /v1/jobs?{name}={key}")) == 400
    assert key not in web.log


@pytest.mark.parametrize("odd", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_a_key_of_an_odd_length_or_script_is_nobodys(client: FlaskClient, odd: str) -> None:
    sent = odd.encode().decode("latin-1")
    assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {sent}"}).status_code == 401
    assert client.post("/v1/flux-2-pro", json={}, headers={"X-Key": sent}).status_code == 403
    assert client.post("/login", data={"api_key": odd}).status_code == 401


@pytest.mark.parametrize("headers", HOSTILE, ids=str)
def test_no_page_changes_anything_for_another_site(
    client: FlaskClient, wiring: Wiring, key: NewKey, headers: dict[str, str]
) -> None:
    things = made(wiring, key)
    browser = log_in(client, key)
    token = form_token(browser)
    walked = 0
    for rule in rules(client.application):
        if is_a_page(rule) and "POST" in (rule.methods or set()):
            place = path_of(client.application, rule, things)
            said = browser.post(place, data={**token, "api_key": key.api_key}, headers=headers)
            assert said.status_code == 403, rule.rule
            walked += 1
    assert walked >= 3
    assert browser.get("/").status_code == 200


def is_a_log_in(rule: Rule) -> bool:
    return rule.rule.startswith("/login")


def test_no_form_is_taken_without_its_sessions_token(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    app = client.application
    things = made(wiring, key)
    browser = log_in(client, key)
    others = form_token(log_in(app.test_client(), key))
    assert others != form_token(browser)
    for rule in rules(app):
        # the log-ins act in no session: what they take is the key, or a link's token
        if not is_a_page(rule) or "POST" not in (rule.methods or set()) or is_a_log_in(rule):
            continue
        place = path_of(app, rule, things)
        for wrong in ({}, others, {"form_token": ""}, {"form_token": "é"}):
            assert browser.post(place, data=wrong).status_code == 403, rule.rule
            assert browser.post(place, json=wrong).status_code == 403, rule.rule
    assert browser.get("/").status_code == 200


def test_every_form_of_a_page_carries_the_token(client: FlaskClient) -> None:
    environment = client.application.jinja_env
    found = 0
    for name in environment.list_templates():
        source = environment.loader.get_source(environment, name)[0]  # type: ignore[union-attr] # Flask's app has one
        for form in re.findall(r"<form[^>]*post.*?</form>", source, re.DOTALL | re.IGNORECASE):
            assert "form_token()" in form or "login.login" in form, name
            found += 1
    assert found >= 3


def test_a_log_in_begins_a_session_that_nobody_knew(client: FlaskClient, key: NewKey) -> None:
    log_in(client, key)
    before = form_token(client)
    log_in(client, key)
    assert form_token(client) != before


def test_the_cookie_is_for_our_pages_alone(settings: Settings, key: NewKey) -> None:
    for base_url, secure in (("https://darkroom.example", True), ("http://127.0.0.1", False)):
        wiring = Wiring(settings.model_copy(update={"public_url": base_url}))
        client = create_app(wiring).test_client()
        said = client.post("/login", data={"api_key": key.api_key})
        flags = {flag.strip() for flag in said.headers["Set-Cookie"].split(";")[1:]}
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= flags
        assert ("Secure" in flags) is secure
        wiring.close()


def test_after_the_log_out_the_back_button_shows_nothing(browser: FlaskClient) -> None:
    for path in ("/", "/jobs"):
        assert browser.get(path).headers["Cache-Control"] == "no-store"
    said = browser.post("/logout", data=form_token(browser))
    assert "darkroom=;" in said.headers["Set-Cookie"]
    assert browser.get("/", headers=AS_BROWSER).location == "/login?next=/"


def test_health_and_metrics_tell_nothing_of_a_project(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    project = wiring.keys.create("a-project-to-find")
    Api(client, project.api_key).post("/v1/jobs", BODY)
    secrets = [secret for secret in wiring.settings.signing_keys if secret]
    for path in ("/healthz", "/healthz?challenge=aaaaaaaaaaaaaaaaaaaaaaaa", "/readyz", "/metrics"):
        text = client.get(path).text
        for inside in ("canary", "a-project-to-find", project.api_key, "job_", *secrets):
            assert inside not in text, path
        assert not re.search(r"postgres\S*://|dk_\w|[0-9a-f]{8}-[0-9a-f]{4}", text), path


def test_guessed_names_of_images_open_nothing(
    client: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    mine, theirs = made(wiring, key), made(wiring, other_key)
    api, browser = Api(client, key.api_key), log_in(client, key)
    image = theirs["image_id"]
    digits = image.removeprefix("img_")
    key_of_object = f"{other_key.project}/{digits}.png"
    guesses = [
        image, theirs["job_id"], theirs["job_id"].replace("job", "img"), f"{image}.png",
        f"{mine['image_id']}.jpeg", f"{mine['image_id']}/256", f"{mine['image_id']}/../{image}",
        f"../{key_of_object}", f"..%2f{key_of_object}", f"%2e%2e%2f{key_of_object}",
        f"%2e%2e/{key_of_object}", f"//{key_of_object}", f"http://127.0.0.1/{key_of_object}",
        f"{mine['image_id']}%00", digits, digits.upper(), f"img_{digits.upper()}", key_of_object,
    ]  # fmt: skip
    for guess in guesses:
        for end in ("", "/content", "/content?proxy=1", "/thumbnail"):
            assert (
                api.client.get(
                    f"/v1/images/{guess}{end}", headers=api.headers(), follow_redirects=True
                ).status_code
                == 404
            )
            assert browser.get(f"/images/{guess}{end}", follow_redirects=True).status_code == 404, (
                guess
            )
