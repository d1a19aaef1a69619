"""Matrix factorisation trained by gradient: squared error on known cells, or softmax over items."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import NumericalError
from shortlist.kernels.ridge import solve_ridge
from shortlist.models.config import Arrays
from shortlist.models.factorization.learned import (
    FactorizationConfig,
    FactorizationLearned,
    bag_vectors,
    chosen_of,
    contributions,
    embedding_size_of,
    global_bias,
    item_categories,
)
from shortlist.models.training.model import COPIES, TrainedModel
from shortlist.models.vectors import (
    RatingModel,
    Ratings,
    VectorModel,
    row_products,
)
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import csr_arrays

if TYPE_CHECKING:
    from shortlist.models.training.loop import Trainable

RIDGE_FLOOR = 1e-6  # of the mean squared length of the items: selects the shortest exact solution

Doubles = NDArray[np.float64]


class MatrixFactorization(
    VectorModel[FactorizationConfig, FactorizationLearned],
    TrainedModel[FactorizationConfig, FactorizationLearned],
    RatingModel[FactorizationConfig, FactorizationLearned],
):
    """Score an item by the dot product of user and item vectors, learned by gradient.

    With known cells O of N users and M items, and x the weights (ratings):

    - ``observed``: ``(1/|O|) sum over O of (x_ui - p_u.q_i)^2``. Good ratings, but poor rankings,
      because it never learns from items that users do not choose.
    - ``regularized``: the same, plus ``regularization * ((1/N) sum |p_u|^2 + (1/M) sum |q_i|^2)
      + gravity * (1/(N M)) sum over all pairs of (p_u.q_i)^2``. Good rankings.
    - ``softmax``: a user is the bag of the chosen items with their genres and years; the loss is
      the mean over sampled labels i of ``-log softmax(p_u.Q')_i``, with p_u computed without i. It
      needs smaller steps than the defaults: on MovieLens ``batch_size=64, learning_rate=0.01,
      epochs=100``.

    The first two use the weights of interactions, the last does not. A user of the training data
    has a learned vector; other histories are folded in. The losses and their names are those of the
    Google course on recommendation systems (2018).

    Learning needs the extra ``torch``; recommending does not.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = MatrixFactorization(embedding_size=4).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    @property
    def uses_weights(self) -> bool:
        """Whether the loss is one of weights (ratings)."""
        return self.config.loss != "softmax"

    @property
    def uses_item_features(self) -> bool:
        """Whether the bags hold genres or years, which the data has."""
        if self.config.loss != "softmax":
            return False
        return bool(item_categories(self.name, self.config, self.data))

    def trainable(self, data: Dataset) -> Trainable:
        """Return the factors, or the bags, with their initial values."""
        from shortlist.models.factorization.training import Bags, Factors

        inner, held = self.folds(data)
        config = self.config.model_copy(update=chosen_of(self.config, inner))
        if config.loss == "softmax":
            return Bags(self.name, config, inner, held)
        return Factors(config, inner, held)

    with_less_memory = "choose a smaller embedding_size, or keep fewer users and items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the vectors, their gradients and the optimiser's, and of the data."""
        vectors = (data.n_users + data.n_items) * (embedding_size_of(self.config, data) + 2)
        return 4 * COPIES * vectors + 100 * data.n_interactions

    def finished(self, data: Dataset, parameters: Arrays) -> FactorizationLearned:
        """Assemble the vectors."""
        config, (inner, _) = self.config, self.folds(data)
        settings = chosen_of(config, inner)
        size = settings["embedding_size"]
        mean = global_bias(config, inner)
        items = np.ascontiguousarray(parameters["items"][:, :size])
        if config.loss == "softmax":
            inputs = contributions(parameters, item_categories(self.name, config, data))
            users = bag_vectors(data.matrix, inputs)
        else:
            inputs = np.empty((0, size), dtype=np.float32)
            users = np.ascontiguousarray(parameters["users"][:, :size])
        if config.biases:
            no_bias = np.zeros(data.n_users, dtype=np.float32)
            users = with_columns(users, parameters.get("user_bias", no_bias) + mean, 1)
            items = with_columns(items, 1, parameters["item_bias"])
        return FactorizationLearned(users, items, inputs, mean, len(inner), settings)

    def fold_in(self, history: csr_array) -> Floats:
        """Compute the vectors of users with these histories, for fixed items.

        For ``softmax`` that is the forward pass: the mean contribution of the items. Otherwise it
        is the exact minimum of the training loss over the user's own row. With n cells in training,
        N users, M items, x the weights of the history and q the item vectors:

        ``sum over the history of (p.q - x)^2 + (n / N) regularization |p|^2
        + (n / (N M)) gravity sum over all items of (p.q)^2``

        (with biases ``p.q + b + mean + b_i`` replaces ``p.q``, and ``b^2`` is added to ``|p|^2``).
        ``observed`` has no gravity; unlike in training, it keeps the regularization, because
        without it a short history has no unique solution.

        A full fit would differ: the items would move too, and gradient steps may stop before the
        minimum.
        """  # (B, F)
        learned, biases = self.learned, self.config.biases
        if self.config.loss == "softmax":
            vectors = bag_vectors(history, learned.inputs)
            return with_columns(vectors, 0, 1) if biases else vectors
        prior, linear = self._quadratic()
        targets = (history.data - self._offsets()[history.indices]).astype(np.float32)
        cells = csr_array((targets, history.indices, history.indptr), shape=history.shape)
        rounded = (part.astype(np.float32).astype(np.float64) for part in (prior, linear))
        vectors = solve_ridge(csr_arrays(cells), self._design(), *rounded)
        failed = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(failed):  # rounded to float32, the prior need not be positive definite
            vectors[failed] = solve_ridge(csr_arrays(cells[failed]), self._design(), prior, linear)
            if not np.isfinite(vectors[failed]).all():
                raise NumericalError(
                    "a system of equations for the vector of a user is not positive definite, not "
                    "even in float64, because regularization="
                    f"{self.used.regularization:g} is too weak",
                    remedy="choose a larger regularization or a smaller gravity, and fit again",
                )
        if not biases:
            return vectors
        vectors[:, -1] += learned.mean
        return with_columns(vectors, 1)

    def _quadratic(self) -> tuple[Doubles, Doubles]:
        """Return the loss of a user without a history: its matrix and its linear part."""
        config, learned = self.used, self.learned
        n_users, n_items, gram = len(learned.users), len(learned.items), learned.gram
        depth = config.embedding_size + config.biases
        squares = gram[:depth, :depth]
        ridge = learned.n_cells / n_users * config.regularization
        floor = RIDGE_FLOOR * np.trace(squares) / n_items + np.finfo(np.float32).tiny
        prior = max(ridge, floor) * np.eye(depth)
        linear = np.zeros(depth)
        if config.loss == "regularized":
            weight = learned.n_cells / (n_users * n_items) * config.gravity
            prior += weight * squares
            if config.biases:  # the known part of every product, mean + b_i
                linear -= weight * (learned.mean * gram[:depth, -2] + gram[:depth, -1])
        return prior, linear  # (d, d), (d,)

    def _design(self) -> Floats:
        """Return the item columns that multiply a user's unknowns: factors and, with biases, 1."""
        depth = self.used.embedding_size + self.config.biases
        return np.ascontiguousarray(self.learned.items[:, :depth])  # (n_items, d)

    def _offsets(self) -> Doubles:
        """Return the part of each item's score that does not depend on the user: mean + b_i."""
        if not self.config.biases:
            return np.zeros(len(self.learned.items))  # (n_items,)
        return self.learned.mean + self.learned.items[:, -1].astype(np.float64)

    def rate(self, users: Rows, items: Rows) -> Floats:
        """Return the scores if they are ratings, else what the user's other ratings say.

        For ``observed`` the score is a rating. The scores of the other losses estimate how likely a
        choice is, so the prediction comes from the user's ratings of similar items
        (:class:`~shortlist.models.vectors.Ratings`, learned at the first call).
        """  # (n,)
        learned = self.learned
        if self.config.loss != "observed":
            return self._ratings.predict(users, items, learned.unit)
        return row_products(learned.users[users], learned.items[items]).astype(np.float32)

    @cached_property
    def _ratings(self) -> Ratings:
        return Ratings.learn(self.data, self.learned.unit)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the contribution of each item of the history, for each of these items.

        The vector of a folded-in user is linear in the history, so the parts are exact. For a known
        user, the difference to the learned vector is a part of its own.
        """
        chosen = self.data.items.take(profiles.history.indices)
        is_known = self.config.loss != "softmax" and not profiles.changed[0]
        contributions = self._contributions(profiles.history, items)
        for item, (amounts, rest) in zip(items, contributions, strict=True):
            parts = [Parts("chosen item", chosen, amounts)]
            if is_known:
                vector = self.learned.users[profiles.users[0]].astype(np.float64)
                learned = np.array([vector @ self.learned.items[item] - amounts.sum() - rest])
                parts.append(Parts("training", pa.array(["beyond the history"]), learned))
            if self.config.biases:
                bias = np.array([rest])
                parts.append(Parts("bias", pa.array(["global and item bias"]), bias))
            yield parts

    def _contributions(self, history: csr_array, items: Rows) -> Iterator[tuple[Doubles, float]]:
        """Split the scores of items for a folded-in user.

        Yields for each item the contribution of each entry of the history (n,), and the rest:
        biases and the pull to 0.
        """
        config, learned = self.config, self.learned
        if config.loss == "softmax":
            inputs = learned.inputs[history.indices]
            for target in learned.items[items].astype(np.float64):
                products = inputs @ target[: inputs.shape[1]]
                rest = float(target[-1]) if config.biases else 0.0
                yield products / max(len(products), 1), rest
            return
        design, offsets = self._design().astype(np.float64), self._offsets()
        prior, linear = self._quadratic()
        chosen = design[history.indices]  # (n, d)
        solved = np.linalg.solve(prior + chosen.T @ chosen, design[items].T)  # (d, k)
        weights = history.data - offsets[history.indices]
        for item, column, products in zip(items, solved.T, (chosen @ solved).T, strict=True):
            yield weights * products, float(linear @ column + offsets[item])


def with_columns(rows: Floats, *columns: Floats | float) -> Floats:
    """Append columns."""  # (n, f + len(columns))
    shape = (len(rows), 1)
    added = [np.broadcast_to(np.reshape(column, (-1, 1)), shape) for column in columns]
    return np.concatenate([rows, *added], axis=1).astype(np.float32)
