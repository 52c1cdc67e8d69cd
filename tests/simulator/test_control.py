import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"max_activ": 3}, "max_activ"),
        ({"max_active": "many"}, "max_active"),
        ({"proofs": "none"}, "proofs"),
        ({"min_seconds": 9}, "min_seconds"),
        ({"webhook_retry_seconds": [1, -1]}, "webhook_retry_seconds"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_changes_nothing(
    simulator: Simulator, settings: dict[str, object], named: str
) -> None:
    before = simulator.state()["settings"]
    with pytest.raises(ValueError, match=named):
        simulator.change(api_key="other", **settings)
    assert simulator.state()["settings"] == before


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "no_such_fault"},
        {},
        {"fault": ["refuse"]},
        {"fault": "refuse", "args": {"statis": 500}},
        {"fault": "refuse", "args": {"status": "500"}},
        {"fault": "refuse", "args": []},
        {"fault": "refuse", "match": {"text": "fox"}},
        {"fault": "refuse", "times": 0},
        {"fault": "refuse", "probability": 2},
        {"fault": "refuse", "time": 1},
        {"fault": "moderate", "args": {"what": "nothing"}},
        {"fault": "settings", "args": {"max_activ": 1}},
    ],
)
def test_a_wrong_rule_is_refused(simulator: Simulator, rule: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"faults: .*refuse"):
        simulator.control("POST", "faults", rule)
    assert simulator.state()["faults"] == []


def test_a_rule_fires_so_often_for_whom_it_matches(
    simulator: Simulator, caller: FluxCaller
) -> None:
    match = {"prompt_contains": "fox", "model": "flux-2-max"}
    simulator.set_fault("refuse", match=match, times=2, args={"status": 503})
    assert caller.submit("flux-2-max", prompt="a hen").status == 200
    assert caller.submit("flux-2-pro").status == 200
    assert [caller.submit("flux-2-max").status for _ in range(3)] == [503, 503, 200]


def test_rules_for_one_fault_take_turns(simulator: Simulator, caller: FluxCaller) -> None:
    for status in (402, 429):
        simulator.set_fault("refuse", times=1, args={"status": status})
    assert [caller.submit().status for _ in range(3)] == [402, 429, 200]


def test_a_rule_of_some_probability_fires_sometimes(
    simulator: Simulator, caller: FluxCaller
) -> None:
    simulator.set_fault("refuse", probability=0.5)
    statuses = [caller.submit(width=64, height=64).status for _ in range(60)]
    assert set(statuses) >= {200, 500}


def test_faults_are_over_once_they_are_cleared(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.set_fault("refuse")
    assert caller.submit().status == 500
    simulator.clear_faults()
    assert caller.submit().status == 200


def test_settings_can_hold_for_one_request(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.set_fault("settings", match={"prompt_contains": "big"}, args={"image_bytes": 500_000})
    assert len(caller.download(caller.submitted(prompt="a big fox")).data) >= 500_000
    assert len(caller.download(caller.submitted()).data) < 500_000
