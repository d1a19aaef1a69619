"""Many points in two dimensions that have no units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shortlist.reporting.charts.canvas import WIDTH, Canvas

_EDGE = 8.0


@dataclass(frozen=True)
class Dot:
    """A point between 0 and 1 each way; ``said`` when it is pointed at."""

    x: float
    y: float
    radius: float
    style: str
    said: str


def place_chart(dots: Sequence[Dot], description: str) -> Markup:
    """Draw the points in their order."""
    canvas = Canvas(WIDTH, description)
    across = WIDTH - 2 * _EDGE
    for dot in dots:
        place = _EDGE + dot.x * across, _EDGE + (1 - dot.y) * across
        canvas.dot(*place, dot.radius, f"place {dot.style}", dot.said)
    return canvas.markup()
