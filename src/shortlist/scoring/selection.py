"""The best of a block of scores, whatever their shape, among the items that a query may get."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors, dense_sparse
from shortlist.kernels.topk import topk_dense, topk_factors, topk_sparse
from shortlist.scoring.packed import packed_of
from shortlist.scoring.scores import DenseScores, FactorScores, Floats, Scores, SparseScores
from shortlist.scoring.sparse import parts


class Eligible(NamedTuple):
    """Which items each of B queries may get; the arguments that the top-k kernels share."""

    excluded_indptr: NDArray[np.int64]  # (B + 1,)
    excluded_indices: NDArray[np.int32]
    masks: NDArray[np.bool_]  # (G, n_items)
    mask_of: NDArray[np.int32]  # (B,), -1: every item
    order: NDArray[np.int32]  # (n_items,), which of two equal scores comes first

    def take(self, chosen: NDArray[np.intp]) -> Eligible:
        """Keep the chosen queries, in that order."""
        lengths = np.diff(self.excluded_indptr)[chosen]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        shift = np.repeat(self.excluded_indptr[chosen] - indptr[:-1], lengths)
        indices = self.excluded_indices[np.arange(indptr[-1]) + shift]
        return self._replace(
            excluded_indptr=indptr, excluded_indices=indices, mask_of=self.mask_of[chosen]
        )


class Best(NamedTuple):
    """The best items of B queries, padded with row -1."""

    rows: Rows  # (B, k)
    scores: Floats  # (B, k)


def top_k(scores: Scores, eligible: Eligible, k: int) -> Best:
    """Give the ``k`` best eligible items of each query, best first."""
    match scores:
        case FactorScores(queries, items, _):
            packed = packed_of(items)
            return Best(*topk_factors(queries, items, _bias(scores), *eligible, k, packed))
        case SparseScores(profiles, matrix):
            product = (*parts(profiles), *parts(matrix))
            return Best(*topk_sparse(*product, matrix.shape[1], *eligible, k))
        case DenseScores(block):
            return Best(*topk_dense(block, *eligible, k))


def dense(scores: Scores) -> Floats:
    """Write every score of the block out."""  # (B, n_items)
    match scores:
        case FactorScores(queries, items, _):
            return dense_factors(queries, items, _bias(scores))
        case SparseScores(profiles, matrix):
            return dense_sparse(*parts(profiles), *parts(matrix), matrix.shape[1])
        case DenseScores(block):
            return block


def columns(scores: Scores, items: Rows) -> Floats:
    """Write out the scores of these items only."""  # (B, len(items))
    if isinstance(scores, FactorScores):
        bias = None if scores.bias is None else scores.bias[items]
        return dense(
            FactorScores(scores.queries, np.ascontiguousarray(scores.items[:, items]), bias)
        )
    return dense(scores)[:, items]


def _bias(scores: FactorScores) -> Floats:
    if scores.bias is not None:
        return scores.bias
    return np.zeros(scores.items.shape[1], dtype=np.float32)
