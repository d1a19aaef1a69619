"""Matrix factorisation trained by gradient: squared error on known cells, or softmax over items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.models.config import Search, hyper
from shortlist.models.factorization.bags import bag_vectors, contributions, item_categories
from shortlist.models.factorization.users import folded, global_bias, reasons
from shortlist.models.pairs import required_pairs
from shortlist.models.ratings import Ratings, row_products
from shortlist.models.training.model import TrainedModel, TrainingConfig
from shortlist.models.vectors import LearnedVectors
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, Scores

if TYPE_CHECKING:
    from shortlist.models.training.loop import Arrays, Trainable


class FactorizationConfig(TrainingConfig):
    """Settings of :class:`MatrixFactorization`.

    The defaults were chosen by NDCG@10 on validation folds of ML-100K, of the bundled films, and of
    synthetic job data.
    """

    loss: Literal["observed", "regularized", "softmax"] = hyper(
        "regularized",
        "What is minimised: the error on known cells; that, the squared lengths and the squared "
        "scores of all pairs; or the surprise at a chosen item.",
    )
    embedding_size: int = hyper(
        128, "Length of the vectors.", ge=1, le=2048, search=Search(8, 256, "log")
    )
    regularization: float = hyper(
        0.3, "Weight of the mean squared length (regularized).", ge=0,
        search=Search(0.01, 1, "log", when=("loss", "regularized")),
    )  # fmt: skip
    gravity: float = hyper(
        10.0, "Weight of the mean squared score of all pairs (regularized).", ge=0,
        search=Search(0.3, 30, "log", when=("loss", "regularized")),
    )  # fmt: skip
    biases: bool = hyper(False, "Learn what every user and every item adds to a score.")
    init_std: float = hyper(
        0.1, "Standard deviation of the first vectors.", gt=0, search=Search(0.01, 1, "log")
    )
    layers: int = hyper(1, "Linear layers from the bag to the user's vector (softmax).", ge=1)
    genre_size: int = hyper(3, "Length of genre embeddings (softmax); 0: none.", ge=0)
    genre_column: str = hyper("genres", "The item feature with an item's genres, a list.")
    year_size: int = hyper(2, "Length of year embeddings (softmax); 0: none.", ge=0)
    year_column: str = hyper("year", "The item feature with an item's year.")


@dataclass(frozen=True)
class FactorizationLearned(LearnedVectors):
    """The vectors; with biases, users end in (mean + b_u, 1) and items in (1, b_i)."""

    users: Floats  # (n_users, F)
    items: Floats  # (n_items, F)
    inputs: Floats  # (n_items, f): what each adds to the vector of a bag (softmax), or (0, f)
    mean: float  # the global bias
    n_cells: int  # how many cells were trained on

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        """Q'Q of the items."""  # (F, F)
        items = self.items.astype(np.float64)
        return items.T @ items

    @property
    def compared(self) -> Floats:
        """The item vectors without biases."""  # (n_items, f)
        return self.items[:, : self.inputs.shape[1]]


class MatrixFactorization(TrainedModel[FactorizationConfig, FactorizationLearned]):
    """Score an item by the product of a user's vector and an item's, learned by gradient.

    With known cells O of N users and M items, x the weights (ratings):

    - ``observed``: ``(1/|O|) sum over O of (x_ui - p_u.q_i)^2``. Good ratings, poor rankings: it
      never learns what people do not choose.
    - ``regularized``: that, plus ``regularization * ((1/N) sum |p_u|^2 + (1/M) sum |q_i|^2)
      + gravity * (1/(N M)) sum over all pairs of (p_u.q_i)^2``. Good rankings.
    - ``softmax``: users are bags of what they chose, with their genres and years; the mean over
      drawn labels i of ``-log softmax(p_u.Q')_i``, where p_u is computed without i. It wants
      smaller steps than the defaults: on MovieLens ``batch_size=64, learning_rate=0.01,
      epochs=100``.

    The first two count weights, the last only who chose what. A user of the training data has the
    vector that was learned, any other history is folded in. See the Google course on
    recommendation systems (2018), where these losses, and the words for them, come from.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = MatrixFactorization(embedding_size=4).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    _ratings: tuple[FactorizationLearned, Ratings] | None = None

    def trainable(self, data: Dataset) -> Trainable:
        """Make factors, or bags."""
        from shortlist.models.factorization.training import trainable

        return trainable(self.name, self.config, *self.folds(data))

    def finished(self, data: Dataset, parameters: Arrays) -> FactorizationLearned:
        """Put the vectors together."""
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

    def score(self, profiles: Profiles) -> Scores:
        """Take a known user's vector; fold in a history that training did not see."""
        learned = self.learned
        vectors = learned.users[profiles.users]  # (B, F)
        new = profiles.changed
        if new.any():
            vectors[new] = folded(self.config, learned, profiles.history[new])
        return FactorScores(vectors, learned.factors)

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> Floats:
        """Predict the weight (rating) of each (user, item) pair.

        For ``observed`` that is the score. For the other losses, whose scores say how probable a
        choice is and not how good it will be found, it comes from what users thought of alike
        items (:class:`~shortlist.models.ratings.Ratings`, learned at the first call).

        Parameters
        ----------
        users, items
            Ids from the training data, as many of the one as of the other.

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
        return self._ratings_of(learned).of(user_rows, item_rows, learned.unit)

    def _ratings_of(self, learned: FactorizationLearned) -> Ratings:
        if self._ratings is None or self._ratings[0] is not learned:
            self._ratings = learned, Ratings.learn(self.data, learned.unit)
        return self._ratings[1]

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what each item of the history adds to a score.

        A folded user's vector is linear in the history, so that the parts are exact. What training
        made of a known user beyond that is a part of its own.
        """
        amounts, rest = reasons(self.config, self.learned, profiles.history, item)
        chosen = self.data.items.take(profiles.history.indices)
        found = [Parts("chosen item", chosen, amounts)]
        if self.config.loss != "softmax" and not profiles.changed[0]:
            vector = self.learned.users[profiles.users[0]].astype(np.float64)
            learned = vector @ self.learned.items[item] - amounts.sum() - rest
            found.append(Parts("training", pa.array(["beyond the history"]), np.array([learned])))
        if self.config.biases:
            found.append(Parts("bias", pa.array(["of everybody and the item"]), np.array([rest])))
        return found

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the cosine of the item vectors, biases left out."""
        return self.learned.cosine_scores(items)

    def user_vectors(self) -> Floats:
        """Give the vector of every user in the training data."""  # (n_users, F)
        return self.learned.users

    def item_vectors(self) -> Floats:
        """Give the vector of every item: ``embedding_size`` factors, then biases if any."""
        return self.learned.items  # (n_items, F)


def with_columns(rows: Floats, *columns: Floats | float) -> Floats:
    """Put columns after the last one."""  # (n, f + len(columns))
    each = [np.broadcast_to(np.reshape(one, (-1, 1)), (len(rows), 1)) for one in columns]
    return np.concatenate([rows, *each], axis=1).astype(np.float32)
