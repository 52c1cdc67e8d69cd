from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator


@pytest.mark.parametrize(
    ("comet", "path"), [(False, "/v1/get_result"), (True, "/flux/v1/get_result")]
)
def test_each_form_is_answered_with_a_polling_url_of_its_own(
    simulator: Simulator, *, comet: bool, path: str
) -> None:
    with FluxCaller(simulator.url, comet=comet) as caller:
        answer = caller.submit(width=256, height=256).json()
    assert answer["polling_url"] == f"{simulator.url}{path}?id={answer['id']}"
    assert (answer["cost"], answer["input_mp"], answer["output_mp"]) == (3.0, 0.0, 0.06)


def test_a_wrong_key_is_403(simulator: Simulator) -> None:
    before = simulator.state()["counts"]
    with FluxCaller(simulator.url, key="wrong") as stranger:
        response = stranger.submit()
    assert response.status == 403
    assert response.json() == {"detail": "Not authenticated - Invalid Authentication"}
    assert simulator.state()["counts"] == before


def test_the_other_forms_header_does_not_let_in(caller: FluxCaller) -> None:
    headers = {"x-key": caller.key, "Authorization": caller.key}
    url = f"{caller.url}/flux/v1/flux-2-pro"
    assert caller.http.request("POST", url, body="{}", headers=headers).status == 401
    headers = {"Authorization": f"Bearer {caller.key}"}
    url = f"{caller.url}/v1/flux-2-pro"
    assert caller.http.request("POST", url, body="{}", headers=headers).status == 403


@pytest.mark.parametrize("model", ["flux-9", "flux-tools/none"])
def test_an_unknown_model_is_404(caller: FluxCaller, model: str) -> None:
    response = caller.submit(model)
    assert (response.status, response.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("body", ["", "[", "[" * 5000, "[]", '{"prompt": NaN}', "\xff"])
def test_a_body_that_is_no_json_object_is_422(caller: FluxCaller, body: str) -> None:
    url, headers = f"{caller.url}/v1/flux-2-pro", {"x-key": caller.key}
    response = caller.http.request("POST", url, body=body.encode("latin-1"), headers=headers)
    assert response.status == 422


def test_credits_fall_by_the_cost(caller: FluxCaller) -> None:
    def balance() -> float:
        url, headers = f"{caller.url}/v1/credits", {"x-key": caller.key}
        credits_left: float = caller.http.request("GET", url, headers=headers).json()["credits"]
        return credits_left

    before = balance()
    caller.submitted("flux-2-max")
    assert balance() == before - 7


def test_with_a_webhook_the_answer_has_no_polling_url_unless_set(
    simulator: Simulator, caller: FluxCaller
) -> None:
    hook = "http://127.0.0.1:9/hook"
    answer = caller.submit(webhook_url=hook).json()
    assert (answer["webhook_url"], answer["cost"]) == (hook, 3.0)
    assert "status" in answer
    assert "polling_url" not in answer
    simulator.change(webhook_answer="with-polling-url")
    assert "polling_url" in caller.submit(webhook_url=hook).json()


def test_more_tasks_than_slots_are_429_until_one_ends(
    simulator: Simulator, caller: FluxCaller
) -> None:
    simulator.change(max_active=1, min_seconds=0.5, max_seconds=0.5, retry_after_seconds=7)
    first = caller.submitted()
    refused = caller.submit()
    assert (refused.status, refused.headers["Retry-After"]) == (429, "7")
    assert isinstance(refused.json()["detail"], str)
    caller.finished(first)
    caller.submitted()


def test_kontext_max_has_slots_of_its_own(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.change(min_seconds=2, max_seconds=2, max_drawn_pixels=64)
    statuses = [caller.submit("flux-kontext-max").status for _ in range(8)]
    assert statuses == [200] * 6 + [429] * 2
    assert caller.submit("flux-kontext-pro").status == 200
    assert simulator.state()["max_active_seen_by_model"]["flux-kontext-max"] == 6


def test_the_state_tells_which_requests_came_with_a_key(simulator: Simulator) -> None:
    before = simulator.state()["keys_seen"]
    with FluxCaller(simulator.url) as caller:
        url = caller.finished(caller.submitted())["result"]["sample"]
        polled = simulator.state()["keys_seen"]["result"]
        assert polled > before["result"]
        caller.http.request("GET", url)
        caller.http.request("GET", f"{caller.url}/v1/get_result?id=none")
        seen = simulator.state()["keys_seen"]
        assert seen == {**before, "submit": before["submit"] + 1, "result": polled}
        caller.http.request("GET", url, headers=caller.headers)
    assert simulator.state()["keys_seen"]["download"] == before["download"] + 1


def test_a_cost_may_be_off_by_a_binary_hair_but_not_in_the_ledger(
    simulator: Simulator, caller: FluxCaller
) -> None:
    simulator.change(cost_noise=True)
    assert caller.submit("flux-2-max").json()["cost"] == 7.000000000000001
    assert simulator.ledger("accepted")[-1]["cost"] == 7.0


def test_never_more_tasks_are_active_than_there_are_slots(ledger_path: Path) -> None:
    with Simulator.start(ledger_path, "--max-active", "5", "--max-seconds", "0.3") as simulator:
        with FluxCaller(simulator.url) as caller, ThreadPoolExecutor(30) as threads:
            statuses = list(threads.map(lambda _: caller.submit().status, range(60)))
        state, accepted = simulator.state(), simulator.ledger("accepted")
    assert statuses.count(200) == len(accepted) < 60
    assert state["max_active_seen"] == max(line["active"] for line in accepted) == 5
    assert state["submissions"] == {"received": 60, "refused": {"429": 60 - len(accepted)}}
