"""Blocks side by side, each with the share of the similarity that it is given."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_array, hstack

from shortlist.errors import InputError, suggestion


def unit_rows(matrix: csr_array) -> csr_array:
    """Scale every row to length 1 (L2); rows of zeros stay zeros.

    Parameters
    ----------
    matrix
        Sparse, float32 or float64; the result has its dtype, and is a copy.  # (n, d)

    Examples
    --------
    >>> unit_rows(csr_array([[3.0, 4.0], [0.0, 0.0]])).toarray()
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    squares = csr_array(
        (matrix.data.astype(np.float64) ** 2, matrix.indices, matrix.indptr), shape=matrix.shape
    )
    length = np.sqrt(squares.sum(axis=1))
    length[length == 0] = 1
    data = matrix.data / np.repeat(length, np.diff(matrix.indptr))
    parts = (data.astype(matrix.dtype), matrix.indices.copy(), matrix.indptr.copy())
    return csr_array(parts, shape=matrix.shape)


def scaled(blocks: Mapping[str, csr_array], weights: Mapping[str, float]) -> csr_array:
    """Put blocks side by side, so that dot products of rows are a weighted sum of cosines.

    With the rows of every block of length 1, or zero, and block ``b`` multiplied by ``sqrt(w_b)``,
    the dot product of two rows is ``sum_b w_b cos_b`` exactly; ``cos_b`` is 0 where a row of the
    block is zero. So "concatenate the features" and "add up the similarities" are one model.

    Parameters
    ----------
    blocks
        Matrices of equally many rows by name: those of ``FeatureEncoder.split``, or the
        interactions through :func:`unit_rows`.  # each (n, d_b)
    weights
        The weight of every block, 0 or more, at least one above 0.

    Returns
    -------
    csr_array
        In the order of ``blocks``, with the dtype of the widest. A block of weight 0 keeps its
        columns, without entries.  # (n, sum of d_b)

    Raises
    ------
    InputError
        A weight is missing, for no block, negative or not finite, or all are 0.

    Examples
    --------
    >>> left, right = csr_array([[1.0, 0.0]]), csr_array([[1.0]])
    >>> scaled({"genres": left, "year": right}, {"genres": 1.0, "year": 0.25}).toarray()
    array([[1. , 0. , 0.5]])
    """
    for name, weight in weights.items():
        if name not in blocks:
            raise InputError(
                f"there is no block {name!r} to weigh", remedy=suggestion(name, blocks)
            )
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError(
                f"the weight {weight!r} of block {name!r} is out of range",
                remedy="weights are finite numbers, 0 or more",
            )
    absent = [name for name in blocks if name not in weights]
    if absent:
        raise InputError(
            f"block {absent[0]!r} has no weight", remedy="give it one; 0 leaves it out"
        )
    if not any(weights.values()):
        raise InputError(
            "the weights of all blocks are 0: every similarity would be",
            remedy="give at least one block a weight above 0",
        )
    parts = []
    for name, block in blocks.items():
        factor = block.dtype.type(math.sqrt(weights[name]))
        part = block * factor if factor else csr_array(block.shape, dtype=block.dtype)
        parts.append(part)
    return csr_array(hstack(parts, format="csr"))
