"""Submissions to Flux's own API are taken as they are and answered in upstream's words."""

import json
from typing import Any

import pytest
from conftest import Api
from factories import Rewire, job, known_job
from fakes.pictures import as_base64, drawn
from flask.testing import FlaskClient
from pydantic import SecretStr
from web.facade import BASE_URL, PROMPT, Facade

from service.keys import NewKey
from service.models import CallbackForm
from service.wiring import Wiring

HOOK = f"{BASE_URL}/hook"
UNKNOWN = {"result": None, "progress": None, "details": None, "preview": None}


def listed(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/v1/jobs").json["data"]
    return found


@pytest.mark.parametrize("prefix", ["", "/flux"])
def test_a_submission_is_answered_as_upstream_answers_it(
    client: FlaskClient, key: NewKey, prefix: str
) -> None:
    flux = Facade(client, {"x-key": key.api_key}, prefix)
    accepted = flux.submit()
    assert list(accepted) == ["id", "polling_url", "cost", "input_mp", "output_mp"]
    # recorded from BFL for 256x256
    assert (accepted["cost"], accepted["input_mp"], accepted["output_mp"]) == (3.0, 0.0, 0.06)
    polling_url = f"{BASE_URL}{prefix}/v1/get_result?id={accepted['id']}&token="
    assert accepted["polling_url"].startswith(polling_url)
    assert flux.poll(accepted) == {"id": accepted["id"], "status": "Pending", **UNKNOWN}


@pytest.mark.parametrize("prefix", ["", "/flux"])
@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("x-key", "{}"),
        ("Authorization", "Bearer {}"),
        ("Authorization", "bearer  {}"),
        ("Authorization", "{}"),
    ],
)
def test_every_form_of_the_key_is_taken_on_every_path(
    client: FlaskClient, key: NewKey, prefix: str, header: str, form: str
) -> None:
    flux = Facade(client, {header: form.format(key.api_key)}, prefix)
    assert flux.result(flux.submit()["id"]).json["status"] == "Pending"


def test_the_job_is_a_job_like_all_others(api: Api, flux: Facade, wiring: Wiring) -> None:
    accepted = flux.submit(webhook_url=HOOK, webhook_secret="between us", seed=7)
    (document,) = listed(api)
    assert document["id"] == accepted["id"]
    assert document["input"] == {**PROMPT, "seed": 7}
    assert document["metadata"] == {}
    assert document["callback"] == {
        "url": HOOK,
        "events": ["job.canceled", "job.failed", "job.succeeded"],
        "status": None,
    }
    row = job(wiring, known_job(document))
    assert (row.callback_form, row.callback_secret) == (CallbackForm.FLUX, "between us")
    assert "between us" not in json.dumps(document)


def test_with_a_webhook_the_answer_names_it_beside_the_polling_url(flux: Facade) -> None:
    accepted = flux.submit(webhook_url=HOOK)
    assert (accepted["status"], accepted["webhook_url"]) == ("Pending", HOOK)
    assert flux.poll(accepted)["status"] == "Pending"


def test_webhook_fields_that_say_nothing_are_not_given(
    api: Api, flux: Facade, wiring: Wiring
) -> None:
    for url, secret in (("", ""), (None, None), ("", "alone"), (None, "alone")):
        accepted = flux.submit(webhook_url=url, webhook_secret=secret)
        assert "webhook_url" not in accepted
        row = job(wiring, known_job(accepted))
        assert (row.callback_url, row.callback_secret) == (None, None)
    flux.submit(webhook_url=HOOK, webhook_secret="")
    assert listed(api)[0]["callback"]["url"] == HOOK


def test_a_repeat_with_its_idempotency_key_is_the_same_job_and_answer(
    api: Api, flux: Facade
) -> None:
    body = {**PROMPT, "webhook_url": HOOK}
    first, again = (flux.post("flux-2-pro", body, Idempotency_Key="order-17") for _ in range(2))
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert len(listed(api)) == 1
    place = ["header", "idempotency-key"]
    others: list[tuple[str, dict[str, Any]]] = [
        ("flux-2-pro", {**body, "seed": 1}),
        ("flux-2-max", body),
    ]
    for model, other in others:
        refused = flux.post(model, other, Idempotency_Key="order-17")
        assert (refused.status_code, refused.json["detail"][0]["loc"]) == (422, place)
    ours = api.post("/v1/jobs", {"model": "flux-2-pro", "input": body}, Idempotency_Key="order-17")
    assert ours.status_code == 422


def test_a_picture_counts_in_the_answer_by_its_size(flux: Facade) -> None:
    image = as_base64(drawn("JPEG", (640, 512)))
    first = flux.post("flux-2-pro", {**PROMPT, "input_image": image}, Idempotency_Key="k").json
    assert (first["input_mp"], first["cost"]) == (0.31, 4.5)
    again = flux.post("flux-2-pro", {**PROMPT, "input_image": image}, Idempotency_Key="k").json
    assert again == first
    url = flux.submit(input_image="https://example.com/cat.jpeg")
    # nobody knows the size of what is behind a URL
    assert url["input_mp"] is None


def test_an_accepted_job_is_answered_though_the_database_has_gone(
    flux: Facade, wiring: Wiring, rewire: Rewire
) -> None:
    url = SecretStr("postgresql+psycopg://app:hush@127.0.0.1:9/none")
    assert wiring.enqueue.inputs is wiring.inputs
    # it goes between the commit and the look at the pictures' sizes
    vars(wiring)["inputs"] = rewire(database_url=url).inputs
    accepted = flux.submit(input_image=as_base64(drawn("JPEG", (640, 512))))
    assert (accepted["cost"], accepted["input_mp"]) == (4.5, None)
    assert flux.poll(accepted)["status"] == "Pending"


def test_our_own_paths_are_not_taken_for_models(api: Api) -> None:
    assert api.get("/v1/jobs").status_code == 200
    assert api.get("/v1/images").status_code == 200
    assert api.post("/v1/nothing").content_type == "application/problem+json"
