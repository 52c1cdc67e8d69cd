"""Input images: they are fetched or decoded, measured and recorded before a task is accepted."""

import base64
import hashlib
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fakes.flux_caller import FluxCaller
from fakes.scripted_peer import Script, ScriptedPeer, answer
from fakes.simulator import Simulator
from fakes.upstream_answers import http
from simulator.images import encoded, file

from service.simulator.fetching import fetch

PICTURE = file(80, 48)


@pytest.fixture
def shelf() -> Iterator[ScriptedPeer]:
    with ScriptedPeer(answer(http(200, PICTURE))) as peer:
        yield peer


def complaint(caller: FluxCaller, model: str = "flux-2-pro", **body: object) -> tuple[str, str]:
    response = caller.submit(model, **body)
    assert response.status == 422, response.data
    (problem,) = response.json()["detail"]
    assert problem["type"] == "value_error"
    return ".".join(problem["loc"]), problem["msg"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_base64_is_decoded_and_measured(
    simulator: Simulator, caller: FluxCaller, kind: str, prefix: str
) -> None:
    data = file(96, 64, kind)
    caller.submitted(input_image=prefix + base64.b64encode(data).decode())
    assert simulator.ledger("accepted")[-1]["inputs"] == {
        "input_image": {
            "source": "base64",
            "width": 96,
            "height": 64,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    }


def test_a_url_is_fetched_without_a_key_before_the_task_is_accepted(
    simulator: Simulator, caller: FluxCaller, shelf: ScriptedPeer
) -> None:
    url = f"{shelf.url}/fox.png?X-Amz-Expires=300"
    caller.submitted("flux-kontext-pro", input_image_2=url)
    (request,) = shelf.requests
    assert request.startswith(b"GET /fox.png?X-Amz-Expires=300 HTTP/1.1\r\n")
    assert caller.key.encode() not in request
    line = simulator.ledger("accepted")[-1]
    fetched = line["inputs"]["input_image_2"]
    assert (fetched["source"], fetched["url"]) == ("url", url)
    assert (fetched["width"], fetched["height"]) == (80, 48)
    assert fetched["sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert fetched["fetched_at"] <= line["ts"]
    since = datetime.now(UTC) - datetime.fromisoformat(fetched["fetched_at"])
    assert timedelta(0) <= since < timedelta(seconds=60)


def test_an_image_of_its_own_can_be_an_input(caller: FluxCaller) -> None:
    first = caller.finished(caller.submitted(width=128, height=64))["result"]["sample"]
    assert caller.submit("flux-kontext-pro", input_image=first).status == 200


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("aGk=", "JPEG, PNG or WebP"),
        ("", "JPEG, PNG or WebP"),
        ("a fox", "base64"),
        ("\ud800", "base64"),
        (base64.b64encode(PICTURE[:-40]).decode(), "JPEG, PNG or WebP"),
        (encoded(kind="GIF"), "JPEG, PNG or WebP"),
        (encoded(8000, 5001), "40000000 pixels"),
    ],
)
def test_what_is_no_image_is_422(
    simulator: Simulator, caller: FluxCaller, value: str, named: str
) -> None:
    before = len(simulator.ledger("accepted"))
    place, said = complaint(caller, input_image=value)
    assert place == "body.input_image"
    assert "Invalid image" in said
    assert named in said
    assert len(simulator.ledger("accepted")) == before


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example.com/fox.png",
        "http://10.0.0.1/fox.png",
        "http://127.0.0.1@10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433/",
        "http://",
        "http://[",
    ],
)
def test_nothing_is_fetched_from_beyond_this_machine(caller: FluxCaller, url: str) -> None:
    started = time.monotonic()
    place, said = complaint(caller, input_image=url)
    assert place == "body.input_image"
    assert "loopback" in said or "parse" in said
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("response", "named"),
    [
        (http(404), "404"),
        (http(302, b"", b"Location: http://127.0.0.1:9/"), "302"),
        (http(200, b"<html>"), "JPEG, PNG or WebP"),
        (http(200, PICTURE)[:-9], "cannot be fetched"),
        (b"nonsense", "cannot be fetched"),
    ],
)
def test_a_url_without_an_image_behind_it_is_422(
    caller: FluxCaller, response: bytes, named: str
) -> None:
    with ScriptedPeer(answer(response)) as peer:
        place, said = complaint(caller, input_image=peer.url)
    assert place == "body.input_image"
    assert named in said


def endless(piece: bytes, pause_seconds: float = 0) -> Script:
    def script(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not peer.closing.wait(pause_seconds):
            sock.sendall(piece)

    return script


def test_a_file_that_is_too_large_is_not_read_to_its_end(caller: FluxCaller) -> None:
    with ScriptedPeer(endless(bytes(1024 * 1024))) as peer:
        _, said = complaint(caller, input_image=peer.url)
    assert "more than 20971520 bytes" in said


def test_a_file_that_comes_in_drops_is_not_waited_for() -> None:
    started = time.monotonic()
    with (
        ScriptedPeer(endless(b"x", 0.02)) as peer,
        pytest.raises(ValueError, match=r"not complete within 0\.2 s"),
    ):
        fetch(peer.url, most_bytes=1_000_000, within_seconds=0.2)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("model", "body", "name"),
    [
        ("flux-pro-1.1", {}, "image_prompt"),
        ("flux-pro-1.0-fill", {}, "image"),
        ("flux-tools/outpainting-v1", {"width": 64, "height": 64, "mode": "fast"}, "input_image"),
    ],
)
def test_where_base64_is_wanted_a_url_is_422_and_not_fetched(
    caller: FluxCaller, shelf: ScriptedPeer, model: str, body: dict[str, object], name: str
) -> None:
    place, said = complaint(caller, model, **{**body, name: shelf.url})
    assert (place, "base64" in said) == (f"body.{name}", True)
    assert shelf.connections == 0


@pytest.mark.parametrize("model", ["flux-pro-1.0-fill", "flux-tools/erase-v1"])
def test_a_mask_has_the_images_dimensions(caller: FluxCaller, model: str) -> None:
    image, turned = encoded(96, 64), encoded(64, 96)
    assert complaint(caller, model, image=image, mask=turned)[0] == "body.mask"
    assert caller.submit(model, image=image, mask=encoded(96, 64, "JPEG")).status == 200


def test_all_images_are_looked_at_before_the_answer(caller: FluxCaller) -> None:
    response = caller.submit(input_image="aGk=", input_image_3="x")
    places = [problem["loc"][1] for problem in response.json()["detail"]]
    assert places == ["input_image", "input_image_3"]


def test_some_models_take_fewer_pixels(caller: FluxCaller) -> None:
    large = encoded(2049, 2048)
    assert complaint(caller, "flux-tools/deblur-v1", image=large)[0] == "body.image"
    most: dict[str, object] = {"width": 2048, "height": 2048, "input_image": encoded(2560, 2048)}
    assert caller.submit("flux-2-pro", **most).status == 200
    assert complaint(caller, "flux-2-pro", **{**most, "input_image_2": encoded(1, 1)})[0] == "body"
