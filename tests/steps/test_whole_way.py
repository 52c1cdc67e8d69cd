"""The steps one after the other, on real servers, without the broker."""

from factories import enqueue, events, job, run
from fakes.ringing import Ringing
from fakes.simulator import Simulator
from fakes.waiting import wait_until

from service.keys import NewKey
from service.messages import Message
from service.states import Status
from service.wiring import Wiring


def test_a_polled_job_ends_with_its_image_in_the_bucket(
    wiring: Wiring, key: NewKey, simulator: Simulator, ringing: Ringing
) -> None:
    simulator.set_fault("lose")
    job_id = enqueue(wiring, key)
    run(wiring.submit)
    assert job(wiring, job_id).status is Status.GENERATING
    wait_until(lambda: (run(wiring.poll), job(wiring, job_id).status)[1], Status.STORING.__eq__)
    run(wiring.store)
    done = job(wiring, job_id)
    assert done.status is Status.SUCCEEDED
    assert events(wiring, job_id) == [
        "job.queued",
        "job.submitting",
        "job.generating",
        "job.storing",
        "job.succeeded",
    ]
    assert Message.DERIVE in ringing.rung
    run(wiring.derive)
    _, images = wiring.browse.job(done.project_id, job_id)
    assert images[0].thumbnail_key.endswith(".thumb.webp")
