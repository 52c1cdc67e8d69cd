"""Whole services of the tests' own, over the servers of the run."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from uuid import uuid4

import pytest
from conftest import QUICK, named, new_database
from fakes.simulator import Simulator
from journeys.running_service import RunningService, running_service

EVERYTHING = ("web", "worker", "images", "beat")

StartService = Callable[..., contextlib.AbstractContextManager[RunningService]]


@pytest.fixture(scope="session")
def start_service(
    servers: Mapping[str, str],
    shared_simulator: Simulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> StartService:
    """Start a service with a database of its own; keyword arguments are further variables."""

    @contextlib.contextmanager
    def start(*names: str, **more: str) -> Iterator[RunningService]:
        place = tmp_path_factory.mktemp("service")
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
                **more,
            }
            with running_service(environment, place, *(names or EVERYTHING)) as service:
                yield service

    return start
