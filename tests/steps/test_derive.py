"""Derive: a thumbnail and a sidecar beside each image, and no image that stops the others."""

import io
import json
from typing import Any
from uuid import UUID

import pytest
from factories import Rewire, ago, due_now, enqueue, job, run
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from PIL import Image as Picture
from sqlalchemy import Row, select, update

from service.keys import NewKey
from service.models import images
from service.poison import MAX_DEATHS
from service.states import Status
from service.steps.derive import MAX_TRIES
from service.wiring import Wiring


def stored(wiring: Wiring, key: NewKey, prompt: str = "kept") -> UUID:
    job_id = enqueue(wiring, key, input={"prompt": prompt, "width": 800, "height": 400, "seed": 5})
    run(wiring.submit)

    def look() -> Status:
        due_now(wiring, job_id)
        run(wiring.poll)
        status: Status = job(wiring, job_id).status
        return status

    wait_until(look, Status.STORING.__eq__)
    run(wiring.store)
    return job_id


def image(wiring: Wiring, job_id: UUID) -> Row[Any]:
    with wiring.database.transaction() as tx:
        row: Row[Any] = tx.first(select(*images.c).where(images.c.job_id == job_id))
    return row


def change(wiring: Wiring, **columns: object) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(images).values(columns))


def test_a_thumbnail_and_a_sidecar_are_put_beside_the_image(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = stored(wiring, key, "a fox, naïve 🦊")
    run(wiring.derive)
    row = image(wiring, job_id)
    stem = row.key.rpartition(".")[0]
    assert (row.thumbnail_key, row.sidecar_key) == (f"{stem}.thumb.webp", f"{stem}.json")
    assert row.due_at is None
    with Picture.open(io.BytesIO(wiring.object_store.get(row.bucket, row.thumbnail_key))) as small:
        assert (small.format, small.size) == ("WEBP", (512, 256))
    sidecar = json.loads(wiring.object_store.get(row.bucket, row.sidecar_key))
    assert sidecar["input"]["prompt"] == "a fox, naïve 🦊"
    assert (sidecar["sha256"], sidecar["seed"], sidecar["project"]) == (row.sha256, 5, "default")
    assert sidecar["task_id"] == job(wiring, job_id).task_id
    assert run(wiring.derive) == []


def test_the_newest_is_drawn_first_and_by_one_worker(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    older, newer = stored(wiring, key), stored(wiring, key)
    taken = [wiring.derive.claim(1)[0].id for _ in range(2)]
    assert taken == [image(wiring, newer).id, image(wiring, older).id]
    assert wiring.derive.claim(1) == []


def test_with_s3_down_it_is_tried_again_but_not_for_ever(
    rewire: Rewire, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stored(wiring, key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    down = rewire()
    for _ in range(MAX_TRIES):
        change(wiring, due_at=ago(1))
        assert len(run(down.derive)) == 1
        assert image(wiring, job_id).thumbnail_key is None
    assert image(wiring, job_id).due_at is None
    assert job(wiring, job_id).status is Status.SUCCEEDED


def test_what_cannot_be_drawn_keeps_its_sidecar(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = stored(wiring, key)
    row = image(wiring, job_id)
    wiring.object_store.put_bytes(row.key, b"<html>", "image/jpeg")
    run(wiring.derive)
    row = image(wiring, job_id)
    assert (row.thumbnail_key, row.due_at) == (None, None)
    assert row.sidecar_key is not None


def test_an_image_that_kills_its_worker_each_time_is_not_drawn_after_three_deaths(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = stored(wiring, key)
    for _ in range(MAX_DEATHS):
        change(wiring, due_at=ago(1))
        assert len(wiring.derive.claim(1)) == 1  # and then the worker is gone
    change(wiring, due_at=ago(1))
    run(wiring.derive)
    row = image(wiring, job_id)
    assert (row.thumbnail_key, row.due_at) == (None, None)
    assert row.sidecar_key is not None
    assert job(wiring, job_id).status is Status.SUCCEEDED


def test_an_image_that_kills_its_worker_takes_no_others_with_it(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    together = {stored(wiring, key) for _ in range(3)}
    assert len(wiring.derive.claim(4)) == 3  # and then the worker is gone
    change(wiring, due_at=ago(1))
    fresh = stored(wiring, key)
    assert [one.id for one in wiring.derive.claim(4)] == [image(wiring, fresh).id]
    alone = [wiring.derive.claim(4) for _ in together]
    assert [len(claims) for claims in alone] == [1, 1, 1]
    assert {claims[0].id for claims in alone} == {image(wiring, one).id for one in together}


def test_tries_that_end_are_no_deaths(
    rewire: Rewire, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stored(wiring, key)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        down = rewire()
        for _ in range(MAX_TRIES - 1):
            change(wiring, due_at=ago(1))
            run(down.derive)
    change(wiring, due_at=ago(1))
    run(wiring.derive)
    assert image(wiring, job_id).thumbnail_key is not None


def test_a_bug_about_one_image_does_not_take_the_batch_with_it(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    good, bad = stored(wiring, key), stored(wiring, key)
    claims = {claim.id: claim for claim in wiring.derive.claim(2)}
    claims[image(wiring, bad).id].sidecar["seed"] = object()  # no JSON
    wiring.derive.record([(claim, wiring.derive.act(claim)) for claim in claims.values()])
    assert image(wiring, good).thumbnail_key is not None
    assert (image(wiring, bad).thumbnail_key, image(wiring, bad).due_at) == (None, None)
