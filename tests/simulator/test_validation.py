"""What a body of parameters may hold, model by model; images have a page of their own."""

import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from simulator.images import encoded

PICTURE = encoded()
LEAST: dict[str, dict[str, object]] = {
    "flux-pro-1.0-fill": {"image": PICTURE},
    "flux-pro-1.0-canny": {"control_image": PICTURE},
    "flux-pro-1.0-depth": {"preprocessed_image": PICTURE},
    "flux-pro-1.0-expand": {"image": PICTURE, "top": 32},
    "flux-pro-1.1-ultra-finetuned": {"finetune_id": "mine"},
    "flux-pro-1.0-fill-finetuned": {"finetune_id": "mine", "image": PICTURE},
    "flux-2-klein-9b-kv-finetuned": {"finetune_id": "mine"},
    "flux-tools/outpainting-v1": {"input_image": PICTURE, "width": 64, "height": 96},
    "flux-tools/erase-v1": {"image": PICTURE, "mask": PICTURE},
    "flux-tools/deblur-v1": {"image": PICTURE},
    "flux-tools/vto-v1": {"person": PICTURE, "garment": PICTURE},
    "flux-tools/vto-v2": {"person": PICTURE, "garment": PICTURE},
}
AT_COMETAPI = (
    *("flux-pro-1.1-ultra", "flux-pro-1.1", "flux-pro", "flux-dev"),
    *("flux-pro-1.0-fill", "flux-pro-1.0-canny", "flux-pro-1.0-depth"),
    *("flux-kontext-pro", "flux-kontext-max", "flux-2-pro", "flux-2-flex", "flux-2-max"),
)
ONLY_AT_BFL = (
    *("flux-2-pro-preview", "flux-2-klein-4b", "flux-2-klein-9b", "flux-2-klein-9b-preview"),
    *("flux-2-klein-9b-kv-finetuned", "flux-pro-1.0-expand"),
    *("flux-pro-1.1-ultra-finetuned", "flux-pro-1.0-fill-finetuned"),
    *("flux-tools/outpainting-v1", "flux-tools/erase-v1", "flux-tools/deblur-v1"),
    *("flux-tools/vto-v1", "flux-tools/vto-v2"),
)


@pytest.mark.parametrize("model", [*AT_COMETAPI, *ONLY_AT_BFL])
def test_every_model_takes_the_least_it_needs(
    simulator: Simulator, caller: FluxCaller, model: str
) -> None:
    simulator.change(max_drawn_pixels=4096)
    result = caller.finished(caller.submitted(model, **LEAST.get(model, {})))["result"]
    assert caller.http.request("GET", result["sample"]).status == 200


@pytest.mark.parametrize("model", [*AT_COMETAPI, *ONLY_AT_BFL])
def test_cometapi_offers_its_twelve(simulator: Simulator, model: str) -> None:
    simulator.change(max_drawn_pixels=4096)
    with FluxCaller(simulator.url, comet=True) as caller:
        status = caller.submit(model, **LEAST.get(model, {})).status
    assert status == (200 if model in AT_COMETAPI else 503)


@pytest.mark.parametrize(
    ("model", "body", "loc", "kind"),
    [
        ("flux-2-pro", {"prompt": None}, ["prompt"], "string_type"),
        ("flux-2-pro", {"width": 0}, ["width"], "greater_than_equal"),
        ("flux-2-pro", {"width": 63}, ["width"], "greater_than_equal"),
        ("flux-2-pro", {"width": "1024"}, ["width"], "int_type"),
        ("flux-2-pro", {"width": True}, ["width"], "int_type"),
        ("flux-2-pro", {"height": 0.5}, ["height"], "int_from_float"),
        ("flux-2-pro", {"width": 2048, "height": 2049}, [], "value_error"),
        ("flux-2-pro", {"user": ""}, ["user"], "string_too_short"),
        ("flux-2-pro", {"user": "u" * 257}, ["user"], "string_too_long"),
        ("flux-2-pro", {"disable_pup": None}, ["disable_pup"], "bool_type"),
        ("flux-2-max", {"output_format": "gif"}, ["output_format"], "enum"),
        ("flux-2-max", {"safety_tolerance": 6}, ["safety_tolerance"], "less_than_equal"),
        ("flux-pro", {"safety_tolerance": 7}, ["safety_tolerance"], "less_than_equal"),
        ("flux-pro", {"output_format": "webp"}, ["output_format"], "enum"),
        ("flux-pro", {"interval": 4.5}, ["interval"], "less_than_equal"),
        ("flux-2-flex", {"guidance": 1}, ["guidance"], "greater_than_equal"),
        ("flux-2-flex", {"webhook_url": "ftp://x"}, ["webhook_url"], "url_parsing"),
        ("flux-2-flex", {"webhook_url": "http://"}, ["webhook_url"], "url_parsing"),
        ("flux-2-flex", {"webhook_url": "http://\ud800"}, ["webhook_url"], "url_parsing"),
        ("flux-2-flex", {"webhook_url": ""}, ["webhook_url"], "url_parsing"),
        ("flux-pro-1.1", {"width": 257}, ["width"], "multiple_of"),
        ("flux-pro-1.1", {"width": None}, ["width"], "int_type"),
        ("flux-pro-1.1", {"height": 1472}, ["height"], "less_than_equal"),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "22:9"}, ["aspect_ratio"], "value_error"),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "custom"}, ["aspect_ratio"], "value_error"),
        ("flux-pro-1.1-ultra", {"aspect_ratio": None}, ["aspect_ratio"], "string_type"),
        ("flux-kontext-pro", {"aspect_ratio": "1:5"}, ["aspect_ratio"], "value_error"),
        ("flux-pro-1.0-canny", {}, [], "value_error"),
        ("flux-pro-1.0-depth", {"control_image": None}, [], "value_error"),
        ("flux-tools/erase-v1", {"mask": PICTURE}, ["image"], "missing"),
        ("flux-tools/erase-v1", {"image": PICTURE, "mask": None}, ["mask"], "string_type"),
    ],
)
def test_a_wrong_body_is_422_in_fastapis_shape(
    caller: FluxCaller, model: str, body: dict[str, object], loc: list[str], kind: str
) -> None:
    response = caller.submit(model, **body)
    assert response.status == 422
    (problem,) = response.json()["detail"]
    assert (problem["loc"], problem["type"]) == (["body", *loc], kind)
    assert problem["msg"]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("flux-2-pro", {"width": 64, "height": 65_536, "seed": None, "user": None}),
        ("flux-2-flex", {"prompt_upsampling": None, "guidance": 10, "steps": 1}),
        ("flux-2-pro", {"image_prompt": "unknown here", "steps": "and ignored"}),
        ("flux-dev", {"prompt": "", "width": 256, "height": 1440, "steps": None}),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "9:21", "image_prompt_strength": 1}),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "7:3", "prompt": None, "raw": True}),
        ("flux-kontext-max", {"aspect_ratio": "1:4", "output_format": None}),
        ("flux-2-klein-4b", {"webhook_url": None, "webhook_secret": None}),
    ],
)
def test_limits_are_part_of_what_is_taken(
    simulator: Simulator, caller: FluxCaller, model: str, body: dict[str, object]
) -> None:
    simulator.change(max_drawn_pixels=4096)
    assert caller.finished(caller.submitted(model, **body))["status"] == "Ready"


def test_outpainting_takes_no_unknown_field_and_so_no_webhook(caller: FluxCaller) -> None:
    unknown = {"webhook_url": "https://caller.example/", "seed": 1}
    body = {**LEAST["flux-tools/outpainting-v1"], **unknown}
    response = caller.submit("flux-tools/outpainting-v1", **body)
    assert response.status == 422
    problems = response.json()["detail"]
    assert {problem["loc"][1] for problem in problems} == set(unknown)
    assert {problem["type"] for problem in problems} == {"extra_forbidden"}
    body = {**LEAST["flux-tools/outpainting-v1"], "width": 2048, "height": 2049}
    assert caller.submit("flux-tools/outpainting-v1", **body).status == 422
