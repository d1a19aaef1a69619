"""The sampled protocol: its negatives, and its label on every figure."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pytest

from shortlist.data.dataset import Dataset
from shortlist.engine import base
from shortlist.errors import ConfigError, InputError
from shortlist.evaluation import evaluate, evaluate_sampled

from .worlds import Rater, known, split


def test_test_items_are_ranked_among_the_negatives_only() -> None:
    # Of 7 items, 0 and 1 are seen and 6 is true; the negatives are all of 2, 3, 4, 5.
    train, test = split(1, 7, [(0, 0), (0, 1)], [(0, 6)])
    report = evaluate_sampled(
        known([[9, 9, 5, 1, 1, 1, 4]]).fit(train), train, test, negatives=4, k=(1, 2)
    )
    assert report["mrr (4 sampled)"] == 1 / 2
    assert report["hit_rate@2 (4 sampled)"] == 1
    assert report.notes == ()


def test_other_test_items_are_candidates_too() -> None:
    train, test = split(1, 4, [], [(0, 0), (0, 1)])
    report = evaluate_sampled(known([[3, 1, 2, 0]]).fit(train), train, test, negatives=2, k=1)
    # Places 1 and 3 of the four.
    assert report["map@1 (2 sampled)"] == 1
    assert report["recall@1 (2 sampled)"] == 1 / 2


def test_negatives_are_uniform_over_items_without_an_interaction_of_the_user() -> None:
    # One of 5 possible negatives is drawn for each of 4,000 users; only item 4 beats the test item.
    users = range(4000)
    train, test = split(4000, 7, [(user, 0) for user in users], [(user, 1) for user in users])
    scores = np.tile([9, 5, 1, 1, 9, 1, 1], (4000, 1))
    model = known(scores).fit(train)
    report = evaluate_sampled(model, train, test, negatives=1, k=1, seed=3)
    # Misses are Binomial(4000, 1/5) / 4000: .2 +- .0063.
    assert report["hit_rate@1 (1 sampled)"] == pytest.approx(0.8, abs=0.02)


def test_seeds_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    train, test = split(
        50, 40, [(user, 0) for user in range(50)], [(user, 1) for user in range(50)]
    )
    model = known(rng.random((50, 40))).fit(train)

    def reciprocal_ranks(seed: int) -> list[float]:
        report = evaluate_sampled(model, train, test, negatives=10, seed=seed)
        return list(report.per_user("mrr (10 sampled)"))

    whole = reciprocal_ranks(seed=1)
    assert reciprocal_ranks(seed=1) == whole
    assert reciprocal_ranks(seed=2) != whole
    monkeypatch.setattr(base, "BLOCK_BYTES", 8 * 40 * 7)
    assert reciprocal_ranks(seed=1) == whole


def test_a_user_with_few_possible_negatives_gets_all_of_them_and_is_noted() -> None:
    train, test = split(2, 4, [(0, 0), (1, 0), (1, 2), (1, 3)], [(0, 1), (1, 1)])
    scores = [[9, 1, 2, 3], [9, 1, 2, 3]]
    report = evaluate_sampled(known(scores).fit(train), train, test, negatives=2, k=1)
    assert report.per_user("mrr (2 sampled)").tolist() == [1 / 3, 1.0]
    assert report.notes == ("users with fewer than 2 possible negatives, who get all of them: 1",)


def test_negatives_are_live_at_the_users_first_test_time() -> None:
    # Items 2 and 3, which would beat the test item, are born after the test; 0 and 4 remain.
    born = dt.datetime(1970, 1, 1, microsecond=9)
    spans = {"valid_from": [None, None, born, born, None]}
    train, test = split(1, 5, [], [(0, 1)], times=[5], items=spans)
    report = evaluate_sampled(known([[1, 2, 9, 9, 1]]).fit(train), train, test, negatives=2, k=1)
    assert report["mrr (2 sampled)"] == 1


def given_negatives(train: Dataset, pairs: list[tuple[int, int]]) -> Dataset:
    rows = np.array(pairs, dtype=np.int32)
    return replace(
        train,
        user_rows=rows[:, 0].copy(),
        item_rows=rows[:, 1].copy(),
        weights=np.ones(len(pairs), dtype=np.float32),
        positions=np.arange(len(pairs)),
    )


def test_published_negatives_are_used_as_they_are() -> None:
    train, test = split(3, 5, [(0, 0)], [(0, 1), (2, 1)])
    scores = [[3, 2, 1, 1, 9], [0, 0, 0, 0, 0], [1, 2, 1, 9, 9]]
    model = known(scores).fit(train)
    negatives = given_negatives(train, [(0, 0), (0, 2), (1, 4), (2, 3), (2, 4)])
    report = evaluate_sampled(model, train, test, negatives, k=1)
    assert report.per_user("mrr (2 sampled)").tolist() == [1 / 2, 1 / 3]
    negatives = given_negatives(train, [(0, 2), (2, 3), (2, 4)])
    report = evaluate_sampled(model, train, test, negatives, k=1)
    assert report.per_user("mrr (1-2 sampled)").tolist() == [1.0, 1 / 3]


def test_published_negatives_must_cover_every_test_user() -> None:
    train, test = split(3, 5, [(0, 0)], [(0, 1), (2, 1)])
    model = known(np.zeros((3, 5))).fit(train)
    with pytest.raises(InputError, match="without given negatives: 1, first user 102"):
        evaluate_sampled(model, train, test, given_negatives(train, [(0, 2)]))
    other, _ = split(3, 6, [(0, 0)], [(0, 1)])
    with pytest.raises(InputError, match="other vocabularies than train") as error:
        evaluate_sampled(model, train, test, given_negatives(other, [(0, 2)]))
    assert "split.given" in str(error.value)


def test_the_number_of_negatives_is_checked() -> None:
    train, test = split(1, 3, [(0, 0)], [(0, 1)])
    with pytest.raises(ConfigError, match="negatives=0 is out of range"):
        evaluate_sampled(known([[0, 0, 0]]).fit(train), train, test, negatives=0)


def test_the_label_is_in_every_output_format() -> None:
    train, test = split(2, 120, [(0, 0), (1, 0)], [(0, 1), (1, 1)])
    model = known(np.zeros((2, 120)), kind=Rater).fit(train)
    report = evaluate_sampled(model, train, test)
    metrics = report.to_arrow().column("metric").to_pylist()
    by_group = report.to_dict()["by_history"]["1-2"]["metrics"]
    written = [
        *report.names,
        *metrics,
        *report.to_pandas()["metric"],
        *report.to_polars()["metric"],
        *report.to_dict()["metrics"],
        *by_group,
        *report.per_user_table().column_names[2:],
        report.main,
        repr(report),
    ]
    assert all("(99 sampled)" in name for name in written)
    assert "hit_rate@10 (99 sampled)" in written
    text = str(report)
    assert "99 sampled negatives only" in text.splitlines()[0]
    # A metric is always followed by its label: in the rows of the table and in column heads.
    for name in ("hit_rate@", "recall@", "precision@", "ndcg@", "map@", "mrr"):
        parts = text.split(name)[1:]
        assert parts
        assert all(part.lstrip("0123456789").startswith(" (99 sampled)") for part in parts)
    assert json.dumps(report.to_dict()).count("hit_rate@10") == json.dumps(report.to_dict()).count(
        "hit_rate@10 (99 sampled)"
    )
    assert report.to_dict()["sampled"] is True


def test_a_sampled_figure_is_not_found_under_the_plain_name() -> None:
    train, test = split(1, 120, [(0, 0)], [(0, 1)])
    report = evaluate_sampled(known(np.zeros((1, 120))).fit(train), train, test)
    with pytest.raises(InputError, match="no metric 'hit_rate@10'") as error:
        report["hit_rate@10"]
    assert "hit_rate@10 (99 sampled)" in str(error.value)


def test_sampled_figures_are_too_high() -> None:
    # 400 items in random order: HR@10 is near 10/400 in full, near 10/100 among 99.
    rng = np.random.default_rng(1)
    users = range(1000)
    train, test = split(1000, 400, [], [(user, user % 400) for user in users])
    model = known(rng.random((1000, 400))).fit(train)
    assert evaluate(model, train, test)["hit_rate@10"] == pytest.approx(0.025, abs=0.015)
    sampled = evaluate_sampled(model, train, test)["hit_rate@10 (99 sampled)"]
    assert sampled == pytest.approx(0.1, abs=0.03)
