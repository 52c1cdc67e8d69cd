"""Large bodies are few at a time; who has no place is told so, and loses nothing by it."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import Api

from service.web.big_bodies import BIG_BODY_BYTES, PLACES

JOB = {"model": "flux-2-pro", "input": {"prompt": "a lighthouse", "width": 256, "height": 256}}
BIG = json.dumps(JOB).ljust(BIG_BODY_BYTES).encode()
WAIT_SECONDS = 20


class Held(io.BytesIO):
    """A body that does not come before it is let go."""

    def __init__(self, began: threading.Semaphore, go: threading.Event) -> None:
        super().__init__(BIG)
        self._began, self._go = began, go

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - a writable buffer
        self._began.release()
        assert self._go.wait(WAIT_SECONDS)
        return super().readinto(buffer)


def hand_in(api: Api, body: io.BytesIO, path: str = "/v1/jobs") -> Any:  # noqa: ANN401 - werkzeug's
    return api.client.application.test_client().post(
        path,
        headers=api.headers(Content_Type="application/json", Content_Length=str(len(BIG))),
        input_stream=body,
    )


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/price", "/flux/v1/flux-2-pro"])
def test_a_large_body_without_a_place_is_asked_to_come_again(api: Api, path: str) -> None:
    began, go = threading.Semaphore(0), threading.Event()
    with ThreadPoolExecutor(PLACES) as pool:
        try:
            held = [pool.submit(hand_in, api, Held(began, go)) for _ in range(PLACES)]
            for _ in held:
                assert began.acquire(timeout=WAIT_SECONDS)
            refused = hand_in(api, io.BytesIO(BIG), path)
            small = api.post("/v1/jobs", JOB)
        finally:
            go.set()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert "/v1/uploads" in refused.json["detail"]
    assert small.status_code == 202
    assert [one.result().status_code for one in held] == [202] * PLACES
    assert len(api.get("/v1/jobs").json["data"]) == PLACES + 1
    assert hand_in(api, io.BytesIO(BIG)).status_code == 202


def test_a_refused_body_gives_its_place_back(api: Api) -> None:
    for _ in range(PLACES + 1):
        assert hand_in(api, io.BytesIO(b"[" + BIG[1:])).status_code == 400
    assert hand_in(api, io.BytesIO(BIG)).status_code == 202
