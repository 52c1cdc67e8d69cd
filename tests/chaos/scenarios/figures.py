"""What a scenario measured, and the bounds that it promised to keep."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value; its name carries the unit."""

    name: str
    value: float
    most: float | None = None
    least: float | None = None

    @property
    def kept(self) -> bool:
        """Whether it is within its bounds."""
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    def __str__(self) -> str:
        """Say it with the bound that it broke, if it did."""
        bounds = (("at most", self.most), ("at least", self.least))
        said = [f"{word} {bound:g}" for word, bound in bounds if bound is not None]
        return f"{self.name} is {self.value:g}, to be {' and '.join(said) or 'anything'}"


class Figures:
    """The figures of one scenario, in the order in which they were taken."""

    def __init__(self) -> None:
        self.taken: list[Figure] = []

    def add(
        self, name: str, value: float, *, most: float | None = None, least: float | None = None
    ) -> None:
        """Take one down, rounded to milliseconds where it is a time."""
        self.taken.append(Figure(name, round(value, 3), most, least))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of them do not exceed; nan if there are none."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.nan
