"""What becomes of an unconfirmed job is settled when it is accepted."""

import pytest
from conftest import Api
from factories import Rewire
from web.facade import Facade

from service.keys import NewKey
from service.settings import OnUnconfirmed
from service.web.app import create_app

BODY = {"model": "flux-2-pro", "input": {"prompt": "a lighthouse", "width": 256, "height": 256}}


@pytest.mark.parametrize("policy", ["fail", "resubmit"])
def test_a_job_shows_what_its_caller_chose(api: Api, policy: str) -> None:
    accepted = api.post("/v1/jobs", {**BODY, "on_unconfirmed": policy}).json
    assert accepted["on_unconfirmed"] == policy
    assert api.get(f"/v1/jobs/{accepted['id']}").json["on_unconfirmed"] == policy


@pytest.mark.parametrize("policy", list(OnUnconfirmed))
def test_the_deployments_choice_holds_where_a_caller_says_nothing(
    rewire: Rewire, key: NewKey, policy: OnUnconfirmed
) -> None:
    client = create_app(rewire(on_unconfirmed=policy)).test_client()
    api = Api(client, key.api_key)
    for body in (BODY, {**BODY, "on_unconfirmed": None}):
        assert api.post("/v1/jobs", body).json["on_unconfirmed"] == policy.value
    Facade(client, {"x-key": key.api_key}, "").submit()
    assert api.get("/v1/jobs").json["data"][0]["on_unconfirmed"] == policy.value


@pytest.mark.parametrize("wrong", ["maybe", "", "RESUBMIT", True, 1, ["fail"]])
def test_another_word_is_refused_with_the_fields_name(api: Api, wrong: object) -> None:
    answer = api.post("/v1/jobs", {**BODY, "on_unconfirmed": wrong})
    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert error["pointer"] == "/on_unconfirmed"
    assert "'fail' or 'resubmit'" in error["detail"]


def test_the_choice_is_part_of_what_an_idempotency_key_stands_for(api: Api) -> None:
    api.post("/v1/jobs", BODY, Idempotency_Key="k")
    other = api.post("/v1/jobs", {**BODY, "on_unconfirmed": "resubmit"}, Idempotency_Key="k")
    assert other.json["code"] == "idempotency_key_reused"
