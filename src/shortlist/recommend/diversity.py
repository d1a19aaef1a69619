"""Re-ranking for variety: maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.kernels.diversity import most_varied
from shortlist.kernels.types import Csr
from shortlist.scoring.selection import Best
from shortlist.scoring.sparse import common_users, csr_arrays

_TIMES, _MOST = 10, 1_000  # candidates: ten for each item of a list, no more than this


@dataclass(frozen=True)
class Variety:
    """How far lists trade score for variety, and the items as vectors over their users."""

    diversity: float
    vectors: Csr  # rows of length 1: (n_items, n_users)
    n_users: int

    @classmethod
    def of(cls, diversity: float, data: Dataset) -> Variety | None:
        """Check the argument; None if lists are to be ordered by score alone."""
        given: object = diversity
        is_number = isinstance(given, Real) and not isinstance(given, bool)
        if not is_number or not math.isfinite(diversity) or not 0 <= diversity <= 1:
            raise InputError(
                f"diversity={diversity!r} is out of range",
                remedy="pass a number from 0, the order of the scores, to 1",
                parameter="diversity",
            )
        if not diversity:
            return None
        return cls(float(diversity), csr_arrays(common_users(data.choices)), data.n_users)

    def candidates(self, k: int, n_items: int) -> int:
        """Return how many items to choose a list of ``k`` from."""
        return min(n_items, max(k, min(_TIMES * k, _MOST)))

    def pick(self, best: Best, k: int) -> Best:
        """Return the lists of ``k`` picks, the first pick first, from longer lists by score."""
        relevance = _relevance(best.scores)
        rows = np.ascontiguousarray(best.rows)
        picks = most_varied(rows, relevance, self.vectors, self.n_users, self.diversity, k)
        missing, taken = picks < 0, np.maximum(picks, 0)
        rows = np.take_along_axis(rows, taken, axis=1)
        scores = np.take_along_axis(best.scores, taken, axis=1)
        rows[missing], scores[missing] = -1, np.nan
        return Best(rows, scores)


def _relevance(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scale the scores of each list to 1 for its first and 0 for its last candidate; NaN stays."""
    values = scores.astype(np.float64)
    filled = ~np.isnan(values)
    first = np.max(values, axis=1, initial=-np.inf, where=filled)[:, np.newaxis]
    last = np.min(values, axis=1, initial=np.inf, where=filled)[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        spread = first - last
    scaled = np.divide(values - last, spread, out=np.zeros_like(values), where=spread > 0)
    return np.ascontiguousarray(scaled)
