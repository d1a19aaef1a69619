from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from shortlist.kernels.scores import dense_max
from shortlist.kernels.threads import thread_limit


def best(rows: NDArray[np.float32], chosen: list[list[int]]) -> NDArray[np.float32]:
    indptr = np.cumsum([0, *map(len, chosen)], dtype=np.int64)
    indices = np.array([row for one in chosen for row in one], dtype=np.int32)
    parts = (Sparse.of(rows).csr, Sparse.of(rows.T).csr)
    return dense_max(indptr, indices, *parts)


def some(rng: np.random.Generator, n_queries: int, n_rows: int) -> list[list[int]]:
    return [
        rng.integers(0, n_rows, rng.integers(0, 6)).tolist() if n_rows else []
        for _ in range(n_queries)
    ]


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 40), st.integers(0, 30), st.integers(0, 9))
def test_the_best_of_all_products(seed: int, n_queries: int, n_rows: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    rows = sparse_floats(rng, (n_rows, d), 0.5) * rng.choice([-1, 1], (n_rows, d))
    rows = rows.astype(np.float32)
    chosen = some(rng, n_queries, n_rows)
    products = rows.astype(np.float64) @ rows.astype(np.float64).T
    expected = np.zeros((n_queries, n_rows))
    for query, own in enumerate(chosen):
        for item in range(n_rows):
            if own:
                expected[query, item] = max(products[one, item] for one in own)
    found = best(rows, chosen)
    assert found.dtype == np.float32
    assert found.shape == (n_queries, n_rows)
    assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_the_best_of_dislikes_is_the_least() -> None:
    """Where all products are negative, 0 is not among them."""
    rows = np.array([[-1], [-2], [3]], np.float32)
    assert_array_equal(best(rows, [[0, 1], [2], []]), [[2, 4, -3], [-3, -6, 9], [0, 0, 0]])


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_same_bits_whatever_the_threads_and_the_company(threads: int) -> None:
    rng = np.random.default_rng(3)
    rows = sparse_floats(rng, (57, 11), 0.4)
    chosen = some(rng, 70, 57)
    together = best(rows, chosen)
    with thread_limit(threads):
        assert_array_equal(best(rows, chosen), together, strict=True)
    for query in range(0, 70, 9):
        assert_array_equal(best(rows, [chosen[query]])[0], together[query], strict=True)
