"""Drawing as inline SVG: axes that map values to coordinates, and a canvas of simple shapes.

Written here because the page needs few types of charts, all with intervals, that follow light and
dark mode, print, and describe each value in words; a plotting library has fixed colours and needs
ten times the bytes. The XML writer escapes all text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

WIDTH = 460.0  # of every chart, in units of about one pixel on a phone
LETTER_WIDTH = 7.6  # of a label, at most, on average; phones get larger letters
LETTER_HEIGHT = 12.0
MOST_LETTERS = 24

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Scale:
    """An axis from value ``low`` to ``high``, drawn from coordinate ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(
        cls,
        values: Iterable[float],
        start: float,
        end: float,
        log: bool = False,
        zero: bool = False,
    ) -> Scale:
        """Return an axis with room for all values; ``zero``: including 0."""
        known = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
        low, high = (min(known), max(known)) if known else (1.0, 1.0)
        if log:
            margin = max((high / low) ** 0.08, 1.25)
            return cls(low / margin, high * margin, start, end, log=True)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        return cls(low if zero and low == 0 else low - margin, high + margin, start, end)

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value; values off the axis are moved to its end."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values on the axis."""
        if self.log and len(ticks := _log_ticks(self.low, self.high, most)) > 2:
            return ticks  # a short logarithmic axis has too few of them and gets even steps
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * lead for lead in (1, 2, 2.5, 5, 10) if power * lead >= least * (1 - 1e-9))


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for leads in ((1, 2, 5), (1, 3), (1,)):
        ticks = [lead * 10.0**power for power in powers for lead in leads]
        ticks = [value for value in ticks if low <= value <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def tick_label(value: float) -> str:
    """Format the value of a tick.

    >>> tick_label(0.025), tick_label(12000.0), tick_label(-0.0)
    ('0.025', '12,000', '0')
    """
    if abs(value) < 1e-12:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


class Canvas:
    """An SVG drawing; the style sheet of the page gives the classes of its shapes their colours.

    ``description`` says what the drawing shows, for readers who cannot see it. A ``tip`` is shown
    when the reader points at a shape.
    """

    def __init__(self, height: float, description: str, width: float = WIDTH) -> None:
        self.height, self.width = height, width
        self._root = ET.Element("svg")
        self._root.attrib |= {"role": "img", "aria-label": description, "class": "chart"}

    def markup(self) -> str:
        """Return the drawing as SVG text; all text in it is escaped."""
        self._root.set("viewBox", f"0 0 {self.width:g} {self.height:g}")
        return ET.tostring(self._root, encoding="unicode")

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw a straight line."""
        self._shape("line", style, x1=x1, y1=y1, x2=x2, y2=y2)

    def path(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """Draw a line through points."""
        steps = " L".join(f"{_coordinate(x)} {_coordinate(y)}" for x, y in points)
        self._shape("path", style).set("d", f"M{steps}")

    def dot(self, x: float, y: float, radius: float, style: str, tip: str) -> None:
        """Draw a disc."""
        self._shape("circle", style, tip, cx=x, cy=y, r=radius)

    def box(
        self, x: float, y: float, width: float, height: float, style: str, tip: str | None = None
    ) -> None:
        """Draw a rectangle."""
        self._shape("rect", style, tip, x=x, y=y, width=width, height=height)

    def text(
        self, x: float, y: float, content: str, style: str = "label", anchor: Anchor = "start"
    ) -> None:
        """Write one line of text, vertically centred on ``y``."""
        text = self._shape("text", style, x=x, y=y + 4)
        text.set("text-anchor", anchor)
        text.text = content

    def vertical_text(self, x: float, y: float, content: str, style: str) -> None:
        """Write one line of text upwards, centred on a point."""
        text = self._shape("text", style, x=x, y=y)
        text.set("transform", f"rotate(-90 {_coordinate(x)} {_coordinate(y)})")
        text.set("text-anchor", "middle")
        text.text = content

    def legend(self, entries: Iterable[tuple[str, str]], y: float) -> float:
        """Draw a legend of (name, style) entries in rows; return the y coordinate below it."""
        left = x = 4.0
        for name, style in entries:
            width = 14 + label_width(name) + 14
            if x + width > self.width and x > left:
                x, y = left, y + 18
            self.box(x, y - 5, 10, 10, style)
            self.text(x + 14, y, shortened(name))
            x += width
        return y + 14

    def _shape(
        self, tag: str, style: str, tip: str | None = None, **coordinates: float
    ) -> ET.Element:
        attributes = {name: _coordinate(value) for name, value in coordinates.items()}
        shape = ET.SubElement(self._root, tag, attributes | {"class": style})
        if tip is not None:
            ET.SubElement(shape, "title").text = tip
        return shape


def shortened(name: str) -> str:
    """Shorten a long name in its middle: names of models differ at their ends.

    >>> shortened("MatrixFactorization(loss='softmax')")
    "MatrixFactor…='softmax')"
    """
    if len(name) <= MOST_LETTERS:
        return name
    return f"{name[: MOST_LETTERS // 2]}…{name[1 - MOST_LETTERS // 2 :]}"


def label_width(name: str) -> float:
    """Return the width of a shortened name, at most."""
    return LETTER_WIDTH * len(shortened(name))


def _coordinate(value: float) -> str:
    """Format a coordinate; finer than a tenth of a unit is not visible."""
    return f"{value:.1f}".removesuffix(".0")
