from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.models.cosine import ItemCosine, UserCosine
from shortlist.models.hybrid.model import Hybrid
from shortlist.models.neighborhood import Weighting, column_importance, mean_length, weighted
from shortlist.scoring.sparse import (
    binary,
    csr_arrays,
    inverse,
    row_norms,
    row_scaled,
    row_sums,
    transposed,
)

# Four rows over four columns. Column 3 is empty, and so is row 2; one entry weighs 0.
INDPTR, INDICES = np.array([0, 3, 5, 5, 6]), np.array([0, 1, 2, 0, 1, 0])
MATRIX = csr_array((np.array([5, 2, 0, 1, 3, 4], np.float32), INDICES, INDPTR), shape=(4, 4))


def test_binary_counts_every_stored_entry() -> None:
    ones = binary(MATRIX)
    assert_array_equal(ones.data, [1, 1, 1, 1, 1, 1])
    assert_array_equal(ones.indices, MATRIX.indices)
    assert ones.dtype == np.float32
    assert MATRIX.data[0] == 5


@pytest.mark.parametrize("weighting", ["tfidf", "bm25"])
def test_rare_columns_are_more_important(weighting: Weighting) -> None:
    found = column_importance(MATRIX, weighting)
    assert_allclose(found, [np.log(3 / 3), np.log(3 / 2), np.log(3 / 1), 0])


def test_the_mean_length_is_that_of_rows_with_entries() -> None:
    assert mean_length(MATRIX) == 2


@pytest.mark.parametrize("weighting", ["tfidf", "bm25"])
@pytest.mark.parametrize(
    "model",
    [
        partial(UserCosine, neighbors=3, shrinkage=1.0),
        partial(ItemCosine, neighbors=3, shrinkage=1.0),
        lambda weighting: Hybrid.form("item interactions").set_params(
            item_neighbors=3, item_weighting=weighting
        ),
    ],
    ids=["UserCosine", "ItemCosine", "Hybrid"],
)
def test_ids_that_are_merely_listed_change_no_list(model: Any, weighting: Weighting) -> None:
    rng = np.random.default_rng(0)
    cells = np.argwhere(rng.random((30, 12)) < rng.random(12))
    log = {"user_id": cells[:, 0], "item_id": cells[:, 1]}
    listed = {"user_id": np.arange(500)}, {"item_id": np.arange(400)}
    alone, among = (
        model(weighting=weighting).fit(Dataset.from_tables(log, *tables)).recommend(range(30), k=3)
        for tables in ((), listed)
    )
    assert among.to_arrow().equals(alone.to_arrow())


@pytest.mark.parametrize("weighting", ["binary", "weighted"])
def test_other_weightings_give_equal_importance(weighting: Weighting) -> None:
    assert_array_equal(column_importance(MATRIX, weighting), [1, 1, 1, 1])


def test_a_column_of_every_row_has_importance_zero() -> None:
    everywhere = binary(csr_array(([1.0] * 6, [0, 1] * 3, [0, 2, 4, 6]), shape=(3, 2)))
    assert_array_equal(column_importance(everywhere, "tfidf"), [0, 0])


def test_no_rows() -> None:
    empty = csr_array(np.zeros((0, 3), np.float32))
    assert_array_equal(column_importance(empty, "bm25"), [0, 0, 0])


def test_each_rule_by_hand() -> None:
    importance = np.array([1.0, 2.0, 3.0, 4.0])
    average = 2.0  # mean entries per row; row 0 has 3, row 1 has 2, row 3 has 1
    expected: dict[Weighting, list[float]] = {
        "binary": [1, 1, 1, 1, 1, 1],
        "weighted": [5, 2, 0, 1, 3, 4],
        "tfidf": [1, 2, 3, 1, 2, 1],
        "bm25": [
            *(term * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 1.5)) for term in (1, 2, 3)),
            *(term * 2.2 / (1 + 1.2) for term in (1, 2)),
            2.2 / (1 + 1.2 * (0.25 + 0.75 * 0.5)),
        ],
    }
    for weighting, data in expected.items():
        importance_used = np.ones(4) if weighting == "binary" else importance
        found = weighted(MATRIX, weighting, importance_used, average)
        assert_allclose(found.data, data, rtol=1e-6)
        assert_array_equal(found.indptr, MATRIX.indptr)
        assert found.dtype == np.float32


@given(st.integers(0, 2**32 - 1), st.integers(0, 7), st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_sparse_helpers_against_numpy(seed: int, n_rows: int, n_columns: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 0.5)
    matrix = csr_array(table.astype(np.float32))
    exact = matrix.toarray().astype(np.float64)
    assert_allclose(row_sums(matrix), exact.sum(axis=1), atol=1e-12)
    assert_allclose(row_norms(matrix), np.linalg.norm(exact, axis=1), rtol=1e-12)
    factors = rng.normal(size=n_rows)
    assert_allclose(row_scaled(matrix, factors).toarray(), exact * factors[:, None], rtol=1e-6)
    turned = transposed(matrix)
    assert_array_equal(turned.toarray(), matrix.toarray().T)
    assert turned.has_sorted_indices
    assert [part.dtype for part in csr_arrays(matrix)] == [np.int64, np.int32, np.float32]


def test_inverse_of_zero_is_zero() -> None:
    assert_array_equal(inverse(np.array([0.0, 4.0, 0.5])), [0.0, 0.25, 2.0])
