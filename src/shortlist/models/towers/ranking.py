"""Ranking by two towers and a head: ratings, or the log odds of a choice, for a pair."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.errors import CapabilityError
from shortlist.models.towers.config import RankingConfig
from shortlist.models.towers.head_learned import HeadLearned
from shortlist.models.towers.layers import SLICE
from shortlist.models.towers.learned import TowersLearned
from shortlist.models.training.config import Arrays
from shortlist.models.training.model import TrainedModel
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores

if TYPE_CHECKING:
    from shortlist.models.training.loop import Trainable


class Ranking(TrainedModel[RankingConfig, HeadLearned]):
    """Score a pair of a user and an item by a small network over the vectors of both.

    ``s = start + b_u + b_i + u . v + f([u; v])``: biases, the product and f can each be left out;
    f is cross layers, then dense layers with ReLU. The vectors come from two towers, as in
    :class:`~shortlist.models.towers.retrieval.Retrieval`: sums of ids, features and chosen items,
    so that new users and new items are scored by their features.

    Trained with one of four losses (:mod:`shortlist.models.towers.ranking_task`). ``squared``
    predicts ratings; the others predict choices, against sampled negatives.

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
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether user features can replace a history."""
        return self.config.features

    @property
    def bytes_per_query(self) -> int:
        """The memory of a query, with the head's layers for a slice of the catalogue."""
        widths = [2 * self.config.embedding_size, *self.config.head_layers]
        return super().bytes_per_query + 8 * min(self.data.n_items, SLICE) * sum(widths)

    def trainable(self, data: Dataset) -> Trainable:
        """Return two towers, a head and the task."""
        from shortlist.models.towers.network import Head, RandomDraws
        from shortlist.models.towers.ranking_task import ranking_task
        from shortlist.models.towers.two_towers import TwoTowers

        config = self.config
        inner, held = self.folds(data)
        start, draws = self._start(inner), RandomDraws([config.seed, 1])
        head = Head(self.name, config, draws, start, biased=config.biases)
        tasks = {"ranking": (1.0, ranking_task(self.name, config, head, inner))}
        return TwoTowers.of(self.name, config, inner, held, tasks)

    def finished(self, data: Dataset, parameters: Arrays) -> HeadLearned:
        """Keep the user tower and the head, and compute the vectors of all items."""
        config = self.config
        inner, _ = self.folds(data)
        towers = TowersLearned.of(config, inner, parameters)
        start, biased = self._start(inner), config.biases
        return HeadLearned.with_head(config, towers, parameters, start=start, biased=biased)

    def _start(self, data: Dataset) -> float:
        """Return the mean rating, or the log odds of all pairs; 0 without biases and for lists."""
        config = self.config
        if config.biases and config.loss == "squared":
            return float(data.weights.mean(dtype=np.float64))
        if config.biases and config.loss == "logistic":
            return -float(np.log(max(config.negatives, 1)))
        return 0.0

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries have a trained id, a history or a known feature."""
        return self.learned.can_score(profiles)

    def score(self, profiles: Profiles) -> Scores:
        """Score every item by the head."""
        return DenseScores(self.learned.block(self.learned.users(profiles)))

    def pair_scores(self, profiles: Profiles, queries: Rows, items: Rows) -> Floats:
        """Score these pairs by the head."""  # (n,)
        learned = self.learned
        return learned.pair_scores(learned.users(profiles), queries, items)

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> Floats:
        """Predict the weight (rating) of each (user, item) pair.

        Parameters
        ----------
        users, items
            Ids from the training data, of equal number.

        Raises
        ------
        UnknownIdError
            A user or an item is unknown.
        InputError
            The lengths differ.
        CapabilityError
            The model was trained with a loss other than ``squared``: its scores are not ratings.
        """  # (n,)
        if self.config.loss != "squared":
            raise CapabilityError(
                f"{self.name} with loss={self.config.loss!r} cannot predict ratings: its scores "
                "are not ratings",
                remedy="fit it with loss='squared'",
            )
        return self.learned.predicted(self.data, users, items)
