from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.scoring.scores import DenseScores
from shortlist.scoring.selection import Eligible, midranks


@given(seed=st.integers(0, 10_000), k=st.integers(1, 12))
def test_the_first_eligible_items_in_order(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    n_queries, n_items = rng.integers(1, 6), rng.integers(1, 20)
    excluded = [rng.permutation(n_items)[: rng.integers(0, n_items + 1)] for _ in range(n_queries)]
    masks = rng.random((2, n_items)) < 0.4
    mask_of = rng.integers(-1, 2, n_queries).astype(np.int32)
    order = rng.permutation(n_items).astype(np.int32)
    eligible = Eligible(
        np.cumsum([0, *map(len, excluded)]),
        np.concatenate(excluded).astype(np.int32),
        masks,
        mask_of,
        order,
    )
    for query, row in enumerate(eligible.first(k)):
        free = [
            item
            for item in np.argsort(order)
            if item not in excluded[query] and (mask_of[query] < 0 or masks[mask_of[query], item])
        ]
        expected = free[:k] + [-1] * (k - len(free[:k]))
        assert row.tolist() == expected


def test_no_queries_and_no_items() -> None:
    order = np.arange(3, dtype=np.int32)
    assert Eligible.everything(0, order).first(2).shape == (0, 2)
    assert Eligible.everything(2, order[:0]).first(2).tolist() == [[-1, -1]] * 2


def test_equal_scores_rank_everything_in_the_middle() -> None:
    scores = DenseScores(np.zeros((1, 5), np.float32))
    eligible = Eligible.everything(1, np.arange(5, dtype=np.int32))
    items = np.array([0, 4], np.int32)
    assert midranks(scores, eligible, np.array([0, 2]), items).tolist() == [3.0, 3.0]
    without = eligible._replace(excluded_indptr=np.array([0, 1]), excluded_indices=items[:1])
    assert midranks(scores, without, np.array([0, 2]), items).tolist() == [np.inf, 2.5]
