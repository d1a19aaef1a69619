from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from shortlist.scoring.finite import count_not_finite
from shortlist.scoring.sparse import columns_in_rows, row_entries


def test_entries_of_selected_rows() -> None:
    indptr, positions = row_entries(np.array([0, 2, 5, 6]), np.array([2, 0]))
    assert indptr.tolist() == [0, 1, 3]
    assert positions.tolist() == [5, 0, 1]


def test_columns_in_selected_rows() -> None:
    matrix = csr_array(np.array([[0, 1], [2, 3], [4, 0]], dtype=np.float32))
    [(positions, values)] = columns_in_rows(matrix, np.array([2, 1]), np.array([0]))
    assert dict(zip(positions.tolist(), values.tolist(), strict=True)) == {0: 4.0, 1: 2.0}


def test_numbers_that_are_not_finite_are_counted() -> None:
    assert count_not_finite(np.array([1.0, np.nan, -np.inf])) == 2
    assert count_not_finite(np.array([1, 2])) == 0
