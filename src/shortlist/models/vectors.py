"""Models of user and item vectors: scores, similarities and ratings from dot products."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.errors import InputError
from shortlist.kernels.ridge import solve_ridge
from shortlist.models.base import Model
from shortlist.models.config import ModelConfig
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors
from shortlist.scoring.sparse import csr_arrays, inverse

DAMPING = 10.0  # ratings equal to the mean that are added to those of each user and item
RIDGE = 3.0  # weight of the squared taste vector, relative to one rating
LEAST_SIZE = 128  # of "auto" embedding sizes
_ROWS_PER_FACTOR = 32
_MOST_PRODUCTS = 3e9  # of interactions and factors: about a minute on two cores


def embedding_size(data: Dataset, most: int) -> int:
    """Return the number of factors for some data: 128, 256 and so on, up to ``most``.

    It is about a 32nd of the number of users or of items, whichever is smaller; those without
    interactions do not count.
    """
    rows = min(int((counts > 0).sum()) for counts in (data.user_counts, data.item_counts))
    return size_for(rows, data.n_interactions, most)


def size_for(rows: int, interactions: int, most: int) -> int:
    """Return the number of factors for so many users or items.

    The more there are, the more factors pay. The time is bounded: dense data gains little from
    many.
    """
    most = min(most, int(_MOST_PRODUCTS / max(interactions, 1)))
    size = LEAST_SIZE
    while size * _ROWS_PER_FACTOR < rows and 2 * size <= most:
        size *= 2
    return size


class LearnedVectors:
    """Base class for learned dataclasses with the vectors of all items in a field ``items``.

    Its properties are cached with the learned state, so a new fit starts without them.
    """

    items: Floats  # (n_items, f)

    @property
    def compared(self) -> Floats:
        """The vectors that are compared for similarity; a subclass leaves out bias columns."""
        return self.items  # (n_items, f)

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        """The Gram matrix ``Q'Q`` of the item vectors."""  # (f, f)
        items = self.items.astype(np.float64)
        return items.T @ items

    @cached_property
    def factors(self) -> ItemFactors:
        """The item vectors in the layout of the kernels."""
        return ItemFactors.from_rows(self.items)

    @cached_property
    def unit(self) -> Floats:
        """The compared vectors, scaled to length 1; a zero vector stays zero."""  # (n_items, f)
        return unit_length(self.compared)

    @cached_property
    def unit_factors(self) -> ItemFactors:
        """The unit vectors in the layout of the kernels."""
        return ItemFactors.from_rows(self.unit)

    def cosine_scores(self, items: Rows) -> FactorScores:
        """Score the catalogue by cosine similarity to each of these items."""  # (B, n_items)
        return FactorScores(self.unit[items], self.unit_factors)


@dataclass(frozen=True)
class Vectors(LearnedVectors):
    """Vectors of items alone."""

    items: Floats  # (n_items, f)


class LearnedUserVectors(LearnedVectors):
    """Base class for learned dataclasses that also have vectors of all users, ``users``."""

    users: Floats  # (n_users, f)


C = TypeVar("C", bound=ModelConfig)
L = TypeVar("L", bound=LearnedVectors)
V = TypeVar("V", bound=LearnedUserVectors)


class DotProducts(Model[C, L]):
    """A model whose scores are dot products. Write :meth:`query_vectors` and ``learn``."""

    dense_scores = False

    @abstractmethod
    def query_vectors(self, profiles: Profiles) -> Floats:
        """Return the vectors of queries."""  # (B, f)

    @property
    def listed(self) -> LearnedVectors:
        """The vectors of the items in lists: the learned ones."""
        return self.learned

    def score(self, profiles: Profiles) -> FactorScores:
        """Multiply the vectors of queries and items."""
        return FactorScores(self.query_vectors(profiles), self.listed.factors)

    def similar_scores(self, items: Rows) -> FactorScores:
        """Score by the cosine of the item vectors, without biases."""  # (B, n_items)
        return self.listed.cosine_scores(items)

    def item_vectors(self) -> Floats:
        """Return the vector of every item, biases last."""  # (n_items, f)
        return self.listed.items


class VectorModel(DotProducts[C, V]):
    """A model with a vector for every user and every item. Write :meth:`fold_in` and ``learn``."""

    @abstractmethod
    def fold_in(self, history: csr_array) -> Floats:
        """Compute the vectors of users with these histories, for fixed items."""  # (B, f)

    def query_vectors(self, profiles: Profiles) -> Floats:
        """Return the vectors of known users, and fold in histories that training did not see."""
        vectors = self.learned.users[profiles.users]  # (B, f)
        changed = profiles.changed
        if changed.any():
            vectors[changed] = self.fold_in(profiles.history[changed])
        return vectors

    def user_vectors(self) -> Floats:
        """Return the vector of every user of the training data."""  # (n_users, f)
        return self.learned.users


def unit_length(vectors: Floats) -> Floats:
    """Scale each row to length 1; a zero row stays zero."""  # (n, f)
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    return (wide * inverse(lengths)[:, np.newaxis]).astype(np.float32)


# --- ratings ------------------------------------------------------------------------------------


class RatingModel(Model[C, L]):
    """A model that predicts ratings. Write :meth:`rate`."""

    @abstractmethod
    def rate(self, users: Rows, items: Rows) -> Floats:
        """Predict the rating of each (user, item) pair of rows."""  # (n,)

    def predict(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool = False) -> Floats:
        """Predict the weight (rating) of each (user, item) pair.

        Parameters
        ----------
        users, items
            Ids from the training data, equally many.
        clip
            Keep predictions within the range of the training weights.

        Raises
        ------
        UnknownIdError
            A user or an item is unknown.
        InputError
            The lengths differ.
        CapabilityError
            The model was trained with a loss whose scores are not ratings.
        """  # (n,)
        data = self.data
        user_rows, item_rows = data.users.require(users), data.items.require(items)
        if len(user_rows) != len(item_rows):
            raise InputError(
                f"{len(user_rows)} users and {len(item_rows)} items to predict",
                remedy="pass one item for each user: the pairs are (users[n], items[n])",
            )
        ratings = self.rate(user_rows, item_rows)
        if not (clip and len(data.weights)):
            return ratings
        return np.clip(ratings, data.weights.min(), data.weights.max())


@dataclass(frozen=True)
class Ratings:
    """Ratings predicted from item vectors, by a model whose scores are on no rating scale.

    A user rates similar items similarly: ``rating(u, i) = mean + b_u + b_i + t_u . v_i``, for item
    vectors v of length 1.

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
        """Learn from weights that are ratings, and from item vectors of length 1 (n_items, f)."""
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


def row_products(left: Floats, right: Floats) -> NDArray[np.float64]:
    """Return the dot product of each row with the same row of another matrix."""  # (n,)
    products: NDArray[np.float64] = np.einsum("nf,nf->n", left, right, dtype=np.float64)
    return products


def _damped_means(
    values: NDArray[np.float64], rows: Rows, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.bincount(rows, weights=values, minlength=len(counts))
    return sums.astype(np.float64) / (counts + DAMPING)
