"""`darkroom reindex` on a database that was lost, and on one that was restored from a backup."""

from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import Any

import pytest
from cli.command_line import CommandLine
from cli.working import finish, job_name, stored_images
from conftest import Api
from factories import enqueue, events, job, project_id, run, upload
from fakes.pictures import drawn
from sqlalchemy import delete, func, select, text, update

from service.documents import Document
from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import JobEvent, images, jobs
from service.states import Status
from service.wiring import Wiring

MOMENTARY = {"url", "url_expires_at"}


@pytest.fixture
def operator(environment: dict[str, str], key: NewKey) -> CommandLine:
    """The command line beside the service, with all of its variables."""
    return CommandLine(environment, key.api_key)


def lose_everything(wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(text("TRUNCATE projects, jobs CASCADE"))


def lose_image_rows(wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(delete(images))


def reindexed(wiring: Wiring) -> list[str]:
    return [found.outcome for found in wiring.reindex.run(4)]


def lasting(document: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document without the URLs that are signed anew each time."""
    if isinstance(document, dict):
        return {name: lasting(v) for name, v in document.items() if name not in MOMENTARY}
    return [lasting(one) for one in document] if isinstance(document, list) else document


def all_documents(api: Api) -> list[Document]:
    found = [api.get("/v1/images").json, api.get("/v1/jobs").json]
    timelines = [api.get(f"/v1/jobs/{job['id']}/events").json for job in found[1]["data"]]
    documents: list[Document] = lasting(found + timelines)
    return documents


def test_lost_jobs_and_images_come_back_as_they_were(
    operator: CommandLine, api: Api, wiring: Wiring, key: NewKey
) -> None:
    rich = enqueue(
        wiring,
        key,
        metadata={"order": "17"},
        priority="high",
        callback_url="http://127.0.0.1:9/hook",
        callback_events=["job.failed"],
        idempotency_key="once",
    )
    finish(wiring, rich, enqueue(wiring, key))
    before = all_documents(api)
    lose_everything(wiring)
    assert api.get("/v1/images").status_code == 401

    done = operator("reindex", "--json")
    assert (done.code, done.json) == (0, {"present": 0, "added": 2, "unreadable": []})
    again = Api(api.client, wiring.keys.create(key.project).api_key)
    assert all_documents(again) == before
    assert again.get(f"{before[0]['data'][0]['urls']['thumbnail']}").status_code == 200

    assert operator("reindex").out == "2 were there, 0 added, 0 unreadable\n"
    assert all_documents(again) == before


def test_a_request_repeated_after_the_loss_finds_its_job_and_is_not_paid_again(
    wiring: Wiring, key: NewKey
) -> None:
    same = {"sha256": b"\1" * 32, "idempotency_key": "once"}
    first = enqueue(wiring, key, **same)
    finish(wiring, first)
    lose_everything(wiring)
    assert reindexed(wiring) == ["added"]
    assert enqueue(wiring, wiring.keys.create(key.project), **same) == first


def test_a_key_that_a_second_job_has_taken_meanwhile_stays_with_it(
    wiring: Wiring, key: NewKey
) -> None:
    first = enqueue(wiring, key, idempotency_key="once")
    finish(wiring, first)
    lose_everything(wiring)
    second = enqueue(wiring, wiring.keys.create(key.project), idempotency_key="once")
    assert reindexed(wiring) == ["added"]
    assert job(wiring, first).idempotency_key is None
    assert job(wiring, second).idempotency_key == "once"


def test_a_job_that_the_backup_holds_as_queued_is_ended_and_not_paid_again(
    wiring: Wiring, key: NewKey
) -> None:
    (job_id,) = stored_images(wiring, key, 1)
    original = job(wiring, job_id)
    lose_image_rows(wiring)
    with wiring.database.transaction() as tx:
        tx.execute(delete(JobEvent).where(JobEvent.seq > 1))
        older = {"status": Status.QUEUED, "due_at": func.now(), "event_seq": 1, "task_id": None}
        tx.execute(update(jobs).values(older | {"attempt_count": 0, "cost_actual": None}))

    assert reindexed(wiring) == ["added"]
    restored = job(wiring, job_id)
    assert restored.status is Status.SUCCEEDED
    assert (restored.task_id, restored.cost_actual) == (original.task_id, original.cost_actual)
    assert events(wiring, job_id) == ["job.queued", "job.succeeded"]
    assert restored.event_seq == 2
    assert run(wiring.submit) == []


def test_a_lost_image_row_of_a_succeeded_job_comes_back_alone(wiring: Wiring, key: NewKey) -> None:
    (job_id,) = stored_images(wiring, key, 1)
    before = job(wiring, job_id)
    with wiring.database.transaction() as tx:
        (image,) = tx.rows(select(*images.c))
    lose_image_rows(wiring)
    assert reindexed(wiring) == ["added"]
    assert job(wiring, job_id) == before
    restored = wiring.browse.image(project_id(wiring, key), image.id)
    assert restored.thumbnail_key == image.thumbnail_key
    assert restored.due_at is None


def test_what_does_not_tell_its_job_is_named_and_the_others_come_back(
    operator: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    job_ids = stored_images(wiring, key, 4)
    store = wiring.object_store
    with wiring.database.transaction() as tx:
        rows = {row.job_id: row for row in tx.rows(select(*images.c))}
    garbled, bare, shortened, _ = (rows[job_id] for job_id in job_ids)
    store.put_bytes(garbled.sidecar_key, b'{"format": "darkroom.sidecar.v0"', "application/json")
    store.delete(store.bucket, bare.sidecar_key)
    store.put_bytes(shortened.key, b"short", "image/png")
    lose_everything(wiring)

    done = operator("reindex", "--json")
    assert done.code == 1
    assert (done.json["present"], done.json["added"]) == (0, 1)
    reasons = {one["key"].rpartition("/")[2]: one["reason"] for one in done.json["unreadable"]}
    assert reasons == {
        job_name(garbled.job_id): "not a sidecar of ours: json_invalid",
        job_name(bare.job_id): "there is no sidecar",
        job_name(shortened.job_id): "the image is missing or has another size",
    }


def test_a_sidecar_beside_another_job_is_not_believed(wiring: Wiring, key: NewKey) -> None:
    stored_images(wiring, key, 1)
    with wiring.database.transaction() as tx:
        (image,) = tx.rows(select(*images.c))
    folder = image.key.rpartition("/")[0]
    foreign = f"{folder}/{public_id(Kind.JOB, image.id)}"
    store = wiring.object_store
    store.put_bytes(f"{foreign}.json", store.get(store.bucket, image.sidecar_key), "text/plain")
    known, unknown = sorted(wiring.reindex.run(1), key=attrgetter("outcome"))
    assert known.outcome == "present"
    assert (unknown.key, unknown.reason) == (foreign, "the sidecar tells of another job")


def test_an_image_without_thumbnail_is_given_to_derive(wiring: Wiring, key: NewKey) -> None:
    stored_images(wiring, key, 1)
    with wiring.database.transaction() as tx:
        (image,) = tx.rows(select(*images.c))
    store = wiring.object_store
    store.delete(store.bucket, image.thumbnail_key)
    lose_everything(wiring)
    assert reindexed(wiring) == ["added"]
    run(wiring.derive)
    with wiring.database.transaction() as tx:
        (restored,) = tx.rows(select(*images.c))
    assert (restored.id, restored.thumbnail_key) == (image.id, image.thumbnail_key)


def test_uploads_beside_the_images_are_passed_over(wiring: Wiring, key: NewKey) -> None:
    stored_images(wiring, key, 1)
    upload(wiring, key, drawn("PNG"))
    keys = [listed for listed, _ in wiring.object_store.listing(wiring.settings.s3_prefix)]
    assert any("/uploads/" in listed for listed in keys)
    assert reindexed(wiring) == ["present"]
    lose_everything(wiring)
    assert reindexed(wiring) == ["added"]


def test_the_whole_listing_is_read_page_by_page(wiring: Wiring) -> None:
    there = [(f"{wiring.settings.s3_prefix}{number:04}", number % 3) for number in range(1002)]
    with ThreadPoolExecutor(16) as threads:
        for written in [
            threads.submit(wiring.object_store.put_bytes, key, b"x" * size, "text/plain")
            for key, size in there
        ]:
            written.result()
    assert list(wiring.object_store.listing(wiring.settings.s3_prefix)) == there


def test_an_s3_that_does_not_answer_is_told_in_one_line(operator: CommandLine) -> None:
    done = operator.having(AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")("reindex")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: S3 list: EndpointConnectionError\n"
