"""Which items each query may get, and the k best of them, for scores of any shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors, dense_sparse
from shortlist.kernels.topk import topk_dense, topk_factors, topk_sparse
from shortlist.scoring.scores import DenseScores, FactorScores, Floats, Scores, SparseScores
from shortlist.scoring.sparse import parts


class Eligible(NamedTuple):
    """Which items each of B queries may get; the arguments that all top-k kernels share.

    An item is eligible for a query if it is not excluded for it and the query's mask, if it has
    one, is true for the item. Queries with the same rules share a mask.
    """

    excluded_indptr: NDArray[np.int64]  # (B + 1,)
    excluded_indices: NDArray[np.int32]
    masks: NDArray[np.bool_]  # (n_masks, n_items)
    mask_of: NDArray[np.int32]  # (B,), row of masks; -1: every item
    order: NDArray[np.int32]  # (n_items,), which of two equal scores comes first

    @classmethod
    def excluding(
        cls,
        indptr: NDArray[np.int64],
        indices: NDArray[np.int32],
        order: NDArray[np.int32],
        mask: NDArray[np.bool_] | None = None,
    ) -> Eligible:
        """Exclude items per query, and apply at most one mask to all queries."""
        n_queries, n_items = len(indptr) - 1, len(order)
        masks = np.empty((0, n_items), dtype=bool) if mask is None else mask[np.newaxis]
        mask_of = np.full(n_queries, -1 if mask is None else 0, dtype=np.int32)
        return cls(indptr, indices, masks, mask_of, order)

    @classmethod
    def everything(cls, n_queries: int, order: NDArray[np.int32]) -> Eligible:
        """Let every query get every item."""
        indptr = np.zeros(n_queries + 1, dtype=np.int64)
        return cls.excluding(indptr, np.empty(0, dtype=np.int32), order)

    def take(self, queries: NDArray[np.intp]) -> Eligible:
        """Return the selected queries, in that order."""
        lengths = np.diff(self.excluded_indptr)[queries]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        shift = np.repeat(self.excluded_indptr[queries] - indptr[:-1], lengths)
        indices = self.excluded_indices[np.arange(indptr[-1]) + shift]
        return self._replace(
            excluded_indptr=indptr, excluded_indices=indices, mask_of=self.mask_of[queries]
        )


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
                *topk_factors(queries, items.columns, items.offsets, *eligible, k, items.packed)
            )
        case SparseScores(profiles, matrix):
            product = (*parts(profiles), *parts(matrix))
            return Best(*topk_sparse(*product, matrix.shape[1], *eligible, k))
        case DenseScores(block):
            return Best(*topk_dense(block, *eligible, k))


def top_k_columns(
    scores: Floats, indptr: NDArray[np.int64], excluded: NDArray[np.int32], k: int
) -> Best:
    """Return the ``k`` best columns of each row, the first of equal scores first.

    ``excluded`` holds the columns that a row may not get, from ``indptr`` of the row on.
    """  # scores: (B, n)
    width = scores.shape[1]
    eligible = Eligible.excluding(indptr, excluded, np.arange(width, dtype=np.int32))
    return Best(*topk_dense(scores, *eligible, min(k, width)))


def dense(scores: Scores) -> Floats:
    """Write out every score of the block."""  # (B, n_items)
    match scores:
        case FactorScores(queries, items):
            return dense_factors(queries, items.columns, items.offsets)
        case SparseScores(profiles, matrix):
            return dense_sparse(*parts(profiles), *parts(matrix), matrix.shape[1])
        case DenseScores(block):
            return block


def columns(scores: Scores, items: Rows) -> Floats:
    """Write out the scores of these items only."""  # (B, len(items))
    if isinstance(scores, FactorScores):
        return dense(FactorScores(scores.queries, scores.items.take(items)))
    return dense(scores)[:, items]
