"""Errors in CometAPI's shape."""

import re

import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from simulator.images import encoded


def error(caller: FluxCaller, model: str = "flux-2-pro", **body: object) -> tuple[int, str, str]:
    response = caller.submit(model, **body)
    assert set(response.json()) == {"error"}
    said = response.json()["error"]
    assert set(said) == {"message", "type", "param", "code"}
    assert said["type"] == "comet_api_error"
    assert re.search(r"\(request id: [0-9a-f]{32}\)$", said["message"])
    return response.status, said["code"], said["param"]


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        ("flux-9", {}, (503, "model_not_found", "")),
        ("flux-2-pro", {"width": 1}, (422, "invalid_request", "width")),
        ("flux-2-pro", {"input_image": "aGk="}, (422, "invalid_request", "input_image")),
        ("flux-2-pro", {"width": 4096, "height": 4096}, (422, "invalid_request", "")),
    ],
)
def test_a_refusal_is_in_cometapis_words(
    simulator: Simulator, model: str, body: dict[str, object], expected: tuple[int, str, str]
) -> None:
    with FluxCaller(simulator.url, comet=True) as caller:
        assert error(caller, model, **body) == expected


def test_a_wrong_key_is_401_in_cometapis_words(simulator: Simulator) -> None:
    with FluxCaller(simulator.url, key="wrong", comet=True) as stranger:
        assert error(stranger) == (401, "invalid_api_key", "")


def test_faults_keep_their_headers_and_are_in_cometapis_words(simulator: Simulator) -> None:
    simulator.set_fault("refuse", args={"status": 429, "retry_after": 3})
    with FluxCaller(simulator.url, comet=True) as caller:
        assert error(caller) == (429, "rate_limit_exceeded", "")
        assert caller.submit().headers["Retry-After"] == "3"


def test_the_ledger_tells_in_which_form_a_task_came(simulator: Simulator) -> None:
    with FluxCaller(simulator.url, comet=True) as caller:
        caller.submitted(input_image=encoded())
    assert simulator.ledger("accepted")[-1]["form"] == "cometapi"
