"""A drawing surface: a few shapes, with classes that the style sheet of the page gives colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal
from xml.etree import ElementTree as ET

from markupsafe import Markup

WIDTH = 460.0  # of every chart, in units that are about a pixel on a telephone
LETTER = 7.6  # how wide a letter of a label is, at most on average: telephones get larger ones
HIGH = 12.0  # how high
MOST_LETTERS = 24

Anchor = Literal["start", "middle", "end"]


class Canvas:
    """An SVG drawing.

    Parameters
    ----------
    height
        In the units of :data:`WIDTH`.
    description
        What the drawing shows, for those who cannot see it.
    """

    def __init__(self, height: float, description: str) -> None:
        self.height = height
        self._root = ET.Element(
            "svg",
            {
                "viewBox": f"0 0 {WIDTH:g} {height:g}",
                "role": "img",
                "aria-label": description,
                "class": "chart",
            },
        )

    def markup(self) -> Markup:
        """Give the drawing as text that needs no more escaping."""
        return Markup(ET.tostring(self._root, encoding="unicode"))

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw a straight line."""
        ends = {"x1": _n(x1), "y1": _n(y1), "x2": _n(x2), "y2": _n(y2)}
        ET.SubElement(self._root, "line", ends | {"class": style})

    def path(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """Draw a line through points."""
        steps = " L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        ET.SubElement(self._root, "path", {"d": f"M{steps}", "class": style})

    def dot(self, x: float, y: float, radius: float, style: str, tip: str | None = None) -> None:
        """Draw a disc; ``tip`` is what is said of it when it is pointed at."""
        shape = {"cx": _n(x), "cy": _n(y), "r": _n(radius), "class": style}
        self._tip(ET.SubElement(self._root, "circle", shape), tip)

    def box(
        self, x: float, y: float, width: float, height: float, style: str, tip: str | None = None
    ) -> None:
        """Draw a rectangle."""
        shape = {"x": _n(x), "y": _n(y), "width": _n(width), "height": _n(height), "class": style}
        self._tip(ET.SubElement(self._root, "rect", shape), tip)

    def text(
        self, x: float, y: float, content: str, style: str = "label", anchor: Anchor = "start"
    ) -> None:
        """Write, in one line whose middle is at ``y``."""
        place = {"x": _n(x), "y": _n(y + 4), "class": style, "text-anchor": anchor}
        ET.SubElement(self._root, "text", place).text = content

    def sideways(self, x: float, y: float, content: str, style: str = "label") -> None:
        """Write from below to above, centred on a point."""
        turn = f"rotate(-90 {_n(x)} {_n(y)})"
        place = {"x": _n(x), "y": _n(y), "class": style, "transform": turn}
        ET.SubElement(self._root, "text", place | {"text-anchor": "middle"}).text = content

    def key(self, names: Iterable[tuple[str, str]], y: float, x: float = 4.0) -> float:
        """Draw a legend of (name, style), in as many rows as it takes; give the y below it."""
        left = x
        for name, style in names:
            wide = 14 + LETTER * len(short(name)) + 14
            if x + wide > WIDTH and x > left:
                x, y = left, y + 18
            self.box(x, y - 5, 10, 10, style)
            self.text(x + 14, y, short(name))
            x += wide
        return y + 14

    def _tip(self, shape: ET.Element, tip: str | None) -> None:
        if tip is not None:
            ET.SubElement(shape, "title").text = tip


def short(name: str) -> str:
    """Cut a long name.

    Examples
    --------
    >>> short("MatrixFactorization(loss='softmax')")
    'MatrixFactorization(los…'
    """
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _n(value: float) -> str:
    """Write a coordinate; a tenth of a unit is finer than anybody sees."""
    return f"{value:.1f}".removesuffix(".0")
