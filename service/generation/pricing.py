"""What a job will cost, as far as it can be known before it is sent."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from service.generation.catalogue import FlatPrice, Model
from service.generation.image_parameter import PictureSize
from service.generation.parameters import Integer
from service.generation.rules import ASSUMED_SIDE_PIXELS

MEGAPIXEL_PIXELS = 1024 * 1024

#: A picture that takes the first input image's size is scaled down to this area.
_MAX_FOLLOWED_PIXELS = 2048 * 2048


class Quote(NamedTuple):
    """The price of a job, and the sizes that it follows from."""

    #: 1 credit is 0.01 USD. None if no source names a price.
    credits: Decimal | None
    #: Each picture rounded up by itself; 0 without one.
    input_megapixels: int
    #: None where the model decides alone how large the picture is.
    output_megapixels: int | None
    output_pixels: int | None
    #: Whether `credits` is known, and depends on no size that only upstream knows.
    exact: bool


def quote(model: Model, cleaned: Mapping[str, object], sizes: Mapping[str, PictureSize]) -> Quote:
    """Return what a job with this validated input will cost.

    Megapixels (2**20 px) are rounded up, at least one for each picture. A picture that is not in
    `sizes`, which are by parameter, counts as one. A side left to upstream counts as the model's
    default or 1024 px, or both as the first input image's where the model follows it. Prices
    agree with recorded answers, but what is paid is the `cost` in upstream's own.
    """
    pictures = [name for name in model.image_parameters if name in cleaned]
    inputs = sum(megapixels(sizes[name].pixels) if name in sizes else 1 for name in pictures)
    pixels = output_pixels(model, cleaned, sizes)
    output = None if pixels is None else megapixels(pixels)
    price = model.price
    if price is None:
        return Quote(None, inputs, output, pixels, exact=False)
    if isinstance(price, FlatPrice):
        return Quote(price.image_credits, inputs, output, pixels, exact=True)
    credits_ = (
        price.first_output_credits
        + price.further_output_credits * ((output or 1) - 1)
        + price.input_credits * inputs
    )
    is_sized = {"width", "height"} <= cleaned.keys() or _followed(model, cleaned) is not None
    exact = is_sized and all(name in sizes for name in pictures)
    return Quote(credits_, inputs, output, pixels, exact)


def megapixels(pixels: int) -> int:
    """Return the megapixels (2**20 px) that a picture is charged as: begun is paid."""
    return max(1, -(-pixels // MEGAPIXEL_PIXELS))


def output_pixels(
    model: Model, cleaned: Mapping[str, object], sizes: Mapping[str, PictureSize]
) -> int | None:
    """Return the pixels of the picture to be drawn, by the rules of `quote`."""
    if not {"width", "height"} <= model.parameters.keys():
        return None
    followed = _followed(model, cleaned)
    if followed is not None and followed in sizes:
        return min(sizes[followed].pixels, _MAX_FOLLOWED_PIXELS)
    return _side(model, cleaned, "width") * _side(model, cleaned, "height")


def _followed(model: Model, cleaned: Mapping[str, object]) -> str | None:
    """Return the picture whose size the output takes: the first, where neither side is given."""
    if not model.follows_input_size or "width" in cleaned or "height" in cleaned:
        return None
    return next((name for name in model.image_parameters if name in cleaned), None)


def _side(model: Model, cleaned: Mapping[str, object], name: str) -> int:
    given = cleaned.get(name)
    if isinstance(given, int):
        return given
    parameter = model.parameters.get(name)
    default = parameter.default if isinstance(parameter, Integer) else None
    return default or ASSUMED_SIDE_PIXELS
