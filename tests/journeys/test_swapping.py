"""Another provider is another environment and nothing else."""

import pytest
from fakes.simulator import Simulator
from journeys.services import StartService


@pytest.mark.parametrize(
    ("provider", "path", "form"),
    [
        ("cometapi", "/flux/v1", "cometapi"),
        ("bfl", "/v1", "bfl"),
        ("simulator", "/v1", "bfl"),
    ],
)
def test_a_job_goes_its_whole_way_with_any_provider(
    start_service: StartService, simulator: Simulator, provider: str, path: str, form: str
) -> None:
    before = len(simulator.ledger("accepted"))
    swapped = {"FLUX_PROVIDER": provider, "FLUX_API_URL": f"{simulator.url}{path}"}
    with start_service("web", "worker", "beat", **swapped) as service:
        job = service.ended(service.enqueue())
    assert job["status"] == "succeeded"
    assert job["images"][0]["bytes"] > 0
    (paid,) = simulator.ledger("accepted")[before:]
    assert (paid["form"], paid["task_id"]) == (form, job["upstream"]["task_id"])
