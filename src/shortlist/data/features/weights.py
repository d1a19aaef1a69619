"""Joining blocks of features, each with a weight in the similarity of two rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_array, hstack

from shortlist.errors import InputError, suggestion


def unit_rows(matrix: csr_array) -> csr_array:
    """Scale every row to length 1 (L2); rows of zeros are kept.

    Parameters
    ----------
    matrix
        Sparse, float32 or float64; the result is a copy of the same dtype.  # (n, d)

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
    data = (matrix.data / np.repeat(length, np.diff(matrix.indptr))).astype(matrix.dtype)
    return csr_array((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def scaled(blocks: Mapping[str, csr_array], weights: Mapping[str, float]) -> csr_array:
    """Join blocks so that the dot product of two rows is a weighted sum of their cosines.

    If the rows of every block have length 1 or 0, and block ``b`` is multiplied by ``sqrt(w_b)``,
    the dot product of two rows is exactly ``sum_b w_b cos_b``, where ``cos_b`` is 0 if a row of the
    block is zero. So concatenating features and adding similarities are the same model.

    Parameters
    ----------
    blocks
        Matrices by name, with the same number of rows: those of ``FeatureEncoder.split``, or the
        interactions through :func:`unit_rows`.  # each (n, d_b)
    weights
        The weight of every block, 0 or more; at least one is above 0.

    Returns
    -------
    csr_array
        The blocks in their order, with the widest dtype. A block of weight 0 keeps its columns, but
        has no entries.  # (n, sum of d_b)

    Raises
    ------
    InputError
        A weight is missing, negative or not finite, belongs to no block, or all weights are 0.

    Examples
    --------
    >>> left, right = csr_array([[1.0, 0.0]]), csr_array([[1.0]])
    >>> scaled({"genres": left, "year": right}, {"genres": 1.0, "year": 0.25}).toarray()
    array([[1. , 0. , 0.5]])
    """
    for name, weight in weights.items():
        if name not in blocks:
            raise InputError(
                f"there is no block {name!r} to weight", remedy=suggestion(name, blocks)
            )
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError(
                f"the weight {weight!r} of block {name!r} is out of range",
                remedy="weights are finite numbers, 0 or more",
            )
    unweighted = [name for name in blocks if name not in weights]
    if unweighted:
        raise InputError(
            f"block {unweighted[0]!r} has no weight",
            remedy="give it a weight; 0 leaves the block out",
        )
    if not any(weights.values()):
        raise InputError(
            "the weights of all blocks are 0, so every similarity would be 0",
            remedy="give at least one block a weight above 0",
        )
    factors = {name: block.dtype.type(math.sqrt(weights[name])) for name, block in blocks.items()}
    parts = [
        block * factors[name] if factors[name] else csr_array(block.shape, dtype=block.dtype)
        for name, block in blocks.items()
    ]
    return csr_array(hstack(parts, format="csr"))
