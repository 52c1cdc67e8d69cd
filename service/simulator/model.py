"""What describes a model: its parameters, limits, price and the ways in which it answers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.simulator.sizes import MEGAPIXEL, MOST_PIXELS, Rule, Size


@dataclass(frozen=True)
class Field:
    """One parameter: its JSON kind and limits, each only where it applies.

    Attributes:
        widest_ratio: It is an aspect ratio `W:H`, at most so wide and, the other way, so tall.
        takes_url: It is an image that may be given as an http(s) URL, not only as base64.
    """

    kind: str
    required: bool = False
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    choices: tuple[str, ...] = ()
    min_chars: int = 0
    max_chars: int | None = None
    widest_ratio: float | None = None
    is_url: bool = False
    is_image: bool = False
    takes_url: bool = False


@dataclass(frozen=True)
class Price:
    """Credits for the first output megapixel, each further one, and each input one."""

    first: float
    further: float = 0
    each_input: float = 0


@dataclass(frozen=True)
class Charge:
    """What a submission costs, in credits, and what upstream says it was measured at."""

    cost: float | None
    input_mp: float
    output_mp: float
    told: bool = True

    def answer(self, *, noisy: bool) -> dict[str, object]:
        """Return the three fields as the answer shows them, `noisy` as binary floats may be."""
        if not self.told:
            return dict.fromkeys(("cost", "input_mp", "output_mp"))
        cost = self.cost
        if noisy and cost is not None:
            cost = math.nextafter(cost, math.inf)
        return {"cost": cost, "input_mp": self.input_mp, "output_mp": self.output_mp}


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        size: The rule for the size of its images.
        strict: Refuses parameters that it does not know; the others let them through.
        one_of: At least one of these must be given.
        max_output_pixels: Limit of width times height where both are asked for.
        max_input_pixels: Limit of each input image.
        max_total_pixels: Limit of all input images and the output together.
        max_active: Slots of its own, fewer than those that all models share.
        rewrites_unless: It rewrites prompts unless this parameter has this value.
        tells_times: The result has end_time and duration, too.
        tells_charge: The answer to a submission tells what it cost.
    """

    fields: Mapping[str, Field]
    price: Price | None
    size: Rule
    output_format: str = "jpeg"
    strict: bool = False
    one_of: tuple[str, ...] = ()
    max_output_pixels: int | None = None
    max_input_pixels: int = 40_000_000
    max_total_pixels: int | None = None
    max_active: int | None = None
    rewrites_unless: tuple[str, bool] | None = None
    tells_times: bool = True
    tells_charge: bool = True

    def charge(self, size: Size, inputs: Sequence[Size]) -> Charge:
        """Price an output of this size; each picture's megapixels are rounded up by themselves."""
        output = min(size.pixels, MOST_PIXELS)
        measured = round(sum(each.pixels for each in inputs) / MEGAPIXEL, 2)
        cost = None
        if self.price:
            further = max(1, math.ceil(output / MEGAPIXEL)) - 1
            given = sum(each.megapixels for each in inputs)
            cost = self.price.first + self.price.further * further + self.price.each_input * given
            cost = round(float(cost), 4)
        return Charge(cost, measured, round(output / MEGAPIXEL, 2), self.tells_charge)

    def revised(self, prompt: str, body: Mapping[str, object]) -> str:
        """Return the prompt that the model is said to have worked from."""
        if self.rewrites_unless is None:
            return prompt
        name, off = self.rewrites_unless
        return prompt if body.get(name) is off else f"{prompt}, in fine detail and soft light"
