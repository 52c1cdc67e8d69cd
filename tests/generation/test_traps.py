"""What Flux's users send without meaning anything by it, and what they mean but a model ignores."""

import pytest
from generation.minimal import minimal_input

from service.generation import CATALOGUE, Model, validate_input

#: The body that CometAPI's own page shows, word for word.
UPSTREAM_EXAMPLE: dict[str, object] = {
    "prompt": "ein fantastisches bild",
    "image_prompt": "",
    "aspect_ratio": "custom",
    "width": 2048,
    "height": 2048,
    "prompt_upsampling": False,
    "seed": 42,
    "safety_tolerance": 2,
    "output_format": "jpeg",
    "webhook_url": "",
    "webhook_secret": "",
}
#: What it says once what says nothing is gone.
MEANT = {
    "prompt": "ein fantastisches bild",
    "seed": 42,
    "width": 2048,
    "height": 2048,
    "safety_tolerance": 2,
    "output_format": "jpeg",
}

PRO = CATALOGUE["flux-2-pro"]
EVERY_NAME = sorted({name for model in CATALOGUE.models.values() for name in model.parameters})
models = pytest.mark.parametrize("model", CATALOGUE.models.values(), ids=CATALOGUE.names())


def details(model: Model, **changes: object) -> dict[str, str]:
    _, errors = validate_input(model, {**minimal_input(model), **changes})
    return {error.pointer: error.detail for error in errors}


@pytest.mark.parametrize("name", ["flux-2-pro", "flux-2-max"])
def test_upstreams_own_example_is_taken_for_what_it_means(name: str) -> None:
    assert validate_input(CATALOGUE[name], UPSTREAM_EXAMPLE) == (MEANT, [])


def test_flex_keeps_the_examples_prompt_upsampling_for_there_it_says_something() -> None:
    cleaned, errors = validate_input(CATALOGUE["flux-2-flex"], UPSTREAM_EXAMPLE)
    assert (cleaned, errors) == ({**MEANT, "prompt_upsampling": False}, [])


def test_the_examples_size_is_too_large_for_flux_1() -> None:
    _, errors = validate_input(CATALOGUE["flux-pro-1.1"], UPSTREAM_EXAMPLE)
    assert [error.pointer for error in errors] == ["/input/width", "/input/height"]


NOTHING: list[tuple[str, object]] = [
    *((name, nothing) for name in EVERY_NAME for nothing in (None, "")),
    ("aspect_ratio", "custom"),
    ("width", 0), ("height", 0.0), ("prompt_upsampling", False), ("raw", False),
    ("disable_pup", False), ("auto_crop", False),
]  # fmt: skip
SOMETHING: list[tuple[str, object]] = [
    ("image_prompt", "aGk="), ("image_prompt", False), ("prompt", " "), ("aspect_ratio", "1:1"),
    ("aspect_ratio", "Custom"), ("aspect_ratio", 0), ("width", 1024), ("width", False),
    ("steps", 0), ("guidance", 0), ("interval", 2), ("prompt_upsampling", True), ("raw", True),
    ("prompt_upsampling", 0), ("disable_pup", True), ("top", 0), ("seed", 0), ("mask", []),
]  # fmt: skip


def of_other_models(values: list[tuple[str, object]]) -> pytest.MarkDecorator:
    """Run with each of these values for each model that lacks the parameter."""
    foreign = [
        (model, name, value)
        for model in CATALOGUE.models.values()
        for name, value in values
        if name not in model.parameters
    ]
    ids = [f"{model.name}-{name}-{value!r}" for model, name, value in foreign]
    return pytest.mark.parametrize(("model", "name", "value"), foreign, ids=ids)


@of_other_models(NOTHING)
def test_another_models_parameter_that_says_nothing_is_dropped(
    model: Model, name: str, value: object
) -> None:
    raw = minimal_input(model)
    assert validate_input(model, {**raw, name: value}) == (raw, [])


@of_other_models(SOMETHING)
def test_another_models_parameter_that_says_something_is_refused(
    model: Model, name: str, value: object
) -> None:
    assert "which would ignore it" in details(model, **{name: value})[f"/input/{name}"]


@pytest.mark.parametrize("nothing", [None, "", False, 0])
def test_a_name_that_no_model_knows_is_refused_whatever_it_says(nothing: object) -> None:
    assert list(details(PRO, negative_prompt=nothing)) == ["/input/negative_prompt"]


@pytest.mark.parametrize(
    ("model", "name", "value", "advice"),
    [
        ("flux-2-pro", "prompt_upsampling", True, "disable_pup: true switches that off"),
        ("flux-2-max", "prompt_upsampling", True, "disable_pup: true switches that off"),
        ("flux-2-flex", "disable_pup", True, "give prompt_upsampling: false instead"),
        ("flux-2-pro", "image_prompt", "aGk=", "give the image as input_image"),
        ("flux-2-pro", "aspect_ratio", "16:9", "give width and height instead"),
        ("flux-kontext-max", "width", 1024, "give aspect_ratio instead"),
        ("flux-pro-1.1", "input_image", "aGk=", "give the image as image_prompt"),
    ],
)
def test_a_refused_parameter_comes_with_what_to_do_instead(
    model: str, name: str, value: object, advice: str
) -> None:
    assert details(CATALOGUE[model], **{name: value})[f"/input/{name}"].endswith(advice)


def test_another_models_parameter_is_refused_with_those_that_there_are() -> None:
    errors = details(CATALOGUE["flux-tools/deblur-v1"], steps=20)
    assert errors["/input/steps"].endswith("it takes image, seed, safety_tolerance, output_format")


@models
@pytest.mark.parametrize("name", ["webhook_url", "webhook_secret"])
def test_the_webhook_is_ours_to_set(model: Model, name: str) -> None:
    for nothing in ("", None):
        assert details(model, **{name: nothing}) == {}
    values: tuple[object, ...] = ("https://evil.example/", 1, [], False)
    for something in values:
        errors = details(model, **{name: something})
        assert list(errors) == [f"/input/{name}"]
        assert "callback_url" in errors[f"/input/{name}"]
