"""Prices against BFL's published figures and costs seen in recorded answers."""

from decimal import Decimal

import pytest

from service.generation import CATALOGUE, estimate_cost


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
        # an input image counts as one megapixel
        ("flux-2-pro", {"input_image": "aGk="}, "4.5"),
        ("flux-2-max", {"input_image": "aGk=", "input_image_8": "aGk="}, "13"),
        ("flux-2-flex", {"input_image_2": "aGk=", "width": 2048, "height": 1024}, "15"),
        # a side left to upstream counts as 1024
        ("flux-2-pro", {}, "3"),
        ("flux-2-pro", {"width": 1025}, "4.5"),
        ("flux-2-pro", {"height": 512}, "3"),
        # flat
        ("flux-pro-1.1", {}, "4"),
        ("flux-pro-1.1", {"width": 1440, "height": 1440, "image_prompt": "aGk="}, "4"),
    ],
)
def test_a_price_agrees_with_the_published_and_recorded_ones(
    model: str, cleaned: dict[str, object], credits_: str
) -> None:
    assert estimate_cost(CATALOGUE[model], {"prompt": "a cat", **cleaned}) == Decimal(credits_)


def test_a_model_without_a_published_price_has_no_estimate() -> None:
    unpriced = CATALOGUE["flux-2-pro"].model_copy(update={"price": None})
    assert estimate_cost(unpriced, {"prompt": "a cat"}) is None
