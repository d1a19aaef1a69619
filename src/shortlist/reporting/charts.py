"""The chart types of the page: intervals, lines, stacked bars, scatter plots and maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shortlist.reporting.svg import (
    LETTER_HEIGHT,
    LETTER_WIDTH,
    WIDTH,
    Anchor,
    Canvas,
    Scale,
    shortened,
    tick_label,
)

_LEFT, _RIGHT = 72.0, WIDTH - 14  # of the plots with lines
_INTERVAL_ROW, _BAR_ROW = 26.0, 28.0  # heights of rows
_NUMBER_WIDTH = 34.0  # a narrower share has no room for its number


@dataclass(frozen=True)
class IntervalRow:
    """A labelled value with its interval; ``style`` is the class for its colour."""

    label: str
    value: float
    low: float
    high: float
    style: str
    tip: str


def interval_chart(
    rows: Sequence[IntervalRow],
    axis: str,
    description: str,
    *,
    zero: bool = False,
    differences: bool = False,
) -> str:
    """Draw values with intervals, one per row.

    Parameters
    ----------
    rows
        From top to bottom.
    axis
        Title of the axis, with the unit.
    description
        What the chart shows, in words.
    zero
        Start the axis at 0.
    differences
        Values are differences: draw a line at 0, and write their signs.
    """
    left = 12 + LETTER_WIDTH * max(len(shortened(row.label)) for row in rows)
    right, bottom = WIDTH - 62, 14 + _INTERVAL_ROW * len(rows)
    values = [value for row in rows for value in (row.low, row.value, row.high)]
    scale = Scale.around([*values, 0.0] if differences else values, left, right, zero=zero)
    canvas = Canvas(bottom + 40, description)
    for tick in scale.ticks(5):
        canvas.line(scale(tick), 8, scale(tick), bottom, "grid")
        canvas.text(scale(tick), bottom + 10, tick_label(tick), "tick", "middle")
    if differences:
        canvas.line(scale(0), 4, scale(0), bottom, "zero")
    for position, row in enumerate(rows):
        y = 14 + _INTERVAL_ROW * (position + 0.5) - 4
        canvas.text(left - 8, y, shortened(row.label), "label", "end")
        canvas.line(scale(row.low), y, scale(row.high), y, f"interval {row.style}")
        for end in (row.low, row.high):
            canvas.line(scale(end), y - 4, scale(end), y + 4, f"interval {row.style}")
        canvas.dot(scale(row.value), y, 5, f"dot {row.style}", f"{row.label}: {row.tip}")
        sign = "+" if differences else ""
        canvas.text(right + 8, y, f"{row.value:{sign}.4f}", "value")
    canvas.text((left + right) / 2, bottom + 28, axis, "axis-title", "middle")
    return canvas.markup()


@dataclass(frozen=True)
class Line:
    """A named line; ``bounds`` are the intervals of its values, if they have any."""

    label: str
    style: str
    xs: Sequence[float]
    ys: Sequence[float]
    bounds: Sequence[tuple[float, float]] = field(default=())


def grouped_chart(
    lines: Sequence[Line], groups: Sequence[str], x_axis: str, y_axis: str, description: str
) -> str:
    """Draw a dot with an interval for each group of each line, side by side within the group."""
    canvas = Canvas(310, description)
    top, bottom = _legend(canvas, lines), canvas.height - 48
    bounds = [value for line in lines for pair in line.bounds for value in pair]
    ys = Scale.around(bounds, bottom, top, zero=True)
    step = (_RIGHT - _LEFT) / len(groups)
    _y_axis(canvas, ys, _LEFT, _RIGHT)
    for position, group in enumerate(groups):
        canvas.text(_LEFT + (position + 0.5) * step, bottom + 13, group, "tick", "middle")
    spacing = min(12.0, 0.7 * step / len(lines))
    for number, line in enumerate(lines):
        shift = (number - (len(lines) - 1) / 2) * spacing
        for group, x, y, (low, high) in zip(groups, line.xs, line.ys, line.bounds, strict=True):
            center = _LEFT + (x + 0.5) * step + shift
            canvas.line(center, ys(low), center, ys(high), f"interval {line.style}")
            interval = f"{low:.4f} to {high:.4f}" if low < high else "no interval"
            tip = f"{line.label}, {group}: {y:.4f} ({interval})"
            canvas.dot(center, ys(y), 4, f"dot {line.style}", tip)
    _axis_titles(canvas, x_axis, y_axis, top, bottom)
    return canvas.markup()


def line_chart(lines: Sequence[Line], x_axis: str, y_axis: str, description: str) -> str:
    """Draw lines over a common axis."""
    canvas = Canvas(240, description)
    top, bottom = _legend(canvas, lines), canvas.height - 48
    xs = Scale.around([x for line in lines for x in line.xs], _LEFT, _RIGHT)
    ys = Scale.around([y for line in lines for y in line.ys], bottom, top)
    _y_axis(canvas, ys, _LEFT, _RIGHT)
    for tick in xs.ticks():
        canvas.text(xs(tick), bottom + 13, tick_label(tick), "tick", "middle")
    for line in lines:
        points = [(xs(x), ys(y)) for x, y in zip(line.xs, line.ys, strict=True)]
        canvas.path(points, f"curve {line.style}")
        canvas.dot(*points[-1], 4, f"dot {line.style}", f"{line.label}: {line.ys[-1]:.5g}")
    _axis_titles(canvas, x_axis, y_axis, top, bottom)
    return canvas.markup()


def _legend(canvas: Canvas, lines: Sequence[Line]) -> float:
    return canvas.legend([(line.label, f"swatch {line.style}") for line in lines], 10) + 4


def _y_axis(canvas: Canvas, ys: Scale, left: float, right: float) -> None:
    for tick in ys.ticks(5):
        canvas.line(left, ys(tick), right, ys(tick), "grid")
        canvas.text(left - 6, ys(tick), tick_label(tick), "tick", "end")
    canvas.line(left, ys.start, right, ys.start, "axis")


def _axis_titles(canvas: Canvas, x_axis: str, y_axis: str, top: float, bottom: float) -> None:
    canvas.text((_LEFT + _RIGHT) / 2, canvas.height - 12, x_axis, "axis-title", "middle")
    canvas.vertical_text(10, (top + bottom) / 2, y_axis, "axis-title")


@dataclass(frozen=True)
class Bar:
    """A labelled bar; its shares add up to 1."""

    label: str
    shares: Sequence[float]


def stacked_bars(bars: Sequence[Bar], groups: Sequence[str], axis: str, description: str) -> str:
    """Draw one bar per row, each divided into the same groups."""
    legend_width = sum(28 + LETTER_WIDTH * len(shortened(name)) for name in groups)
    legend_rows = int(legend_width // (WIDTH - 60))  # beyond the first, at most
    canvas = Canvas(68 + 18 * legend_rows + _BAR_ROW * len(bars), description)
    top = canvas.legend([(name, f"share q{number}") for number, name in enumerate(groups)], 10) + 4
    left = 12 + LETTER_WIDTH * max(len(shortened(bar.label)) for bar in bars)
    right, bottom = WIDTH - 10, top + _BAR_ROW * len(bars)
    for position, bar in enumerate(bars):
        y, x = top + _BAR_ROW * position, left
        canvas.text(left - 8, y + 10, shortened(bar.label), "label", "end")
        for number, (group, part) in enumerate(zip(groups, bar.shares, strict=True)):
            width = part * (right - left)
            if width > 0:
                tip = f"{bar.label}: {part:.1%} on {group}"
                canvas.box(x, y, width, 20, f"share q{number}", tip)
            if width > _NUMBER_WIDTH:
                canvas.text(x + width / 2, y + 10, f"{part:.0%}", f"on q{number}", "middle")
            x += width
    for tick in (0, 25, 50, 75, 100):
        x = left + tick / 100 * (right - left)
        canvas.line(x, bottom - 4, x, bottom, "axis")
        canvas.text(x, bottom + 8, f"{tick}%", "tick", "end" if tick == 100 else "middle")
    canvas.text((left + right) / 2, bottom + 26, axis, "axis-title", "middle")
    return canvas.markup()


@dataclass(frozen=True)
class Point:
    """A named point with the interval of its y value."""

    label: str
    x: float
    y: float
    low: float
    high: float
    style: str
    tip: str


def scatter_chart(
    points: Sequence[Point], x_axis: str, y_axis: str, description: str, *, log: bool = False
) -> str:
    """Draw labelled points with the intervals of their y values.

    Parameters
    ----------
    points
        At least one.
    x_axis, y_axis
        Titles of the axes, with units.
    description
        What the chart shows, in words.
    log
        Whether the x axis is logarithmic.
    """
    canvas = Canvas(300, description)
    left, right, top, bottom = 64.0, WIDTH - 14, 12.0, canvas.height - 44
    xs = Scale.around([point.x for point in points], left, right, log=log, zero=not log)
    bounds = [value for point in points for value in (point.low, point.high)]
    ys = Scale.around(bounds, bottom, top, zero=True)
    _y_axis(canvas, ys, left, right)
    for tick in xs.ticks():
        canvas.line(xs(tick), bottom, xs(tick), bottom + 4, "axis")
        canvas.text(xs(tick), bottom + 12, tick_label(tick), "tick", "middle")
    occupied: list[Box] = []
    for point in points:
        x = xs(point.x)
        canvas.line(x, ys(point.low), x, ys(point.high), f"interval faint {point.style}")
        occupied.append((x - 6, ys(point.y) - 6, x + 6, ys(point.y) + 6))
    area = (left, top, WIDTH, bottom - 4)
    for point in points:
        x, y = xs(point.x), ys(point.y)
        canvas.dot(x, y, 5, f"dot {point.style}", f"{point.label}: {point.tip}")
        label_x, label_y, anchor, box = _place_label(x, y, shortened(point.label), occupied, area)
        occupied.append(box)
        if abs(label_y - y) > 20:
            canvas.line(x, y, label_x if anchor == "start" else x, label_y, "leader")
        canvas.text(label_x, label_y, shortened(point.label), "label halo", anchor)
    canvas.text((left + right) / 2, canvas.height - 12, x_axis, "axis-title", "middle")
    canvas.vertical_text(12, (top + bottom) / 2, y_axis, "axis-title")
    return canvas.markup()


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _place_label(
    x: float, y: float, label: str, occupied: Sequence[Box], area: Box
) -> tuple[float, float, Anchor, Box]:
    """Return the label position beside a point with the least overlap; of equals the nearest."""
    width = LETTER_WIDTH * len(label)
    best: tuple[float, float, float, Anchor, Box] | None = None
    for distance in (0.0, 14.0, -14.0, 27.0, -27.0, 40.0, -40.0):
        sides: list[tuple[float, Anchor, float]] = [
            (x + 9, "start", x + 9), (x - 9, "end", x - 9 - width)
        ]  # fmt: skip
        for label_x, anchor, start in sides:
            label_y = y + distance
            box = (start, label_y - LETTER_HEIGHT / 2, start + width, label_y + LETTER_HEIGHT / 2)
            cost = sum(_overlap(box, other) for other in occupied) + abs(distance)
            cost += 1e4 * (start < area[0] or start + width > area[2])
            cost += 1e4 * (label_y < area[1] or label_y > area[3])
            if best is None or cost < best[0]:
                best = (cost, label_x, label_y, anchor, box)
    assert best is not None
    return best[1:]


def _overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return 10 * width * height if width > 0 and height > 0 else 0.0


@dataclass(frozen=True)
class MapPoint:
    """A point with coordinates between 0 and 1; ``tip`` is shown when it is pointed at."""

    x: float
    y: float
    radius: float
    style: str
    tip: str


def map_chart(points: Sequence[MapPoint], description: str) -> str:
    """Draw a square map of points, without axes."""
    margin = 8.0
    size = WIDTH - 2 * margin
    canvas = Canvas(WIDTH, description)
    for point in points:
        x, y = margin + point.x * size, margin + (1 - point.y) * size
        canvas.dot(x, y, point.radius, f"map-point {point.style}", point.tip)
    return canvas.markup()
