"""Scores must be finite: a list never leaves out an item because its score is NaN or infinite."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.vocabulary import UNKNOWN
from shortlist.errors import NumericalError
from shortlist.scoring.scores import DenseScores, FactorScores, Scores, SparseScores
from shortlist.scoring.selection import Best, Eligible, dense
from shortlist.scoring.sparse import row_sums

_LARGEST = float(np.finfo(np.float32).max) / 2  # with room for rounding
_AT_ONCE = 1 << 22  # numbers tested at a time


def count_not_finite(array: NDArray[Any]) -> int:
    """Count the NaN and infinite numbers in an array of any type."""
    if array.dtype.kind != "f":
        return 0
    flat = array.reshape(-1)
    return sum(
        int((~np.isfinite(flat[start : start + _AT_ONCE])).sum())
        for start in range(0, len(flat), _AT_ONCE)
    )


def require_finite_scores(name: str, scores: Scores) -> None:
    """Raise a NumericalError if a score is NaN, or may have become NaN on the way.

    Scores by vectors are finite if the product of the lengths of both vectors is (Cauchy-Schwarz),
    which costs nothing beside the scores. Only where that bound fails is every score computed.
    Sparse scores are summed in float64, where products of float32 cannot overflow; they are finite
    where the profiles are, or infinite, which :func:`require_complete` sees.
    """
    match scores:
        case FactorScores():
            wrong = first_not_finite(scores) is not None
        case SparseScores(profiles, _):
            wrong = count_not_finite(profiles.data) > 0
        case DenseScores(block):
            wrong = count_not_finite(block) > 0
    if wrong:
        raise _error(name)


def first_not_finite(scores: Scores) -> int | None:
    """Return the first query with a score that is NaN or infinite; None: there is none.

    A score is a sum of products: it is finite where a bound of that sum is. Only the scores of
    queries whose bound fails are written out.
    """
    match scores:
        case FactorScores(queries, items):
            lengths = np.sqrt(np.einsum("bf,bf->b", queries, queries, dtype=np.float64))
            doubtful = ~(lengths * items.longest < _LARGEST)  # True for NaN
        case SparseScores(profiles, matrix):
            sums = row_sums(csr_array(abs(profiles)))
            doubtful = ~(sums * float(np.abs(matrix.data).max(initial=0.0)) < _LARGEST)
        case DenseScores(block):
            doubtful = ~np.isfinite(block).all(axis=1)
    rows = np.flatnonzero(doubtful)
    return next((int(row) for row in rows if count_not_finite(dense(_one(scores, row)))), None)


def _one(scores: Scores, row: np.intp) -> Scores:
    """Return the scores of one query."""
    match scores:
        case FactorScores(queries, items):
            return FactorScores(queries[[row]], items)
        case SparseScores(profiles, matrix):
            return SparseScores(profiles[[row]], matrix)
        case DenseScores(block):
            return DenseScores(block[[row]])


def require_complete(name: str, best: Best, eligible: Eligible) -> None:
    """Raise a NumericalError if a listed score is infinite, or an eligible item is missing."""
    listed = best.rows != UNKNOWN
    if not np.isfinite(best.scores[listed]).all():
        raise _error(name)
    if not best.rows.shape[1]:
        return
    short = np.flatnonzero(~listed[:, -1])
    if len(short) and (listed[short].sum(axis=1) < eligible.take(short).counts()).any():
        raise _error(name)


def _error(name: str) -> NumericalError:
    return NumericalError(
        f"{name}: some scores are not finite, so no list can be made of them",
        remedy="scale the weights of the query's history to about 1; if users of the training data "
        "are affected too, fit again with smaller weights or more regularization",
    )
