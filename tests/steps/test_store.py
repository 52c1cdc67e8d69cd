"""The image's bytes are safe in S3 before their URL dies, whatever fails on the way."""

import base64
import hashlib
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
from botocore.config import Config
from factories import (
    ago,
    deliveries,
    due_now,
    enqueue,
    job,
    put,
    run,
    storing,
    try_to_store,
)
from fakes.ringing import Ringing
from fakes.scripted_peer import ScriptedPeer, answer, ok
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from sqlalchemy import Row

from service.keys import NewKey
from service.messages import Message
from service.states import ErrorCode, Status
from service.steps.store.bring import Again, Lost, Stored
from service.wiring import Wiring

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GONE = answer(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def read_back(wiring: Wiring, key: str) -> tuple[bytes, str]:
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    answer = client.get_object(Bucket=wiring.settings.s3_bucket, Key=key)
    return answer["Body"].read(), answer["ContentType"]


def image_of(wiring: Wiring, job_id: UUID) -> Row[Any]:
    _, (image,) = wiring.browse.job(job(wiring, job_id).project_id, job_id)
    return image


def spool(wiring: Wiring) -> list[str]:
    return sorted(path.suffix for path in Path(wiring.settings.spool_dir, "results").glob("*.*"))


def test_the_row_the_bytes_in_s3_and_what_upstream_made_have_one_sha256(
    wiring: Wiring, key: NewKey, simulator: Simulator, ringing: Ringing
) -> None:
    for output_format, content_type, extension in (
        ("jpeg", "image/jpeg", "jpg"), ("png", "image/png", "png"), ("webp", "image/webp", "webp")
    ):  # fmt: skip
        wanted = {"prompt": "kept", "width": 300, "height": 200, "output_format": output_format}
        job_id = enqueue(wiring, key, input=wanted)
        run(wiring.submit)
        wait_until(partial(polled, wiring, job_id), Status.STORING.__eq__)
        run(wiring.store)
        row = job(wiring, job_id)
        assert row.status is Status.SUCCEEDED
        image = image_of(wiring, job_id)
        body, said = read_back(wiring, image.key)
        ready = [one for one in simulator.ledger("ready") if one["task_id"] == row.task_id]
        assert hashlib.sha256(body).hexdigest() == image.sha256 == ready[0]["sha256"]
        assert (len(body), image.width, image.height) == (image.bytes, 300, 200)
        assert said == image.content_type == content_type
        day = row.created_at.astimezone(UTC).strftime("%Y/%m/%d")
        place = f"{wiring.settings.s3_prefix}default/{day}/job_{job_id.hex}.{extension}"
        assert image.key == place
        assert spool(wiring) == []
    assert Message.DERIVE in ringing.rung


def polled(wiring: Wiring, job_id: UUID) -> Status:
    due_now(wiring, job_id)
    run(wiring.poll)
    status: Status = job(wiring, job_id).status
    return status


def test_the_url_that_dies_first_is_brought_first(wiring: Wiring, key: NewKey) -> None:
    now = datetime.now(UTC)
    lives = {
        storing(wiring, key, "http://127.0.0.1:9/", result_expires_at=now + timedelta(seconds=s)): s
        for s in (300, 20, 600, 100)
    }
    claimed = [wiring.store.claim(1)[0].job_id for _ in lives]
    assert [lives[job_id] for job_id in claimed] == [20, 100, 300, 600]
    assert wiring.store.claim(5) == []


def test_with_s3_down_the_bytes_outlive_their_url(
    wiring: Wiring, without_s3: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        try_to_store(without_s3, job_id, times=2)
        assert len(peer.requests) == 1
    assert spool(wiring) == [".result"]
    assert job(wiring, job_id).status is Status.STORING
    assert deliveries(wiring, job_id) == []

    put(wiring, job_id, result_expires_at=ago(3600))
    try_to_store(without_s3, job_id)
    assert job(wiring, job_id).status is Status.STORING
    try_to_store(wiring, job_id)
    assert job(wiring, job_id).status is Status.SUCCEEDED
    assert read_back(wiring, image_of(wiring, job_id).key)[0] == PNG
    assert spool(wiring) == []


def test_with_s3_down_it_is_tried_now_and_then_not_all_the_time(
    wiring: Wiring, without_s3: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        put(wiring, job_id, tries=8)
        run(without_s3.store)
    assert 1 < job(wiring, job_id).due_at.timestamp() - time.time() <= 2


def test_as_long_as_the_url_lives_a_try_comes_before_its_death(wiring: Wiring, key: NewKey) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png")
    put(wiring, job_id, tries=8, result_expires_at=ago(-4))
    run(wiring.store)
    assert 2 < job(wiring, job_id).due_at.timestamp() - time.time() <= 3
    put(wiring, job_id, due_at=ago(1), result_expires_at=ago(-0.5))
    run(wiring.store)
    assert 0 < job(wiring, job_id).due_at.timestamp() - time.time() <= 0.25


def test_recording_twice_or_too_late_changes_nothing(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        (claim,) = wiring.store.claim(1)
        outcome = wiring.store.act(claim)
    assert isinstance(outcome, Stored)
    wiring.store.record([(claim, outcome)])
    before = job(wiring, job_id)
    for late in (outcome, Lost("gone"), Again("busy"), Again("no image", ErrorCode.RESULT_INVALID)):
        wiring.store.record([(claim, late)])
    assert job(wiring, job_id) == before
    assert [one.type for one in deliveries(wiring, job_id)] == ["job.succeeded"]


def test_a_seed_of_any_size_is_kept(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(answer(ok(PNG))) as peer:
        for seed, kept in ((2**63, 2**63), (10**39, None), ("7", None), (True, None), (1.5, None)):
            job_id = storing(wiring, key, f"{peer.url}/1.png", result={"seed": seed})
            run(wiring.store)
            assert image_of(wiring, job_id).seed == kept
