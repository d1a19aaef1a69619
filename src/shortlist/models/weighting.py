"""The weights of interactions in a similarity: binary, as given, TF-IDF or BM25."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.scoring.sparse import inverse

Weighting = Literal["binary", "weighted", "tfidf", "bm25"]

K1 = 1.2  # BM25: how soon repeated terms stop counting (Robertson & Zaragoza 2009)
B = 0.75  # BM25: how much long rows are penalised


def weighted_rows(matrix: csr_array, weighting: Weighting) -> csr_array:
    """Weight the rows of a matrix by its own column importance and average row length."""
    average_length = matrix.nnz / max(matrix.shape[0], 1)
    return weighted(matrix, weighting, column_importance(matrix, weighting), average_length)


def column_importance(matrix: csr_array, weighting: Weighting) -> NDArray[np.float64]:
    """Compute the inverse document frequency of each column, for TF-IDF and BM25.

    That is ``log(n_rows / rows that have the column)``, and 0 for an empty column. For other
    weightings every column has importance 1.  # (n_columns,)
    """
    if weighting in ("binary", "weighted"):
        return np.ones(matrix.shape[1])
    share = np.bincount(matrix.indices, minlength=matrix.shape[1]) / max(matrix.shape[0], 1)
    return np.log(inverse(share), out=np.zeros(matrix.shape[1]), where=share > 0)


def weighted(
    matrix: csr_array,
    weighting: Weighting,
    importance: NDArray[np.float64],
    average_length: float,
) -> csr_array:
    """Weight the entries of a matrix whose rows are documents and whose columns are terms.

    With term frequency 1 for binary, TF-IDF and BM25, and L the number of entries of the row:

    - binary: 1
    - weighted: the stored weight
    - tfidf: importance
    - bm25: importance * (k1 + 1) / (1 + k1 * (1 - b + b * L / average length))

    Parameters
    ----------
    matrix
        The rows to weight, not necessarily those that ``importance`` was computed from.
    weighting
        The rule.
    importance
        From :func:`column_importance`.  # (n_columns,)
    average_length
        The mean number of entries of the training rows (BM25).

    Examples
    --------
    >>> row = csr_array(np.array([[3.0, 0.0, 1.0]], dtype=np.float32))
    >>> weighted(row, "tfidf", np.array([0.5, 1.0, 2.0]), 1.0).toarray()
    array([[0.5, 0. , 2. ]], dtype=float32)
    """
    if weighting == "weighted":
        return matrix
    data = importance[matrix.indices]
    if weighting == "bm25":
        lengths = np.diff(matrix.indptr)
        penalty = 1 - B + B * (lengths / max(average_length, 1e-12))
        data = data * np.repeat((K1 + 1) / (1 + K1 * penalty), lengths)
    return csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
