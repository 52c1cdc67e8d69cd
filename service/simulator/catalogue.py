"""The models that the simulator offers: parameters, limits and prices, as data.

Sources: BFL's openapi.json of 2026-04-23 for the parameters, BFL's price page for the prices.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

_MEGAPIXEL = 1024 * 1024
_URL_CHARS = 2083


@dataclass(frozen=True)
class Field:
    """One parameter: its JSON kind and limits, each only where it applies."""

    kind: str
    required: bool = False
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    choices: tuple[str, ...] = ()
    max_chars: int | None = None
    is_url: bool = False
    is_image: bool = False


@dataclass(frozen=True)
class Price:
    """Credits for the first output megapixel, each further one, and each input one."""

    first: float
    further: float = 0
    each_input: float = 0


@dataclass(frozen=True)
class Model:
    """One model; parameters that it does not know are let through, as upstream does."""

    fields: Mapping[str, Field]
    price: Price | None
    output_format: str = "jpeg"
    width: int = 1024
    height: int = 768
    max_pixels: int | None = None


@dataclass(frozen=True)
class Charge:
    """What a submission costs, in credits, and what upstream says it was measured at."""

    cost: float | None
    input_mp: float
    output_mp: float

    def answer(self) -> dict[str, object]:
        """Return the three fields as the answer to a submission shows them."""
        return {"cost": self.cost, "input_mp": self.input_mp, "output_mp": self.output_mp}


def _common(max_tolerance: int) -> dict[str, Field]:
    return {
        "seed": Field("integer"),
        "safety_tolerance": Field("integer", nullable=False, minimum=0, maximum=max_tolerance),
        "output_format": Field("string", choices=("jpeg", "png", "webp")),
        "webhook_url": Field("string", max_chars=_URL_CHARS, is_url=True),
        "webhook_secret": Field("string"),
    }


_IMAGE = Field("string", is_image=True)
_FLUX_2 = {
    "prompt": Field("string", required=True, nullable=False),
    "width": Field("integer", minimum=64),
    "height": Field("integer", minimum=64),
    "user": Field("string", max_chars=256),
    "input_image": _IMAGE,
    **{f"input_image_{n}": _IMAGE for n in range(2, 9)},
    **_common(max_tolerance=5),
}
_FLUX_2_PRO = {**_FLUX_2, "disable_pup": Field("boolean", nullable=False)}
_FLUX_2_FLEX = {
    **_FLUX_2,
    "prompt_upsampling": Field("boolean"),
    "guidance": Field("number", minimum=1.5, maximum=10),
    "steps": Field("integer", minimum=1, maximum=50),
}
_FLUX_1_SIDE = Field("integer", nullable=False, minimum=256, maximum=1440, multiple_of=32)
_FLUX_1_1 = {
    "prompt": Field("string"),
    "image_prompt": _IMAGE,
    "width": _FLUX_1_SIDE,
    "height": _FLUX_1_SIDE,
    "prompt_upsampling": Field("boolean", nullable=False),
    **_common(max_tolerance=6),
}
_ERASE = {
    "image": Field("string", required=True, nullable=False, is_image=True),
    "mask": Field("string", required=True, nullable=False, is_image=True),
    "dilate_pixels": Field("integer", nullable=False, minimum=0, maximum=25),
    **_common(max_tolerance=5),
}
_FLUX_2_PIXELS = 2048 * 2048

MODELS: Mapping[str, Model] = {
    "flux-2-pro": Model(_FLUX_2_PRO, Price(3, 1.5, 1.5), max_pixels=_FLUX_2_PIXELS),
    "flux-2-max": Model(_FLUX_2_PRO, Price(7, 3, 3), max_pixels=_FLUX_2_PIXELS),
    "flux-2-flex": Model(_FLUX_2_FLEX, Price(5, 5, 5), max_pixels=_FLUX_2_PIXELS),
    "flux-pro-1.1": Model(_FLUX_1_1, Price(4)),
    "flux-tools/erase-v1": Model(_ERASE, price=None, output_format="png"),
}


def size_of(model: Model, body: Mapping[str, object]) -> tuple[int, int]:
    """Return width and height in pixels of what a checked body asks for."""
    width, height = body.get("width"), body.get("height")
    return (
        width if isinstance(width, int) else model.width,
        height if isinstance(height, int) else model.height,
    )


def charge(model: Model, body: Mapping[str, object]) -> Charge:
    """Price a checked body; megapixels are rounded up and there is at least one.

    An input image counts as one megapixel, for nobody looks into it.
    """
    width, height = size_of(model, body)
    pixels = width * height
    inputs = sum(spec.is_image and bool(body.get(name)) for name, spec in model.fields.items())
    cost = None
    if model.price:
        further = max(1, math.ceil(pixels / _MEGAPIXEL)) - 1
        cost = float(
            model.price.first + model.price.further * further + model.price.each_input * inputs
        )
    return Charge(cost, float(inputs), round(pixels / _MEGAPIXEL, 2))
