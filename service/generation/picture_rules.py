"""Rules between the pictures of one input, judged once their sizes are known.

PictureRule
├─ SameSize   └─ MaxTotalPixels
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from service.errors import FieldError
from service.generation.image_parameter import PictureSize
from service.generation.rules import BetweenParameters


class PictureRule(BetweenParameters, ABC):
    """What must hold between the pictures of one input."""

    @abstractmethod
    def errors(
        self, sizes: Mapping[str, PictureSize], output_pixels: int | None
    ) -> Iterator[FieldError]:
        """Yield what is wrong; a picture whose size is not known is absent and not judged."""


class SameSize(PictureRule):
    """Two pictures have the same width and height, as a mask has its image's."""

    type: Literal["same_size"]
    parameter: str
    other: str

    @property
    def concerns(self) -> tuple[str, ...]:
        """Both pictures."""
        return (self.parameter, self.other)

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"{self.parameter} must have the width and height of {self.other}"

    def errors(
        self,
        sizes: Mapping[str, PictureSize],
        output_pixels: int | None,  # noqa: ARG002 - of the kind
    ) -> Iterator[FieldError]:
        """Yield an error if they differ."""
        one, other = sizes.get(self.parameter), sizes.get(self.other)
        if one and other and one[:2] != other[:2]:
            yield FieldError(
                f"/input/{self.parameter}",
                f"is {one.width} x {one.height}; "
                f"it must have the size of {self.other}, {other.width} x {other.height}",
            )


class MaxTotalPixels(PictureRule):
    """All input pictures and the output together have a limit."""

    type: Literal["max_total_pixels"]
    max_pixels: Annotated[int, Field(gt=0)]

    @property
    def concerns(self) -> tuple[str, ...]:
        """Nothing by name: it holds for all pictures."""
        return ()

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"input images and output together may have at most {self.max_pixels:,} pixels"

    def errors(
        self, sizes: Mapping[str, PictureSize], output_pixels: int | None
    ) -> Iterator[FieldError]:
        """Yield one error for all pictures together."""
        pixels = sum(size.pixels for size in sizes.values())
        output = output_pixels or 0
        if sizes and pixels + output > self.max_pixels:
            yield FieldError(
                "/input",
                f"{self.description}; these are {pixels:,} of input and {output:,} of "
                "output: give fewer or smaller images, or a smaller width and height",
            )


AnyPictureRule = Annotated[SameSize | MaxTotalPixels, Field(discriminator="type")]
