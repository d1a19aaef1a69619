"""Bars of equal length, cut into shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shortlist.reporting.charts.canvas import LETTER, WIDTH, Canvas, short

_ROW = 28.0
_ROOM = 34.0  # a share narrower than this has no room for its number


@dataclass(frozen=True)
class Bar:
    """A labelled bar; its shares add up to 1."""

    label: str
    shares: Sequence[float]


def stacked_bars(bars: Sequence[Bar], groups: Sequence[str], axis: str, description: str) -> Markup:
    """Draw one bar a row, each cut into the same groups."""
    canvas = Canvas(68 + 18 * _key_rows(groups) + _ROW * len(bars), description)
    top = canvas.key([(name, f"share q{number}") for number, name in enumerate(groups)], 10) + 4
    left, right = 12 + LETTER * max(len(short(bar.label)) for bar in bars), WIDTH - 10
    for position, bar in enumerate(bars):
        y, x = top + _ROW * position, left
        canvas.text(left - 8, y + 10, short(bar.label), "label", "end")
        for number, (group, part) in enumerate(zip(groups, bar.shares, strict=True)):
            wide = part * (right - left)
            said = f"{bar.label}: {part:.1%} on {group}"
            if wide > 0:
                canvas.box(x, y, wide, 20, f"share q{number}", said)
            if wide > _ROOM:
                canvas.text(x + wide / 2, y + 10, f"{part:.0%}", f"on q{number}", "middle")
            x += wide
    bottom = top + _ROW * len(bars)
    for tick in (0, 25, 50, 75, 100):
        place = left + tick / 100 * (right - left)
        canvas.line(place, bottom - 4, place, bottom, "axis")
        canvas.text(place, bottom + 8, f"{tick}%", "tick", "end" if tick == 100 else "middle")
    canvas.text((left + right) / 2, bottom + 26, axis, "axis-title", "middle")
    return canvas.markup()


def _key_rows(groups: Sequence[str]) -> int:
    """Say how many rows the legend takes beyond the first, at most."""
    return int(sum(28 + LETTER * len(short(name)) for name in groups) // (WIDTH - 60))
