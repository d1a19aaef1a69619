"""Two towers with two tasks: vectors for retrieval, and a head that predicts ratings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id
from shortlist.errors import ConfigError
from shortlist.models.towers.config import MultiTaskConfig
from shortlist.models.towers.head_learned import HeadLearned
from shortlist.models.towers.learned import TowersLearned
from shortlist.models.towers.retrieval import TowerVectors
from shortlist.models.training.config import Arrays
from shortlist.scoring.scores import Floats

if TYPE_CHECKING:
    from shortlist.models.training.loop import Trainable


class MultiTask(TowerVectors[MultiTaskConfig, HeadLearned]):
    """Train the same towers to retrieve and to predict ratings.

    ``loss = retrieval_weight * softmax + rating_weight * squared error``: the tasks of
    :class:`~shortlist.models.towers.retrieval.Retrieval` and of
    :class:`~shortlist.models.towers.ranking.Ranking` over one pair of towers. Lists come from the
    dot products of vectors, ratings from the head.

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

    def trainable(self, data: Dataset) -> Trainable:
        """Return two towers, a head and two tasks."""
        from shortlist.models.towers.network import Head, RandomDraws
        from shortlist.models.towers.ranking_task import RatingTask
        from shortlist.models.towers.retrieval_task import RetrievalTask
        from shortlist.models.towers.two_towers import TwoTowers

        config = self.config
        if not (config.retrieval_weight or config.rating_weight):
            raise ConfigError(
                f"{self.name}: retrieval_weight and rating_weight are both 0",
                remedy="give one of them a weight above 0",
            )
        inner, held = self.folds(data)
        draws = RandomDraws([config.seed, 1])
        head = Head(self.name, config, draws, self._start(inner), biased=False)
        tasks = {
            "retrieval": (config.retrieval_weight, RetrievalTask(config, inner)),
            "ranking": (config.rating_weight, RatingTask(head, inner, config.device)),
        }
        return TwoTowers.of(
            self.name, config, inner, held, tasks, layers=config.layers, normalize=config.normalize
        )

    def finished(self, data: Dataset, parameters: Arrays) -> HeadLearned:
        """Keep the user tower and the head, and compute the vectors of all items."""
        config = self.config
        inner, _ = self.folds(data)
        towers = TowersLearned.of(
            config, inner, parameters, layers=config.layers, normalize=config.normalize
        )
        start = self._start(inner)
        return HeadLearned.with_head(config, towers, parameters, start=start, biased=False)

    def _start(self, data: Dataset) -> float:
        return float(data.weights.mean(dtype=np.float64)) if self.config.biases else 0.0

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> Floats:
        """Predict the weight (rating) of each (user, item) pair, as ``Ranking`` does."""  # (n,)
        return self.learned.predicted(self.data, users, items)
