"""The first query whose scores are not all finite."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.scoring.finite import first_not_finite
from shortlist.scoring.scores import DenseScores, FactorScores, ItemFactors, Scores, SparseScores

LARGE = np.float32(2e38)  # below the largest float32, 3.4e38; twice as much is not


def shapes(queries: NDArray[np.float32], items_t: NDArray[np.float32]) -> list[Scores]:
    """Return the same products in each shape."""
    with np.errstate(over="ignore", invalid="ignore"):
        block = queries @ items_t
    return [
        FactorScores(queries, ItemFactors(items_t)),
        SparseScores(csr_array(queries), csr_array(items_t)),
        DenseScores(block),
    ]


@pytest.mark.parametrize("shape", range(3))
def test_large_scores_are_finite_until_they_overflow(shape: int) -> None:
    items_t = np.array([[1, -1, 0], [0, 1, 2]], np.float32)
    queries = np.array([[1, 1], [LARGE, 0], [0, LARGE], [LARGE, LARGE]], np.float32)
    assert first_not_finite(shapes(queries[:2], items_t)[shape]) is None  # though the bound fails
    assert first_not_finite(shapes(queries, items_t)[shape]) == 2
    assert first_not_finite(shapes(queries[3:], items_t)[shape]) == 0


@pytest.mark.parametrize("shape", range(3))
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_broken_queries_and_items(shape: int, broken: float) -> None:
    items_t = np.array([[1, -1, 0], [0, 1, 2]], np.float32)
    queries = np.array([[1, 1], [1, 0], [0, broken], [broken, 1]], np.float32)
    assert first_not_finite(shapes(queries, items_t)[shape]) == 2
    items_t[0, 1] = broken
    # a sparse product does not touch the broken entry where the query has no weight
    queries = np.array([[0, 1], [0, 2], [3, 0]], np.float32)
    assert first_not_finite(shapes(queries, items_t)[shape]) == (2 if shape == 1 else 0)


@pytest.mark.parametrize("shape", range(3))
def test_no_queries(shape: int) -> None:
    scores = shapes(np.empty((0, 2), np.float32), np.ones((2, 3), np.float32))[shape]
    assert first_not_finite(scores) is None
