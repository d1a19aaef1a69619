"""The items that each query may get, and the k best of them, for scores of any shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors, dense_sparse
from shortlist.kernels.topk import topk_dense, topk_factors, topk_order, topk_sparse
from shortlist.kernels.types import EligibleItems, Given
from shortlist.scoring.scores import DenseScores, FactorScores, Floats, Scores, SparseScores
from shortlist.scoring.sparse import csr_arrays, row_entries


class Eligible(EligibleItems):
    """The items that each of B queries may get: the arguments that all top-k kernels share.

    Queries with the same rules share a mask; ``order`` (n_items,) ranks items of equal scores.
    """

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
        indptr, positions = row_entries(self.excluded_indptr, queries)
        return self._replace(
            excluded_indptr=indptr,
            excluded_indices=self.excluded_indices[positions],
            mask_of=self.mask_of[queries],
        )

    def contains(self, queries: NDArray[np.integer], items: Rows) -> NDArray[np.bool_]:
        """Return whether item ``items[n]`` is eligible for query ``queries[n]``."""  # (n,)
        n_queries, n_items = len(self.mask_of), len(self.order)
        excluded = np.repeat(np.arange(n_queries), np.diff(self.excluded_indptr))
        excluded_pairs = excluded * n_items + self.excluded_indices
        eligible = ~np.isin(queries * n_items + items, excluded_pairs)
        masked = np.flatnonzero(eligible & (self.mask_of[queries] >= 0))
        eligible[masked] = self.masks[self.mask_of[queries[masked]], items[masked]]
        return eligible

    def first(self, k: int) -> Rows:
        """Return the first ``k`` items in ``order`` that each query may get, padded with -1."""
        return topk_order(self, k)  # (B, k)

    def counts(self) -> NDArray[np.int64]:
        """Return how many items each query may get."""  # (B,)
        counts = np.empty(len(self.mask_of), dtype=np.int64)
        for query, mask in enumerate(self.mask_of):
            span = slice(self.excluded_indptr[query], self.excluded_indptr[query + 1])
            excluded = np.unique(self.excluded_indices[span])
            if mask < 0:
                counts[query] = len(self.order) - len(excluded)
            else:
                allowed = self.masks[mask]
                counts[query] = allowed.sum() - allowed[excluded].sum()
        return counts


class Best(NamedTuple):
    """The best items of B queries, padded with row -1 and score NaN."""

    rows: Rows  # (B, k)
    scores: Floats  # (B, k)

    @classmethod
    def empty(cls, n_queries: int, k: int = 0) -> Best:
        """Return lists that hold padding only."""
        rows = np.full((n_queries, k), -1, dtype=np.int32)
        return cls(rows, np.full((n_queries, k), np.nan, dtype=np.float32))


def top_k(scores: Scores, eligible: Eligible, k: int, given: Given | None = None) -> Best:
    """Return the ``k`` best eligible items of each query, best first; also rank given items."""
    match scores:
        case FactorScores(queries, items):
            return Best(*topk_factors(queries, items.columns, eligible, k, items.packed, given))
        case SparseScores(profiles, matrix):
            return Best(*topk_sparse(csr_arrays(profiles), csr_arrays(matrix), eligible, k, given))
        case DenseScores(block):
            return Best(*topk_dense(block, eligible, k, given))


def midranks(
    scores: Scores, eligible: Eligible, indptr: NDArray[np.int64], items: Rows
) -> NDArray[np.float64]:
    """Return the rank of each given item among its query's eligible items, as in ``Given``."""
    given = Given(indptr, items, np.empty(len(items)))
    top_k(scores, eligible, 0, given)
    return given.ranks


def dense(scores: Scores) -> Floats:
    """Write out every score of the block."""  # (B, n_items)
    match scores:
        case FactorScores(queries, items):
            return dense_factors(queries, items.columns)
        case SparseScores(profiles, matrix):
            return dense_sparse(csr_arrays(profiles), csr_arrays(matrix), matrix.shape[1])
        case DenseScores(block):
            return block


def columns(scores: Scores, items: Rows) -> Floats:
    """Write out the scores of these items only."""  # (B, len(items))
    if isinstance(scores, FactorScores):
        return dense(FactorScores(scores.queries, scores.items.take(items)))
    return dense(scores)[:, items]


class Columns:
    """The scores of some items, for one block of queries after another.

    Blocks share the matrix of sparse scores, so its columns are taken once.
    """

    def __init__(self, items: Rows) -> None:
        self.items = items
        self._taken: tuple[csr_array, csr_array] | None = None  # a matrix, and its columns

    def of(self, scores: Scores) -> Floats:
        """Write out the scores of the items."""  # (B, len(items))
        if not isinstance(scores, SparseScores):
            return columns(scores, self.items)
        if self._taken is None or self._taken[0] is not scores.matrix:
            self._taken = scores.matrix, scores.matrix[:, self.items]
        return dense(SparseScores(scores.profiles, self._taken[1]))
