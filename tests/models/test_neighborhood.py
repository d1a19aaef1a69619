from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist import engine
from shortlist.models.linear import SharedSearch
from shortlist.models.neighborhood import Neighborhood, first_entries, keep_rows


def random_rows(seed: int, shape: tuple[int, int], density: float = 0.3) -> csr_array:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=shape) * (rng.random(shape) < density)
    return csr_array(dense.astype(np.float32))


def nearest_by_sorting(
    queries: csr_array, rows: csr_array, count: int, own_rows: NDArray[np.int32] | None, *,
    cosine: bool = False, shrinkage: float = 0.0,
) -> NDArray[np.float64]:  # fmt: skip
    """The similarities of the nearest rows that share a column, else 0."""
    a, b = queries.toarray().astype(np.float64), rows.toarray().astype(np.float64)
    near = np.zeros((len(a), len(b)))
    for q, query in enumerate(a):
        found = []
        for r, row in enumerate(b):
            if ((query != 0) & (row != 0)).any() and (own_rows is None or own_rows[q] != r):
                length = np.linalg.norm(query) * np.linalg.norm(row) + shrinkage
                found.append((-(query @ row) / (length if cosine else 1), r))
        for negative, r in sorted(found)[:count]:
            near[q, r] = -negative
    return near


@pytest.mark.parametrize("count", [1, 4, None])
@pytest.mark.parametrize("without_self", [True, False])
def test_products(count: int | None, without_self: bool) -> None:
    rows = random_rows(0, (30, 12))
    own_rows = np.arange(30, dtype=np.int32) if without_self else None
    found = Neighborhood.by_product(rows).nearest(rows, own_rows, count)
    expected = nearest_by_sorting(rows, rows, 30 if count is None else count, own_rows)
    assert_allclose(found.toarray(), expected, rtol=1e-6, atol=1e-7)
    assert found.has_sorted_indices


def test_cosines_with_shrinkage() -> None:
    rows, queries = random_rows(1, (30, 12)), random_rows(2, (8, 12))
    for shrinkage in (0.0, 2.5):
        neighborhood = Neighborhood.by_cosine(rows, shrinkage)
        found = neighborhood.nearest(queries, None, 5)
        expected = nearest_by_sorting(queries, rows, 5, None, cosine=True, shrinkage=shrinkage)
        assert_allclose(found.toarray(), expected, rtol=2e-6, atol=1e-7)


def test_counts_per_row() -> None:
    rows = random_rows(3, (20, 9), 0.6)
    ranked = Neighborhood.by_product(rows).ranked(rows, None, 8)
    counts = np.arange(20) % 9
    for row, count in enumerate(counts.tolist()):
        expected = nearest_by_sorting(rows[[row]], rows, count, None)
        assert_allclose(ranked.sparse(counts)[[row]].toarray(), expected, rtol=1e-6, atol=1e-7)
    assert_array_equal(ranked.sparse(3).toarray(), ranked.sparse(np.full(20, 3)).toarray())


def test_more_neighbours_than_there_are_rows() -> None:
    rows = random_rows(4, (5, 6), 0.8)
    neighborhood = Neighborhood.by_product(rows)
    many, every = (neighborhood.nearest(rows, None, count) for count in (99, None))
    assert_array_equal(many.toarray(), every.toarray())


@pytest.mark.parametrize("block_bytes", [1, 700, 2**30])
def test_block_size_does_not_change_the_result(block_bytes: int) -> None:
    rows = random_rows(5, (40, 15))
    neighborhood = Neighborhood.by_cosine(rows)
    arguments = rows, np.arange(40, dtype=np.int32), 6
    whole = neighborhood.ranked(*arguments).best_first()
    with engine.use(engine.LocalEngine(block_bytes=block_bytes)):
        cut = neighborhood.best_in_blocks(*arguments)
    assert_array_equal(cut.data, whole.data)
    assert_array_equal(cut.indices, whole.indices)
    assert_array_equal(cut.indptr, whole.indptr)


def test_best_first_and_by_column_are_the_same_entries() -> None:
    rows = random_rows(8, (30, 15))
    ranked = Neighborhood.by_cosine(rows).ranked(rows, None, 6)
    best_first = ranked.best_first()
    assert_array_equal(best_first.toarray(), ranked.sparse().toarray())
    for start, stop in pairwise(best_first.indptr):
        assert (np.diff(best_first.data[start:stop]) <= 0).all()
    assert_array_equal(first_entries(best_first, 3).toarray(), ranked.sparse(3).toarray())
    assert first_entries(best_first, 6) is best_first


def test_numbers_of_neighbours_share_searches() -> None:
    rows = random_rows(9, (30, 15))
    searched = []

    def search(settings: Mapping[str, Any]) -> csr_array:
        searched.append((settings["neighbors"], settings["shrinkage"]))
        neighborhood = Neighborhood.by_cosine(rows, settings["shrinkage"])
        return neighborhood.best_in_blocks(rows, None, settings["neighbors"])

    share = SharedSearch(search, most=12)
    for neighbors, shrinkage in [
        (5, 0),
        (2, 0),
        (6, 0),
        (12, 0),
        (20, 0),
        (4, 3),
        (None, 3),
        (9, 3),
    ]:
        found = share({"neighbors": neighbors, "shrinkage": shrinkage})
        alone = Neighborhood.by_cosine(rows, shrinkage).ranked(rows, None, neighbors)
        assert_array_equal(found.toarray(), alone.sparse().toarray())
    assert searched == [(5, 0), (12, 0), (20, 0), (4, 3), (None, 3)]


def test_no_rows() -> None:
    rows = random_rows(6, (4, 3))
    none = random_rows(7, (0, 3))
    assert Neighborhood.by_product(rows).best_in_blocks(none, None, 2).shape == (0, 4)


def test_has_neighbors() -> None:
    rows = csr_array(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], np.float32))
    queries = csr_array(
        np.array([[0, 0, 3, 0], [0, 0, 1, 1], [0, 2, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]], np.float32)
    )
    shares_column = Neighborhood.by_product(rows).has_neighbors(queries)
    assert shares_column.tolist() == [False, False, True, False, True]


def test_keep_rows() -> None:
    rows = csr_array(np.array([[1, 2], [0, 3], [0, 0], [4, 5]], np.float32))
    kept = keep_rows(rows, np.array([True, False, True, True]))
    assert_array_equal(kept.toarray(), [[1, 2], [0, 0], [0, 0], [4, 5]])
    assert kept.nnz == 4  # other rows store no zeros, which would make them neighbours
    assert keep_rows(rows, np.zeros(4, dtype=bool)).nnz == 0
