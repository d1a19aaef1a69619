"""The page shows the measured figures; it is well-formed, safe, and opens without a network."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shortlist as sl
from shortlist import extras
from shortlist.errors import ConfigError, InputError
from shortlist.metrics.paired import holm
from shortlist.models.base import Model
from shortlist.reporting import ComparisonWithReport
from shortlist.reporting.page import gather, render

from .conftest import EVIL, N_ITEMS, N_USERS, tables
from .pages import Element, read


def test_the_ranking_is_that_of_the_comparison(
    comparison: ComparisonWithReport, page: Element
) -> None:
    head, *rows = page.by_id("table-ranking").rows()
    assert head[:3] == ["model", "ndcg@10", "95% interval"]
    assert [row[0] for row in rows] == list(comparison.reports)
    against = comparison.against_best()
    p_values = holm([test.p_value for test in comparison.tests()])
    corrected = dict(
        zip([(test.first, test.second) for test in comparison.tests()], p_values, strict=True)
    )
    for name, value, span, difference, of_difference, p, verdict in rows:
        report = comparison[name]
        low, high = report.interval("ndcg@10")
        assert value == f"{np.mean(report.per_user('ndcg@10')):.4f}"
        assert span == f"{low:.4f} – {high:.4f}"
        if name == comparison.best:
            assert (difference, of_difference, p, verdict) == ("", "", "", "best")
            continue
        test = against[name]
        assert difference == f"{report['ndcg@10'] - comparison[comparison.best]['ndcg@10']:+.4f}"
        assert of_difference == f"{test.low:+.4f} to {test.high:+.4f}"
        exact = corrected[comparison.best, name]
        assert p == ("< 0.0001" if exact < 0.0001 else f"{exact:.4f}")
        assert verdict == ("significantly worse" if exact < 0.05 else "not significant")
    assert {row[-1] for row in rows} >= {"best", "significantly worse"}


def test_every_metric_is_there_with_its_interval(
    comparison: ComparisonWithReport, page: Element
) -> None:
    head, *rows = page.by_id("table-all-metrics").rows()
    assert head == ["metric", *comparison.reports]
    names = {name for report in comparison.reports.values() for name in report.names}
    together = [row[0].split(" = ") for row in rows]
    assert sorted(name for row in together for name in row) == sorted(names)
    assert ["hit_rate@10", "recall@10", "capped_recall@10"] in together  # one item is held out
    for metric, cells in [(name, row[1:]) for row in rows for name in row[0].split(" = ")]:
        for report, cell in zip(comparison.reports.values(), cells, strict=True):
            shown = [float(number.replace(",", "")) for number in re.findall(r"[\d.,]+", cell)]
            expected = [report[metric]]
            if metric in report.measures:
                expected += report.interval(metric)
            assert shown == pytest.approx(expected, abs=0.0051 if report[metric] > 1 else 6e-5)


def test_pairs_of_models_are_marked_if_they_differ_significantly(
    comparison: ComparisonWithReport, page: Element
) -> None:
    _, *rows = page.by_id("table-pairs").rows()
    cells = {
        (row[0], other): cell
        for row in rows
        for other, cell in zip(comparison.reports, row[1:], strict=True)
    }
    for test in comparison.tests():
        mark = " *" if test.real else ""
        assert cells[test.first, test.second] == f"{test.difference:+.4f}{mark}"
        assert cells[test.second, test.first] == f"{-test.difference:+.4f}{mark}"


def test_figures_by_history_length(comparison: ComparisonWithReport, page: Element) -> None:
    head, *rows = page.by_id("table-history").rows()
    report = comparison[comparison.best]
    sizes = {"1-2": (1, 2), "3-5": (3, 5), "6-10": (6, 10)}
    assert [cell.split(" ")[0] for cell in head[1:]] == list(sizes)
    values = dict(zip(sizes, rows[0][1:], strict=True))
    for group, (low, high) in sizes.items():
        members = (report.history >= low) & (report.history <= high)
        assert f"{group} {members.sum()} users" in head
        assert values[group].split(" ")[0] == f"{report.per_user('ndcg@10')[members].mean():.4f}"


def test_the_long_tail_counts_the_evaluated_lists(
    comparison: ComparisonWithReport, page: Element
) -> None:
    head, *rows = page.by_id("table-tail").rows()
    train = comparison.train
    order = np.argsort(-train.item_counts, kind="stable")
    chosen = int((train.item_counts > 0).sum())
    first = order[: int(np.ceil(0.01 * chosen))]
    assert head[1] == f"most popular 1% {len(first)} items"
    shares = {row[0]: float(row[1].rstrip("%")) for row in rows}
    data_share = 100 * train.item_counts[first].sum() / len(train)
    assert shares["the training data"] == pytest.approx(data_share, abs=0.051)
    model = comparison.models["ItemCosine"]
    users = comparison["ItemCosine"].users.to_pylist()
    listed = train.items.rows(model.recommend(users, k=10).column("item_id"))
    expected = 100 * np.isin(listed, first).mean()
    assert shares["ItemCosine"] == pytest.approx(expected, abs=0.051)
    half = {row[0]: row[-1] for row in rows}
    times = np.sort(np.bincount(listed, minlength=N_ITEMS))[::-1]
    needed = next(n for n in range(1, N_ITEMS + 1) if times[:n].sum() >= times.sum() / 2)
    assert half["ItemCosine"] == f"{needed} items"


def test_costs_are_measured(comparison: ComparisonWithReport, page: Element) -> None:
    _, *rows = page.by_id("table-cost").rows()
    assert [row[0] for row in rows] == list(comparison.reports)
    for name, fit, batch, single in rows:
        seconds = comparison.fit_seconds[name]
        assert seconds is not None
        assert fit == ("< 0.01" if seconds < 0.01 else f"{seconds:.2f}")
        assert 0 < float(batch) < 1000
        assert 0 < float(single) < 1000


def test_new_users_are_evaluated_separately(
    comparison: ComparisonWithReport, page: Element
) -> None:
    _, *rows = page.by_id("table-cold").rows()
    inner, held_out = sl.split.cold_users(comparison.train, 0.1, seed=3)
    models: list[Model[Any, Any]] = [sl.Popularity(), sl.ContentBased()]
    expected = sl.compare(models, inner, held_out, k=(3, 10), seed=3)
    assert {row[0] for row in rows} == {"Popularity", "ContentBased"}
    for row in rows:
        assert row[1].split(" ")[0] == f"{expected[row[0]]['ndcg@10']:.4f}"
    # The taste of a new user is only in their feature.
    assert rows[0][0] == "ContentBased"
    assert f"{N_USERS // 10} users" in page.by_id("table-cold").text()
    assert "A separate evaluation" in page.text()


def test_loss_curves_of_models_with_a_training_history(
    comparison: ComparisonWithReport, page: Element
) -> None:
    captions = [text for one in page.all("figcaption") if "epochs" in (text := one.text())]
    losses = comparison.models["IALS"].history.column("loss").to_pylist()
    assert len(captions) == 1
    assert captions[0].startswith("IALS: 4 epochs, loss")
    first, last = (
        float(number.rstrip(".").replace(",", "")) for number in captions[0].split(" ")[-3::2]
    )
    assert (first, last) == pytest.approx((losses[0], losses[-1]), rel=1e-3)


def test_example_lists_are_those_of_the_best_model(
    comparison: ComparisonWithReport, page: Element
) -> None:
    articles = page.all("article", "example")
    assert len(articles) == 4
    model = comparison.models[comparison.best]
    test = comparison.test
    for article in articles:
        user = int(article.all("h3")[0].text().removeprefix("User "))
        listed = model.recommend([user], k=10).column("item_id")
        titles = [EVIL if item == 0 else f"Film {item}" for item in listed]
        [held] = test.item_rows[test.user_rows == user]
        _, *rows = article.all("table")[0].rows()
        assert [row[1].removesuffix(" ✓ held out") for row in rows] == titles
        assert [row[1].endswith("✓ held out") for row in rows] == [item == held for item in listed]
        rank = listed.index(held) + 1 if held in listed else None
        verdict = "not in the top 10" if rank is None else f"✓ at rank {rank}"
        assert verdict in article.text()
        assert f"Held out: {EVIL if held == 0 else f'Film {held}'}" in article.text()
        assert "Film" in rows[0][3] or EVIL in rows[0][3]


def test_the_item_map_shows_titles_and_groups(page: Element) -> None:
    [figure] = page.all("figure", "map")
    dots = figure.all("circle")
    tips = [dot.text() for dot in dots]
    assert len(tips) == N_ITEMS
    assert any(tip.startswith("Film 7 · taste 1 · ") for tip in tips)
    [legend] = page.all("ul", "legend")
    column, *colours = [entry.text() for entry in legend.all("li")]
    assert column == "taste:"
    assert set(colours) == {f"● taste {n}" for n in range(3)}
    # Items of one taste cluster: nearly every nearest dot has the same taste.
    points = np.array([(float(d.attributes["cx"]), float(d.attributes["cy"])) for d in dots])
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    tastes = [tip.split(" · ")[-2] for tip in tips]
    same = [tastes[dot] == tastes[near] for dot, near in enumerate(distances.argmin(axis=1))]
    assert np.mean(same) > 0.9


def test_the_data_and_its_split(comparison: ComparisonWithReport, page: Element) -> None:
    _, training, test = page.by_id("table-data").rows()
    assert training[1] == f"{len(comparison.train):,}"
    assert test[1:3] == [str(N_USERS), str(N_USERS)]
    assert training[4] == "2024-01-01"
    assert "100.0% of them are no earlier than the user's training interactions" in page.text()
    _, *columns = page.by_id("table-columns").rows()
    assert ["likes", "users", "string", "100.0%", "3"] in columns


def test_how_to_reproduce_the_page(comparison: ComparisonWithReport, page: Element) -> None:
    assert page.by_id("command").text() == "shortlist compare 'a & b.duckdb' --report report.html"
    text = page.text()
    for side in (comparison.train, comparison.test):
        assert side.fingerprint in text
    assert f"shortlist {sl.__version__}" in text
    assert '"embedding_size": 8' in text


def test_text_of_the_data_is_escaped(text: str, page: Element) -> None:
    assert "<script>alert" not in text
    assert len(page.all("script")) == 1
    assert EVIL in page.by_id("table-map").text()
    assert page.all("h1")[0].text() == f"Films {EVIL}"
    assert page.all("title")[0].text() == f"Films {EVIL}"


def test_the_page_runs_only_its_own_script_and_loads_nothing(text: str, page: Element) -> None:
    [script] = page.all("script")
    [policy] = [m for m in page.all("meta") if "Policy" in m.attributes.get("http-equiv", "")]
    inside = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert inside is not None
    digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    assert script.attributes == {}
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text
    for element in page.walk():
        assert "src" not in element.attributes
        assert element.tag not in ("link", "iframe", "object", "embed", "base", "img")
        assert element.attributes.get("href", "#").startswith("#")
        assert not any(name.startswith("on") for name in element.attributes)


def test_the_page_is_accessible(page: Element) -> None:
    [html] = page.all("html")
    assert html.attributes["lang"] == "en"
    ids = [inner.attributes["id"] for inner in page.walk() if "id" in inner.attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert page.has(link.attributes["href"].removeprefix("#"))
    for section in page.all("section"):
        assert page.by_id(section.attributes["aria-labelledby"]).tag == "h2"
    for table in page.all("table"):
        assert table.all("caption")[0].text()
        for cell in table.all("th"):
            assert cell.attributes["scope"] in ("row", "col")
    for region in page.all("div", "scroll"):
        assert region.attributes["tabindex"] == "0"
        assert region.attributes["aria-label"]
    for figure in page.all("figure"):
        assert figure.all("figcaption")[0].text()
        chart, *_ = figure.all("svg")  # some have another one, for phones
        assert chart.attributes["role"] == "img"
        assert len(chart.attributes["aria-label"]) > 20
    labels = [label.attributes["for"] for label in page.all("label")]
    assert labels == [field.attributes["id"] for field in page.all("input")]


def test_the_same_comparison_gives_the_same_page_except_for_times(
    comparison: ComparisonWithReport,
) -> None:
    first, second = (gather(comparison, title="t", command="c") for _ in range(2))
    assert np.array_equal(first["map"].points, second["map"].points)
    same_time = {"costs": first["costs"], "origin": first["origin"]}
    assert second["origin"] | {"made": first["origin"]["made"]} == first["origin"]
    assert render(second | same_time) == render(first)


def test_one_model_without_features_titles_or_times(tmp_path: Path) -> None:
    log = tables()["interactions"].drop_columns("at")
    train, test = sl.split.random(sl.Dataset.from_tables(log), 0.2)
    comparison = sl.compare([sl.EASE()], train, test, k=5)
    page = read(comparison.write_report(tmp_path / "one.html").read_text(encoding="utf-8"))
    text = page.text()
    assert [row[0] for row in page.by_id("table-ranking").rows()] == ["model", "EASE"]
    assert not page.has("table-pairs")
    assert not page.has("map")
    assert not page.has("training")
    assert "Holm's correction" not in text
    assert "Not measured. The users have no features that are filled in." in text
    assert "Users and items have no features." in text
    assert "The interactions have no times" in text
    assert page.by_id("command").text() == (
        'sl.compare([sl.EASE()], train, test, k=(5,), seed=0).write_report("report.html")'
    )
    assert page.all("h1")[0].text() == "Which model is best for 260 users and 60 items?"


def test_tables_of_many_models_have_at_most_eight_beside_each_other(tmp_path: Path) -> None:
    train, test = sl.split.random(sl.Dataset.from_tables(tables()["interactions"]), 0.2)
    models = [sl.IALS(embedding_size=2, epochs=1, seed=seed) for seed in range(9)]
    comparison = sl.compare(models, train, test, k=5)
    page = read(comparison.write_report(tmp_path / "nine.html").read_text(encoding="utf-8"))
    names = list(comparison.reports)
    for table in ("table-pairs", "table-metrics"):
        first, second = (page.by_id(table + end).rows() for end in ("", "-2"))
        assert first[0][1:] == names[:8]
        assert second[0][1:] == names[8:]
        assert [row[0] for row in first] == [row[0] for row in second]
    assert [row[0] for row in page.by_id("table-pairs-2").rows()[1:]] == names
    assert (
        page.by_id("table-metrics-2")
        .rows()[1][1]
        .startswith(f"{comparison[names[8]]['ndcg@5']:.4f}")
    )
    assert "<wbr>(seed=<wbr>1)" in (tmp_path / "nine.html").read_text(encoding="utf-8")


def test_colour_is_never_the_only_sign(page: Element, text: str) -> None:
    legend = [figure.all("figcaption")[0].text() for figure in page.all("figure")]
    assert any("● significant · ◉ practically equal · ○ not significant" in said for said in legend)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert ".chart .dot.equal, .chart .dot.unsure { fill: var(--page);" in style
    assert any("from left to right: IALS" in said or "right: ItemCosine" in said for said in legend)


def test_scores_of_a_list_have_the_same_number_of_decimals(page: Element) -> None:
    for table in page.all("table", "table-list"):
        scores = [row[2] for row in table.rows()[1:]]
        [decimals] = {len(score.partition(".")[2]) for score in scores}
        assert len(scores[0].replace(".", "").lstrip("0-")) == 4 <= decimals + 4


def test_an_already_fitted_model_and_a_cold_split(tmp_path: Path) -> None:
    data = sl.Dataset.from_tables(**tables(), time="at")
    train, test = sl.split.cold_users(data, 0.2)
    comparison = sl.compare([sl.Popularity().fit(train), sl.ContentBased()], train, test)
    page = read(comparison.write_report(tmp_path / "cold.html").read_text(encoding="utf-8"))
    costs = {row[0]: row[1] for row in page.by_id("table-cost").rows()}
    assert costs["Popularity"] == "already fitted"
    assert "All test users of the comparison above are new" in page.text()
    assert [head.split(" ")[0] for head in page.by_id("table-history").rows()[0]] == ["model", "0"]
    assert "No training interactions." in page.text()


def test_a_report_that_cannot_be_written(
    comparison: ComparisonWithReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"cannot be written: .*nowhere does not exist"):
        comparison.write_report(tmp_path / "nowhere" / "report.html")
    with pytest.raises(InputError, match=r"is a folder, not a file"):
        comparison.write_report(tmp_path)
    monkeypatch.setitem(extras.PACKAGES, "report", ("no_such_package",))
    with pytest.raises(ConfigError, match="the report needs no_such_package") as error:
        comparison.write_report(tmp_path / "report.html")
    assert "pip install 'shortlist[report]'" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_items_without_titles_are_labelled_with_their_features(tmp_path: Path) -> None:
    world = tables()
    data = sl.Dataset.from_tables(**world | {"items": world["items"].drop(["title"])}, time="at")
    train, test = sl.split.leave_last_out(data)
    models: list[Model[Any, Any]] = [sl.ItemCosine(), sl.IALS(embedding_size=4, epochs=2)]
    comparison = sl.compare(models, train, test, k=(5,))
    page = read(comparison.write_report(tmp_path / "report.html", title="Items").read_text("utf-8"))
    _, *rows = page.all("table", "table-list")[0].rows()
    for _, item, _, _ in rows:
        row = int(item.split(" ")[0])
        label = f"{row} (taste taste {row % 3}, shelf shelf {row // 15})"
        assert item.removesuffix(" ✓ held out") == label
    assert all("(" not in reasons for *_, reasons in rows)  # reasons show ids only
    [figure] = page.all("figure", "map")
    assert any("7 (taste taste 1, shelf shelf 0)" in dot.text() for dot in figure.all("circle"))
