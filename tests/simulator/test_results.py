import base64
import hashlib
import io
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from PIL import Image


def test_a_task_is_pending_and_then_ready(simulator: Simulator, caller: FluxCaller) -> None:
    simulator.change(min_seconds=0.3, max_seconds=0.3)
    task_id = caller.submitted("flux-pro-1.1", prompt="a blue whale", seed=42)
    pending = caller.result(task_id)
    assert (pending["id"], pending["status"], pending["result"]) == (task_id, "Pending", None)
    body = caller.finished(task_id)
    assert (body["id"], body["status"]) == (task_id, "Ready")
    result = body["result"]
    assert (result["prompt"], result["seed"]) == ("a blue whale", 42)
    assert result["duration"] == result["end_time"] - result["start_time"]
    assert 0.3 <= result["duration"] < 5


@pytest.mark.parametrize(
    ("model", "switch"),
    [
        ("flux-2-pro", {"disable_pup": True}),
        ("flux-2-max", {"disable_pup": True}),
        ("flux-2-flex", {"prompt_upsampling": False}),
    ],
)
def test_flux_2_rewrites_the_prompt_unless_told_not_to(
    caller: FluxCaller, model: str, switch: dict[str, object]
) -> None:
    revised, echoed = (
        caller.finished(caller.submitted(model, width=64, height=64, **body))["result"]["prompt"]
        for body in ({}, switch)
    )
    assert echoed == "a red fox"
    assert revised.startswith("a red fox, ")


@pytest.mark.parametrize("model", ["flux-2-pro", "flux-2-max"])
def test_pro_and_max_tell_no_end(caller: FluxCaller, model: str) -> None:
    result = caller.finished(caller.submitted(model, width=64, height=64))["result"]
    assert set(result) == {"start_time", "prompt", "seed", "sample"}


def test_only_cometapis_form_asks_for_a_key_to_poll(simulator: Simulator) -> None:
    with FluxCaller(simulator.url, comet=True) as caller:
        task_id = caller.submitted()
        assert caller.result(task_id)["id"] == task_id
        for path, status in (("/flux/v1", 401), ("/v1", 200)):
            url = f"{caller.url}{path}/get_result?id={task_id}"
            assert caller.http.request("GET", url).status == status


def test_an_unknown_task_is_a_200_that_says_so(caller: FluxCaller) -> None:
    assert caller.result("nothing")["status"] == "Task not found"


def test_get_result_without_an_id_is_422(caller: FluxCaller) -> None:
    response = caller.http.request("GET", f"{caller.url}/v1/get_result")
    assert response.status == 422
    assert response.json()["detail"][0]["loc"] == ["query", "id"]


@pytest.mark.parametrize("output_format", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("image_bytes", [0, 300_000])
def test_the_image_is_a_real_file_of_the_asked_size(
    simulator: Simulator, caller: FluxCaller, output_format: str, image_bytes: int
) -> None:
    simulator.change(image_bytes=image_bytes)
    task_id = caller.submitted(width=640, height=321, output_format=output_format)
    response = caller.download(task_id)
    with Image.open(io.BytesIO(response.data)) as image:
        image.load()
        assert (image.format, image.size) == (output_format.upper(), (640, 321))
    assert response.headers["Content-Type"] == f"image/{output_format}"
    md5 = hashlib.md5(response.data, usedforsecurity=False).digest()
    assert response.headers["Content-MD5"] == base64.b64encode(md5).decode()
    assert {"ETag", "Accept-Ranges", "Last-Modified"} <= set(response.headers)
    if image_bytes:
        assert abs(len(response.data) - image_bytes) < 1000


@pytest.mark.parametrize(
    ("model", "size"), [("flux-2-pro", (1024, 1024)), ("flux-pro-1.1", (1024, 768))]
)
def test_without_a_size_the_models_own_is_drawn(
    caller: FluxCaller, model: str, size: tuple[int, int]
) -> None:
    with Image.open(io.BytesIO(caller.download(caller.submitted(model)).data)) as image:
        assert (image.format, image.size) == ("JPEG", size)


def test_the_prompt_is_on_the_image(caller: FluxCaller) -> None:
    def pixels(prompt: str) -> bytes:
        task_id = caller.submitted(prompt=prompt, seed=1, output_format="png")
        with Image.open(io.BytesIO(caller.download(task_id).data)) as image:
            return image.tobytes()

    assert pixels("one") == pixels("one")
    assert pixels("one") != pixels("two")


@pytest.mark.parametrize(
    "prompt", ["", "\x00\n\t", "\ud800", "漢字 😀", "עברית", "x" * 5000, "a " * 5000]
)
@pytest.mark.parametrize("seed", [None, pytest.param(-(10**400), id="huge")])
def test_no_prompt_or_seed_keeps_the_image_from_being_drawn(
    caller: FluxCaller, prompt: str, seed: int | None
) -> None:
    task_id = caller.submitted(prompt=prompt, seed=seed, width=64, height=64)
    assert caller.download(task_id).status == 200


def test_the_url_says_when_it_dies_and_then_does(simulator: Simulator, caller: FluxCaller) -> None:
    task_id = caller.submitted()
    query = parse_qs(urlsplit(caller.finished(task_id)["result"]["sample"]).query)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", query["se"][0])
    left = datetime.fromisoformat(query["se"][0]) - datetime.now(UTC)
    assert timedelta(seconds=590) < left <= timedelta(seconds=601)
    simulator.change(result_lifetime_seconds=0)
    url = caller.finished(caller.submitted())["result"]["sample"]
    expiry = datetime.fromisoformat(parse_qs(urlsplit(url).query)["se"][0])
    wait_until(lambda: caller.http.request("GET", url).status, lambda status: status == 403)
    assert datetime.now(UTC) >= expiry


def test_a_url_that_was_changed_is_403(caller: FluxCaller) -> None:
    url = caller.finished(caller.submitted())["result"]["sample"]
    for wrong in (url.replace("se=20", "se=21"), url.replace("sig=", "sig=x"), url.split("?")[0]):
        assert caller.http.request("GET", wrong).status == 403


def test_head_tells_the_length_and_sends_nothing(caller: FluxCaller) -> None:
    url = caller.finished(caller.submitted())["result"]["sample"]
    head, body = (caller.http.request(method, url) for method in ("HEAD", "GET"))
    assert (head.status, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(body.data))
