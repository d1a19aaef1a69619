"""Matrix factorisation trained by gradient: squared error on known cells, or softmax over items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.models.factorization.config import FactorizationConfig
from shortlist.models.factorization.fold_in import (
    FactorizationLearned,
    bag_vectors,
    contributions,
    contributions_to_scores,
    fold_in,
    global_bias,
    item_categories,
)
from shortlist.models.ratings import Ratings, required_pairs, row_products
from shortlist.models.training.config import Arrays
from shortlist.models.training.model import TrainedModel
from shortlist.models.vectors import VectorModel
from shortlist.scoring.capabilities import ExplainsLists, Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats

if TYPE_CHECKING:
    from shortlist.models.training.loop import Trainable


class MatrixFactorization(
    VectorModel[FactorizationConfig, FactorizationLearned],
    TrainedModel[FactorizationConfig, FactorizationLearned],
    ExplainsLists,
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

    def trainable(self, data: Dataset) -> Trainable:
        """Return the factors, or the bags, with their initial values."""
        from shortlist.models.factorization.training import trainable

        return trainable(self.name, self.config, *self.folds(data))

    def finished(self, data: Dataset, parameters: Arrays) -> FactorizationLearned:
        """Assemble the vectors."""
        config, size = self.config, self.config.embedding_size
        inner, _ = self.folds(data)
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
        return FactorizationLearned(users, items, inputs, mean, len(inner))

    def fold_in(self, history: csr_array) -> Floats:
        """Compute the vectors of users with these histories, for fixed items."""  # (B, F)
        return fold_in(self.config, self.learned, history)

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> Floats:
        """Predict the weight (rating) of each (user, item) pair.

        For ``observed`` that is the score. The scores of the other losses estimate how likely a
        choice is, not its rating, so the prediction comes from the user's ratings of similar items
        (:class:`~shortlist.models.ratings.Ratings`, learned at the first call).

        Parameters
        ----------
        users, items
            Ids from the training data, equally many.

        Raises
        ------
        UnknownIdError
            A user or an item is unknown.
        InputError
            The lengths differ.
        """  # (n,)
        learned = self.learned
        user_rows, item_rows = required_pairs(self.data, users, items)
        if self.config.loss == "observed":
            products = row_products(learned.users[user_rows], learned.items[item_rows])
            return products.astype(np.float32)
        return self._ratings.predict(user_rows, item_rows, learned.unit)

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
        contributions = contributions_to_scores(self.config, self.learned, profiles.history, items)
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


def with_columns(rows: Floats, *columns: Floats | float) -> Floats:
    """Append columns."""  # (n, f + len(columns))
    shape = (len(rows), 1)
    added = [np.broadcast_to(np.reshape(column, (-1, 1)), shape) for column in columns]
    return np.concatenate([rows, *added], axis=1).astype(np.float32)
