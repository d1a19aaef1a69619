"""Metrics of the lists and graded NDCG against naive references."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError
from shortlist.metrics.lists import coverage, gini, means, values_of_items
from shortlist.metrics.ranking import graded_ndcg, settle_ties

KS = (1, 3, 8, 40)


def world() -> tuple[Dataset, Dataset]:
    rng = np.random.default_rng(2)
    users, items = np.nonzero(rng.random((50, 30)) < np.linspace(0.6, 0.1, 30))
    table = pa.table({"user_id": users, "item_id": items, "stars": rng.integers(0, 6, len(users))})
    data = Dataset.from_tables(table, weight="stars")
    return sl.split.leave_last_out(data, n=4, order="random")


@pytest.mark.parametrize("model", [sl.EASE(regularization=5), sl.Popularity()], ids=repr)
def test_metrics_of_lists(model: Any) -> None:
    train, test = world()
    report = sl.evaluate(model.fit(train), train, test, k=KS)
    listed = model.recommend(k=40).to_arrow().to_pylist()
    popular = sl.Popularity(weighting="binary").fit(train).recommend(k=40).to_arrow().to_pylist()
    chosen = train.choices.toarray()
    held_out = test.to_arrow()
    owners, items = held_out["user_id"].to_pylist(), held_out["item_id"].to_pylist()
    relevant = {*zip(owners, items, strict=True)}
    for k in KS:
        diversity: list[float] = []
        surprise: list[float] = []
        shown = np.zeros(train.n_items)
        for user in sorted({user for user, _ in relevant}):
            first = [row["item_id"] for row in listed if row["user_id"] == user][:k]
            expected = [row["item_id"] for row in popular if row["user_id"] == user][:k]
            rows = train.items.rows(first)
            shown[rows] += 1
            distances = []
            for one, other in combinations(rows, 2):
                both = np.sqrt(chosen[:, one].sum() * chosen[:, other].sum())
                shared = (chosen[:, one] * chosen[:, other]).sum()
                distances.append(1 - (shared / both if both else 0))
            diversity.append(float(np.mean(distances)) if distances else 0.0)
            unexpected = [i for i in first if (user, i) in relevant and i not in expected]
            surprise.append(len(unexpected) / k)
        assert report[f"diversity@{k}"] == pytest.approx(np.mean(diversity), abs=1e-5)
        assert report[f"serendipity@{k}"] == pytest.approx(np.mean(surprise))
        differences = np.abs(shown[:, np.newaxis] - shown).mean()
        assert report[f"gini@{k}"] == pytest.approx(differences / (2 * shown.mean()))
        if model.name == "Popularity":
            assert report[f"serendipity@{k}"] == 0


def test_means_and_coverage_by_hand() -> None:
    values = values_of_items(np.array([4, 2, 0]), n_train_users=8)
    lists = np.array([[0, 2], [1, -1], [-1, -1]], dtype=np.int32)
    found = means(values, lists, [1, 2])
    assert found["popularity@1"].tolist() == [4.0, 2.0, 0.0]
    assert found["popularity@2"].tolist() == [2.0, 2.0, 0.0]
    # Shares 1/2, 1/4, and 1/8 for the item without users (counted as one): 1, 2 and 3 bits.
    assert found["novelty@1"].tolist() == [1.0, 2.0, 0.0]
    assert found["novelty@2"].tolist() == [2.0, 2.0, 0.0]
    assert coverage(np.array([1, 2, 0])) == pytest.approx(2 / 3)


def test_gini_by_hand() -> None:
    assert gini(np.array([0, 0, 0])) == 0
    assert gini(np.array([1, 0, 0, 0])) == 0.75
    assert gini(np.array([1, 2, 3])) == pytest.approx(2 / 9)


def naive_graded(ranks: Any, gains: Any, k: int) -> float:
    found = sum(g / np.log2(1 + r) for g, r in zip(gains, ranks, strict=True) if r <= k)
    best = sum(g / np.log2(1 + r) for r, g in enumerate(sorted(gains)[::-1], 1) if r <= k)
    return found / best if best else 0.0


@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_graded_ndcg(gain: Any) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 7, 60)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    ranks = np.concatenate([rng.permutation(20)[:n] + 1.0 for n in counts])
    weights = rng.integers(0, 6, indptr[-1]).astype(np.float64)
    gains = weights if gain == "linear" else 2**weights - 1
    for k in (1, 5, 30):
        values = graded_ndcg(ranks, indptr, weights, [k], gain)[f"graded_ndcg@{k}"]
        expected = [naive_graded(ranks[a:b], gains[a:b], k) for a, b in pairwise(indptr)]
        assert values == pytest.approx(expected)


def test_equal_gains_give_plain_ndcg_and_ties_share_their_gain() -> None:
    train, test = world()
    ones = Dataset.from_tables(test.to_arrow().select(["user_id", "item_id"]))
    plain_train, plain_test = sl.split.given(train, ones)
    model = sl.EASE(regularization=5).fit(plain_train)
    report = sl.evaluate(model, plain_train, plain_test, k=5, gain="linear")
    assert report["graded_ndcg@5"] == pytest.approx(report["ndcg@5"])
    tied, indptr = np.array([2.5, 2.5]), np.array([0, 2])
    assert settle_ties(tied, indptr).tolist() == [2, 3]
    [value] = graded_ndcg(tied, indptr, np.array([1.0, 3.0]), [3], "linear")["graded_ndcg@3"]
    expected = 2 * (1 / np.log2(3) + 1 / np.log2(4)) / (3 + 1 / np.log2(3))
    assert value == pytest.approx(expected)


def test_gains_that_cannot_be_used() -> None:
    train, test = world()
    model = sl.Popularity().fit(train)
    with pytest.raises(ConfigError, match="gain='squared' is not known"):
        sl.evaluate(model, train, test, gain="squared")  # type: ignore[arg-type]
    many = Dataset.from_tables(
        test.to_arrow().set_column(2, "weight", pa.array([99.0] * len(test))), weight="weight"
    )
    with pytest.raises(InputError, match="gain='exponential' with a weight of 99"):
        sl.evaluate(sl.Popularity().fit(train), *sl.split.given(train, many), gain="exponential")
