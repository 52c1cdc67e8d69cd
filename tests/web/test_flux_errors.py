"""What is wrong with a Flux client's request is said in upstream's shape, whatever it is."""

from typing import Any

import pytest
from conftest import Api
from flask.testing import FlaskClient
from pydantic import SecretStr
from web.facade import PROMPT, Facade
from web.test_parsing import vectors

from service.keys import NewKey
from service.settings import Settings
from service.web.app import create_app
from service.wiring import Wiring

NOT_AUTHENTICATED = {"detail": "Not authenticated - Invalid Authentication"}


def findings(answer: Any) -> dict[str, tuple[str, str]]:  # noqa: ANN401 - werkzeug's
    """Return what a 422 says: of which place, what kind, in which words."""
    assert (answer.status_code, answer.content_type) == (422, "application/json")
    assert list(answer.json) == ["detail"]
    found = {}
    for one in answer.json["detail"]:
        assert list(one) == ["type", "loc", "msg"]
        found["/".join(one["loc"])] = (one["type"], one["msg"])
    assert len(found) == len(answer.json["detail"])
    return found


def test_everything_that_is_wrong_is_named_at_once(api: Api, flux: Facade) -> None:
    body = {
        "width": 10,
        "heigth": 256,
        "image_prompt": "aGk=",
        "webhook_url": "http://10.0.0.1/hook",
        "webhook_secret": "between\nus",
    }
    found = findings(flux.post("flux-2-pro", body))
    assert {place: kind for place, (kind, _) in found.items()} == {
        "body/prompt": "missing",
        "body/width": "value_error",
        "body/heigth": "extra_forbidden",
        "body/image_prompt": "extra_forbidden",
        "body/webhook_secret": "value_error",
        "body/webhook_url": "value_error",
    }
    assert "height" in found["body/heigth"][1]
    del body["webhook_secret"]
    assert len(findings(flux.post("flux-2-pro", body))) == len(found) - 1
    assert api.get("/v1/jobs").json["data"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("webhook_url", 7),
        ("webhook_url", ["http://127.0.0.1:9/hook"]),
        ("webhook_url", "not a URL"),
        ("webhook_url", "ftp://127.0.0.1/hook"),
        ("webhook_url", "http://169.254.169.254/latest"),
        ("webhook_url", "http://127.0.0.1:9/" + "a" * 2083),
        ("webhook_secret", 7),
        ("webhook_secret", {"is": "none"}),
        ("webhook_secret", "ü"),
        ("webhook_secret", "a\tb"),
        ("webhook_secret", "a\r\nX-More: b"),
        ("webhook_secret", " a"),
        ("webhook_secret", "a "),
        ("webhook_secret", "a" * 1025),
    ],
)
def test_a_webhook_that_could_not_be_called_is_refused(
    flux: Facade, field: str, value: object
) -> None:
    body = {**PROMPT, "webhook_url": "http://127.0.0.1:9/hook", field: value}
    assert list(findings(flux.post("flux-2-pro", body))) == [f"body/{field}"]


@pytest.mark.parametrize("secret", ["a", "a b", "~!", "a" * 1024])
def test_any_secret_that_a_header_can_carry_is_taken(flux: Facade, secret: str) -> None:
    flux.submit(webhook_url="http://127.0.0.1:9/hook", webhook_secret=secret)


@pytest.mark.parametrize("prefix", ["", "/flux"])
@pytest.mark.parametrize("proof", [{}, {"x-key": "dk_" + "x" * 43}, {"Authorization": "Bearer"}])
def test_a_key_that_is_none_is_answered_as_recorded(
    client: FlaskClient, prefix: str, proof: dict[str, str]
) -> None:
    stranger = Facade(client, proof, prefix)
    for answer in (stranger.post("flux-2-pro", PROMPT), stranger.result("x")):
        assert (answer.status_code, answer.json) == (403, NOT_AUTHENTICATED)
        assert "WWW-Authenticate" not in answer.headers


def test_a_path_that_is_no_model_is_answered_as_recorded(flux: Facade) -> None:
    for path in (
        "/v1/flux-9",
        "/v1/flux-",
        "/v1/flux-2-pro/",
        "/v1/flux-tools/nothing",
        "/flux/v1/nothing",
        "/flux/v1/jobs",
        "/flux/nothing",
    ):
        answer = flux.client.post(path, json=PROMPT, headers=flux.proof)
        assert (answer.status_code, answer.json) == (404, {"detail": "Not Found"}), path
    wrong = flux.client.get("/v1/flux-2-pro")
    assert (wrong.status_code, wrong.json) == (405, {"detail": "Method Not Allowed"})
    assert set(wrong.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_result_without_an_id_is_asked_for_one(client: FlaskClient) -> None:
    answer = client.get("/v1/get_result")
    assert findings(answer) == {"query/id": ("missing", "Field required")}


def test_every_recorded_body_is_answered_in_upstreams_shape(flux: Facade) -> None:
    statuses = set()
    for case in vectors():
        answer = flux.post("flux-2-pro", case["body"], Content_Type=case["content_type"])
        statuses.add(answer.status_code)
        assert answer.status_code in {413, 415, 422}, case["rule"]
        assert (answer.content_type, list(answer.json)) == ("application/json", ["detail"])
        if answer.status_code == 422:
            findings(answer)
    assert statuses == {413, 415, 422}


def test_a_body_that_is_no_json_says_where(flux: Facade) -> None:
    answer = flux.post("flux-2-pro", b'{"prompt": ', Content_Type="application/json")
    kind, words = findings(answer)["body"]
    assert kind == "json_invalid"
    assert "line 1, column 12" in words


def test_a_query_that_nobody_could_store_is_refused_in_the_same_shape(flux: Facade) -> None:
    answer = flux.result("\x00")
    assert (answer.status_code, list(answer.json)) == (400, ["detail"])


def test_with_the_database_away_flux_clients_are_told_when_to_come_again(
    settings: Settings, key: NewKey
) -> None:
    url = SecretStr("postgresql+psycopg://app:hush@127.0.0.1:9/none")
    client = create_app(Wiring(settings.model_copy(update={"database_url": url}))).test_client()
    flux = Facade(client, {"x-key": key.api_key})
    for answer in (flux.post("flux-2-pro", PROMPT), flux.result("x")):
        assert (answer.status_code, list(answer.json)) == (503, ["detail"])
        assert answer.headers["Retry-After"] == "2"
        assert "hush" not in answer.get_data(as_text=True)
