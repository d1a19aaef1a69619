from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats

from shortlist.kernels.scores import dense_factors, dense_profile, dense_sparse
from shortlist.kernels.threads import thread_limit

sizes = st.integers(0, 50)


@settings(max_examples=60, deadline=None)
@given(seeds, sizes, sizes, st.integers(0, 70))
def test_factors_equal_float64(seed: int, n_queries: int, n_items: int, f: int) -> None:
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((n_queries, f)).astype(np.float32)
    items_t = rng.standard_normal((f, n_items)).astype(np.float32)
    bias = rng.standard_normal(n_items).astype(np.float32)
    exact = queries.astype(np.float64) @ items_t.astype(np.float64) + bias
    scale = np.abs(queries).astype(np.float64) @ np.abs(items_t).astype(np.float64) + np.abs(bias)
    got = dense_factors(queries, items_t, bias)
    assert got.shape == (n_queries, n_items)
    none = dense_factors(queries, items_t)
    np.testing.assert_array_equal(none, dense_factors(queries, items_t, np.zeros_like(bias)))
    assert (np.abs(got - exact) <= (f + 1) * 2**-24 * scale).all()  # the a-priori error bound


@settings(max_examples=60, deadline=None)
@given(seeds, sizes, sizes, sizes)
def test_sparse_and_profile_products_are_correctly_rounded(
    seed: int, n_queries: int, m: int, n_items: int
) -> None:
    rng = np.random.default_rng(seed)
    profiles = sparse_floats(rng, (n_queries, m)) * rng.random((n_queries, m), np.float32)
    matrix = sparse_floats(rng, (m, n_items)) * (rng.random((m, n_items), np.float32) - 0.5)
    exact = profiles.astype(np.float64) @ matrix.astype(np.float64)
    rows = Sparse.of(profiles)
    sparse = dense_sparse(rows.csr, Sparse.of(matrix).csr, n_items)
    dense = dense_profile(rows.csr, matrix)
    np.testing.assert_allclose(sparse, exact, rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(dense, sparse)  # the zeros in between change no bit


@pytest.mark.parametrize("f", [1, 7, 8, 64, 65])
def test_factor_bits_depend_neither_on_threads_nor_neighbours_in_the_batch(f: int) -> None:
    rng = np.random.default_rng(f)
    queries = rng.standard_normal((131, f)).astype(np.float32)
    items_t = rng.standard_normal((f, 1501)).astype(np.float32)
    bias = rng.standard_normal(1501).astype(np.float32)
    with thread_limit(1):
        whole = dense_factors(queries, items_t, bias)
    with thread_limit(2):
        np.testing.assert_array_equal(dense_factors(queries, items_t, bias), whole)
    for query in (0, 5, 6, 95, 96, 130):
        alone = dense_factors(queries[query : query + 1], items_t, bias)
        np.testing.assert_array_equal(alone[0], whole[query])
    for item in (0, 15, 16, 511, 512, 1500):  # nor on where in the catalogue an item stands
        column = np.ascontiguousarray(items_t[:, item : item + 1])
        alone = dense_factors(queries, column, bias[item : item + 1])
        np.testing.assert_array_equal(alone[:, 0], whole[:, item])


def test_profile_bits_depend_neither_on_threads_nor_batches() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((40, 1301)).astype(np.float32)
    profiles = Sparse.of(sparse_floats(rng, (33, 40)) * rng.random((33, 40)))
    with thread_limit(1):
        whole = dense_profile(profiles.csr, matrix)
    with thread_limit(2):
        np.testing.assert_array_equal(dense_profile(profiles.csr, matrix), whole)
        for start, stop in [(0, 1), (1, 20), (20, 33)]:
            some = dense_profile(profiles.part(start, stop).csr, matrix)
            np.testing.assert_array_equal(some, whole[start:stop])


def test_tall_products_have_the_same_bits_as_their_rows() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((20, 530)).astype(np.float32)  # a stripe and a bit
    profiles = Sparse.of(sparse_floats(rng, (9000, 20)) * rng.random((9000, 20)))
    for threads in (1, 3):
        with thread_limit(threads):
            whole = dense_profile(profiles.csr, matrix)
            for start, stop in [(0, 100), (4090, 4100), (8900, 9000)]:
                some = dense_profile(profiles.part(start, stop).csr, matrix)
                np.testing.assert_array_equal(some, whole[start:stop])
