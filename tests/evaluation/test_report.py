"""The contents of a report, and that all output formats agree."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from shortlist.errors import InputError
from shortlist.evaluation import Report, evaluate
from shortlist.text import text_table

from .worlds import known, split

HISTORIES = [0, 1, 2, 3, 5, 6, 10, 11, 20, 21, 50, 51, 60]  # the bounds of every group
N_ITEMS = 70


@pytest.fixture(scope="module")
def report() -> Report:
    """One user per history length; the test item of users with an even length is ranked first."""
    train_pairs = [(user, item) for user, size in enumerate(HISTORIES) for item in range(size)]
    test_pairs = [(user, N_ITEMS - 1) for user in range(len(HISTORIES))]
    train, test = split(len(HISTORIES), N_ITEMS, train_pairs, test_pairs)
    scores = np.zeros((len(HISTORIES), N_ITEMS))
    scores[:, N_ITEMS - 1] = [-1 if size % 2 else 1 for size in HISTORIES]
    return evaluate(known(scores).fit(train), train, test, k=(1, 10))


def test_groups_by_history(report: Report) -> None:
    rows = [row for row in report.to_arrow().to_pylist() if row["metric"] == "hit_rate@1"]
    assert [(row["history"], row["users"], row["value"]) for row in rows] == [
        ("all", 13, 7 / 13),
        ("0", 1, 1.0),
        ("1-2", 2, 1 / 2),
        ("3-5", 2, 0.0),
        ("6-10", 2, 1.0),
        ("11-20", 2, 1 / 2),
        ("21-50", 2, 1 / 2),
        (">50", 2, 1 / 2),
    ]


def test_empty_groups_are_omitted() -> None:
    train, test = split(2, 3, [(0, 0)], [(0, 1), (1, 2)])
    report = evaluate(known(np.zeros((2, 3))).fit(train), train, test, k=1)
    assert report.to_arrow().column("history").unique().to_pylist() == ["all", "0", "1-2"]


def test_figures_and_intervals(report: Report) -> None:
    assert report["hit_rate@1"] == pytest.approx(7 / 13)
    low, high = report.interval("hit_rate@1")
    # Hits in a resample are Binomial(13, 7/13).
    quantiles = np.asarray(stats.binom.ppf([0.025, 0.975], 13, 7 / 13)) / 13
    assert [low, high] == pytest.approx(quantiles.tolist(), abs=1.01 / 13)
    assert report.per_user("hit_rate@1").tolist() == [1 - size % 2 for size in HISTORIES]
    assert report.main == "ndcg@10"
    assert repr(report) == f"Report(Known, 13 users, ndcg@10={report['ndcg@10']:.4f})"


def test_the_main_length_is_the_middle_one_if_10_is_not_measured() -> None:
    train, test = split(1, 3, [(0, 0)], [(0, 2)])
    assert evaluate(known([[0, 2, 1]]).fit(train), train, test, k=(1, 3, 7)).main == "ndcg@3"


def test_intervals_depend_only_on_the_seed() -> None:
    rng = np.random.default_rng(0)
    train, test = split(60, 30, [], [(user, 29) for user in range(60)])
    model = known(rng.random((60, 30))).fit(train)
    intervals = [evaluate(model, train, test, seed=seed).interval("ndcg@10") for seed in (1, 1, 2)]
    assert intervals[0] == intervals[1]
    assert intervals[0] != intervals[2]
    narrower = replace(evaluate(model, train, test, seed=1), level=0.5).interval("ndcg@10")
    assert intervals[0][0] < narrower[0] < narrower[1] < intervals[0][1]


def test_coverage_has_no_interval(report: Report) -> None:
    with pytest.raises(InputError, match="property of all lists together"):
        report.interval("coverage@10")
    row = next(row for row in report.to_arrow().to_pylist() if row["metric"] == "coverage@10")
    assert (row["low"], row["high"]) == (None, None)


def test_an_unknown_metric_gets_a_suggestion(report: Report) -> None:
    with pytest.raises(InputError, match="no metric 'recal@10'") as error:
        report["recal@10"]
    assert "did you mean 'recall@10'?" in str(error.value)


def test_all_output_formats_agree(report: Report) -> None:
    table = report.to_arrow()
    assert report.to_pandas().shape == (table.num_rows, table.num_columns)
    assert report.to_polars().shape == (table.num_rows, table.num_columns)
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert content["users"] == 13
    assert content["items"] == N_ITEMS
    assert content["sampled"] is False
    assert content["protocol"] == "full catalogue, seen items removed, mid-rank ties"
    assert list(content["by_history"]) == ["0", "1-2", "3-5", "6-10", "11-20", "21-50", ">50"]
    for row in table.to_pylist():
        group = content if row["history"] == "all" else content["by_history"][row["history"]]
        figure = group["metrics"][row["metric"]]
        assert figure == {key: row[key] for key in ("value", "low", "high")}
    users = report.per_user_table()
    assert users.column("user_id").to_pylist() == list(range(100, 113))
    assert users.column("history").to_pylist() == HISTORIES
    assert users.column("mrr").to_pylist() == report.per_user("mrr").tolist()


def test_as_text(report: Report) -> None:
    lines = str(report).splitlines()
    assert lines[0] == (
        "Known: 13 users, 70 items, full catalogue, seen items removed, mid-rank ties"
    )
    low, high = report.interval("hit_rate@1")
    expected = ["hit_rate@1", "|", "0.5385", "|", f"[{low:.4f},", f"{high:.4f}]"]
    assert expected in [line.split() for line in lines]
    assert any(line.startswith(">50 ") for line in lines)
    for name in report.names:
        assert any(line.startswith(f"{name} ") for line in lines)


def test_wide_letters_line_up() -> None:
    # A Korean letter takes two columns of a terminal.
    assert text_table(["이력서", "k"], [["a", "1"]]).splitlines() == [
        "이력서 | k",
        "-------+--",
        "a      | 1",
    ]


def test_a_group_of_fewer_than_30_users_has_no_interval() -> None:
    """Users 0 to 29 have one training interaction, users 30 to 58 have three."""
    pairs = [(user, item) for user in range(59) for item in range(1 if user < 30 else 3)]
    train, test = split(59, 30, pairs, [(user, 29) for user in range(59)])
    model = known(np.random.default_rng(0).random((59, 30))).fit(train)
    report = evaluate(model, train, test)
    rows = {row["history"]: row for row in report.to_arrow().to_pylist() if row["metric"] == "mrr"}
    assert (rows["1-2"]["users"], rows["3-5"]["users"]) == (30, 29)
    assert rows["1-2"]["low"] < rows["1-2"]["value"] < rows["1-2"]["high"]
    assert (rows["3-5"]["low"], rows["3-5"]["high"]) == (None, None)
    few, many = (
        next(line for line in str(report).splitlines() if line.startswith(group))
        for group in ("3-5", "1-2")
    )
    assert few.count("fewer than 30 users") == 2
    assert "fewer" not in many


def test_a_report_on_fewer_than_30_users_says_how_little_its_intervals_say() -> None:
    for n_users, shown in ((29, True), (30, False)):
        pairs = [(user, user % 4) for user in range(n_users)]
        train, test = split(n_users, 5, pairs, [(user, 4) for user in range(n_users)])
        scores = np.random.default_rng(0).random((n_users, 5))
        report = evaluate(known(scores).fit(train), train, test)
        assert ("fewer than 30 users: intervals say little" in str(report)) == shown
        assert not any("fewer" in note for note in report.notes)
