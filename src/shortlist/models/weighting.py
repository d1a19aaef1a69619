"""How much each interaction counts in a similarity: binary, as given, TF-IDF or BM25."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.scoring.sparse import inverse

Weighting = Literal["binary", "weighted", "tfidf", "bm25"]

SATURATION = 1.2  # BM25's k1, Robertson & Zaragoza 2009
LENGTH_SHARE = 0.75  # BM25's b


def binary(matrix: csr_array) -> csr_array:
    """Put 1 in the place of every stored weight."""
    ones = np.ones_like(matrix.data)
    return csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


def column_importance(matrix: csr_array, weighting: Weighting) -> NDArray[np.float64]:
    """Say how telling each column is.

    TF-IDF and BM25: ``log(n_rows / rows that have the column)``; otherwise 1. A column that no row
    has counts 0.  # (n_columns,)
    """
    present = np.bincount(matrix.indices, minlength=matrix.shape[1])
    if weighting in ("binary", "weighted"):
        return np.ones(matrix.shape[1])
    share = present / max(matrix.shape[0], 1)
    return np.log(inverse(share), out=np.zeros(matrix.shape[1]), where=share > 0)


def weighted(
    matrix: csr_array,
    weighting: Weighting,
    importance: NDArray[np.float64],
    average_length: float,
) -> csr_array:
    """Weight the rows of a matrix as documents over its columns as terms.

    With x = 1 for binary, TF-IDF and BM25, and L the number of entries of the row:

    - binary: 1
    - weighted: the stored weight
    - tfidf: importance
    - bm25: importance * (k1 + 1) / (1 + k1 * (1 - b + b * L / average length))

    Parameters
    ----------
    matrix
        Rows to weight; they need not be the rows that ``importance`` was computed from.
    weighting
        Which rule.
    importance
        From :func:`column_importance`.  # (n_columns,)
    average_length
        Entries an average training row has (BM25).

    Examples
    --------
    >>> one = csr_array(np.array([[3.0, 0.0, 1.0]], dtype=np.float32))
    >>> weighted(one, "tfidf", np.array([0.5, 1.0, 2.0]), 1.0).toarray()
    array([[0.5, 0. , 2. ]], dtype=float32)
    """
    if weighting == "weighted":
        return matrix
    data = importance[matrix.indices]
    if weighting == "bm25":
        lengths = np.diff(matrix.indptr)
        relative = lengths / max(average_length, 1e-12)
        pressure = 1 + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * relative)
        data = data * np.repeat((SATURATION + 1) / pressure, lengths)
    return csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
