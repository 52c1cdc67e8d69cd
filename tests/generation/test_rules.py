"""Rules between the parameters of one model."""

from collections.abc import Mapping

import pytest
from generation.json_schema import satisfies

from service.generation import CATALOGUE, input_schema, validate_input


def details(model: str, raw: Mapping[str, object]) -> dict[str, str]:
    """Return what is wrong, after seeing that the published schema agrees where it can."""
    _, errors = validate_input(CATALOGUE[model], raw)
    if not any("pixels" in error.detail for error in errors):
        assert satisfies(raw, input_schema(CATALOGUE[model])) is (not errors)
    return {error.pointer: error.detail for error in errors}


@pytest.mark.parametrize(
    ("model", "one", "other"),
    [
        *((name, "prompt", "image_prompt") for name in (
            "flux-pro-1.1-ultra", "flux-pro-1.1", "flux-pro", "flux-dev"
        )),
        ("flux-pro-1.0-canny", "control_image", "preprocessed_image"),
        ("flux-pro-1.0-depth", "control_image", "preprocessed_image"),
    ],
)  # fmt: skip
def test_one_of_two_parameters_has_to_be_given(model: str, one: str, other: str) -> None:
    needed: dict[str, object] = {} if one == "prompt" else {"prompt": "a cat"}
    message = {"/input": f"must have at least one of {one}, {other}"}
    assert details(model, needed) == message
    assert details(model, {**needed, one: "", other: ""}) == message
    assert details(model, {**needed, one: "aGk="}) == {}
    assert details(model, {**needed, other: "aGk="}) == {}
    # what is given wrongly is not said to be missing as well
    assert list(details(model, {**needed, one: 1})) == [f"/input/{one}"]


@pytest.mark.parametrize("sides", [{}, {"top": 0}, {"top": 0, "left": None, "right": 0.0}])
def test_expanding_needs_a_side_to_expand(sides: dict[str, object]) -> None:
    errors = details("flux-pro-1.0-expand", {"image": "aGk=", **sides})
    assert errors == {"/input": "must have at least one of top, bottom, left, right above 0"}


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_any_side_can_be_expanded_alone(side: str) -> None:
    assert details("flux-pro-1.0-expand", {"image": "aGk=", side: 1}) == {}
    assert list(details("flux-pro-1.0-expand", {"image": "aGk=", side: -1})) == [f"/input/{side}"]


@pytest.mark.parametrize(
    ("width", "height", "wrong"),
    [
        (2048, 2048, []),
        (2049, 2048, ["/input/width"]),
        (2048, 2049, ["/input/width"]),
        (65_536, 64, []),
        (64, 65_536, []),
        (65, 65_536, ["/input/width"]),
        (1366, 3070, []),
        (1367, 3070, ["/input/width"]),
        # a side left out counts as 1024
        (4096, None, []),
        (4097, None, ["/input/width"]),
        (None, 4096, []),
        (None, 4097, ["/input/height"]),
    ],
)
@pytest.mark.parametrize("model", [n for n in CATALOGUE.names() if n.startswith("flux-2-")])
def test_flux_2_draws_at_most_four_megapixels(
    model: str, width: int | None, height: int | None, wrong: list[str]
) -> None:
    finetune = {"finetune_id": "mine"} if model.endswith("-finetuned") else {}
    raw = {"prompt": "a cat", "width": width, "height": height, **finetune}
    assert list(details(model, raw)) == wrong


def test_too_many_pixels_come_with_the_side_that_fits() -> None:
    errors = details("flux-2-pro", {"prompt": "a cat", "width": 2000, "height": 3000})
    assert errors["/input/width"].endswith("with height 3000 the width can be at most 1398")
    errors = details("flux-2-pro", {"prompt": "a cat", "height": 5000})
    assert errors["/input/height"].endswith(
        "with width left out, which counts as 1024, the height can be at most 4096"
    )


def test_outpainting_takes_no_url_in_its_fast_mode() -> None:
    model = "flux-tools/outpainting-v1"
    sides = {"width": 512, "height": 512}
    url = {"input_image": "https://a.example/a.png", **sides}
    assert details(model, url) == {}
    assert details(model, {**url, "mode": "high"}) == {}
    errors = details(model, {**url, "mode": "fast"})
    assert list(errors) == ["/input/input_image"]
    assert "POST /v1/uploads" in errors["/input/input_image"]
    for image in ("httpaGk=", "upl_" + "0" * 32):
        assert details(model, {"input_image": image, "mode": "fast", **sides}) == {}
