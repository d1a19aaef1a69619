"""Scores of a block of queries, in whatever shape the model gives them, and the best of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors, dense_sparse
from shortlist.kernels.topk import topk_dense, topk_factors, topk_sparse
from shortlist.models.arrays import parts
from shortlist.models.base import Model
from shortlist.models.popularity import popularity_scores
from shortlist.models.profiles import Profiles
from shortlist.models.scores import DenseScores, FactorScores, Floats, Scores, SparseScores
from shortlist.recommend.requests import Requests


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
            return Best(*topk_factors(queries, items, _bias(scores), *eligible, k))
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


def blank(model: Model[Any, Any], profiles: Profiles) -> NDArray[np.bool_]:
    """Say of which queries the model knows nothing: they get what is popular."""  # (B,)
    return ~model.knows(profiles)


def dense_scores(model: Model[Any, Any], user_rows: Rows) -> Floats:
    """Give the scores of known users that ``recommend`` ranks them by, written out.

    Parameters
    ----------
    model
        A fitted model.
    user_rows
        Rows of users in the model's data.  # (B,)
    """  # (B, n_items)
    requests = Requests("user_id", model.data.users.take(user_rows), user_rows)
    profiles = requests.profiles(range(len(user_rows)), model)
    unknown = blank(model, profiles)
    if not unknown.any():
        return dense(model.score(profiles))
    block = np.empty((len(user_rows), model.data.n_items), dtype=np.float32)
    block[unknown] = model.data.item_counts
    known = np.flatnonzero(~unknown)
    if len(known):
        block[known] = dense(model.score(profiles.take(known)))
    return block


def best_items(
    model: Model[Any, Any], profiles: Profiles, eligible: Eligible, k: int
) -> tuple[Best, NDArray[np.bool_]]:
    """Give the best items of each query, and who got what is popular instead."""
    unknown = blank(model, profiles)
    if not unknown.any():
        return top_k(model.score(profiles), eligible, k), unknown
    counts = model.data.item_counts.astype(np.float32)
    best = Best(
        np.empty((len(profiles), k), dtype=np.int32), np.empty((len(profiles), k), dtype=np.float32)
    )
    for chosen in (np.flatnonzero(unknown), np.flatnonzero(~unknown)):
        if not len(chosen):
            continue
        scores = (
            popularity_scores(counts, len(chosen))
            if unknown[chosen[0]]
            else model.score(profiles.take(chosen))
        )
        best.rows[chosen], best.scores[chosen] = top_k(scores, eligible.take(chosen), k)
    return best, unknown
