from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_worlds import Selection
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.kernels.scores import list_ranks, pair_scores
from shortlist.kernels.threads import thread_limit
from shortlist.kernels.topk import topk_dense


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 9))
def test_list_ranks_by_sorting(seed: int, n_items: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    block = rng.integers(-2, 3, (4, n_items)).astype(np.float32)  # many ties
    order = rng.permutation(n_items).astype(np.int32)
    seen = rng.integers(0, n_items, 4)
    nothing = np.ones((0, n_items), dtype=bool), np.full(4, -1, dtype=np.int32)
    eligible = Selection([[item] for item in seen.tolist()], *nothing, order).eligible
    best, _ = topk_dense(block, eligible, k)
    asked = np.tile(np.arange(n_items, dtype=np.int32), 4)
    indptr = np.arange(5, dtype=np.int64) * n_items
    with thread_limit(1 + seed % 3):
        scores, found = list_ranks(block, best, indptr, asked, order)
    assert_array_equal(scores, block.ravel())
    for b in range(4):
        listed = [item for item in best[b] if item >= 0]
        for item in range(n_items):
            own = (-block[b, item], order[item])
            better = sum((-block[b, other], order[other]) < own for other in listed)
            assert found[b * n_items + item] == better + 1


@given(st.integers(0, 2**32 - 1))
def test_pair_scores_are_inner_products(seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, items = (rng.normal(size=(n, 5)).astype(np.float32) for n in (6, 9))
    lengths = rng.integers(0, 4, 6)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    asked = rng.integers(0, 9, indptr[-1]).astype(np.int32)
    owners = np.repeat(np.arange(6), lengths)
    expected = (queries[owners].astype(np.float64) * items[asked]).sum(axis=1)
    assert_allclose(pair_scores(queries, items, indptr, asked), expected, rtol=1e-4, atol=1e-5)
