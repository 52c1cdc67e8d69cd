"""How an input is judged as a whole: every error at once, in words to act on, and never a crash."""

import json

import pytest

from service.generation import (
    CATALOGUE,
    Catalogue,
    Model,
    suggest,
    unknown_model,
    validate_input,
)

PRO = CATALOGUE["flux-2-pro"]
PRO_1_1 = CATALOGUE["flux-pro-1.1"]

#: The body that CometAPI's own page shows, word for word.
UPSTREAM_EXAMPLE = {
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


def details(model: Model, raw: dict[str, object]) -> dict[str, str]:
    return {error.pointer: error.detail for error in validate_input(model, raw)[1]}


@pytest.mark.parametrize("name", PRO.parameters)
def test_values_nested_beyond_any_recursion_limit_are_refused(name: str) -> None:
    deep: object = "x"
    for level in range(50_000):
        deep = [deep] if level % 2 else {"a": deep}
    assert f"/input/{name}" in details(PRO, {name: deep})
    assert "/input/a" in details(PRO, {"a": deep})


def test_every_error_is_reported_at_once() -> None:
    raw: dict[str, object] = {
        "prompt": "a\x00" + "a" * 32_000,
        "width": 1000,
        "height": 1441,
        "seed": "42",
        "output_format": "jpg",
        "colour": "red",
    }
    _, errors = validate_input(PRO_1_1, raw)
    assert sorted(error.pointer for error in errors) == [
        "/input/colour",
        "/input/height",
        "/input/output_format",
        "/input/prompt",
        "/input/prompt",
        "/input/seed",
        "/input/width",
    ]


@pytest.mark.parametrize(
    ("raw", "pointer", "detail"),
    [
        ({"width": 1000}, "/input/width", "must be a multiple of 32; nearest are 992 and 1024"),
        ({"width": 1441}, "/input/width", "must be at most 1440"),
        ({"height": 255}, "/input/height", "must be at least 256"),
        ({"width": True}, "/input/width", "must be an integer"),
        ({"raw": "x"}, "/input/raw", "which would ignore it; it takes prompt, image_prompt, width"),
        ({"widht": 512}, "/input/widht", 'did you mean "width"?'),
        ({"output_format": "jpg"}, "/input/output_format", 'jpeg, png, webp; did you mean "jpeg"?'),
        ({"image_prompt": "https://a.example/a.png"}, "/input/image_prompt", "takes no URL"),
        ({"prompt": "a" * 32_001}, "/input/prompt", "must be at most 32,000 characters"),
    ],
)
def test_an_error_says_what_to_do(raw: dict[str, object], pointer: str, detail: str) -> None:
    assert detail in details(PRO_1_1, raw)[pointer]


@pytest.mark.parametrize("raw", [{}, {"prompt": ""}, {"prompt": None}])
def test_a_required_prompt_must_be_given(raw: dict[str, object]) -> None:
    assert details(PRO, raw) == {"/input/prompt": "is required and must not be empty"}


def test_a_model_that_needs_no_prompt_takes_an_empty_one_as_none() -> None:
    assert validate_input(PRO_1_1, {"prompt": ""}) == ({}, [])


@pytest.mark.parametrize("name", ["webhook_url", "webhook_secret"])
@pytest.mark.parametrize("value", ["https://evil.example/", 1, [], False])
def test_the_webhook_is_ours_to_set(name: str, value: object) -> None:
    errors = details(PRO, {"prompt": "a cat", name: value})
    assert list(errors) == [f"/input/{name}"]
    assert "callback_url" in errors[f"/input/{name}"]


def test_placeholders_of_upstreams_own_example_are_dropped() -> None:
    cleaned, errors = validate_input(CATALOGUE["flux-2-flex"], UPSTREAM_EXAMPLE)
    assert errors == []
    assert cleaned == {
        "prompt": "ein fantastisches bild",
        "prompt_upsampling": False,
        "seed": 42,
        "width": 2048,
        "height": 2048,
        "safety_tolerance": 2,
        "output_format": "jpeg",
    }


def test_a_setting_that_the_model_would_ignore_is_refused_even_from_the_example() -> None:
    assert list(details(PRO, dict(UPSTREAM_EXAMPLE))) == ["/input/prompt_upsampling"]


@pytest.mark.parametrize("value", ["x", " ", "1:1", [], False, 0])
def test_a_parameter_of_another_model_is_refused_unless_it_says_nothing(value: object) -> None:
    assert "/input/aspect_ratio" in details(PRO, {"prompt": "a cat", "aspect_ratio": value})
    assert "/input/image_prompt" in details(PRO, {"prompt": "a cat", "image_prompt": value})


def test_integral_floats_become_integers() -> None:
    cleaned, errors = validate_input(PRO_1_1, {"width": 1024.0, "seed": -7.0})
    assert errors == []
    assert json.dumps(cleaned) == '{"width": 1024, "seed": -7}'


@pytest.mark.parametrize(
    "given_image", ["data:image/png;base64,aGk=", "DATA:image/svg+xml;BASE64,aGk=", "aG\r\nk=\n"]
)
def test_base64_images_are_sent_bare(given_image: str) -> None:
    assert validate_input(PRO_1_1, {"image_prompt": given_image}) == ({"image_prompt": "aGk="}, [])


@pytest.mark.parametrize(
    ("width", "height", "accepted"),
    [
        (2048, 2048, True),
        (2049, 2048, False),
        (2048, 2049, False),
        (65_536, 64, True),
        (64, 65_536, True),
        (65, 65_536, False),
        (1366, 3070, True),
        (1367, 3070, False),
    ],
)
@pytest.mark.parametrize("model", ["flux-2-pro", "flux-2-flex", "flux-2-max"])
def test_flux_2_draws_at_most_four_megapixels(
    model: str, width: int, height: int, *, accepted: bool
) -> None:
    raw: dict[str, object] = {"prompt": "a cat", "width": width, "height": height}
    assert list(details(CATALOGUE[model], raw)) == ([] if accepted else ["/input/width"])


def test_too_many_pixels_come_with_the_width_that_fits() -> None:
    errors = details(PRO, {"prompt": "a cat", "width": 2000, "height": 3000})
    assert errors["/input/width"].endswith("with height 3000 the width can be at most 1398")


def test_unknown_names_are_escaped_and_cut_in_the_pointer() -> None:
    _, errors = validate_input(PRO_1_1, {"a/b~c": 1, "\ud800\x00\n": 1, "x" * 100_000: 1})
    assert [error.pointer for error in errors] == [
        "/input/a~1b~0c",
        "/input/\ufffd\ufffd\ufffd",
        "/input/" + "x" * 64,
    ]


def test_a_flood_of_unknown_names_is_counted_not_compared() -> None:
    _, errors = validate_input(PRO_1_1, {f"prompt{n}": 1 for n in range(10_000)})
    assert len(errors) == 21
    assert (errors[-1].pointer, errors[-1].detail) == (
        "/input",
        "has 9,980 more unknown parameters",
    )


# What the models to come need: the catalogue has to take them as data alone.
COMING = Catalogue.model_validate(
    {
        "sources": {"test": "made up"},
        "definitions": {"image": {"type": "image", "accepts": "base64", "source": "test",
                                  "description": "", "nullable": True}},
        "models": {
            "flux-coming": {
                "path": "flux-tools/coming-v1",
                "family": "test",
                "parameters": {
                    "control_image": "image",
                    "preprocessed_image": "image",
                    "aspect_ratio": {"type": "aspect_ratio", "tallest": "9:21", "widest": "21:9",
                                     "default": "16:9", "source": "test", "description": ""},
                    "strength": {"type": "number", "minimum": 0.0, "maximum": 1.0,
                                 "default": 0.1, "source": "test", "description": ""},
                },
                "required_one_of": ["control_image", "preprocessed_image"],
                "price": None,
                "max_active": 6,
                "accepts_webhook": False,
                "providers": ["bfl"],
                "deprecated": True,
                "sources": dict.fromkeys(["required_one_of", "max_active", "accepts_webhook",
                                          "providers", "deprecated"], "test"),
            }
        },
    }
)["flux-coming"]  # fmt: skip


@pytest.mark.parametrize("ratio", ["21:9", "9:21", "16:9", "1:1", "7:3", "210:90", "", "custom"])
def test_aspect_ratios_within_the_range_are_accepted(ratio: str) -> None:
    assert details(COMING, {"control_image": "aGk=", "aspect_ratio": ratio}) == {}


@pytest.mark.parametrize(
    "ratio",
    [
        "22:9",
        "9:22",
        "16/9",
        "16:0",
        "0:1",
        "1:1:1",
        "1.5:1",
        " 1:1",
        "1:1\n",
        "-1:1",
        "\u0661:\u0661",
    ],
)
def test_aspect_ratios_outside_the_range_are_refused(ratio: str) -> None:
    errors = details(COMING, {"control_image": "aGk=", "aspect_ratio": ratio})
    assert errors == {
        "/input/aspect_ratio": 'must be width:height, such as "16:9", from 9:21 to 21:9'
    }


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number_even_where_zero_and_one_are(value: object) -> None:
    errors = details(COMING, {"control_image": "aGk=", "strength": value})
    assert errors == {"/input/strength": "must be a number"}


def test_one_of_several_parameters_can_be_required() -> None:
    message = {"/input": "must have at least one of control_image, preprocessed_image"}
    assert details(COMING, {}) == message
    assert details(COMING, {"control_image": ""}) == message
    assert details(COMING, {"preprocessed_image": "aGk="}) == {}
    assert list(details(COMING, {"control_image": 1})) == ["/input/control_image"]


def test_an_unknown_model_is_answered_with_the_known_ones_and_the_nearest() -> None:
    error = unknown_model("flux-2-por")
    assert error.pointer == "/model"
    assert error.detail.endswith('flux-pro-1.1; did you mean "flux-2-pro"?')
    assert "did you mean" not in unknown_model("../credits").detail


@pytest.mark.parametrize(
    ("name", "meant"),
    [("promt", "prompt"), ("WIDTH", "width"), ("inputImage", "input_image"), ("size", None),
     ("output_fromat", "output_format"), ("x" * 1_000_000, None)],
)  # fmt: skip
def test_a_suggestion_names_what_was_probably_meant(name: str, meant: str | None) -> None:
    assert suggest(name, PRO.parameters) == meant
