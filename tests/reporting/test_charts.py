"""The charts: values are drawn at their coordinates, and text is escaped."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.reporting import charts
from shortlist.reporting.accuracy import ByHistory, Estimate, Ranking
from shortlist.reporting.catalogue import ItemMap, LongTail
from shortlist.reporting.costs import LossCurve
from shortlist.reporting.svg import WIDTH, Scale

SVG = "{http://www.w3.org/2000/svg}"


def shapes(markup: str, tag: str, style: str = "") -> list[ET.Element]:
    root = ET.fromstring(markup)
    return [
        shape
        for shape in root.iter(tag)
        if style in shape.attrib.get("class", "").split() or not style
    ]


def texts(markup: str, style: str) -> list[str]:
    return [shape.text or "" for shape in shapes(markup, "text", style)]


def ranking(*names: str) -> Ranking:
    return Ranking(
        main="ndcg@10",
        main_k=10,
        level=0.95,
        estimates={name: {"ndcg@10": Estimate(0.2, 0.1, 0.3)} for name in names},
        verdicts={},
        against_best={},
        pairs={},
        metrics=(),
        all_metrics=(),
        meanings={},
        headline=(),
        corrected="",
        rows=(),
        all_rows=(),
    )


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.floats(0, 1))
def test_a_linear_axis_keeps_proportions(low: float, width: float, part: float) -> None:
    scale = Scale(low, low + width, 10, 110)
    if scale.high > scale.low:
        value = scale.low + part * (scale.high - scale.low)
        exact = 10 + 100 * (value - scale.low) / (scale.high - scale.low)
        assert scale(value) == pytest.approx(exact)
        assert scale(scale.low - 1) == 10


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=9), st.booleans())
def test_every_value_has_room_and_ticks_are_round(values: list[float], log: bool) -> None:
    scale = Scale.around(values, 0, 100, log=log)
    assert all(0 <= scale(value) <= 100 for value in values)
    ticks = scale.ticks()
    assert all(scale.low - 1e-9 <= tick <= scale.high + 1e-9 for tick in ticks)
    assert ticks == sorted(ticks)
    assert len(ticks) <= 8


def test_a_logarithmic_axis() -> None:
    scale = Scale(1, 1000, 0, 300, log=True)
    assert [scale(10), scale(100)] == pytest.approx([100, 200])
    assert scale.ticks() == pytest.approx([1, 10, 100, 1000])
    assert Scale(0.025, 0.075, 0, 1, log=True).ticks() == pytest.approx(
        [0.03, 0.04, 0.05, 0.06, 0.07]
    )
    assert Scale(0.0, 0.05, 0, 1).ticks(5) == pytest.approx([0, 0.01, 0.02, 0.03, 0.04, 0.05])


def test_intervals_and_values_have_the_same_scale() -> None:
    rows = [
        charts.Mark("a", 0.2, 0.1, 0.4, "best", "x"),
        charts.Mark("b", 0.3, 0.2, 0.4, "other", "y"),
    ]
    chart = charts.interval_chart(rows, "ndcg", "two")
    dots = [float(shape.attrib["cx"]) for shape in shapes(chart, "circle")]
    lines = [(float(shape.attrib["x1"]), float(shape.attrib["x2"]))
             for shape in shapes(chart, "line", "interval")]  # fmt: skip
    spans = [pair for pair in lines if pair[0] != pair[1]]
    per_unit = (spans[0][1] - spans[0][0]) / 0.3
    assert dots[0] - spans[0][0] == pytest.approx(0.1 * per_unit, abs=0.2)
    assert dots[1] - dots[0] == pytest.approx(0.1 * per_unit, abs=0.2)
    assert texts(chart, "value") == ["0.2000", "0.3000"]
    assert "0" in texts(chart, "tick")


def test_differences_have_a_line_at_zero() -> None:
    row = charts.Mark("a", -0.2, -0.3, -0.1, "real", "x")
    chart = charts.interval_chart([row], "d", "one", differences=True)
    [zero] = shapes(chart, "line", "zero")
    [dot] = shapes(chart, "circle")
    assert float(zero.attrib["x1"]) > float(dot.attrib["cx"])
    assert texts(chart, "value") == ["-0.2000"]


def test_shares_fill_the_bar() -> None:
    shares = {"a": (0.5, 0.3, 0.2, 0.0)}
    chart = charts.tail_chart(LongTail(dict.fromkeys("wxyz", 1), shares, {"a": 1}))
    bars = [
        shape for shape in shapes(chart, "rect", "share") if float(shape.attrib["height"]) == 20
    ]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert [wide / sum(widths) for wide in widths] == pytest.approx([0.5, 0.3, 0.2], abs=1e-3)
    assert next(bar.findtext("title") for bar in bars) == "a: 50.0% on w"
    assert texts(chart, "on") == ["50%", "30%", "20%"]
    bottom = float(ET.fromstring(chart).attrib["viewBox"].split()[3])
    assert 6 < bottom - float(shapes(chart, "text", "axis-title")[0].attrib["y"]) < 10


def test_labels_of_points_do_not_overlap() -> None:
    amounts = {f"Model {n}": 1 + 0.001 * n for n in range(6)}
    chart = charts.scatter_chart(ranking(*amounts), amounts, "u", "x", "six", log=True)
    labels = shapes(chart, "text", "halo")
    heights: dict[str, list[float]] = {}
    for label in labels:
        heights.setdefault(label.attrib["text-anchor"], []).append(float(label.attrib["y"]))
    for side in heights.values():
        side.sort()
        assert all(b - a >= 12 for a, b in pairwise(side))


def test_lines_pass_through_their_values() -> None:
    chart = charts.curve_chart(LossCurve("a", (1, 2, 3), {"loss": (4.0, 2.0, 1.0)}))
    [path] = shapes(chart, "path", "curve")
    points = [tuple(map(float, pair.split())) for pair in path.attrib["d"][1:].split(" L")]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert (y2 - y1) / (y3 - y2) == pytest.approx(2, abs=0.02)
    assert math.isclose(y3, max(y1, y2, y3))


def test_the_lines_of_a_group_are_side_by_side() -> None:
    estimates = [Estimate(0.1, 0.0, 0.2), Estimate(0.2)]
    history = ByHistory({"1-2": 40, "3-5": 9}, {"a": estimates, "b": estimates})
    chart = charts.history_chart(ranking("a", "b"), history)
    xs = [float(shape.attrib["cx"]) for shape in shapes(chart, "circle")]
    assert xs[0] < xs[2] < xs[1] < xs[3]
    assert texts(chart, "tick")[-2:] == ["1-2", "3-5"]
    phone = charts.history_chart(ranking("a", "b"), history, WIDTH)
    assert ET.fromstring(phone).attrib["viewBox"].startswith(f"0 0 {WIDTH:g} ")
    assert all(float(dot.attrib["cx"]) < WIDTH for dot in shapes(phone, "circle"))
    assert [dot.findtext("title") for dot in shapes(chart, "circle")[:2]] == [
        "a, 1-2: 0.1000 (0.0000 to 0.2000)",
        "a, 3-5: 0.2000 (no interval)",
    ]


def test_text_is_escaped() -> None:
    evil = "</text><script>x</script>"
    items = ItemMap(evil, (evil,), (4,), (evil,), np.full((1, 2), 0.5), evil, (evil,), 1, 2, ())
    for chart, in_label in (
        (charts.map_chart(items), False),
        (charts.ranking_chart(ranking(evil)), True),
        (charts.tail_chart(LongTail({evil: 1}, {evil: (1.0,)}, {evil: 1})), True),
    ):
        assert "<script" not in chart
        assert shapes(chart, "script") == []
        assert (evil in ET.fromstring(chart).attrib["aria-label"]) == in_label
        assert evil in "".join(title.text or "" for title in shapes(chart, "title"))
