from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from fakes.webhook_sink import WebhookSink

_QUICK = ("--min-seconds", "0.02", "--max-seconds", "0.05", "--webhook-retry-seconds", "0.1,0.2")


@pytest.fixture(scope="package")
def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    ledger = tmp_path_factory.mktemp("simulator") / "ledger.jsonl"
    with Simulator.start(ledger, *_QUICK) as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Iterator[Simulator]:
    """One process for all tests of this folder; each finds it idle, without faults, as started."""
    before = shared_simulator.state()["settings"]
    yield shared_simulator
    shared_simulator.clear_faults()
    shared_simulator.change(**before)
    wait_until(shared_simulator.state, lambda state: state["active"] == 0)


@pytest.fixture
def caller(simulator: Simulator) -> Iterator[FluxCaller]:
    caller = FluxCaller(simulator.url)
    yield caller
    caller.close()


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"
