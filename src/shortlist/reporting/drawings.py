"""The charts of the page, drawn from its contents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shortlist.reporting import charts
from shortlist.reporting.accuracy import ByHistory, Estimate, Ranking
from shortlist.reporting.catalogue import OTHERS, ItemMap, LongTail
from shortlist.reporting.costs import Costs, LossCurve

MOST_LINES = 4  # models in the chart by history length; the table has all of them
_BASELINE = "Popularity"
_LEAST_COST = 1e-3  # seconds or milliseconds; smaller values do not fit a logarithmic axis


@dataclass(frozen=True)
class Drawings:
    """Every chart of the page as SVG text; None for a chart without data."""

    ranking: str
    differences: str | None
    coverage: str | None
    fitting: str | None
    listing: str | None
    history: str
    tail: str | None
    curves: tuple[tuple[str, str], ...]
    map: str | None


def draw(
    ranking: Ranking,
    history: ByHistory,
    tail: LongTail | None,
    costs: Costs,
    curves: tuple[LossCurve, ...],
    item_map: ItemMap | None,
) -> Drawings:
    """Draw all charts."""
    fits = {cost.model: cost.fit_seconds for cost in costs.models if cost.fit_seconds is not None}
    lists = {cost.model: cost.batch_ms for cost in costs.models}
    return Drawings(
        ranking=_ranking(ranking),
        differences=_differences(ranking),
        coverage=_coverage(ranking),
        fitting=_cost(ranking, fits, "seconds to fit (logarithmic)", "s"),
        listing=_cost(ranking, lists, "milliseconds per list, in a batch (logarithmic)", "ms"),
        history=_history(ranking, history),
        tail=None if tail is None else _tail(tail),
        curves=tuple((curve.model, _curve(curve)) for curve in curves),
        map=None if item_map is None else _map(item_map),
    )


def estimate_text(estimate: Estimate) -> str:
    """Format a figure and its interval.

    Examples
    --------
    >>> estimate_text(Estimate(0.5, 0.25, 0.75))
    '0.5000 (0.2500 to 0.7500)'
    """
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


def _bounds(estimate: Estimate) -> tuple[float, float]:
    low, high = estimate.low, estimate.high
    return (estimate.value if low is None else low), (estimate.value if high is None else high)


def _style(ranking: Ranking, model: str) -> str:
    """Return the style of a model: the best one is highlighted, the others are labelled only."""
    return "best" if model == ranking.names[0] else "other"


def _ranking(ranking: Ranking) -> str:
    rows = []
    for standing in ranking.standings:
        model, estimate = standing.model, standing.estimates[ranking.main]
        style, tip = _style(ranking, model), estimate_text(estimate)
        rows.append(charts.IntervalRow(model, estimate.value, *_bounds(estimate), style, tip))
    values = "; ".join(f"{row.label} {row.tip}" for row in rows)
    return charts.interval_chart(
        rows, ranking.main, f"{ranking.main} of every model: {values}", zero=True
    )


def _differences(ranking: Ranking) -> str | None:
    tests = [
        standing.against_best for standing in ranking.standings if standing.against_best is not None
    ]
    if not tests:
        return None
    rows = [
        charts.IntervalRow(
            test.first,
            test.difference,
            test.low,
            test.high,
            "significant" if test.real else "unsure",
            f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}), "
            f"{'significant' if test.real else 'not significant'}",
        )
        for test in tests
    ]
    best = ranking.names[0]
    values = "; ".join(f"{row.label} {row.tip}" for row in rows)
    return charts.interval_chart(
        rows,
        f"{ranking.main} minus that of {best}",
        f"Differences to {best}: {values}",
        differences=True,
    )


def _coverage(ranking: Ranking) -> str | None:
    metric = ranking.main.replace("ndcg", "coverage")
    if metric not in ranking.all_metrics:
        return None
    percent = {
        standing.model: 100 * standing.estimates[metric].value for standing in ranking.standings
    }
    points = _points(ranking, percent, "%")
    return charts.scatter_chart(
        points,
        f"coverage@{ranking.main_k}: % of the catalogue in at least one list",
        ranking.main,
        "Accuracy against coverage: " + _descriptions(points),
    )


def _cost(ranking: Ranking, amounts: Mapping[str, float], x_axis: str, unit: str) -> str | None:
    visible = {model: max(amount, _LEAST_COST) for model, amount in amounts.items()}
    points = _points(ranking, visible, unit)
    if not points:
        return None
    return charts.scatter_chart(
        points, x_axis, ranking.main, f"Accuracy against cost: {_descriptions(points)}", log=True
    )


def _points(ranking: Ranking, xs: Mapping[str, float], unit: str) -> list[charts.Point]:
    """Return a point per model: the main metric over ``xs``."""
    main = {standing.model: standing.estimates[ranking.main] for standing in ranking.standings}
    return [
        charts.Point(
            model,
            x,
            main[model].value,
            *_bounds(main[model]),
            _style(ranking, model),
            f"{ranking.main} {estimate_text(main[model])} at {x:.3g} {unit}",
        )
        for model, x in xs.items()
    ]


def _descriptions(points: list[charts.Point]) -> str:
    return "; ".join(f"{point.label} {point.tip}" for point in points)


def drawn_models(ranking: Ranking) -> tuple[str, ...]:
    """Return the models in the chart by history length: the best ones and the baseline."""
    names = ranking.names
    if len(names) <= MOST_LINES or _BASELINE not in names or _BASELINE in names[:MOST_LINES]:
        return names[:MOST_LINES]
    return (*names[: MOST_LINES - 1], _BASELINE)


def _history(ranking: Ranking, history: ByHistory) -> str:
    lines = []
    for number, model in enumerate(drawn_models(ranking)):
        estimates = history.estimates[model]
        values = [estimate.value for estimate in estimates]
        bounds = [_bounds(estimate) for estimate in estimates]
        lines.append(charts.Line(model, f"c{number}", range(len(values)), values, bounds))
    names = ", ".join(line.label for line in lines)
    return charts.grouped_chart(
        lines,
        history.groups,
        "interactions in training",
        ranking.main,
        f"{ranking.main} by history length for {names}; the table has the figures",
    )


def _tail(tail: LongTail) -> str:
    bars = [charts.Bar(name, shares) for name, shares in tail.shares.items()]
    values = "; ".join(f"{bar.label} {bar.shares[0]:.0%}" for bar in bars)
    return charts.stacked_bars(
        bars,
        tail.groups,
        "share of interactions, and of listed items",
        f"Share of the {tail.groups[0]} of the items: {values}",
    )


def _curve(curve: LossCurve) -> str:
    lines = [
        charts.Line(name.replace("_", " "), f"c{number}", curve.epochs, losses)
        for number, (name, losses) in enumerate(curve.losses.items())
    ]
    values = "; ".join(f"{line.label} from {line.ys[0]:.5g} to {line.ys[-1]:.5g}" for line in lines)
    return charts.line_chart(
        lines, "epoch", "loss", f"Losses of {curve.model} over {len(curve.epochs)} epochs: {values}"
    )


def _map(item_map: ItemMap) -> str:
    styles = dict(map_legend(item_map))
    default = "c0" if item_map.by is None else "rest"
    most = math.sqrt(max(item_map.counts))
    points = [
        charts.MapPoint(
            float(x),
            float(y),
            1.6 + 3.4 * math.sqrt(count) / most,
            styles.get(group, default),
            f"{title} · {group + ' · ' if item_map.by else ''}{count:,} users",
        )
        for title, count, group, (x, y) in zip(
            item_map.titles, item_map.counts, item_map.groups, item_map.points, strict=True
        )
    ]
    return charts.map_chart(
        points,
        f"Map of the {len(points):,} most popular items; the table below lists nearest items",
    )


def map_legend(item_map: ItemMap) -> list[tuple[str, str]]:
    """Return the legend of the map: names of groups and their style classes."""
    legend = [(name, f"c{number}") for number, name in enumerate(item_map.coloured)]
    if legend and OTHERS in item_map.groups:
        legend.append((OTHERS, "rest"))
    return legend
