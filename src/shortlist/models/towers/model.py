"""The models of two towers: retrieval by dot products, ranking by a head, and both at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import CapabilityError, ConfigError
from shortlist.models.config import Arrays
from shortlist.models.feature_similarity import encoding_bytes
from shortlist.models.towers.config import (
    MultiTaskConfig,
    RankingConfig,
    RetrievalConfig,
    TowersConfig,
)
from shortlist.models.towers.layers import SLICE
from shortlist.models.towers.learned import HeadLearned, TowersLearned
from shortlist.models.training.model import COPIES, TrainedModel
from shortlist.models.training.negatives import bitmap_bytes
from shortlist.models.vectors import DotProducts, RatingModel
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores

if TYPE_CHECKING:
    from shortlist.models.towers.two_towers import Task
    from shortlist.models.training.loop import Trainable

C = TypeVar("C", bound=TowersConfig)
L = TypeVar("L", bound=TowersLearned)


class TowersModel(TrainedModel[C, L]):
    """The base of all models of two towers. Write :meth:`tasks` and ``score``."""

    @abstractmethod
    def tasks(self, data: Dataset) -> dict[str, tuple[float, Task]]:
        """Return the tasks that train the towers, by name, each with its weight in the loss."""

    with_less_memory = "choose a smaller embedding_size, or keep fewer items, users and features"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the embeddings and the optimiser's, of the features, of the data."""
        config = self.config
        rows = data.n_items * (1 + config.history) + data.n_users * config.user_ids
        features = encoding_bytes(data) if config.features else 0
        vectors = 4 * COPIES * rows * (config.embedding_size + config.biases)
        return vectors + features + 100 * data.n_interactions

    def trainable(self, data: Dataset) -> Trainable:
        """Return two towers and the tasks."""
        from shortlist.models.towers.two_towers import TwoTowers

        inner, held = self.folds(data)
        return TwoTowers(self.name, self.config, inner, held, self.tasks(inner))

    def finished(self, data: Dataset, parameters: Arrays) -> L:
        """Keep the user tower (and the head), and compute the vectors of all items."""
        fields = self.Learned.fields_of(self.config, self.folds(data)[0], parameters)
        learned: L = self.Learned(**fields)
        return learned

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether user features can replace a history."""
        return self.config.features

    @property
    def uses_item_features(self) -> bool:
        """Whether item features are part of the item tower."""
        return self.config.features

    @property
    def uses_weights(self) -> bool:
        """Whether the loss is one of weights (ratings)."""
        return getattr(self.config, "loss", "logistic") != "logistic"

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries have a trained id, a history or a known feature."""
        return self.learned.can_score(profiles)


class TowerVectors(DotProducts[C, L], TowersModel[C, L]):
    """The base of two-tower models whose scores are dot products of vectors."""

    def query_vectors(self, profiles: Profiles) -> Floats:
        """Return the vectors that the user tower computes, 1 in the column of item biases."""
        return self.learned.query_vectors(profiles)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Split scores into what the id, each feature and each chosen item add."""
        return self.learned.score_parts(profiles, self.data, items)

    def user_vectors(self) -> Floats:
        """Return the vector of every user of the training data."""  # (n_users, w)
        return self.learned.query_vectors(self.learned.profiles(self.data))


class Retrieval(TowerVectors[RetrievalConfig, TowersLearned]):
    """Score an item by the dot product of a user's and an item's vector, each from its own tower.

    A tower adds up embeddings: of the id, of the features (encoded by
    :class:`~shortlist.data.features.FeatureEncoder`), and for users of the chosen items, divided by
    the root of their number; hidden layers may follow. So the same model scores a known user, a
    history, features of a new user, or a mix of them, and a new item is scored by its features. The
    id of a known user counts only together with the history that it was trained with.

    Trained by a softmax over the items of a batch
    (:mod:`shortlist.models.towers.retrieval_task`). The histories of a step leave out the items
    that it predicts.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Retrieval(embedding_size=4).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    def tasks(self, data: Dataset) -> dict[str, tuple[float, Task]]:
        """Return the softmax alone."""
        from shortlist.models.towers.retrieval_task import RetrievalTask

        return {"retrieval": (1.0, RetrievalTask(self.config, data))}


class Ranking(TowersModel[RankingConfig, HeadLearned], RatingModel[RankingConfig, HeadLearned]):
    """Score a pair of a user and an item by a small network over the vectors of both.

    ``s = start + b_u + b_i + u . v + f([u; v])``: biases, the product and f can each be left out;
    f is cross layers, then dense layers with ReLU. The vectors come from two towers, as in
    :class:`Retrieval`: sums of ids, features and chosen items, so that new users and new items are
    scored by their features.

    Trained with one of four losses (:mod:`shortlist.models.towers.ranking_task`). ``squared``
    predicts ratings, with defaults of its own: the vectors of users and items, biases and no f. The
    others predict choices, against sampled negatives.

    Every pair of a query and an item passes through the head: scoring a large catalogue takes
    thousands of times as long as by dot products. Let a first stage (:class:`Retrieval`) select
    candidates.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Ranking(rejection=False).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    @property
    def bytes_per_query(self) -> int:
        """The memory of a query, with the head's layers for a slice of the catalogue."""
        widths = [2 * self.config.embedding_size, *self.config.head_layers]
        return super().bytes_per_query + 8 * min(self.data.n_items, SLICE) * sum(widths)

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the towers, and of known pairs that are not drawn."""
        draws = self.config.rejection and self.config.loss != "squared"
        return super().memory_to_fit(data) + (bitmap_bytes(data) if draws else 0)

    def tasks(self, data: Dataset) -> dict[str, tuple[float, Task]]:
        """Return the task with the loss of the settings."""
        from shortlist.models.towers.ranking_task import TASKS

        return {"ranking": (1.0, TASKS[self.config.loss](self.name, self.config, data))}

    def score(self, profiles: Profiles) -> Scores:
        """Score every item by the head."""
        return DenseScores(self.learned.block(self.learned.users(profiles)))

    def pair_scores(self, profiles: Profiles, queries: Rows, items: Rows) -> Floats:
        """Score these pairs by the head."""  # (n,)
        return self.learned.pair_scores(self.learned.users(profiles), queries, items)

    def rate(self, users: Rows, items: Rows) -> Floats:
        """Score pairs by the head, trained on ratings."""  # (n,)
        if self.config.loss != "squared":
            raise CapabilityError(
                f"{self.name} with loss={self.config.loss!r} cannot predict ratings: its scores "
                "are not ratings",
                remedy="fit it with loss='squared'",
            )
        return self.learned.ratings(self.data, users, items)


class MultiTask(
    TowerVectors[MultiTaskConfig, HeadLearned], RatingModel[MultiTaskConfig, HeadLearned]
):
    """Train the same towers to retrieve and to predict ratings.

    ``loss = retrieval_weight * softmax + rating_weight * squared error``: the tasks of
    :class:`Retrieval` and of :class:`Ranking` over one pair of towers. Lists come from the dot
    products of vectors, ratings from the head.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = [(1, "a", 5), (1, "b", 1), (2, "a", 5), (2, "b", 1), (3, "a", 5)]
    >>> log = pa.Table.from_pylist([dict(zip(["user_id", "item_id", "stars"], r)) for r in rows])
    >>> model = MultiTask(batch_size=2).fit(Dataset.from_tables(log, weight="stars"))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    >>> high, low = model.predict([1, 1], ["a", "b"])
    >>> bool(high > low)
    True
    """

    def tasks(self, data: Dataset) -> dict[str, tuple[float, Task]]:
        """Return the softmax, and the squared error of the head."""
        from shortlist.models.towers.ranking_task import RatingTask
        from shortlist.models.towers.retrieval_task import RetrievalTask

        config = self.config
        if not (config.retrieval_weight or config.rating_weight):
            raise ConfigError(
                f"{self.name}: retrieval_weight and rating_weight are both 0",
                remedy="give one of them a weight above 0",
            )
        return {
            "retrieval": (config.retrieval_weight, RetrievalTask(config, data)),
            "ranking": (config.rating_weight, RatingTask(self.name, config, data)),
        }

    def rate(self, users: Rows, items: Rows) -> Floats:
        """Score pairs by the head."""  # (n,)
        return self.learned.ratings(self.data, users, items)
