"""One row a model: a dot, and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shortlist.reporting.charts.canvas import LETTER, WIDTH, Canvas, short
from shortlist.reporting.charts.scales import Scale, written

_ROW = 26.0


@dataclass(frozen=True)
class Row:
    """A labelled value with its interval; ``style`` is a class for the colour."""

    label: str
    value: float
    low: float
    high: float
    style: str
    said: str


def interval_chart(
    rows: Sequence[Row], axis: str, description: str, *, zero: bool = False, compared: bool = False
) -> Markup:
    """Draw values with intervals, one above the other.

    Parameters
    ----------
    rows
        From top to bottom.
    axis
        What the values are, with their unit.
    description
        What the chart shows, in words.
    zero
        Begin the axis at 0.
    compared
        Draw a line at 0: values are differences.
    """
    left = 12 + LETTER * max(len(short(row.label)) for row in rows)
    right, bottom = WIDTH - 62, 14 + _ROW * len(rows)
    values = [value for row in rows for value in (row.low, row.value, row.high)]
    scale = Scale.around([*values, 0.0] if compared else values, left, right, zero=zero)
    canvas = Canvas(bottom + 40, description)
    for tick in scale.ticks(5):
        canvas.line(scale(tick), 8, scale(tick), bottom, "grid")
        canvas.text(scale(tick), bottom + 10, written(tick), "tick", "middle")
    if compared:
        canvas.line(scale(0), 4, scale(0), bottom, "zero")
    for position, row in enumerate(rows):
        y = 14 + _ROW * (position + 0.5) - 4
        canvas.text(left - 8, y, short(row.label), "label", "end")
        canvas.line(scale(row.low), y, scale(row.high), y, f"interval {row.style}")
        for end in (row.low, row.high):
            canvas.line(scale(end), y - 4, scale(end), y + 4, f"interval {row.style}")
        canvas.dot(scale(row.value), y, 5, f"dot {row.style}", f"{row.label}: {row.said}")
        sign = "+" if compared else ""
        canvas.text(right + 8, y, f"{row.value:{sign}.4f}", "value")
    canvas.text((left + right) / 2, bottom + 28, axis, "axis-title", "middle")
    return canvas.markup()
