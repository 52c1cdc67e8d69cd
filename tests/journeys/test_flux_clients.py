"""Clients that were written for Flux work against us with another base URL and nothing else.

They run unmodified, in processes of their own, as their users run them.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fakes.pictures import as_base64, drawn
from fakes.webhook_sink import WebhookSink
from journeys.running_service import RunningService

PROGRAMS = Path(__file__).parent / "flux_programs"
PROMPT = {"prompt": "a harbour in fog"}
PICTURE = as_base64(drawn("PNG", (512, 512)))
MASK = as_base64(drawn("PNG", (512, 512), "L"))

#: Every model in the official client's registry, with pictures where it wants them.
OFFICIAL: dict[str, dict[str, Any]] = {
    "flux-dev": {**PROMPT, "width": 256, "height": 256, "image_prompt": PICTURE},
    "flux-pro": {**PROMPT, "interval": 3.0},
    "flux-pro-1.1": {**PROMPT, "output_format": "png", "seed": 42},
    "flux-pro-1.1-ultra": {**PROMPT, "aspect_ratio": "1:1", "raw": True},
    "flux-pro-1.0-fill": {**PROMPT, "image": PICTURE, "mask": MASK},
    "flux-pro-1.0-expand": {**PROMPT, "image": PICTURE, "top": 64},
    "flux-pro-1.0-canny": {**PROMPT, "control_image": PICTURE},
    "flux-pro-1.0-depth": {**PROMPT, "preprocessed_image": PICTURE},
    "flux-kontext-pro": {**PROMPT, "input_image": PICTURE, "aspect_ratio": "3:2"},
}
INDEPENDENT: dict[str, dict[str, Any]] = {
    "flux-pro-1.1": {**PROMPT, "width": 512, "height": 256},
    "flux-pro": {**PROMPT, "steps": 20, "guidance": 2.0, "interval": 2.0},
    "flux-dev": {**PROMPT, "seed": 7, "prompt_upsampling": True, "safety_tolerance": 6},
}


def images_of(
    service: RunningService, program: str, wanted: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Run a program and check that it holds the bytes that we stored, for every model."""
    asked = {"url": service.url, "key": service.api_key, "wanted": list(wanted.items())}
    ended = subprocess.run(
        [sys.executable, PROGRAMS / program],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    made: list[dict[str, Any]] = json.loads(ended.stdout)
    assert [one["model"] for one in made] == list(wanted)
    for one in made:
        job = service.job(one["id"])
        assert (job["status"], job["model"]) == ("succeeded", one["model"])
        assert one["sha256"] == job["images"][0]["sha256"]
        assert one["result"]["sample"].startswith(f"{service.url}/flux/samples/")
    return made


def test_the_official_client_generates_with_every_model_it_knows(service: RunningService) -> None:
    made = {one["model"]: one["result"] for one in images_of(service, "official.py", OFFICIAL)}
    assert made["flux-pro-1.1"]["seed"] == 42
    assert made["flux-pro-1.1"]["sample"].endswith("/sample.png")
    # what upstream says of the result comes along
    assert {"prompt", "seed", "start_time"} <= set(made["flux-dev"])


def test_an_independent_client_generates_with_every_model_it_knows(
    service: RunningService,
) -> None:
    made = {
        one["model"]: one["result"] for one in images_of(service, "independent.py", INDEPENDENT)
    }
    assert all(result["prompt"] for result in made.values())


def test_a_flux_client_with_a_webhook_hears_what_get_result_says(
    service: RunningService, caller: WebhookSink
) -> None:
    body = {**PROMPT, "webhook_url": caller.url, "webhook_secret": "between us"}
    accepted = service.request("POST", "/flux/v1/flux-2-pro", body).json()
    (call,) = caller.wait_for(1, 30)
    assert call.headers["x-webhook-secret"] == "between us"
    said, polled = call.json, service.request("GET", f"/v1/get_result?id={accepted['id']}").json()
    for one in (said, polled):
        sample = service.request("GET", one["result"].pop("sample").removeprefix(service.url))
        assert (sample.status, sample.headers["Content-Type"]) == (200, "image/jpeg")
    assert said == polled
