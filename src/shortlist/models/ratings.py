"""Ratings from a model that ranks: what users think of the things they chose.

A model that tells what somebody will choose has scores on no scale of stars, but its item vectors
say which items are alike, and alike items are rated alike by one and the same user.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.kernels.factorization import solve_ridge
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import parts

DAMPING = 10.0  # an effect counts as if this many ratings without any had been seen besides
RIDGE = 3.0  # likewise, in ratings of one and the same item


@dataclass(frozen=True)
class Ratings:
    """``rating(u, i) = mean + b_u + b_i + t_u . v_i``, for item vectors v of length 1.

    The effects are damped means, ``b_i = sum (r - mean) / (n_i + 10)``, then
    ``b_u = sum (r - mean - b_i) / (n_u + 10)`` (Koren & Bell 2011, 5.2.1). A user's taste t_u is
    the ridge solution for what is left of their ratings: it minimises
    ``sum (r - mean - b_u - b_i - t . v_i)^2 + 3 |t|^2``. Without interactions there is neither
    effect nor taste.
    """

    mean: float
    user_effects: Floats  # (n_users,)
    item_effects: Floats  # (n_items,)
    tastes: Floats  # (n_users, f)

    @classmethod
    def learn(cls, data: Dataset, directions: Floats) -> Ratings:
        """Learn effects and tastes.

        Parameters
        ----------
        data
            Whose weights are the ratings.
        directions
            Vectors of the items, of length 1.  # (n_items, f)
        """
        mean = float(data.weights.mean(dtype=np.float64))
        left = data.weights.astype(np.float64) - mean
        item_effects = _damped(left, data.item_rows, data.item_counts)
        left = left - item_effects[data.item_rows]
        user_effects = _damped(left, data.user_rows, data.user_counts)
        left = left - user_effects[data.user_rows]
        matrix = data.matrix
        rest = csr_array((left.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape)
        depth = directions.shape[1]
        tastes = np.zeros((data.n_users, depth), dtype=np.float32)
        if np.ptp(data.weights) > 0:  # choices that all count alike tell nothing of taste
            prior, pull = RIDGE * np.eye(depth, dtype=np.float32), np.zeros(depth, np.float32)
            tastes = solve_ridge(parts(rest), directions, prior, pull)
        return cls(mean, user_effects.astype(np.float32), item_effects.astype(np.float32), tastes)

    def of(self, users: Rows, items: Rows, directions: Floats) -> Floats:
        """Give the rating of each (user, item) pair of rows."""  # (n,)
        alike = row_products(self.tastes[users], directions[items])
        effects = self.user_effects[users] + self.item_effects[items]
        return (self.mean + effects + alike).astype(np.float32)


def row_products(one: Floats, other: Floats) -> NDArray[np.float64]:
    """Give the dot product of each row with the row beside it."""  # (n,)
    products: NDArray[np.float64] = np.einsum("nf,nf->n", one, other, dtype=np.float64)
    return products


def _damped(
    values: NDArray[np.float64], rows: Rows, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.bincount(rows, weights=values, minlength=len(counts))
    return sums.astype(np.float64) / (counts + DAMPING)
