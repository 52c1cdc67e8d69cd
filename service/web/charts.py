"""Small charts: columns of stacked parts. Here is their shape, `charts.html` draws it.

A chart is wide as its place is and its columns stretch with it, so nothing in the drawing is text;
what it shows is said in words beside it, and every figure of it stands in a table.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: The drawing's own units: its height, and how much of it any part takes that is not nothing.
HEIGHT = 100.0
LEAST_HEIGHT = 1.5
#: A column's share of its place.
COLUMN_WIDTH = 0.8


@dataclass(frozen=True, slots=True)
class Part:
    """What a column is made of: its class in the style sheet, and its name."""

    look: str
    name: str


@dataclass(frozen=True, slots=True)
class Point:
    """One span of time: its name, the height of each part, and what the table says of each."""

    label: str
    values: Sequence[float]
    said: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    look: str
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and what it says to whoever points at it."""

    x: float
    told: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and its words."""

    name: str
    title: str
    summary: str
    parts: Sequence[Part]
    points: Sequence[Point]
    columns: Sequence[Column]
    #: What the full height stands for.
    top: str

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(column.bars for column in self.columns)


def chart(
    name: str,
    title: str,
    summary: str,
    parts: Sequence[Part],
    points: Sequence[Point],
    *,
    top: float | None = None,
    unit: str = "",
) -> Chart:
    """Lay out a chart; its height stands for `top`, or for a round number above every column."""
    highest = max((sum(point.values) for point in points), default=0.0)
    whole = _round_up(highest) if top is None else top
    columns = [_column(number, point, parts, whole) for number, point in enumerate(points)]
    return Chart(name, title, summary, parts, points, columns, f"{_said(whole)}{unit}")


def _column(number: int, point: Point, parts: Sequence[Part], whole: float) -> Column:
    bars = []
    floor = HEIGHT
    for part, value in zip(parts, point.values, strict=True):
        if value > 0:
            height = max(LEAST_HEIGHT, HEIGHT * value / whole)
            # what is too small to be seen is drawn larger, and must not grow out of the drawing
            floor = max(0.0, floor - height)
            bars.append(Bar(part.look, number + (1 - COLUMN_WIDTH) / 2, floor, height))
    words = [f"{part.name}: {said}" for part, said in zip(parts, point.said, strict=True)]
    return Column(float(number), f"{point.label}\n{', '.join(words)}", bars)


def _said(whole: float) -> str:
    return f"{whole:,.0f}" if whole >= 1 else f"{whole:g}"


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten; of nothing, 1."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power)
