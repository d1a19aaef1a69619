"""Ratings predicted by a model that ranks.

The scores of such a model are on no rating scale. But its item vectors show which items are
similar, and a user rates similar items similarly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.errors import InputError
from shortlist.kernels.ridge import solve_ridge
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import csr_arrays

DAMPING = 10.0  # ratings equal to the mean that are added to those of each user and item
RIDGE = 3.0  # weight of the squared taste vector, relative to one rating


@dataclass(frozen=True)
class Ratings:
    """``rating(u, i) = mean + b_u + b_i + t_u . v_i``, for item vectors v of length 1.

    The effects are damped means, ``b_i = sum (r - mean) / (n_i + 10)``, then
    ``b_u = sum (r - mean - b_i) / (n_u + 10)`` (Koren & Bell 2011, 5.2.1). The taste vector t_u of
    a user is the ridge regression on the residuals of the user's ratings: it minimises
    ``sum (r - mean - b_u - b_i - t . v_i)^2 + 3 |t|^2``. Without interactions, effects and tastes
    are 0.
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
            The weights of its interactions are the ratings.
        directions
            Item vectors of length 1.  # (n_items, f)
        """
        mean = float(data.weights.mean(dtype=np.float64))
        residuals = data.weights.astype(np.float64) - mean
        item_effects = _damped_means(residuals, data.item_rows, data.item_counts)
        residuals = residuals - item_effects[data.item_rows]
        user_effects = _damped_means(residuals, data.user_rows, data.user_counts)
        residuals = residuals - user_effects[data.user_rows]
        size = directions.shape[1]
        tastes = np.zeros((data.n_users, size), dtype=np.float32)
        if np.ptp(data.weights) > 0:  # equal ratings contain no information about taste
            cells = csr_arrays(data.matrix)._replace(data=residuals.astype(np.float32))
            tastes = solve_ridge(cells, directions, RIDGE * np.eye(size), np.zeros(size))
        return cls(mean, user_effects.astype(np.float32), item_effects.astype(np.float32), tastes)

    def predict(self, users: Rows, items: Rows, directions: Floats) -> Floats:
        """Predict the rating of each (user, item) pair of rows."""  # (n,)
        products = row_products(self.tastes[users], directions[items])
        effects = self.user_effects[users] + self.item_effects[items]
        return (self.mean + effects + products).astype(np.float32)


def required_pairs(data: Dataset, users: Iterable[Id], items: Iterable[Id]) -> tuple[Rows, Rows]:
    """Return the rows of the users and items of (user, item) pairs.

    Raises
    ------
    UnknownIdError
        A user or an item is unknown.
    InputError
        The lengths differ.
    """  # (n,), (n,)
    user_rows, item_rows = data.users.require(users), data.items.require(items)
    if len(user_rows) != len(item_rows):
        raise InputError(
            f"{len(user_rows)} users and {len(item_rows)} items to predict",
            remedy="pass one item for each user: the pairs are (users[n], items[n])",
        )
    return user_rows, item_rows


def row_products(left: Floats, right: Floats) -> NDArray[np.float64]:
    """Return the dot product of each row with the same row of another matrix."""  # (n,)
    products: NDArray[np.float64] = np.einsum("nf,nf->n", left, right, dtype=np.float64)
    return products


def _damped_means(
    values: NDArray[np.float64], rows: Rows, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.bincount(rows, weights=values, minlength=len(counts))
    return sums.astype(np.float64) / (counts + DAMPING)
