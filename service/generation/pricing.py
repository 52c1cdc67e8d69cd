"""What a job will cost, as far as it can be known before it is sent."""

from collections.abc import Mapping
from decimal import Decimal

from service.generation.catalogue import FlatPrice, Model
from service.generation.parameters import Integer

_MEGAPIXEL = 1024 * 1024

#: Of a side that upstream chooses. No source says what it takes; two such are the least price.
_ASSUMED_SIDE_PIXELS = 1024


def estimate_cost(model: Model, cleaned: Mapping[str, object]) -> Decimal | None:
    """Return the price in credits (0.01 USD) of a job with this validated input.

    Megapixels (2**20 px) are rounded up, at least one. A side left to upstream counts as the
    model's default or 1024 px, an input image as 1 MP, as its size is not known yet. So this is an
    estimate; the `cost` in upstream's answer is what is paid. None if no source names a price.
    """
    price = model.price
    if price is None:
        return None
    if isinstance(price, FlatPrice):
        return price.image_credits
    pixels = _side(model, cleaned, "width") * _side(model, cleaned, "height")
    further_megapixels = max(0, -(-pixels // _MEGAPIXEL) - 1)
    input_megapixels = sum(name in cleaned for name in model.image_parameters)
    return (
        price.first_output_credits
        + price.further_output_credits * further_megapixels
        + price.input_credits * input_megapixels
    )


def _side(model: Model, cleaned: Mapping[str, object], name: str) -> int:
    given = cleaned.get(name)
    if isinstance(given, int):
        return given
    parameter = model.parameters.get(name)
    default = parameter.default if isinstance(parameter, Integer) else None
    return default or _ASSUMED_SIDE_PIXELS
