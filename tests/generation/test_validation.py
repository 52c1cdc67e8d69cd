"""How an input is judged as a whole: every error at once, in words to act on, and never a crash."""

import json

import pytest

from service.generation import (
    CATALOGUE,
    Model,
    suggest,
    unknown_model,
    validate_input,
)

PRO = CATALOGUE["flux-2-pro"]
PRO_1_1 = CATALOGUE["flux-pro-1.1"]


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
        ({"image_prompt": "https://a.example/a.png"}, "/input/image_prompt", "POST /v1/uploads"),
        ({"image_prompt": "upl_12"}, "/input/image_prompt", "upl_ (an upload) and 32 hexadecimal"),
        ({"image_prompt": "job_" + "0" * 32}, "/input/image_prompt", "must be img_ (an image)"),
        ({"image_prompt": "a b.png"}, "/input/image_prompt", "the id of an image or upload, or ba"),
        ({"prompt": "a" * 32_001}, "/input/prompt", "must be at most 32,000 characters"),
    ],
)
def test_an_error_says_what_to_do(raw: dict[str, object], pointer: str, detail: str) -> None:
    assert detail in details(PRO_1_1, raw)[pointer]


@pytest.mark.parametrize("raw", [{}, {"prompt": ""}, {"prompt": None}])
def test_a_required_prompt_must_be_given(raw: dict[str, object]) -> None:
    assert details(PRO, raw) == {"/input/prompt": "is required and must not be empty"}


def test_integral_floats_become_integers() -> None:
    cleaned, errors = validate_input(PRO_1_1, {"prompt": "a cat", "width": 1024.0, "seed": -7.0})
    assert errors == []
    assert json.dumps(cleaned) == '{"prompt": "a cat", "width": 1024, "seed": -7}'


@pytest.mark.parametrize(
    "given_image",
    [
        "data:image/png;base64,aGk=",
        "DATA:image/svg+xml;BASE64,aGk=",
        "data:;base64,aGk=",
        "data:application/octet-stream;base64,aGk=",
        "data:image/png;name=a b.png;charset=utf-8;base64,aGk=",
        f"data:{'x' * 200};base64,aGk=",
        "aG\r\nk=\n",
    ],
)
def test_base64_images_are_sent_bare(given_image: str) -> None:
    assert validate_input(PRO_1_1, {"image_prompt": given_image}) == ({"image_prompt": "aGk="}, [])


def test_the_prefix_of_a_data_uri_has_an_end() -> None:
    long = f"data:{'x' * 201};base64,aGk="
    assert list(details(PRO_1_1, {"image_prompt": long})) == ["/input/image_prompt"]


def test_unknown_names_are_escaped_and_cut_in_the_pointer() -> None:
    _, errors = validate_input(
        PRO_1_1, {"prompt": "a cat", "a/b~c": 1, "\ud800\x00\n": 1, "x" * 100_000: 1}
    )
    assert [error.pointer for error in errors] == [
        "/input/a~1b~0c",
        "/input/\ufffd\ufffd\ufffd",
        "/input/" + "x" * 64,
    ]


def test_a_flood_of_unknown_names_is_counted_not_compared() -> None:
    _, errors = validate_input(PRO, {"prompt": "a cat", **{f"prompt{n}": 1 for n in range(10_000)}})
    assert len(errors) == 21
    assert (errors[-1].pointer, errors[-1].detail) == (
        "/input",
        "has 9,980 more unknown parameters",
    )


def test_an_unknown_model_is_answered_with_the_known_ones_and_the_nearest() -> None:
    error = unknown_model("flux-2-por")
    assert error.pointer == "/model"
    assert error.detail.endswith('flux-tools/vto-v2; did you mean "flux-2-pro"?')
    assert "did you mean" not in unknown_model("../credits").detail


@pytest.mark.parametrize(
    ("name", "meant"),
    [("promt", "prompt"), ("WIDTH", "width"), ("inputImage", "input_image"), ("size", None),
     ("output_fromat", "output_format"), ("x" * 1_000_000, None)],
)  # fmt: skip
def test_a_suggestion_names_what_was_probably_meant(name: str, meant: str | None) -> None:
    assert suggest(name, PRO.parameters) == meant
