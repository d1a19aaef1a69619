"""Retrieval by two towers: a score is the dot product of a user's and an item's vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.towers.config import RetrievalConfig, TowersConfig
from shortlist.models.towers.layers import linearized
from shortlist.models.towers.learned import TowersLearned, history_rows
from shortlist.models.training.config import Arrays
from shortlist.models.training.model import TrainedModel
from shortlist.scoring.capabilities import ExplainsLists, Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, Scores

if TYPE_CHECKING:
    from shortlist.models.training.loop import Trainable

C = TypeVar("C", bound=TowersConfig)
L = TypeVar("L", bound=TowersLearned)


class TowerVectors(TrainedModel[C, L], ExplainsLists):
    """The base of two-tower models whose scores are dot products of vectors."""

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether user features can replace a history."""
        return self.config.features

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries have a trained id, a history or a known feature."""
        return self.learned.can_score(profiles)

    def score(self, profiles: Profiles) -> Scores:
        """Multiply the vectors of queries and items."""
        return FactorScores(self.learned.query_vectors(profiles), self.learned.factors)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Split scores into what the id, each feature and each chosen item add."""
        return score_parts(self.learned, profiles, self.data, items)

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the cosine of the item vectors, biases left out."""
        return self.learned.cosine_scores(items)

    def user_vectors(self) -> Floats:
        """Return the vector of every user of the training data."""  # (n_users, w)
        return self.learned.query_vectors(self.learned.profiles(self.data))

    def item_vectors(self) -> Floats:
        """Return the vector of every item: ``embedding_size`` numbers, then its bias if any."""
        return self.learned.items  # (n_items, w)


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

    def trainable(self, data: Dataset) -> Trainable:
        """Return two towers and the task."""
        from shortlist.models.towers.retrieval_task import RetrievalTask
        from shortlist.models.towers.two_towers import TwoTowers

        config = self.config
        inner, held = self.folds(data)
        tasks = {"retrieval": (1.0, RetrievalTask(config, inner))}
        return TwoTowers.of(
            self.name, config, inner, held, tasks, layers=config.layers, normalize=config.normalize
        )

    def finished(self, data: Dataset, parameters: Arrays) -> TowersLearned:
        """Keep the user tower, and compute the vectors of all items."""
        config = self.config
        inner, _ = self.folds(data)
        return TowersLearned.of(
            config, inner, parameters, layers=config.layers, normalize=config.normalize
        )


def score_parts(
    towers: TowersLearned, profiles: Profiles, data: Dataset, items: Rows
) -> Iterator[list[Parts]]:
    """Split the dot products of a query's and items' vectors, exactly.

    Without hidden layers the query's vector is a sum. Hidden layers are linear around a given
    input, because ReLU lets a unit through or does not; their own biases are a part of their own.

    Parameters
    ----------
    towers
        The trained towers.
    profiles
        One query.
    data
        The training data.
    items
        Rows of items.
    """
    depth = towers.depth
    inputs = towers.inputs(profiles)[0, :depth].astype(np.float64)
    jacobian, offset = linearized(towers.dense, inputs, depth)
    scale = 1.0
    if towers.normalized:
        length = float(np.linalg.norm(inputs @ jacobian + offset))
        scale = 1 / length if length else 0.0
    terms = list(_input_parts(towers, profiles, data))
    for target in towers.items[items].astype(np.float64):
        slope = scale * (jacobian @ target[:depth])  # (d,)
        slope = np.concatenate([slope, np.zeros(int(towers.biases))])  # not the user's bias
        parts = [Parts(kind, names, rows @ slope) for kind, names, rows in terms]
        if towers.dense:
            amount = scale * float(offset @ target[:depth])
            parts.append(Parts("layers", pa.array(["the layers' biases"]), np.array([amount])))
        if towers.biases:
            parts.append(Parts("bias", pa.array(["of the item"]), target[-1:]))
        yield [part for part in parts if len(part.names)]


def _input_parts(
    towers: TowersLearned, profiles: Profiles, data: Dataset
) -> Iterator[tuple[str, pa.Array, Floats]]:
    """Yield the terms of a query's input: their kind, names, and rows (n, w)."""
    if towers.biases:
        yield "everybody", pa.array(["what all users share"]), towers.everybody[np.newaxis]
    if towers.trained(profiles)[0]:
        yield "training", pa.array(["the user's id"]), towers.user_ids[profiles.users]
    features = towers.features_of(profiles)
    if features is not None and towers.encoder is not None:
        names = pa.array(towers.encoder.names, pa.string()).take(pa.array(features.indices))
        rows = features.data[:, np.newaxis] * towers.user_features[features.indices]
        yield "feature", names, rows
    if len(towers.chosen):
        history = history_rows(profiles.history)
        rows = history.data[:, np.newaxis] * towers.chosen[history.indices]
        yield "chosen item", data.items.take(history.indices), rows
