"""The charts of the page, drawn from its contents as SVG text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shortlist.reporting.accuracy import ByHistory, Estimate, Ranking
from shortlist.reporting.catalogue import OTHERS, ItemMap, LongTail
from shortlist.reporting.costs import LossCurve
from shortlist.reporting.svg import (
    LETTER_HEIGHT,
    LETTER_WIDTH,
    WIDTH,
    Anchor,
    Canvas,
    Scale,
    label_width,
    shortened,
    tick_label,
)

MOST_LINES = 4  # models in the chart by history length; the table has all of them
_BASELINE = "Popularity"
_LEAST_COST = 1e-3  # seconds or milliseconds; smaller values do not fit a logarithmic axis
_LEFT, _MARGIN = 72.0, 14.0  # of the plots with a vertical axis
_RIGHT = WIDTH - _MARGIN
_TITLE_WIDTH = 0.72 * LETTER_WIDTH  # of a letter of the titles on the map, which are smaller
_BELOW = 48.0  # height for the labels and the title of the horizontal axis
_INTERVAL_ROW, _BAR_ROW = 26.0, 28.0  # heights of rows
_STYLES = {
    "significantly worse": "significant", "practically equal": "equal", "not significant": "unsure",
}  # fmt: skip
_MOST_NAMED = 30  # items of the map whose titles are written beside their dots
_WIDE = 2 * WIDTH + 36  # of a chart that fills the page
_NUMBER_WIDTH = 34.0  # a narrower share has no room for its number


@dataclass(frozen=True)
class Mark:
    """A labelled value with its interval; ``style`` is the class for its colour."""

    label: str
    value: float
    low: float
    high: float
    style: str
    text: str  # the value in words
    x: float = 0.0

    @property
    def tip(self) -> str:
        """The text that is shown when the mark is pointed at."""
        return f"{self.label}: {self.text}"


def _mark(label: str, estimate: Estimate, style: str, text: str = "", x: float = 0.0) -> Mark:
    value, low, high = estimate.value, estimate.low, estimate.high
    bounds = (value, value) if low is None or high is None else (low, high)
    return Mark(label, value, *bounds, style, text or _estimate_text(estimate), x)


def _estimate_text(estimate: Estimate) -> str:
    if estimate.low is None:
        return f"{estimate.value:.4f} (no interval)"
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


def _style(ranking: Ranking, model: str) -> str:
    """Return the style of a model: the best one is highlighted, the others are labelled only."""
    return "best" if model == ranking.best else "other"


def _described(title: str, marks: Iterable[Mark]) -> str:
    return f"{title}: {'; '.join(f'{mark.label} {mark.text}' for mark in marks)}"


def _bounds(marks: Iterable[Mark]) -> list[float]:
    return [bound for mark in marks for bound in (mark.low, mark.high)]


# --- intervals, one per row -----------------------------------------------------------------


def ranking_chart(ranking: Ranking) -> str:
    """Draw the main metric of every model."""
    marks = [
        _mark(model, estimates[ranking.main], _style(ranking, model))
        for model, estimates in ranking.estimates.items()
    ]
    return interval_chart(marks, ranking.main, f"{ranking.main} of every model")


def difference_chart(ranking: Ranking) -> str | None:
    """Draw the difference of every other model to the best one; None without other models."""
    marks = []
    for model, test in ranking.against_best.items():
        verdict = ranking.verdicts[model]
        style = _STYLES[verdict]
        text = f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}), {verdict}"
        marks.append(Mark(model, test.difference, test.low, test.high, style, text))
    if not marks:
        return None
    axis, title = f"{ranking.main} minus that of {ranking.best}", f"Differences to {ranking.best}"
    return interval_chart(marks, axis, title, differences=True)


def interval_chart(
    marks: Sequence[Mark], axis: str, title: str, *, differences: bool = False
) -> str:
    """Draw values with intervals, one per row; of differences, with signs and a line at 0."""
    left = 12 + max(label_width(mark.label) for mark in marks)
    right, bottom = WIDTH - 62, 14 + _INTERVAL_ROW * len(marks)
    values = [*_bounds(marks), *([0.0] if differences else [])]
    scale = Scale.around(values, left, right, zero=not differences)
    canvas = Canvas(bottom + 40, _described(title, marks))
    for tick in scale.ticks(5):
        canvas.line(scale(tick), 8, scale(tick), bottom, "grid")
        canvas.text(scale(tick), bottom + 10, tick_label(tick), "tick", "middle")
    if differences:
        canvas.line(scale(0), 4, scale(0), bottom, "zero")
    for position, mark in enumerate(marks):
        y = 14 + _INTERVAL_ROW * (position + 0.5) - 4
        canvas.text(left - 8, y, shortened(mark.label), "label", "end")
        canvas.line(scale(mark.low), y, scale(mark.high), y, f"interval {mark.style}")
        for end in (mark.low, mark.high):
            canvas.line(scale(end), y - 4, scale(end), y + 4, f"interval {mark.style}")
        canvas.dot(scale(mark.value), y, 5, f"dot {mark.style}", mark.tip)
        canvas.text(right + 8, y, f"{mark.value:{'+' if differences else ''}.4f}", "value")
    canvas.text((left + right) / 2, bottom + 28, axis, "axis-title", "middle")
    return canvas.markup()


# --- plots with a vertical axis -------------------------------------------------------------


def _draw_axes(
    canvas: Canvas, ys: Scale, ticks: Iterable[tuple[float, str]], x_axis: str, y_axis: str
) -> None:
    """Draw a grid by ``ys``, labels along the horizontal axis, and the titles of both axes."""
    bottom, top, right = ys.start, ys.end, canvas.width - _MARGIN
    for tick in ys.ticks(5):
        canvas.line(_LEFT, ys(tick), right, ys(tick), "grid")
        canvas.text(_LEFT - 6, ys(tick), tick_label(tick), "tick", "end")
    canvas.line(_LEFT, bottom, right, bottom, "axis")
    for x, label in ticks:
        canvas.line(x, bottom, x, bottom + 4, "axis")
        canvas.text(x, bottom + 13, label, "tick", "middle")
    canvas.text((_LEFT + right) / 2, canvas.height - 12, x_axis, "axis-title", "middle")
    canvas.vertical_text(10, (top + bottom) / 2, y_axis, "axis-title")


def _ticks(xs: Scale) -> list[tuple[float, str]]:
    return [(xs(tick), tick_label(tick)) for tick in xs.ticks()]


def _draw_legend(canvas: Canvas, names: Iterable[str], style: str) -> float:
    """Draw a legend of numbered colours; return the y coordinate below it."""
    return canvas.legend([(name, f"{style}{n}") for n, name in enumerate(names)], 10) + 4


def drawn_models(ranking: Ranking) -> tuple[str, ...]:
    """Return the models in the chart by history length: the best ones and the baseline."""
    names = ranking.names
    if len(names) <= MOST_LINES or _BASELINE not in names or _BASELINE in names[:MOST_LINES]:
        return names[:MOST_LINES]
    return (*names[: MOST_LINES - 1], _BASELINE)


def history_chart(ranking: Ranking, history: ByHistory, width: float = _WIDE) -> str:
    """Draw the main metric by history length, the models of a group side by side."""
    groups, models = list(history.users), drawn_models(ranking)
    canvas = Canvas(
        270,
        f"{ranking.main} by history length for {', '.join(models)}; the table has the figures",
        width,
    )
    top = _draw_legend(canvas, models, "swatch c")
    of_models = [
        [
            _mark(f"{model}, {group}", estimate, f"c{number}")
            for group, estimate in zip(groups, history.estimates[model], strict=True)
        ]
        for number, model in enumerate(models)
    ]
    bounds = [bound for marks in of_models for bound in _bounds(marks)]
    ys = Scale.around(bounds, canvas.height - _BELOW, top, zero=True)
    step = (canvas.width - _MARGIN - _LEFT) / len(groups)
    centers = [_LEFT + (position + 0.5) * step for position in range(len(groups))]
    ticks = zip(centers, groups, strict=True)
    _draw_axes(canvas, ys, ticks, "interactions in training", ranking.main)
    spacing = min(12.0, 0.7 * step / len(models))
    for number, marks in enumerate(of_models):
        shift = (number - (len(models) - 1) / 2) * spacing
        for center, mark in zip(centers, marks, strict=True):
            x = center + shift
            canvas.line(x, ys(mark.low), x, ys(mark.high), f"interval {mark.style}")
            canvas.dot(x, ys(mark.value), 4, f"dot {mark.style}", mark.tip)
    return canvas.markup()


def curve_chart(curve: LossCurve) -> str:
    """Draw the losses of a model over its epochs."""
    losses = {name.replace("_", " "): values for name, values in curve.losses.items()}
    texts = [f"{name} from {ys[0]:.5g} to {ys[-1]:.5g}" for name, ys in losses.items()]
    title = f"Losses of {curve.model} over {len(curve.epochs)} epochs"
    canvas = Canvas(240, f"{title}: {'; '.join(texts)}")
    top = _draw_legend(canvas, losses, "swatch c") if len(losses) > 1 else 12
    xs = Scale.around(curve.epochs, _LEFT, _RIGHT)
    every_loss = [loss for values in losses.values() for loss in values]
    ys = Scale.around(every_loss, canvas.height - _BELOW, top)
    _draw_axes(canvas, ys, _ticks(xs), "epoch", "loss")
    for number, (name, values) in enumerate(losses.items()):
        points = [(xs(x), ys(y)) for x, y in zip(curve.epochs, values, strict=True)]
        canvas.path(points, f"curve c{number}")
        canvas.dot(*points[-1], 4, f"dot c{number}", f"{name}: {values[-1]:.5g}")
    return canvas.markup()


def coverage_chart(ranking: Ranking) -> str:
    """Draw the main metric against the coverage of the catalogue."""
    metric = f"coverage@{ranking.main_k}"
    percent = {model: 100 * figures[metric].value for model, figures in ranking.estimates.items()}
    axis = f"{metric}: % of the catalogue in at least one list"
    return scatter_chart(ranking, percent, "%", axis, "coverage")


def cost_chart(ranking: Ranking, costs: Mapping[str, float], unit: str, axis: str) -> str | None:
    """Draw the main metric against a cost of each model; None without costs."""
    visible = {model: max(cost, _LEAST_COST) for model, cost in costs.items()}
    return scatter_chart(ranking, visible, unit, axis, "cost", log=True) if visible else None


def scatter_chart(
    ranking: Ranking,
    amounts: Mapping[str, float],
    unit: str,
    axis: str,
    against: str,
    *,
    log: bool = False,
) -> str:
    """Draw the main metric of models, with intervals, against an amount; ``log``: its axis."""
    points = []
    for model, amount in amounts.items():
        estimate = ranking.estimates[model][ranking.main]
        text = f"{ranking.main} {_estimate_text(estimate)} at {amount:.3g} {unit}"
        points.append(_mark(model, estimate, _style(ranking, model), text, amount))
    canvas = Canvas(300, _described(f"Accuracy against {against}", points))
    xs = Scale.around(amounts.values(), _LEFT, _RIGHT, log=log, zero=not log)
    ys = Scale.around(_bounds(points), canvas.height - _BELOW, 12, zero=True)
    _draw_axes(canvas, ys, _ticks(xs), axis, ranking.main)
    occupied: list[Box] = []
    for point in points:
        x, y = xs(point.x), ys(point.value)
        canvas.line(x, ys(point.low), x, ys(point.high), f"interval faint {point.style}")
        occupied.append((x - 6, y - 6, x + 6, y + 6))
    for point in points:
        x, y, label = xs(point.x), ys(point.value), shortened(point.label)
        canvas.dot(x, y, 5, f"dot {point.style}", point.tip)
        label_x, label_y, anchor, box = _place_label(x, y, label, occupied, (12, ys.start - 4))
        occupied.append(box)
        if abs(label_y - y) > 20:
            canvas.line(x, y, label_x if anchor == "start" else x, label_y, "leader")
        canvas.text(label_x, label_y, label, "label halo", anchor)
    return canvas.markup()


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _place_label(
    x: float, y: float, label: str, occupied: Sequence[Box], heights: tuple[float, float]
) -> tuple[float, float, Anchor, Box]:
    """Return the label position beside a point with the least overlap; of equals the nearest."""
    width, options = label_width(label) + LETTER_WIDTH, []
    sides: tuple[tuple[float, Anchor, float], ...]
    sides = ((x + 9, "start", x + 9), (x - 9, "end", x - 9 - width))
    for distance in (0.0, 14.0, -14.0, 27.0, -27.0, 40.0, -40.0):
        for label_x, anchor, start in sides:
            label_y = y + distance
            box = (start, label_y - LETTER_HEIGHT / 2, start + width, label_y + LETTER_HEIGHT / 2)
            cost = sum(_overlap(box, other) for other in occupied) + abs(distance)
            cost += 1e4 * (start < _LEFT or start + width > WIDTH)
            cost += 1e4 * (not heights[0] <= label_y <= heights[1])
            options.append((cost, label_x, label_y, anchor, box))
    return min(options, key=lambda option: option[0])[1:]


def _overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return 10 * width * height if width > 0 and height > 0 else 0.0


# --- shares and maps ------------------------------------------------------------------------


def tail_chart(tail: LongTail) -> str:
    """Draw one bar per source, each divided into the groups of items."""
    groups = list(tail.sizes)
    values = "; ".join(f"{name} {shares[0]:.0%}" for name, shares in tail.shares.items())
    canvas = Canvas(0, f"Share of the {groups[0]} of the items: {values}")
    top = _draw_legend(canvas, groups, "share q")
    canvas.height = top + _BAR_ROW * len(tail.shares) + 38  # the legend has one or more rows
    left, right = 12 + max(map(label_width, tail.shares)), WIDTH - 10
    for position, (name, shares) in enumerate(tail.shares.items()):
        y, x = top + _BAR_ROW * position, left
        canvas.text(left - 8, y + 10, shortened(name), "label", "end")
        for number, (group, share) in enumerate(zip(groups, shares, strict=True)):
            width = share * (right - left)
            if width > 0:
                tip = f"{name}: {share:.1%} on {group}"
                canvas.box(x, y, width, 20, f"share q{number}", tip)
            if width > _NUMBER_WIDTH:
                canvas.text(x + width / 2, y + 10, f"{share:.0%}", f"on q{number}", "middle")
            x += width
    bottom = top + _BAR_ROW * len(tail.shares)
    for tick in (0, 25, 50, 75, 100):
        x = left + tick / 100 * (right - left)
        canvas.line(x, bottom - 4, x, bottom, "axis")
        canvas.text(x, bottom + 8, f"{tick}%", "tick", "end" if tick == 100 else "middle")
    axis = "share of interactions, and of listed items"
    canvas.text((left + right) / 2, bottom + 26, axis, "axis-title", "middle")
    return canvas.markup()


def map_chart(items: ItemMap) -> str:
    """Draw a square map of items, without axes; more popular items have larger dots."""
    margin, size = 8.0, WIDTH - 16
    n_items, most = len(items.titles), math.sqrt(max(items.counts))
    canvas = Canvas(
        WIDTH, f"Map of the {n_items:,} most popular items; the table below lists nearest items"
    )
    styles = dict(map_legend(items))
    default = "c0" if items.by is None else "rest"
    for title, count, group, (x, y) in zip(
        items.titles, items.counts, items.groups, items.points.tolist(), strict=True
    ):
        style = f"map-point {styles.get(group, default)}"
        tip = f"{title} · {group + ' · ' if items.by else ''}{count:,} users"
        radius = 1.6 + 3.4 * math.sqrt(count) / most
        canvas.dot(margin + x * size, margin + (1 - y) * size, radius, style, tip)
    _write_titles(
        canvas, items, [(margin + x * size, margin + (1 - y) * size) for x, y in items.points]
    )
    return canvas.markup()


def _write_titles(canvas: Canvas, items: ItemMap, places: Sequence[tuple[float, float]]) -> None:
    """Write the titles of the most popular items beside their dots, where no other title is."""
    written: list[Box] = []
    for row in sorted(range(len(places)), key=lambda row: -items.counts[row]):
        title = shortened(items.titles[row])
        (x, y), width = places[row], _TITLE_WIDTH * len(title)
        right = x + 6 + width <= WIDTH
        start = x + 6 if right else x - 6 - width
        box = (start, y - LETTER_HEIGHT / 2, start + width, y + LETTER_HEIGHT / 2)
        if start >= 0 and not any(_overlap(box, other) for other in written):
            canvas.text(
                x + 6 if right else x - 6, y, title, "title halo", "start" if right else "end"
            )
            written.append(box)
        if len(written) == _MOST_NAMED:
            break


def map_legend(items: ItemMap) -> list[tuple[str, str]]:
    """Return the legend of the map: names of groups and their style classes."""
    legend = [(name, f"c{number}") for number, name in enumerate(items.coloured)]
    if legend and OTHERS in items.groups:
        legend.append((OTHERS, "rest"))
    return legend
