"""Two towers, two tasks: vectors that retrieve, and a head that predicts ratings from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id
from shortlist.errors import ConfigError
from shortlist.models.config import Search, hyper
from shortlist.models.towers.config import HeadConfig
from shortlist.models.towers.head_scoring import HeadLearned
from shortlist.models.towers.learned import TowersLearned
from shortlist.models.towers.ranking import head_learned, predicted
from shortlist.models.towers.retrieval import RetrievalConfig
from shortlist.models.towers.vectors import TowerVectors
from shortlist.scoring.scores import Floats

if TYPE_CHECKING:
    from shortlist.models.training.loop import Arrays, Trainable


class MultiTaskConfig(RetrievalConfig, HeadConfig):
    """Settings of :class:`MultiTask`."""

    retrieval_weight: float = hyper(
        1.0, "Weight of the retrieval loss.", ge=0, search=Search(0.1, 10, "log")
    )
    rating_weight: float = hyper(
        1.0, "Weight of the squared error of ratings.", ge=0, search=Search(0.1, 10, "log")
    )
    reduction: Literal["sum", "mean"] = hyper(
        "mean",
        "Whether the retrieval loss of a step is the sum over its examples (as in TensorFlow "
        "Recommenders) or their mean. The squared error is always a mean.",
    )


class MultiTask(TowerVectors[MultiTaskConfig, HeadLearned]):
    """Learn to retrieve and to predict ratings with the same towers.

    ``loss = retrieval_weight * softmax + rating_weight * squared error``: the tasks of
    :class:`~shortlist.models.towers.retrieval.Retrieval` and of
    :class:`~shortlist.models.towers.ranking.Ranking` over one pair of towers. Lists are made by the
    products of vectors, ratings by the head.

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
        """Make two towers and two tasks."""
        from shortlist.models.towers.head import Head
        from shortlist.models.towers.network import Drawing
        from shortlist.models.towers.ranking_task import RatingTask
        from shortlist.models.towers.retrieval_task import RetrievalTask
        from shortlist.models.towers.training import two_towers

        config = self.config
        if not (config.retrieval_weight or config.rating_weight):
            raise ConfigError(
                f"{self.name}: retrieval_weight and rating_weight are both 0",
                remedy="give one of them a weight above 0",
            )
        inner, held = self.folds(data)
        drawing = Drawing([config.seed, 1])
        head = Head(self.name, config, drawing, self._start(inner), biased=False)
        tasks = {
            "retrieval": (config.retrieval_weight, RetrievalTask(config, inner)),
            "ranking": (config.rating_weight, RatingTask(head, inner, config.device)),
        }
        return two_towers(
            self.name, config, inner, held, tasks, layers=config.layers, normalize=config.normalize
        )

    def finished(self, data: Dataset, parameters: Arrays) -> HeadLearned:
        """Keep the user tower, what the item tower makes of all items, and the head."""
        config = self.config
        inner, _ = self.folds(data)
        towers = TowersLearned.of(
            config, inner, parameters, layers=config.layers, normalize=config.normalize
        )
        return head_learned(config, towers, parameters, start=self._start(inner), biased=False)

    def _start(self, data: Dataset) -> float:
        return float(data.weights.mean(dtype=np.float64)) if self.config.biases else 0.0

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> Floats:
        """Predict the weight (rating) of each (user, item) pair; as ``Ranking`` does."""  # (n,)
        return predicted(self.learned, self.data, users, items)
