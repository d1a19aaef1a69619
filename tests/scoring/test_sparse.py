from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from shortlist.scoring.finite import count_not_finite
from shortlist.scoring.sparse import (
    columns_in_rows,
    consecutive_rows,
    empty,
    one_hot,
    pointers,
    row_entries,
    row_norms,
    row_sums,
)


def test_entries_of_selected_rows() -> None:
    indptr, positions = row_entries(np.array([0, 2, 5, 6]), np.array([2, 0]))
    assert indptr.tolist() == [0, 1, 3]
    assert positions.tolist() == [5, 0, 1]


def test_consecutive_rows_share_their_entries() -> None:
    matrix = csr_array(np.array([[1, 0], [2, 3], [0, 0], [0, 4]], dtype=np.float32))
    rows = consecutive_rows(matrix, slice(1, 3))
    assert rows.toarray().tolist() == [[2, 3], [0, 0]]
    assert np.shares_memory(rows.data, matrix.data)
    assert np.shares_memory(rows.indices, matrix.indices)
    assert consecutive_rows(matrix, slice(2, 4)).toarray().tolist() == [[0, 0], [0, 4]]
    assert consecutive_rows(matrix, slice(4, 4)).shape == (0, 2)


def test_pointers_have_32_bits_where_they_suffice() -> None:
    """SciPy would widen the columns to the type of the pointers."""
    assert pointers(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]
    assert pointers(np.array([2, 0, 3])).dtype == np.int32
    assert pointers(np.array([2**31 - 1])).dtype == np.int32
    assert pointers(np.array([2**31 - 1, 1])).tolist() == [0, 2**31 - 1, 2**31]
    assert pointers(np.zeros(0, dtype=np.int64)).tolist() == [0]
    for matrix in (empty(2, 9), one_hot(np.array([3, 1], dtype=np.int32), 9)):
        assert {str(part.dtype) for part in (matrix.indptr, matrix.indices)} == {"int32"}


def test_sums_and_norms_of_rows() -> None:
    matrix = csr_array(np.array([[3, 0, -4], [0, 0, 0]], dtype=np.float32))
    assert row_sums(matrix).tolist() == [-1, 0]
    assert row_norms(matrix).tolist() == [5, 0]
    assert row_sums(matrix).dtype == np.float64
    assert row_sums(empty(0, 3)).tolist() == []
    wide = csr_array(np.array([[1, 1e-8]], dtype=np.float32))
    assert row_sums(wide).tolist() == [1 + float(np.float32(1e-8))]  # lost in float32


def test_columns_in_selected_rows() -> None:
    matrix = csr_array(np.array([[0, 1], [2, 3], [4, 0]], dtype=np.float32))
    [(positions, values)] = columns_in_rows(matrix, np.array([2, 1]), np.array([0]))
    assert dict(zip(positions.tolist(), values.tolist(), strict=True)) == {0: 4.0, 1: 2.0}


def test_numbers_that_are_not_finite_are_counted() -> None:
    assert count_not_finite(np.array([1.0, np.nan, -np.inf])) == 2
    assert count_not_finite(np.array([1, 2])) == 0
