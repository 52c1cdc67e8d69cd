"""Every model through Flux's own API: the same body to upstream and to us, the same answer."""

from typing import Any

import pytest
from conftest import Api
from fakes.flux_caller import FluxCaller
from fakes.pictures import as_base64, drawn
from fakes.simulator import Simulator
from flask.testing import FlaskClient
from generation.minimal import minimal_input
from web.facade import Facade

from service.generation import CATALOGUE
from service.keys import NewKey

PICTURE = as_base64(drawn("JPEG", (640, 512)))
ACCEPTANCE = ["id", "polling_url", "cost", "input_mp", "output_mp"]
PENDING = {"result": None, "progress": None, "details": None, "preview": None}
FORMS = [("", "bfl"), ("/flux", "cometapi")]


def bodies(provider: str) -> dict[str, dict[str, Any]]:
    """Return the least that each model of a provider takes."""
    return {
        model.name: {**minimal_input(model), **dict.fromkeys(needed(model.name), PICTURE)}
        for model in CATALOGUE.models.values()
        if provider in model.providers
    }


def needed(model: str) -> set[str]:
    return set(minimal_input(CATALOGUE[model])) & set(CATALOGUE[model].image_parameters)


@pytest.mark.parametrize(("prefix", "provider"), FORMS)
def test_every_model_is_answered_as_upstream_answers_the_same_body(
    client: FlaskClient, key: NewKey, simulator: Simulator, prefix: str, provider: str
) -> None:
    proof = {"Authorization": f"Bearer {key.api_key}"} if prefix else {"x-key": key.api_key}
    flux = Facade(client, proof, prefix)
    with FluxCaller(simulator.url, comet=bool(prefix)) as upstream:
        for model, body in bodies(provider).items():
            ours = flux.post(model, body)
            theirs = upstream.http.request(
                "POST", f"{upstream.base}/{model}", json=body, headers=upstream.headers
            )
            assert (ours.status_code, theirs.status) == (200, 200), (model, ours.json)
            assert list(ours.json) == list(theirs.json()) == ACCEPTANCE
            told = {name: theirs.json()[name] for name in figures(model)}
            # of flux-dev upstream tells none of them; we tell what its resellers do
            if model != "flux-dev":
                assert {name: ours.json[name] for name in told} == told, model


def figures(model: str) -> set[str]:
    """Return what is known of a task before it is drawn; the size only where it can be asked."""
    sized = "width" in CATALOGUE[model].parameters
    return {"cost", "input_mp"} | ({"output_mp"} if sized else set())


@pytest.mark.parametrize(("prefix", "provider"), FORMS)
def test_every_model_can_be_asked_about_and_is_the_job_it_says(
    api: Api, client: FlaskClient, key: NewKey, prefix: str, provider: str
) -> None:
    flux = Facade(client, {"x-key": key.api_key}, prefix)
    for model, body in bodies(provider).items():
        accepted = flux.post(model, body).json
        pending = {"id": accepted["id"], "status": "Pending", **PENDING}
        assert flux.poll(accepted) == flux.result(accepted["id"]).json == pending
        job = api.get(f"/v1/jobs/{accepted['id']}").json
        assert job["model"] == model
        assert set(job["input"]) == set(body)
        assert all(job["input"][name].startswith("upl_") for name in needed(model))
