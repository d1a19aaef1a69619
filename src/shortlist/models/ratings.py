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
from shortlist.models.arrays import inverse, parts
from shortlist.models.scores import Floats

DAMPING = 10.0  # an effect counts as if this many ratings without any had been seen besides
RIDGE = 3.0  # likewise, in ratings of one and the same item


@dataclass(frozen=True)
class Ratings:
    """``rating(u, i) = mean + b_u + b_i + t_u . v_i / |v_i|``, for item vectors v from elsewhere.

    The effects are damped means, ``b_i = sum (r - mean) / (n_i + 10)``, then
    ``b_u = sum (r - mean - b_i) / (n_u + 10)`` (Koren & Bell 2011, 5.2.1). A user's taste t_u is
    the ridge solution for what is left of their ratings: it minimises
    ``sum (r - mean - b_u - b_i - t . v_i / |v_i|)^2 + 3 |t|^2``. Without interactions there is
    neither effect nor taste.
    """

    mean: float
    user_effects: Floats  # (n_users,)
    item_effects: Floats  # (n_items,)
    tastes: Floats  # (n_users, f)

    @classmethod
    def learn(cls, data: Dataset, vectors: Floats) -> Ratings:
        """Learn effects and tastes.

        Parameters
        ----------
        data
            Whose weights are the ratings.
        vectors
            Of the items.  # (n_items, f)
        """
        mean = float(data.weights.mean(dtype=np.float64))
        left = data.weights.astype(np.float64) - mean
        item_effects = _damped(left, data.item_rows, data.item_counts)
        left = left - item_effects[data.item_rows]
        user_effects = _damped(left, data.user_rows, data.user_counts)
        left = left - user_effects[data.user_rows]
        matrix = data.matrix
        rest = csr_array((left.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape)
        depth = vectors.shape[1]
        prior, pull = RIDGE * np.eye(depth, dtype=np.float32), np.zeros(depth, dtype=np.float32)
        tastes = solve_ridge(*parts(rest), directions(vectors), prior, pull)
        return cls(mean, user_effects.astype(np.float32), item_effects.astype(np.float32), tastes)

    @classmethod
    def none(cls) -> Ratings:
        """Give what takes the place of ratings where scores are ratings."""
        nothing = np.empty(0, dtype=np.float32)
        return cls(0.0, nothing, nothing, nothing.reshape(0, 0))

    def of(self, users: Rows, items: Rows, vectors: Floats) -> Floats:
        """Give the rating of each (user, item) pair of rows."""  # (n,)
        alike = row_products(self.tastes[users], directions(vectors[items]))
        effects = self.user_effects[users] + self.item_effects[items]
        return (self.mean + effects + alike).astype(np.float32)


def row_products(one: Floats, other: Floats) -> NDArray[np.float64]:
    """Give the dot product of each row with the row beside it."""  # (n,)
    products: NDArray[np.float64] = np.einsum("nf,nf->n", one, other, dtype=np.float64)
    return products


def directions(vectors: Floats) -> Floats:
    """Give the vectors at length 1; zeros stay."""  # (n, f)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return np.ascontiguousarray(vectors * inverse(lengths)[:, np.newaxis], dtype=np.float32)


def _damped(
    values: NDArray[np.float64], rows: Rows, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.bincount(rows, weights=values, minlength=len(counts))
    return sums.astype(np.float64) / (counts + DAMPING)
