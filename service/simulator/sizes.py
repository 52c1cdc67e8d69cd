"""How large an image becomes: by its sides, by a ratio, or like the image that was given."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

MEGAPIXEL = 1024 * 1024

#: No model draws more, pixels; what would be larger is scaled down.
MOST_PIXELS = 4 * MEGAPIXEL
_LONGEST_DRAWN_SIDE = 16_383  # of a WebP file
_RATIO_STEP = 32


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """The area."""
        return self.width * self.height

    @property
    def megapixels(self) -> int:
        """What is charged for: rounded up, at least one."""
        return max(1, math.ceil(self.pixels / MEGAPIXEL))


#: From a checked body and the sizes of its images, in the order of the parameters.
Rule = Callable[[Mapping[str, object], Sequence[Size]], Size]


def sides(width: int, height: int) -> Rule:
    """As asked; a side that is not is the model's own."""

    def rule(body: Mapping[str, object], _inputs: Sequence[Size]) -> Size:
        return Size(_whole(body, "width") or width, _whole(body, "height") or height)

    return rule


def sides_or_input(body: Mapping[str, object], inputs: Sequence[Size]) -> Size:
    """As asked; without any side like the first image, else a missing side is 1024."""
    width, height = _whole(body, "width"), _whole(body, "height")
    if inputs and not width and not height:
        return inputs[0]
    return Size(width or 1024, height or 1024)


def first_input(_body: Mapping[str, object], inputs: Sequence[Size]) -> Size:
    """Like the first image."""
    return inputs[0]


def expanded(body: Mapping[str, object], inputs: Sequence[Size]) -> Size:
    """The image with what is added at its four sides."""
    top, bottom, left, right = (_whole(body, n) for n in ("top", "bottom", "left", "right"))
    return Size(inputs[0].width + left + right, inputs[0].height + top + bottom)


def ratio(megapixels: int, default: str) -> Rule:
    """About so many megapixels in the asked shape; else like the first image, else `default`."""

    def rule(body: Mapping[str, object], inputs: Sequence[Size]) -> Size:
        asked = body.get("aspect_ratio")
        shape = inputs[0] if inputs else _shape(default)
        width, height = _shape(asked) if isinstance(asked, str) else shape
        area = megapixels * MEGAPIXEL
        return Size(
            max(1, round(math.sqrt(area * width / height) / _RATIO_STEP)) * _RATIO_STEP,
            max(1, round(math.sqrt(area * height / width) / _RATIO_STEP)) * _RATIO_STEP,
        )

    return rule


def fitted(size: Size, most_pixels: int) -> Size:
    """Scale a size down to an area, keeping its shape; one that fits stays as it is."""
    if size.pixels <= most_pixels:
        return size
    scale = math.sqrt(most_pixels / size.pixels)
    return Size(max(1, int(size.width * scale)), max(1, int(size.height * scale)))


def drawable(size: Size, most_pixels: int) -> Size:
    """Fit a size into what is drawn and what every file format can hold."""
    width, height = fitted(size, most_pixels)
    return Size(min(width, _LONGEST_DRAWN_SIDE), min(height, _LONGEST_DRAWN_SIDE))


def _shape(text: str) -> Size:
    width, _, height = text.partition(":")
    return Size(int(width), int(height))


def _whole(body: Mapping[str, object], name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else 0
