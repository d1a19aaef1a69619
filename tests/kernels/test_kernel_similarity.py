from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats
from numpy.typing import NDArray

from shortlist.kernels.similarity import common_choices, neighbors
from shortlist.kernels.threads import thread_limit
from shortlist.kernels.types import Csr


def inverse_norms(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.sqrt((matrix.astype(np.float64) ** 2).sum(axis=1))
    inverse = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
    return np.asarray(inverse, np.float32)


def find(
    queries: NDArray[np.float32], base: NDArray[np.float32], n: int, *,
    shrinkage: float = 0.0, self_rows: NDArray[np.int32] | None = None, normalise: bool = True,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:  # fmt: skip
    scales = inverse_norms if normalise else (lambda m: np.ones(len(m), np.float32))
    none = np.full(len(queries), -1, np.int32)
    return neighbors(
        Sparse.of(queries).csr, Sparse.of(base.T).csr, scales(queries), scales(base),
        shrinkage, none if self_rows is None else self_rows, n,
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(
    seeds, st.integers(0, 25), st.integers(0, 60), st.integers(0, 12), st.integers(0, 70),
    st.sampled_from([0.0, 3.5]), st.sampled_from([0.02, 0.3, 0.9]), st.booleans(),
    st.sampled_from([1, 4]),
)  # fmt: skip
def test_neighbours_equal_brute_force(
    seed: int, n_queries: int, n_base: int, m: int, n: int, shrinkage: float, density: float,
    normalise: bool, levels: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    queries = sparse_floats(rng, (n_queries, m), density)
    base = sparse_floats(rng, (n_base, m), density, levels)  # one level: a binary base
    self_rows = rng.integers(-1, n_base, n_queries).astype(np.int32)
    rows, values = find(
        queries, base, n, shrinkage=shrinkage, self_rows=self_rows, normalise=normalise
    )
    dots = queries.astype(np.float64) @ base.astype(np.float64).T
    if normalise:
        lengths = [np.sqrt((m.astype(np.float64) ** 2).sum(axis=1)) for m in (queries, base)]
    else:
        lengths = [np.ones(n_queries), np.ones(n_base)]
    below = np.outer(*lengths) + shrinkage
    cosine = np.divide(dots, below, out=np.zeros_like(dots), where=below > 0)
    share = (queries > 0).astype(int) @ (base > 0).astype(int).T > 0
    for query in range(n_queries):
        near = [b for b in range(n_base) if share[query, b] and b != self_rows[query]]
        count = min(n, len(near))
        got = rows[query, :count]
        assert len(set(got.tolist())) == count
        assert set(got.tolist()) <= set(near)
        assert (rows[query, count:] == -1).all()
        assert (values[query, count:] == 0).all()
        np.testing.assert_allclose(values[query, :count], cosine[query, got], rtol=1e-6)
        best = np.sort(cosine[query, near])[::-1][:count]
        np.testing.assert_allclose(values[query, :count], best, rtol=1e-6)
        order = list(zip(-values[query, :count], got, strict=True))
        assert order == sorted(order)  # best first, equal values by row


def test_equal_similarities_by_smaller_row() -> None:
    base = np.tile(np.array([[1, 1]], np.float32), (9, 1))
    rows, values = find(base, base, 4, self_rows=np.arange(9, dtype=np.int32))
    assert rows[0].tolist() == [1, 2, 3, 4]
    assert rows[8].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(values, 1.0, rtol=1e-6)


def test_checkerboard_of_tastes() -> None:
    parity = np.arange(6) % 2
    choices = (parity[:, None] == parity[None, :]).astype(np.float32)
    rows, values = find(choices, choices, 6, self_rows=np.arange(6, dtype=np.int32))
    assert rows[:, :2].tolist() == [[2, 4], [3, 5], [0, 4], [1, 5], [0, 2], [1, 3]]
    np.testing.assert_allclose(values[:, :2], 1.0, rtol=1e-6)
    assert (rows[:, 2:] == -1).all()  # the other colour shares no column, so it is no neighbour


def test_a_shared_column_counts_even_where_the_products_cancel() -> None:
    base = np.array([[1, -1, 0], [0, 0, 1]], np.float32)
    rows, values = find(np.array([[1, 1, 0]], np.float32), base, 2, normalise=False)
    assert rows.tolist() == [[0, -1]]
    assert values.tolist() == [[0.0, 0.0]]


def test_a_product_that_is_minus_zero_makes_one_neighbour() -> None:
    queries = Csr(np.array([0, 2]), np.array([0, 1], np.int32), np.array([0, 0], np.float32))
    columns = Csr(
        np.array([0, 1, 3]), np.array([7, 7, 9], np.int32), np.array([-1, -1, 2], np.float32)
    )
    rows, values = neighbors(
        queries, columns, np.ones(1, np.float32), np.ones(50, np.float32), 0.0,
        np.array([-1], np.int32), 4,
    )  # fmt: skip
    assert rows.tolist() == [[7, 9, -1, -1]]
    assert values.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("n", [20, 64, 65, 300])
@pytest.mark.parametrize("density", [0.01, 0.2])
def test_neighbours_do_not_depend_on_threads_or_batches(density: float, n: int) -> None:
    rng = np.random.default_rng(5)
    base = sparse_floats(rng, (301, 90), density) * rng.random((301, 90)).astype(np.float32)
    own = np.arange(301, dtype=np.int32)
    with thread_limit(1):
        rows, values = find(base, base, n, self_rows=own)
    with thread_limit(2):
        for start, stop in [(0, 301), (0, 1), (1, 130), (130, 301)]:
            some, some_values = find(base[start:stop], base, n, self_rows=own[start:stop])
            np.testing.assert_array_equal(some, rows[start:stop])
            np.testing.assert_array_equal(some_values, values[start:stop])


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 30), st.integers(1, 20), st.sampled_from([0.05, 0.3, 0.8]))
def test_users_in_common_equal_brute_force(
    seed: int, n_users: int, n_items: int, density: float
) -> None:
    rng = np.random.default_rng(seed)
    chosen = (rng.random((n_users, n_items)) < density).astype(np.float32)
    chosen[0] = 1  # every item has a user
    counts = chosen.sum(axis=0)
    in_common = chosen.T @ chosen
    near = (rng.random((n_items, n_items)) < 0.7) & ~np.eye(n_items, dtype=bool) & (in_common > 0)
    cosines = np.where(near, in_common / np.sqrt(np.outer(counts, counts)), 0).astype(np.float32)
    lists = rng.random((n_users, n_items)) < 0.5
    indptr = np.append(0, np.cumsum(lists.sum(axis=1))).astype(np.int64)
    owners, items = np.nonzero(lists)
    found = common_choices(
        Sparse.of(chosen).csr, indptr, items.astype(np.int32), Sparse.of(cosines).csr,
        np.sqrt(counts).astype(np.float32),
    )  # fmt: skip
    for row, owner, item in zip(found, owners, items, strict=True):
        others = np.flatnonzero((chosen[owner] > 0) & near[item])
        shared = in_common[item, others]
        expected = [
            cosines[item, others].sum(),
            cosines[item, others].max(initial=0),
            shared.sum(),
            (shared / counts[others]).max(initial=0),
        ]
        assert row == pytest.approx(expected, rel=1e-5)
