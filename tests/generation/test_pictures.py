"""Limits of the pictures behind an input, and the rules between them."""

import pytest

from service.errors import FieldError
from service.generation import CATALOGUE, ImageSource, PictureSize, check_pictures, image_source

MIB = 2**20


def pictures(model: str, **sizes: tuple[int, int, int]) -> dict[str, str]:
    """Return what is wrong with pictures of these widths, heights and bytes."""
    measured = {name: PictureSize(*size) for name, size in sizes.items()}
    cleaned: dict[str, object] = dict.fromkeys(sizes, "upl_")
    errors: list[FieldError] = check_pictures(CATALOGUE[model], cleaned, measured)
    return {error.pointer: error.detail for error in errors}


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("https://a.example/", ImageSource.URL),
        ("HTTP://a.example/", ImageSource.URL),
        ("aGk=", ImageSource.BASE64),
        ("httpaaaa", ImageSource.BASE64),
        ("img_" + "0" * 32, ImageSource.IMAGE),
        ("upl_" + "0" * 32, ImageSource.UPLOAD),
    ],
)
def test_the_source_of_a_picture_is_told_by_its_form(value: str, source: ImageSource) -> None:
    assert image_source(value) is source


@pytest.mark.parametrize(
    ("name", "parameter", "max_bytes", "width", "max_height"),
    [
        ("flux-2-max", "input_image", 20 * MIB, 10_000, 4_000),
        ("flux-pro-1.1", "image_prompt", 20 * MIB, 10_000, 4_000),
        ("flux-kontext-pro", "input_image_4", 20 * MIB, 4_096, 5_120),
        ("flux-pro-1.0-canny", "control_image", 20 * MIB, 4_096, 5_120),
        ("flux-pro-1.0-expand", "image", 20 * MIB, 4_096, 5_120),
        ("flux-tools/deblur-v1", "image", 20 * MIB, 2_048, 2_048),
    ],
)
def test_a_picture_may_be_as_large_as_the_model_takes_and_no_larger(
    name: str, parameter: str, max_bytes: int, width: int, max_height: int
) -> None:
    def judged(height: int, size: int) -> dict[str, str]:
        return pictures(name, **{parameter: (width, height, size)})

    assert judged(max_height, max_bytes) == {}
    assert list(judged(max_height + 1, 1)) == [f"/input/{parameter}"]
    assert list(judged(max_height, max_bytes + 1)) == [f"/input/{parameter}"]


@pytest.mark.parametrize("name", ["flux-pro-1.0-canny", "flux-pro-1.0-depth"])
@pytest.mark.parametrize("parameter", ["control_image", "preprocessed_image"])
def test_a_control_image_has_at_least_256_pixels_a_side(name: str, parameter: str) -> None:
    assert pictures(name, **{parameter: (256, 256, 1)}) == {}
    for width, height in ((255, 256), (256, 255)):
        detail = f"is {width} x {height}; each side must be at least 256 pixels"
        assert pictures(name, **{parameter: (width, height, 1)}) == {f"/input/{parameter}": detail}


@pytest.mark.parametrize(
    "name", ["flux-pro-1.0-fill", "flux-pro-1.0-fill-finetuned", "flux-tools/erase-v1"]
)
def test_a_mask_has_the_size_of_its_image(name: str) -> None:
    image = (640, 480, 1)
    assert pictures(name, image=image, mask=(640, 480, 2)) == {}
    for mask in ((480, 640, 1), (640, 481, 1)):
        errors = pictures(name, image=image, mask=mask)
        assert errors == {
            "/input/mask": f"is {mask[0]} x {mask[1]}; it must have the size of image, 640 x 480"
        }


def test_a_mask_is_not_judged_beside_an_image_of_unknown_size() -> None:
    assert pictures("flux-tools/erase-v1", mask=(640, 480, 1)) == {}


def test_flux_2_pro_takes_nine_megapixels_of_input_and_output_together() -> None:
    model = CATALOGUE["flux-2-pro"]
    sizes = {
        "input_image": PictureSize(2048, 2048, 1),
        "input_image_2": PictureSize(2048, 1024, 1),
        "input_image_3": PictureSize(1024, 2048, 1),
    }
    fits: dict[str, object] = {"width": 1024, "height": 1024, **dict.fromkeys(sizes, "upl_")}
    assert check_pictures(model, fits, sizes) == []
    (error,) = check_pictures(model, {**fits, "width": 1025}, sizes)
    assert error.pointer == "/input"
    assert "at most" in error.detail
    assert "9,437,184 pixels" in error.detail
    # left to upstream, the output takes the first image's four megapixels
    (error,) = check_pictures(model, dict.fromkeys(sizes, "upl_"), sizes)
    assert "4,194,304 of output" in error.detail
    assert check_pictures(CATALOGUE["flux-2-max"], fits | {"width": 2048}, sizes) == []
