"""A job that went its whole way, by the product's own steps and the simulator."""

from typing import Any
from uuid import UUID

from factories import due_now, enqueue, job, run
from fakes.simulator import Simulator
from fakes.waiting import wait_until

from service.keys import NewKey
from service.states import Status
from service.wiring import Wiring


def succeeded(wiring: Wiring, key: NewKey, simulator: Simulator, **overrides: Any) -> UUID:  # noqa: ANN401 - of JobRequest
    """Enqueue a job and take it to its end; return its id."""
    simulator.set_fault("lose")
    job_id = enqueue(wiring, key, **overrides)
    run(wiring.submit)

    def polled() -> Status:
        due_now(wiring, job_id)
        run(wiring.poll)
        status: Status = job(wiring, job_id).status
        return status

    wait_until(polled, Status.STORING.__eq__)
    run(wiring.store)
    assert job(wiring, job_id).status is Status.SUCCEEDED
    return job_id
