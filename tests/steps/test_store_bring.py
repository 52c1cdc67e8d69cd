"""From Flux's URL to S3: what is fetched again, what is refused, and when it is lost."""

import base64
import hashlib
import socket
from pathlib import Path

import pytest
from factories import (
    Rewire,
    ago,
    deliveries,
    job,
    put,
    run,
    storing,
    try_to_store,
)
from fakes.scripted_peer import Script, ScriptedPeer, answer, ok

from service.keys import NewKey
from service.states import ErrorCode, Status
from service.steps.store.bring import Kept
from service.steps.store.due import HOPELESS_AFTER_SECONDS
from service.steps.store.lane import MAX_TRIES
from service.wiring import Wiring

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GONE = answer(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def spool(wiring: Wiring) -> list[str]:
    return sorted(path.suffix for path in Path(wiring.settings.spool_dir, "results").glob("*.*"))


def test_a_dead_url_is_asked_about_once_more_and_the_fresh_one_is_used(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(GONE) as dead, ScriptedPeer(answer(ok(PNG))) as alive:
        said = b'{"status": "Ready", "result": {"sample": "%b/new.png"}}' % alive.url.encode()
        with ScriptedPeer(answer(ok(said))) as flux:
            asking = rewire(flux_api_url=[flux.url])
            job_id = storing(wiring, key, f"{dead.url}/1.png")
            run(asking.store)
            assert job(wiring, job_id).status is Status.SUCCEEDED
            assert (len(dead.requests), len(flux.requests), len(alive.requests)) == (1, 1, 1)

            unreachable = storing(wiring, key, "http://127.0.0.1:9/1.png", result_expires_at=ago(1))
            run(asking.store)
            assert job(wiring, unreachable).status is Status.SUCCEEDED


def test_a_dead_url_without_a_fresh_one_is_result_expired(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    for said in (b'{"status": "Pending"}', b'{"status": "Task not found"}', None):
        with ScriptedPeer(GONE) as dead:
            same = b'{"status": "Ready", "result": {"sample": "%b/1.png"}}' % dead.url.encode()
            with ScriptedPeer(answer(ok(same if said is None else said))) as flux:
                job_id = storing(wiring, key, f"{dead.url}/1.png", result_expires_at=ago(1))
                run(rewire(flux_api_url=[flux.url]).store)
            assert len(dead.requests) == len(flux.requests) == 1
        row = job(wiring, job_id)
        assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.RESULT_EXPIRED)
        assert len(deliveries(wiring, job_id)) == 1


def test_a_dead_url_is_not_lost_while_flux_cannot_be_asked_for_another(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(GONE) as dead, ScriptedPeer(answer(b"")) as flux:
        silent = rewire(flux_api_url=[flux.url])
        job_id = storing(wiring, key, f"{dead.url}/1.png", result_expires_at=ago(1))
        try_to_store(silent, job_id, times=MAX_TRIES + 1)
        assert job(wiring, job_id).status is Status.STORING
        assert len(flux.requests) == MAX_TRIES + 1
        put(wiring, job_id, result_expires_at=ago(HOPELESS_AFTER_SECONDS + 1))
        try_to_store(silent, job_id)
    row = job(wiring, job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.RESULT_EXPIRED)


def test_a_404_before_its_time_is_not_final_while_flux_cannot_be_asked(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(GONE) as early, ScriptedPeer(answer(b"")) as flux:
        job_id = storing(wiring, key, f"{early.url}/1.png")
        try_to_store(rewire(flux_api_url=[flux.url]), job_id, times=MAX_TRIES + 1)
    assert job(wiring, job_id).status is Status.STORING


def test_a_404_before_its_time_may_go_away_for_some_tries(wiring: Wiring, key: NewKey) -> None:
    with ScriptedPeer(GONE) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        try_to_store(wiring, job_id, times=MAX_TRIES - 1)
        assert job(wiring, job_id).status is Status.STORING
        try_to_store(wiring, job_id)
    row = job(wiring, job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.RESULT_EXPIRED)


def test_a_part_of_a_broken_download_is_never_stored(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + PNG
    with ScriptedPeer(answer(broken)) as dead, ScriptedPeer(answer(ok(PNG))) as alive:
        said = b'{"status": "Ready", "result": {"sample": "%b/new.png"}}' % alive.url.encode()
        with ScriptedPeer(answer(ok(said))) as flux:
            job_id = storing(wiring, key, f"{dead.url}/1.png", result_expires_at=ago(1))
            run(rewire(flux_api_url=[flux.url]).store)
    row = job(wiring, job_id)
    assert row.status is Status.SUCCEEDED
    _, (image,) = wiring.browse.job(row.project_id, job_id)
    assert (image.bytes, image.sha256) == (len(PNG), hashlib.sha256(PNG).hexdigest())


def test_a_url_into_the_operators_network_is_not_opened(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(answer(ok(PNG))) as inside:
        job_id = storing(wiring, key, f"{inside.url}/1.png")
        guarded = rewire(egress_allowed_networks=[])
        run(guarded.store)
        # the setting may be mended while the URL lives
        assert job(wiring, job_id).status is Status.STORING
        put(wiring, job_id, result_expires_at=ago(1), due_at=ago(1))
        run(guarded.store)
    assert inside.connections == 0
    assert job(wiring, job_id).status is Status.FAILED


NO_IMAGE: dict[str, Script] = {
    "a page": answer(ok(b"<!DOCTYPE html><title>Welcome</title>")),
    "nothing": answer(ok()),
    "cut short": answer(ok(PNG[:-8])),
    "damaged": answer(ok(PNG[:45] + b"X" + PNG[46:])),
    "too large": answer(b"HTTP/1.1 200 OK\r\nContent-Length: 25000001\r\n\r\n" + PNG),
}


def test_what_is_no_image_is_tried_again_and_then_result_invalid(
    wiring: Wiring, key: NewKey
) -> None:
    for name, script in NO_IMAGE.items():
        with ScriptedPeer(script) as peer:
            job_id = storing(wiring, key, f"{peer.url}/1.png")
            try_to_store(wiring, job_id, times=MAX_TRIES - 1)
            assert job(wiring, job_id).status is Status.STORING, name
            try_to_store(wiring, job_id)
            row = job(wiring, job_id)
            assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.RESULT_INVALID), name
            assert len(peer.requests) == MAX_TRIES
        assert spool(wiring) == []


def test_a_bug_of_ours_about_one_result_does_not_keep_it_for_ever(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = storing(wiring, key, "http://127.0.0.1:9/1.png", result_url=None)
    try_to_store(wiring, job_id, times=MAX_TRIES)
    row = job(wiring, job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.RESULT_INVALID)


def test_a_page_that_goes_away_costs_nothing(wiring: Wiring, key: NewKey) -> None:
    answers = iter([ok(b"<html>busy"), b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", ok(PNG)])

    def one_after_the_other(sock: socket.socket, peer: ScriptedPeer) -> None:
        answer(next(answers))(sock, peer)

    with ScriptedPeer(one_after_the_other) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        try_to_store(wiring, job_id, times=3)
    assert job(wiring, job_id).status is Status.SUCCEEDED


def test_a_transfer_cut_short_is_tried_as_long_as_the_url_lives(
    wiring: Wiring, key: NewKey
) -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + PNG
    with ScriptedPeer(answer(short)) as peer:
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        try_to_store(wiring, job_id, times=6)
        assert job(wiring, job_id).status is Status.STORING
        put(wiring, job_id, result_expires_at=ago(1))
        try_to_store(wiring, job_id)
    row = job(wiring, job_id)
    assert (row.status, row.error_code) == (Status.FAILED, ErrorCode.RESULT_EXPIRED)


def test_nothing_succeeds_before_s3_confirms(
    rewire: Rewire, wiring: Wiring, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 says 200 but neither the answer nor a HEAD shows the checksum."""
    said = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\nETag: x\r\n\r\n"
    with ScriptedPeer(answer(said)) as s3, ScriptedPeer(answer(ok(PNG))) as peer:
        with monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
            careless = rewire()
            assert careless.object_store.origin == s3.url
        job_id = storing(wiring, key, f"{peer.url}/1.png")
        (outcome,) = run(careless.store)
        methods = [request.split(b" ")[0] for request in s3.requests]
    assert isinstance(outcome, Kept)
    assert methods == [b"PUT", b"HEAD"]
    assert job(wiring, job_id).status is Status.STORING
    assert wiring.browse.job(job(wiring, job_id).project_id, job_id)[1] == []
