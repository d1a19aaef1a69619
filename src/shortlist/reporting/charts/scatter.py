"""Points by two measures, each with its name beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shortlist.reporting.charts.canvas import HIGH, LETTER, WIDTH, Anchor, Canvas, short
from shortlist.reporting.charts.scales import Scale, written

_HEIGHT = 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, WIDTH - 14, 12.0, _HEIGHT - 44
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Point:
    """A named point, and the interval of its height."""

    label: str
    x: float
    y: float
    low: float
    high: float
    style: str
    said: str


def scatter_chart(
    points: Sequence[Point], across: str, up: str, description: str, *, log: bool = False
) -> Markup:
    """Draw points with the intervals of their heights.

    Parameters
    ----------
    points
        At least one.
    across, up
        What the axes are, with units.
    description
        What the chart shows, in words.
    log
        Whether the axis across is logarithmic.
    """
    xs = Scale.around([one.x for one in points], _LEFT, _RIGHT, log=log, zero=not log)
    heights = [value for one in points for value in (one.low, one.high)]
    ys = Scale.around(heights, _BOTTOM, _TOP, zero=True)
    canvas = Canvas(_HEIGHT, description)
    for tick in ys.ticks(5):
        canvas.line(_LEFT, ys(tick), _RIGHT, ys(tick), "grid")
        canvas.text(_LEFT - 6, ys(tick), written(tick), "tick", "end")
    for tick in xs.ticks():
        canvas.line(xs(tick), _BOTTOM, xs(tick), _BOTTOM + 4, "axis")
        canvas.text(xs(tick), _BOTTOM + 12, written(tick), "tick", "middle")
    canvas.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis")
    taken: list[Box] = []
    for one in points:
        x = xs(one.x)
        canvas.line(x, ys(one.low), x, ys(one.high), f"interval faint {one.style}")
        taken.append((x - 6, ys(one.y) - 6, x + 6, ys(one.y) + 6))
    for one in points:
        x, y = xs(one.x), ys(one.y)
        canvas.dot(x, y, 5, f"dot {one.style}", f"{one.label}: {one.said}")
        left, middle, anchor, box = _free_place(x, y, short(one.label), taken)
        taken.append(box)
        if abs(middle - y) > 20:
            canvas.line(x, y, left if anchor == "start" else x, middle, "leader")
        canvas.text(left, middle, short(one.label), "label halo", anchor)
    canvas.text((_LEFT + _RIGHT) / 2, _HEIGHT - 12, across, "axis-title", "middle")
    canvas.sideways(12, (_TOP + _BOTTOM) / 2, up, "axis-title")
    return canvas.markup()


def _free_place(
    x: float, y: float, label: str, taken: Sequence[Box]
) -> tuple[float, float, Anchor, Box]:
    """Find room for a label beside its point: where it overlaps least, near before far."""
    wide = LETTER * len(label)
    best: tuple[float, float, float, Anchor, Box] | None = None
    for far in (0.0, 14.0, -14.0, 27.0, -27.0, 40.0, -40.0):
        sides: list[tuple[float, Anchor, float]] = [
            (x + 9, "start", x + 9), (x - 9, "end", x - 9 - wide)
        ]  # fmt: skip
        for left, anchor, start in sides:
            middle = y + far
            box = (start, middle - HIGH / 2, start + wide, middle + HIGH / 2)
            cost = sum(_overlap(box, other) for other in taken) + abs(far)
            cost += 1e4 * (start < _LEFT or start + wide > WIDTH)
            cost += 1e4 * (middle < _TOP or middle > _BOTTOM - 4)
            if best is None or cost < best[0]:
                best = (cost, left, middle, anchor, box)
    assert best is not None
    return best[1:]


def _overlap(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return 10 * across * down if across > 0 and down > 0 else 0.0
