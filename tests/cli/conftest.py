"""One real web process for all of these tests, a project of its own for each."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from cli.command_line import CommandLine
from conftest import QUICK, named, new_database
from fakes.simulator import Simulator
from journeys.running_service import RunningService, running_service

from service.keys import NewKey
from service.wiring import Wiring


@pytest.fixture(scope="session")
def web(
    servers: Mapping[str, str],
    shared_simulator: Simulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    place = tmp_path_factory.mktemp("cli")
    with new_database(servers["DATABASE_URL"]) as database:
        environment = {
            **servers,
            **QUICK,
            "DATABASE_URL": named(servers["DATABASE_URL"], database),
            "S3_PREFIX": f"{place.name}-{uuid4().hex[:8]}/",
            "SECRET_KEY": "a-key-for-tests-long-enough-to-be-one",
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": f"{shared_simulator.url}/v1",
            "FLUX_API_KEY": "simulator-key",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "DARKROOM_HOME": str(place),
        }
        with running_service(environment, place, "web") as service:
            yield service


@pytest.fixture
def environment(web: RunningService, simulator: Simulator) -> dict[str, str]:
    """The web process's variables, so that the steps of a test do its work."""
    return web.environment


@pytest.fixture
def key(wiring: Wiring) -> NewKey:
    """A key of a project that no other test has."""
    return wiring.keys.create(f"test-{uuid4().hex}")


@pytest.fixture
def darkroom(web: RunningService, key: NewKey, tmp_path: Path) -> CommandLine:
    """The command line of a caller, who has an address and a key and nothing else."""
    known = {"DARKROOM_URL": web.url, "DARKROOM_API_KEY": key.api_key}
    return CommandLine({**known, "DARKROOM_HOME": str(tmp_path)}, key.api_key)


@pytest.fixture
def operator(environment: dict[str, str]) -> CommandLine:
    """The command line beside the service, with all of its variables."""
    return CommandLine(environment, environment["SECRET_KEY"])
