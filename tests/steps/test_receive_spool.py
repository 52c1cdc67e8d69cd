"""A webhook that we cannot take in for a reason of our own is kept all the same."""

from factories import ACCEPTED, Rewire, enqueue, hear, job, webhook
from sqlalchemy import text

from service.keys import NewKey
from service.states import Status
from service.wiring import Wiring


def test_a_webhook_that_crashes_us_is_durable_and_replayed_once_we_are_mended(
    wiring: Wiring, rewire: Rewire, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    with wiring.database.transaction() as tx:
        tx.execute(text("ALTER TABLE job_events RENAME TO elsewhere"))
    hear(wiring, webhook(wiring, job_id))
    assert wiring.receive.replay() == 0
    with wiring.database.transaction() as tx:
        tx.execute(text("ALTER TABLE elsewhere RENAME TO job_events"))
    assert job(wiring, job_id).status is Status.GENERATING
    assert wiring.receive.replay() == 0  # not at once: it would crash us many times a second
    restarted = rewire()
    assert restarted.receive.replay() == 1
    assert job(wiring, job_id).status is Status.STORING
    assert restarted.receive.replay() == 0
