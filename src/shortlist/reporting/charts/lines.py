"""Lines: over groups with intervals, and over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from shortlist.reporting.charts.canvas import WIDTH, Canvas
from shortlist.reporting.charts.scales import Scale, written

_LEFT, _RIGHT = 72.0, WIDTH - 14


@dataclass(frozen=True)
class Line:
    """A named line; bounds where its values have intervals."""

    label: str
    style: str
    xs: Sequence[float]
    ys: Sequence[float]
    bounds: Sequence[tuple[float, float]] = field(default=())


def grouped_chart(
    lines: Sequence[Line], groups: Sequence[str], across: str, up: str, description: str
) -> Markup:
    """Draw a dot with an interval for each group of each line, side by side within the group."""
    canvas = Canvas(310, description)
    top = canvas.key([(line.label, f"swatch {line.style}") for line in lines], 10) + 4
    bottom = canvas.height - 48
    heights = [value for line in lines for pair in line.bounds for value in pair]
    ys = Scale.around(heights, bottom, top, zero=True)
    step = (_RIGHT - _LEFT) / len(groups)
    _heights(canvas, ys, _LEFT, _RIGHT)
    for position, group in enumerate(groups):
        canvas.text(_LEFT + (position + 0.5) * step, bottom + 13, group, "tick", "middle")
    apart = min(12.0, 0.7 * step / len(lines))
    for number, line in enumerate(lines):
        shift = (number - (len(lines) - 1) / 2) * apart
        for group, x, y, (low, high) in zip(groups, line.xs, line.ys, line.bounds, strict=True):
            place = _LEFT + (x + 0.5) * step + shift
            canvas.line(place, ys(low), place, ys(high), f"interval {line.style}")
            said = f"{line.label}, {group}: {y:.4f} ({low:.4f} to {high:.4f})"
            canvas.dot(place, ys(y), 4, f"dot {line.style}", said)
    _titles(canvas, across, up, top, bottom)
    return canvas.markup()


def line_chart(lines: Sequence[Line], across: str, up: str, description: str) -> Markup:
    """Draw lines over a common axis."""
    canvas = Canvas(240, description)
    top = canvas.key([(line.label, f"swatch {line.style}") for line in lines], 10) + 4
    bottom = canvas.height - 48
    xs = Scale.around([x for line in lines for x in line.xs], _LEFT, _RIGHT)
    ys = Scale.around([y for line in lines for y in line.ys], bottom, top)
    _heights(canvas, ys, _LEFT, _RIGHT)
    for tick in xs.ticks():
        canvas.text(xs(tick), bottom + 13, written(tick), "tick", "middle")
    for line in lines:
        points = [(xs(x), ys(y)) for x, y in zip(line.xs, line.ys, strict=True)]
        canvas.path(points, f"curve {line.style}")
        canvas.dot(*points[-1], 4, f"dot {line.style}", f"{line.label}: {line.ys[-1]:.5g}")
    _titles(canvas, across, up, top, bottom)
    return canvas.markup()


def _heights(canvas: Canvas, ys: Scale, left: float, right: float) -> None:
    for tick in ys.ticks(5):
        canvas.line(left, ys(tick), right, ys(tick), "grid")
        canvas.text(left - 6, ys(tick), written(tick), "tick", "end")
    canvas.line(left, ys.start, right, ys.start, "axis")


def _titles(canvas: Canvas, across: str, up: str, top: float, bottom: float) -> None:
    canvas.text((_LEFT + _RIGHT) / 2, canvas.height - 12, across, "axis-title", "middle")
    canvas.sideways(10, (top + bottom) / 2, up, "axis-title")
