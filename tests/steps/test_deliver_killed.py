"""What a worker that was killed has delivered is not delivered again, as far as it could say so."""

from pathlib import Path

from factories import deliveries
from fakes.webhook_sink import WebhookSink
from killed import be_killed_at
from steps.owing import deliver, owed, tries

from service.keys import NewKey
from service.models import DeliveryStatus
from service.wiring import Wiring


def test_whom_a_killed_worker_has_told_nobody_tells_again(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink() as sink:
        job_id = owed(wiring, key, sink.url)
        be_killed_at("deliver.before_record_commit", wiring.settings)
        assert deliveries(wiring, job_id)[0].status is DeliveryStatus.PENDING
        row = deliver(wiring, job_id)
        assert len(sink.calls) == 1
    assert (row.status, row.tries) == (DeliveryStatus.DELIVERED, 1)
    assert [one.http_status for one in tries(wiring)] == [200]


def test_whom_a_worker_told_that_was_killed_before_it_kept_that_hears_the_same_id_again(
    wiring: Wiring, key: NewKey
) -> None:
    with WebhookSink() as sink:
        job_id = owed(wiring, key, sink.url)
        be_killed_at("deliver.after_send", wiring.settings)
        row = deliver(wiring, job_id)
        assert len(sink.calls) == 2
    assert len({call.headers["webhook-id"] for call in sink.calls}) == 1
    assert (row.status, row.tries) == (DeliveryStatus.DELIVERED, 1)


def test_what_is_asked_for_again_is_sent_whatever_a_killed_worker_had_noted_and_not_cleared_away(
    wiring: Wiring, key: NewKey
) -> None:
    with WebhookSink() as sink:
        job_id = owed(wiring, key, sink.url)
        be_killed_at("deliver.after_record", wiring.settings)
        (row,) = deliveries(wiring, job_id)
        assert row.status is DeliveryStatus.DELIVERED
        wiring.redeliver.one(row.project_id, row.id)
        row = deliver(wiring, job_id)
        assert len(sink.calls) == 2
    assert (row.status, row.tries) == (DeliveryStatus.DELIVERED, 2)


def test_whom_a_killed_worker_has_not_reached_is_told_by_the_next(
    wiring: Wiring, key: NewKey
) -> None:
    with WebhookSink() as sink:
        job_id = owed(wiring, key, sink.url)
        be_killed_at("deliver.after_claim", wiring.settings)
        assert len(sink.calls) == 0
        row = deliver(wiring, job_id)
        assert len(sink.calls) == 1
    assert row.status is DeliveryStatus.DELIVERED


def test_what_is_noted_leaves_nothing_on_the_disk(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink() as sink:
        deliver(wiring, owed(wiring, key, sink.url))
    left = {path.name for path in Path(wiring.settings.spool_dir, "told").glob("*/[!.]*")}
    assert left == {"lock"}


def test_a_damaged_note_of_a_killed_worker_holds_up_nobody(wiring: Wiring, key: NewKey) -> None:
    with WebhookSink() as sink:
        job_id = owed(wiring, key, sink.url)
        be_killed_at("deliver.before_record_commit", wiring.settings)
        (note,) = Path(wiring.settings.spool_dir, "told").glob("*/*.1")
        note.write_bytes(note.read_bytes().replace(b" 1 ", b" 99999999999 "))
        row = deliver(wiring, job_id)
        assert len(sink.calls) == 2
    assert row.status is DeliveryStatus.DELIVERED
