"""Prices against BFL's published figures and costs seen in recorded answers."""

from decimal import Decimal

import pytest

from service.generation import CATALOGUE, Model, PictureSize, Quote, quote


def of(width: int, height: int) -> PictureSize:
    return PictureSize(width, height, 1_000)


def priced(model: str, cleaned: dict[str, object], **sizes: PictureSize) -> Quote:
    return quote(CATALOGUE[model], {"prompt": "a cat", **cleaned}, sizes)


@pytest.mark.parametrize(
    ("model", "cleaned", "credits_"),
    [
        # recorded in real answers: output_mp 0.06 cost 3.0 and 7.0, output_mp 1.98 cost 4.5
        ("flux-2-pro", {"width": 256, "height": 256}, "3"),
        ("flux-2-max", {"width": 256, "height": 256}, "7"),
        ("flux-2-pro", {"width": 1920, "height": 1080}, "4.5"),
        # a megapixel is 1024 * 1024, and begun is paid
        ("flux-2-pro", {"width": 1024, "height": 1024}, "3"),
        ("flux-2-pro", {"width": 1025, "height": 1024}, "4.5"),
        ("flux-2-pro", {"width": 2048, "height": 1024}, "4.5"),
        ("flux-2-pro", {"width": 2048, "height": 2048}, "7.5"),
        ("flux-2-max", {"width": 2048, "height": 2048}, "16"),
        ("flux-2-flex", {"width": 2048, "height": 2048}, "20"),
        ("flux-2-flex", {"width": 64, "height": 64}, "5"),
        ("flux-2-klein-4b", {"width": 2048, "height": 1025}, "1.6"),
        # flat
        ("flux-pro-1.1", {}, "4"),
        ("flux-pro-1.1", {"width": 1440, "height": 1440, "image_prompt": "aGk="}, "4"),
        ("flux-dev", {}, "2.5"),
    ],
)
def test_a_price_agrees_with_the_published_and_recorded_ones(
    model: str, cleaned: dict[str, object], credits_: str
) -> None:
    answer = priced(model, cleaned)
    assert (answer.credits, answer.exact) == (Decimal(credits_), True)


@pytest.mark.parametrize(
    ("sides", "credits_"), [({}, "3"), ({"width": 1025}, "4.5"), ({"height": 512}, "3")]
)
def test_a_side_left_to_upstream_counts_as_1024_and_the_price_as_a_guess(
    sides: dict[str, object], credits_: str
) -> None:
    answer = priced("flux-2-pro", sides)
    assert (answer.credits, answer.exact) == (Decimal(credits_), False)


@pytest.mark.parametrize(
    ("sizes", "credits_", "megapixels"),
    [
        # each picture is rounded up by itself: 0.25 and 0.25 MP are two
        ({"input_image": of(512, 512), "input_image_2": of(512, 512)}, "6", 2),
        ({"input_image": of(1024, 1025)}, "6", 2),
        ({"input_image": of(2048, 2048)}, "9", 4),
    ],
)
def test_each_input_image_is_paid_by_its_own_started_megapixels(
    sizes: dict[str, PictureSize], credits_: str, megapixels: int
) -> None:
    given = {"width": 1024, "height": 1024, **dict.fromkeys(sizes, "upl_")}
    answer = priced("flux-2-pro", given, **sizes)
    assert answer == (Decimal(credits_), megapixels, 1, 1024 * 1024, True)


def test_an_input_image_of_unknown_size_counts_as_one_megapixel_and_is_no_exact_price() -> None:
    urls: dict[str, object] = {"input_image": "https://a.example/", "input_image_8": "upl_"}
    answer = priced("flux-2-max", urls, input_image_8=of(1025, 1024))
    assert answer == (Decimal(7 + 3 + 6), 3, 1, 1024 * 1024, False)


@pytest.mark.parametrize(
    ("first", "pixels"),
    [
        (of(800, 600), 800 * 600),
        (of(2000, 1000), 2_000_000),
        # no picture has more than four megapixels
        (of(4000, 3000), 2048 * 2048),
    ],
)
def test_without_a_side_the_picture_takes_the_first_input_images_size(
    first: PictureSize, pixels: int
) -> None:
    given: dict[str, object] = {"input_image_3": "upl_", "input_image_2": "upl_"}
    answer = priced("flux-2-flex", given, input_image_2=first, input_image_3=of(64, 64))
    assert answer.output_pixels == pixels
    assert answer.output_megapixels == -(-pixels // 2**20)
    beside_a_side = {**given, "width": 512}
    sized = priced("flux-2-flex", beside_a_side, input_image_2=first, input_image_3=of(64, 64))
    assert sized.output_pixels == 512 * 1024


def test_a_first_input_image_of_unknown_size_leaves_the_picture_at_a_megapixel() -> None:
    given: dict[str, object] = {"input_image": "https://a.example/", "input_image_2": "upl_"}
    assert priced("flux-2-pro", given, input_image_2=of(2048, 2048)).output_megapixels == 1


@pytest.mark.parametrize("model", [m for m in CATALOGUE.models.values() if m.images])
def test_the_size_of_the_output_is_told_only_where_width_and_height_can_be_asked(
    model: Model,
) -> None:
    answer = quote(model, dict.fromkeys(model.images, "upl_"), {})
    is_sized = {"width", "height"} <= model.parameters.keys()
    assert (answer.output_pixels is not None, answer.output_megapixels is not None) == (
        is_sized,
        is_sized,
    )


def test_the_size_of_an_output_that_is_left_to_the_model_is_not_told() -> None:
    for name in ("flux-pro-1.1-ultra", "flux-kontext-pro", "flux-pro-1.0-expand"):
        assert priced(name, {})[2:4] == (None, None)
    assert priced("flux-dev", {})[2:4] == (1, 1024 * 768)


def test_a_flat_price_is_exact_whatever_is_given() -> None:
    answer = priced("flux-kontext-max", {"input_image": "https://a.example/"})
    assert (answer.credits, answer.input_megapixels, answer.exact) == (Decimal(8), 1, True)


def test_a_model_without_a_published_price_has_no_estimate() -> None:
    answer = priced("flux-tools/deblur-v1", {"image": "upl_"}, image=of(2048, 1024))
    assert (answer.credits, answer.input_megapixels, answer.exact) == (None, 2, False)
