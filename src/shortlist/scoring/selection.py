"""Which items each query may get, and the k best of them, for scores of any shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors, dense_sparse
from shortlist.kernels.topk import topk_dense, topk_factors, topk_sparse
from shortlist.kernels.types import Eligible as Eligible
from shortlist.scoring.scores import DenseScores, FactorScores, Floats, Scores, SparseScores
from shortlist.scoring.sparse import parts


class Best(NamedTuple):
    """The best items of B queries, padded with row -1."""

    rows: Rows  # (B, k)
    scores: Floats  # (B, k)

    @classmethod
    def empty(cls, n_queries: int, k: int = 0) -> Best:
        """Return lists that hold padding only."""
        rows = np.full((n_queries, k), -1, dtype=np.int32)
        return cls(rows, np.zeros((n_queries, k), dtype=np.float32))


def top_k(scores: Scores, eligible: Eligible, k: int) -> Best:
    """Return the ``k`` best eligible items of each query, best first."""
    match scores:
        case FactorScores(queries, items):
            return Best(
                *topk_factors(queries, items.columns, items.offsets, eligible, k, items.packed)
            )
        case SparseScores(profiles, matrix):
            return Best(*topk_sparse(parts(profiles), parts(matrix), eligible, k))
        case DenseScores(block):
            return Best(*topk_dense(block, eligible, k))


def top_k_columns(
    scores: Floats, indptr: NDArray[np.int64], excluded: NDArray[np.int32], k: int
) -> Best:
    """Return the ``k`` best columns of each row, the first of equal scores first.

    ``excluded`` holds the columns that a row may not get, from ``indptr`` of the row on.
    """  # scores: (B, n)
    width = scores.shape[1]
    eligible = Eligible.excluding(indptr, excluded, np.arange(width, dtype=np.int32))
    return Best(*topk_dense(scores, eligible, min(k, width)))


def dense(scores: Scores) -> Floats:
    """Write out every score of the block."""  # (B, n_items)
    match scores:
        case FactorScores(queries, items):
            return dense_factors(queries, items.columns, items.offsets)
        case SparseScores(profiles, matrix):
            return dense_sparse(parts(profiles), parts(matrix), matrix.shape[1])
        case DenseScores(block):
            return block


def columns(scores: Scores, items: Rows) -> Floats:
    """Write out the scores of these items only."""  # (B, len(items))
    if isinstance(scores, FactorScores):
        return dense(FactorScores(scores.queries, scores.items.take(items)))
    return dense(scores)[:, items]
