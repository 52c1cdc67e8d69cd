"""Bar charts as SVG, written by hand. They bring their own ground: any page may hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LABEL_WIDTH = 210
_PANEL_WIDTH = 280
#: What of a panel a bar may take; its figure stands in the rest.
_BAR_WIDTH = 210
_ROW_HEIGHT = 30
_TOP = 44
_MARGIN = 16
_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .head { font-weight: 600; }
    .ground { fill: #ffffff; }
    .bar { fill: #8c9bab; }
    .ours { fill: #0969da; }
    .spread { stroke: #24292f; stroke-width: 1.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .ground { fill: #0d1117; }
      .bar { fill: #6e7b8a; }
      .ours { fill: #4493f8; }
      .spread { stroke: #e6edf3; }
    }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A median, drawn with its spread and said in words."""

    value: float
    least: float
    most: float
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of all rows."""

    title: str
    bars: Sequence[Bar]


def drawn(title: str, labels: Sequence[str], panels: Sequence[Panel]) -> str:
    """Return a chart: a row for every label, the panels side by side. Ours stand out."""
    width = _MARGIN + _LABEL_WIDTH + _PANEL_WIDTH * len(panels) + _MARGIN
    height = _TOP + _ROW_HEIGHT * len(labels) + _MARGIN
    size = f'width="{width}" height="{height}"'
    box = f'viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {box}>',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" {size} rx="6"/>',
    ]
    for row, label in enumerate(labels):
        y = _TOP + _ROW_HEIGHT * row + 15
        parts.append(f'<text x="{_MARGIN}" y="{y}">{escape(label)}</text>')
    for column, panel in enumerate(panels):
        x = _MARGIN + _LABEL_WIDTH + _PANEL_WIDTH * column
        parts.append(f'<text class="head" x="{x}" y="26">{escape(panel.title)}</text>')
        parts += _bars(x, labels, panel.bars)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bars(x: int, labels: Sequence[str], bars: Sequence[Bar]) -> list[str]:
    scale = _BAR_WIDTH / max(bar.most for bar in bars)
    parts = []
    for row, (label, bar) in enumerate(zip(labels, bars, strict=True)):
        y = _TOP + _ROW_HEIGHT * row
        kind = "bar ours" if label.startswith("Darkroom") else "bar"
        least, most = (x + value * scale for value in (bar.least, bar.most))
        parts += [
            f'<rect class="{kind}" x="{x}" y="{y}" width="{bar.value * scale:.1f}" height="20"/>',
            f'<line class="spread" x1="{least:.1f}" x2="{most:.1f}" y1="{y + 10}" y2="{y + 10}"/>',
            f'<text x="{most + 8:.1f}" y="{y + 15}">{escape(bar.text)}</text>',
        ]
    return parts
