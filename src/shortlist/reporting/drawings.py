"""Which chart shows what: from the contents to the drawings of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from shortlist.reporting import charts
from shortlist.reporting.contents import Contents
from shortlist.reporting.curves import Curve
from shortlist.reporting.item_map import OTHERS, ItemMap
from shortlist.reporting.ranking import Figure, Ranking
from shortlist.reporting.tail import Tail

MOST_LINES = 4  # models drawn over the length of history; the table has all of them
_BASELINE = "Popularity"
_LEAST = 1e-3  # seconds to fit, or milliseconds a list: less is drawn as this


@dataclass(frozen=True)
class Drawings:
    """Every chart of the page; None where there is nothing to draw."""

    ranking: Markup
    differences: Markup | None
    coverage: Markup | None
    fitting: Markup | None
    listing: Markup | None
    history: Markup
    tail: Markup | None
    curves: tuple[tuple[str, Markup], ...]
    map: Markup | None


def draw(contents: Contents) -> Drawings:
    """Draw all of it."""
    ranking, costs = contents.ranking, contents.costs.models
    fits = {one.model: one.fit_seconds for one in costs if one.fit_seconds is not None}
    lists = {one.model: one.together_ms for one in costs}
    return Drawings(
        ranking=_ranking(ranking),
        differences=_differences(ranking),
        coverage=_coverage(ranking),
        fitting=_cost(ranking, fits, "seconds to fit (logarithmic)", "s"),
        listing=_cost(ranking, lists, "milliseconds a list, many at once (logarithmic)", "ms"),
        history=_history(contents),
        tail=None if contents.tail is None else _tail(contents.tail),
        curves=tuple((curve.model, _curve(curve)) for curve in contents.curves),
        map=None if contents.map is None else _map(contents.map),
    )


def said(figure: Figure) -> str:
    """Say a figure and its interval."""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


def _bounds(figure: Figure) -> tuple[float, float]:
    low, high = figure.low, figure.high
    return (figure.value if low is None else low), (figure.value if high is None else high)


def _style(ranking: Ranking, model: str) -> str:
    """The best model stands out; the others are alike, as their names stand beside them."""
    return "best" if model == ranking.names[0] else "other"


def _ranking(ranking: Ranking) -> Markup:
    figures = [(one.model, one.figures[ranking.main]) for one in ranking.standings]
    rows = [
        charts.Row(model, one.value, *_bounds(one), _style(ranking, model), said(one))
        for model, one in figures
    ]
    spoken = "; ".join(f"{model} {said(one)}" for model, one in figures)
    return charts.interval_chart(
        rows, ranking.main, f"{ranking.main} of every model: {spoken}", zero=True
    )


def _differences(ranking: Ranking) -> Markup | None:
    tests = [one.against_best for one in ranking.standings if one.against_best is not None]
    if not tests:
        return None
    rows = [
        charts.Row(
            test.first,
            test.difference,
            test.low,
            test.high,
            "real" if test.real else "unsure",
            f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}), "
            f"{'real' if test.real else 'may be chance'}",
        )
        for test in tests
    ]
    best = ranking.names[0]
    spoken = "; ".join(f"{row.label} {row.said}" for row in rows)
    return charts.interval_chart(
        rows,
        f"{ranking.main}, less that of {best}",
        f"Differences to {best}: {spoken}",
        compared=True,
    )


def _coverage(ranking: Ranking) -> Markup | None:
    metric = ranking.main.replace("ndcg", "coverage")
    if metric not in ranking.all_metrics:
        return None
    points = [
        _point(ranking, one.model, one.figures[ranking.main], 100 * one.figures[metric].value, "%")
        for one in ranking.standings
    ]
    return charts.scatter_chart(
        points,
        f"coverage@{ranking.main_k}: % of the catalogue on anybody's list",
        ranking.main,
        "Accuracy against coverage: " + "; ".join(f"{one.label} {one.said}" for one in points),
    )


def _cost(ranking: Ranking, amounts: Mapping[str, float], across: str, unit: str) -> Markup | None:
    accuracy = {one.model: one.figures[ranking.main] for one in ranking.standings}
    # What takes no time that a clock sees stands at the edge of a logarithmic axis.
    points = [
        _point(ranking, model, accuracy[model], max(amount, _LEAST), unit)
        for model, amount in amounts.items()
    ]
    if not points:
        return None
    spoken = "; ".join(f"{one.label} {one.said}" for one in points)
    return charts.scatter_chart(
        points, across, ranking.main, f"Accuracy against cost: {spoken}", log=True
    )


def _point(ranking: Ranking, model: str, figure: Figure, x: float, unit: str) -> charts.Point:
    return charts.Point(
        model,
        x,
        figure.value,
        *_bounds(figure),
        _style(ranking, model),
        f"{ranking.main} {said(figure)} at {x:.3g} {unit}",
    )


def drawn_models(ranking: Ranking) -> tuple[str, ...]:
    """Choose the models that are drawn over the length of history: the best, and the baseline."""
    names = ranking.names
    if len(names) <= MOST_LINES or _BASELINE not in names or _BASELINE in names[:MOST_LINES]:
        return names[:MOST_LINES]
    return (*names[: MOST_LINES - 1], _BASELINE)


def _history(contents: Contents) -> Markup:
    groups, ranking = contents.history, contents.ranking
    lines = []
    for number, model in enumerate(drawn_models(ranking)):
        figures = groups.figures[model]
        lines.append(
            charts.Line(
                model,
                f"c{number}",
                range(len(figures)),
                [one.value for one in figures],
                [_bounds(one) for one in figures],
            )
        )
    names = ", ".join(line.label for line in lines)
    return charts.grouped_chart(
        lines,
        groups.groups,
        "interactions in training",
        ranking.main,
        f"{ranking.main} by length of history for {names}; the table has the figures",
    )


def _tail(tail: Tail) -> Markup:
    bars = [charts.Bar(name, shares) for name, shares in tail.shares.items()]
    spoken = "; ".join(f"{bar.label} {bar.shares[0]:.0%}" for bar in bars)
    return charts.stacked_bars(
        bars,
        tail.groups,
        "share of choices, and of places on lists",
        f"Share that falls on {tail.groups[0]} of the items: {spoken}",
    )


def _curve(curve: Curve) -> Markup:
    lines = [
        charts.Line(name.replace("_", " "), f"c{number}", curve.epochs, losses)
        for number, (name, losses) in enumerate(curve.losses.items())
    ]
    spoken = "; ".join(f"{line.label} from {line.ys[0]:.5g} to {line.ys[-1]:.5g}" for line in lines)
    return charts.line_chart(
        lines, "epoch", "loss", f"Losses of {curve.model} over {len(curve.epochs)} epochs: {spoken}"
    )


def _map(item_map: ItemMap) -> Markup:
    style = dict(map_key(item_map))
    plain = "c0" if item_map.by is None else "rest"
    most = math.sqrt(max(item_map.counts))
    dots = [
        charts.Dot(
            float(x),
            float(y),
            1.6 + 3.4 * math.sqrt(count) / most,
            style.get(group, plain),
            f"{title} · {group + ' · ' if item_map.by else ''}{count:,} users",
        )
        for title, count, group, (x, y) in zip(
            item_map.titles, item_map.counts, item_map.groups, item_map.places, strict=True
        )
    ]
    return charts.place_chart(
        dots, f"Map of the {len(dots):,} most chosen items; the table below has neighbours"
    )


def map_key(item_map: ItemMap) -> list[tuple[str, str]]:
    """Give the legend of the map: names of groups and their classes."""
    key = [(name, f"c{number}") for number, name in enumerate(item_map.group_names)]
    if key and OTHERS in item_map.groups:
        key.append((OTHERS, "rest"))
    return key
