"""Given items are ranked beside the lists, from scores of each shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Floats, Selection, Sparse, seeds, sparse_floats

from shortlist.kernels.threads import thread_limit
from shortlist.kernels.topk import topk_dense, topk_factors, topk_sparse
from shortlist.kernels.types import EligibleItems, Given

Lists = tuple[np.ndarray, np.ndarray]
Run = Callable[[EligibleItems, int, Given | None], Lists]


def some_items(rng: np.random.Generator, n_queries: int, n_items: int) -> Given:
    """Draw up to five items for each query, some of them twice."""
    lengths = rng.integers(0, 6, n_queries) * (n_items > 0)
    items = rng.integers(0, max(n_items, 1), lengths.sum()).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Given(indptr, items, np.full(len(items), np.nan))


def check(run: Run, scores: Floats, chosen: Selection, rng: np.random.Generator, k: int) -> None:
    """Compare ranks with counting, and lists with those without given items."""
    asked = some_items(rng, *scores.shape)
    rows, values = run(chosen.eligible, k, asked)
    expected = []
    for query, own in enumerate(scores):
        candidates = own[chosen.candidates(query)]
        for item in asked.items[asked.indptr[query] : asked.indptr[query + 1]]:
            if item in chosen.candidates(query):
                greater, equal = (candidates > own[item]).sum(), (candidates == own[item]).sum()
                expected.append(1 + greater + (equal - 1) / 2)
            else:
                expected.append(np.inf)
    assert asked.ranks.tolist() == expected
    lists = run(chosen.eligible, k, None)
    np.testing.assert_array_equal(rows, lists[0])
    np.testing.assert_array_equal(values, lists[1])


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 12), st.integers(0, 90), st.integers(0, 4), st.integers(0, 12))
def test_factors(seed: int, n_queries: int, n_items: int, f: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    queries = rng.integers(-2, 3, (n_queries, f)).astype(np.float32)
    items_t = rng.integers(-2, 3, (f, n_items)).astype(np.float32)
    chosen = Selection.random(rng, n_queries, n_items)
    scores = queries @ items_t  # exact: integers

    def run(eligible: EligibleItems, length: int, asked: Given | None) -> Lists:
        return topk_factors(queries, items_t, eligible, length, None, asked)

    check(run, scores, chosen, rng, k)


@settings(max_examples=50, deadline=None)
@given(
    seeds, st.integers(0, 12), st.integers(0, 300), st.integers(1, 9), st.integers(0, 12),
    st.sampled_from([0.0, 0.02, 0.1, 0.5]),
)  # fmt: skip
def test_sparse_products(
    seed: int, n_queries: int, n_items: int, m: int, k: int, density: float
) -> None:
    """Touched or not, negative, and sums that cancel to zero."""
    rng = np.random.default_rng(seed)
    profiles = sparse_floats(rng, (n_queries, m)) - sparse_floats(rng, (n_queries, m))
    matrix = sparse_floats(rng, (m, n_items), density) - sparse_floats(rng, (m, n_items), density)
    chosen = Selection.random(rng, n_queries, n_items)
    left, right = Sparse.of(profiles).csr, Sparse.of(matrix).csr

    def run(eligible: EligibleItems, length: int, asked: Given | None) -> Lists:
        return topk_sparse(left, right, eligible, length, asked)

    check(run, profiles @ matrix, chosen, rng, k)  # exact: integers


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 12), st.integers(0, 90), st.integers(1, 6), st.integers(0, 12))
def test_dense_blocks(seed: int, n_queries: int, n_items: int, levels: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    block = (rng.integers(-levels, levels, (n_queries, n_items)) / 8).astype(np.float32)
    chosen = Selection.random(rng, n_queries, n_items)

    def run(eligible: EligibleItems, length: int, asked: Given | None) -> Lists:
        return topk_dense(block, eligible, length, asked)

    check(run, block, chosen, rng, k)


@pytest.mark.parametrize("threads", [1, 2])
def test_real_factors_over_several_chunks_rank_as_their_lists_do(threads: int) -> None:
    """The rank of each listed item is its place: own scores have the bits of the tiles."""
    rng = np.random.default_rng(5)
    n_queries, n_items, f, k = 61, 1_777, 70, 9
    queries = rng.standard_normal((n_queries, f)).astype(np.float32)
    items_t = rng.standard_normal((f, n_items)).astype(np.float32)
    eligible = Selection.random(rng, n_queries, n_items).eligible
    with thread_limit(threads):
        rows, _ = topk_factors(queries, items_t, eligible, k)
        asked = Given(
            np.arange(0, k * n_queries + 1, k), np.maximum(rows, 0).ravel(), np.empty(rows.size)
        )
        topk_factors(queries, items_t, eligible, 0, None, asked)
    places = np.tile(np.arange(1.0, k + 1), (n_queries, 1))
    assert (rows >= 0).sum() > 500
    np.testing.assert_array_equal(asked.ranks.reshape(rows.shape)[rows >= 0], places[rows >= 0])


def test_ranks_do_not_depend_on_threads_or_batches() -> None:
    rng = np.random.default_rng(1)
    block = rng.integers(0, 50, (101, 700)).astype(np.float32)
    chosen = Selection.random(rng, 101, 700)
    true_indptr = np.arange(102, dtype=np.int64)
    true = rng.integers(0, 700, 101).astype(np.int32)
    whole = Given(true_indptr, true, np.empty(101))
    with thread_limit(1):
        topk_dense(block, chosen.eligible, 0, whole)
    with thread_limit(2):
        for start, stop in [(0, 101), (0, 1), (1, 60), (60, 101)]:
            some = Given(true_indptr[: stop - start + 1], true[start:stop], np.empty(stop - start))
            topk_dense(block[start:stop], chosen.part(start, stop).eligible, 0, some)
            np.testing.assert_array_equal(some.ranks, whole.ranks[start:stop])
