"""Every metric against a hand-computed example and against a naive reference, user by user."""

from __future__ import annotations

from math import inf, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.metrics.bootstrap import Measure
from shortlist.metrics.ranking import FloatArray, Int64Array, rank_metrics, settle_ties
from shortlist.metrics.rating import rating_errors


def grouped(users: list[list[float]]) -> tuple[FloatArray, Int64Array]:
    ranks = np.array([rank for user in users for rank in user], dtype=np.float64)
    return ranks, np.cumsum([0, *(len(user) for user in users)])


# Two users by hand. The first has relevant items at ranks 1, 3 and 12, the second at rank 2.
HAND = [[3.0, 12.0, 1.0], [2.0]]
IDEAL_3 = 1 + 1 / log2(3) + 1 / 2  # of three relevant items


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("hit_rate@1", 1.0, 0.0),
        ("hit_rate@5", 1.0, 1.0),
        ("recall@1", 1 / 3, 0.0),
        ("recall@5", 2 / 3, 1.0),
        ("capped_recall@1", 1.0, 0.0),
        ("capped_recall@5", 2 / 3, 1.0),
        ("precision@1", 1.0, 0.0),
        ("precision@5", 2 / 5, 1 / 5),
        ("ndcg@1", 1.0, 0.0),
        ("ndcg@5", (1 + 1 / 2) / IDEAL_3, 1 / log2(3)),
        ("ndcg@20", (1 + 1 / 2 + 1 / log2(13)) / IDEAL_3, 1 / log2(3)),
        ("map@1", 1.0, 0.0),
        ("map@5", (1 / 1 + 2 / 3) / 3, 1 / 2),
        ("map@20", (1 / 1 + 2 / 3 + 3 / 12) / 3, 1 / 2),
        ("mrr", 1.0, 1 / 2),
    ],
)
def test_by_hand(name: str, first: float, second: float) -> None:
    values = rank_metrics(*grouped(HAND), ks=(1, 5, 20))
    assert values[name] == pytest.approx([first, second])


def test_tied_relevant_items_get_consecutive_ranks_around_their_mid_rank() -> None:
    users = [[7.0], [2.5, 2.5, 2.5, 9.0], [1.5, 1.5], [4.0, 4.0, inf, inf]]
    settled = settle_ties(*grouped(users))
    assert settled.tolist() == [7, 1.5, 2.5, 3.5, 9, 1, 2, 3.5, 4.5, inf, inf]


def test_equal_ranks_of_different_users_are_not_a_tie() -> None:
    assert settle_ties(*grouped([[2.5], [2.5]])).tolist() == [2.5, 2.5]


def test_tied_relevant_items_never_fill_more_than_k_positions() -> None:
    # 15 of 20 items are true and all scores are equal: each has mid-rank 10.5.
    values = rank_metrics(*grouped([[10.5] * 15]), ks=(11, 20))
    # They get ranks 3.5, 4.5, ..., 17.5: eight of them are at most 11.
    assert values["precision@11"] == pytest.approx([8 / 11])
    assert values["recall@20"] == pytest.approx([1.0])


def test_a_relevant_item_that_is_not_a_candidate_counts_as_a_miss() -> None:
    values = rank_metrics(*grouped([[inf], [inf, 1.0]]), ks=(5,))
    assert values["recall@5"].tolist() == [0.0, 0.5]
    assert values["mrr"].tolist() == [0.0, 1.0]
    assert values["ndcg@5"] == pytest.approx([0.0, 1 / (1 + 1 / log2(3))])


def naive(name: str, ranks: list[float], k: int) -> float:
    """One metric of one user, with plain loops over distinct ascending ranks."""
    hits = [rank for rank in ranks if rank <= k]
    possible = min(len(ranks), k)
    if name == "hit_rate":
        return float(bool(hits))
    if name == "recall":
        return len(hits) / len(ranks)
    if name == "capped_recall":
        return len(hits) / possible
    if name == "precision":
        return len(hits) / k
    if name == "ndcg":
        ideal = sum(1 / log2(1 + rank) for rank in range(1, possible + 1))
        return sum(1 / log2(1 + rank) for rank in hits) / ideal
    assert name == "map"
    return sum(number / rank for number, rank in enumerate(hits, start=1)) / possible


def naive_mid_ranks(scores: list[int], true: list[int]) -> list[float]:
    """Ranks of the relevant items; tied ones side by side around the middle of the tie."""
    ranks = []
    for score in sorted({scores[item] for item in true}, reverse=True):
        above = sum(other > score for other in scores)
        tied = sum(other == score for other in scores)
        middle = above + (tied + 1) / 2
        count = sum(scores[item] == score for item in true)
        ranks += [middle - (count - 1) / 2 + step for step in range(count)]
    return ranks


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """A user's scores of a small catalogue, full of ties, and their true items."""
    scores = draw(st.lists(st.integers(0, 4), min_size=1, max_size=15))
    true = draw(st.sets(st.integers(0, len(scores) - 1), min_size=1))
    return scores, sorted(true)


@given(st.lists(worlds(), min_size=1, max_size=5), st.integers(1, 18))
def test_against_naive_loops(users: list[tuple[list[int], list[int]]], k: int) -> None:
    mid_ranks = []
    for scores, true in users:
        ranks = []
        for item in true:
            above = sum(other > scores[item] for other in scores)
            equal = sum(other == scores[item] for other in scores) - 1
            ranks.append(1 + above + equal / 2)
        mid_ranks.append(ranks)
    values = rank_metrics(*grouped(mid_ranks), ks=(k,))
    settled = [naive_mid_ranks(scores, true) for scores, true in users]
    for name in ("hit_rate", "recall", "capped_recall", "precision", "ndcg", "map"):
        assert values[f"{name}@{k}"] == pytest.approx([naive(name, ranks, k) for ranks in settled])
    assert values["mrr"] == pytest.approx([1 / ranks[0] for ranks in settled])
    for per_user in values.values():
        assert (per_user >= 0).all()
        assert (per_user <= 1 + 1e-12).all()


@given(st.integers(1, 30), st.integers(1, 30))
def test_a_perfect_order_scores_one_with_and_without_ties(n: int, k: int) -> None:
    distinct = [float(rank) for rank in range(1, n + 1)]
    all_tied = [(n + 1) / 2] * n
    values = rank_metrics(*grouped([distinct, all_tied]), ks=(k,))
    for name in ("hit_rate", "capped_recall", "ndcg", "map"):
        assert values[f"{name}@{k}"] == pytest.approx([1.0, 1.0])


def test_rating_errors_average_over_ratings_and_not_over_users() -> None:
    predicted, actual = np.array([4.0, 4.0, 1.0]), np.array([3.0, 3.0, 4.0])
    errors = rating_errors(predicted, actual, np.array([0, 2, 3]))
    assert errors["rmse"].mean() == pytest.approx(sqrt((1 + 1 + 9) / 3))
    assert errors["mae"].mean() == pytest.approx((1 + 1 + 3) / 3)
    only_first = errors["rmse"].take(np.array([True, False]))
    assert only_first.mean() == pytest.approx(1.0)


def test_a_measure_weights_its_users() -> None:
    assert Measure(np.array([1.0, 4.0]), np.array([3.0, 1.0])).mean() == pytest.approx(7 / 4)
    assert Measure(np.array([1.0, 4.0]), np.array([0.0, 1.0]), root=True).mean() == 2.0
