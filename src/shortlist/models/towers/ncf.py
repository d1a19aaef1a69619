"""Neural collaborative filtering: GMF, MLP and NeuMF, and the plain dot product beside them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.towers.ncf_config import GMFConfig, MLPConfig, NCFConfig, NeuMFConfig
from shortlist.models.towers.ncf_network import Network
from shortlist.models.towers.ncf_scoring import Scorer
from shortlist.models.training.model import TrainedModel
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, FactorScores, Floats, ItemFactors, Scores
from shortlist.scoring.sparse import inverse

if TYPE_CHECKING:
    from shortlist.models.towers.ncf_training import Factors
    from shortlist.models.training.loop import Arrays

C = TypeVar("C", bound=NCFConfig)
L = TypeVar("L", bound="NCFLearned")


@dataclass(frozen=True)
class NCFLearned:
    """What a network learned: see :class:`~shortlist.models.towers.ncf_network.Network`."""

    users: Floats  # (n_users, C)
    items: Floats  # (n_items, C)
    weights: Floats  # (n_weights,)

    @cached_property
    def directions(self) -> Floats:
        """The items at length 1."""  # (n_items, C)
        items = self.items.astype(np.float64)
        return (items * inverse(np.linalg.norm(items, axis=1))[:, np.newaxis]).astype(np.float32)


class NCF(TrainedModel[C, L]):
    """What the three models have in common."""

    _scorer: tuple[NCFLearned, Scorer] | None = None

    @property
    @abstractmethod
    def network(self) -> Network:
        """The shape of the network, as the settings say."""

    def folds(self, data: Dataset) -> tuple[Dataset, Dataset | None]:
        """Hold out one interaction, drawn at random, of some of the users who have two or more."""
        config = self.config
        if config.validation == 0:
            return data, None
        rng = np.random.default_rng([config.seed, 7])
        starts = np.cumsum(data.user_counts) - data.user_counts
        places = starts + (rng.random(data.n_users) * data.user_counts).astype(np.int64)
        asked = (data.user_counts > 1) & (rng.random(data.n_users) < config.validation)
        if not asked.any():
            return data, None
        held = np.zeros(len(data), dtype=bool)
        held[places[asked]] = True
        return data.select(~held), data.select(held)

    def trainable(self, data: Dataset) -> Factors:
        """Make the network."""
        from shortlist.models.towers.ncf_training import Factors

        return Factors(self.config, self.network, data, *self.folds(data))

    def finished(self, data: Dataset, parameters: Arrays) -> L:
        """Keep what was learned as it is."""
        parts = (parameters[name] for name in ("users", "items", "weights"))
        return cast(L, NCFLearned(*parts))

    def rows(self, profiles: Profiles) -> Floats:
        """Take the rows of known users; find those of histories that training did not see.

        Such a row is the most probable one of somebody from the population that training found:
        it minimises the log loss of the history and of drawn negatives, plus half the squared
        distance from the mean of all users in standard deviations, with items and weights as they
        are. A full fit would differ in that those would move too, in how long the row would be
        trained, and in that the pull to the mean would not be there.
        """  # (B, C)
        learned, config = self.learned, self.config
        rows = learned.users[profiles.users]
        new = profiles.changed
        if new.any():
            history = profiles.history[new]
            rows[new] = self.scorer.refit(history, config.negatives, config.seed, config.rejection)
        return rows

    @property
    def scorer(self) -> Scorer:
        """What scoring needs, computed when it is first asked for."""
        learned = self.learned
        if self._scorer is None or self._scorer[0] is not learned:
            drawn = self.data.item_counts.astype(np.float64) ** self.config.negative_exponent
            network, parts = self.network, (learned.users, learned.items, learned.weights)
            self._scorer = learned, Scorer(network, *parts, drawn)
        return self._scorer[1]

    def score(self, profiles: Profiles) -> Scores:
        """Go through the network with every item."""
        return DenseScores(self.scorer.scores(self.rows(profiles)))

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the cosine of the items' rows."""
        directions = self.learned.directions
        return FactorScores(directions[items], ItemFactors.from_rows(directions))


class GMF(NCF[GMFConfig, NCFLearned]):
    """Generalised matrix factorisation (He et al., WWW 2017): ``b + h . (p o q)``, by log loss.

    The interactions and as many drawn negatives as the settings say are told apart by logistic
    regression on the product of two learned vectors, weighed by a learned h.

    With ``weighted=False, biases=True, rejection=False`` it is the plain matrix factorisation that
    Rendle et al. (RecSys 2020) found better than NeuMF: ``b + b_u + b_i + p . q``. Their training
    is ``optimizer="sgd", batch_size=1``: every sample takes a step of its own, which is compiled
    and runs on all cores.

    A user of the training data has the vector that was learned; any other history gets one by
    refitting (:meth:`NCF.rows`). Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    >>> model = GMF(embedding_size=4, epochs=3).fit(Dataset.from_tables(log))
    >>> len(model.recommend([3], k=2))
    2
    """

    _vectors: tuple[NCFLearned, Floats, ItemFactors] | None = None

    @property
    def network(self) -> Network:
        """A product alone."""
        config = self.config
        return Network(config.embedding_size, (), config.weighted, config.biases)

    def score(self, profiles: Profiles) -> Scores:
        """Multiply vectors."""
        queries = _user_vectors(self.network, self.rows(profiles), self.learned.weights)
        return FactorScores(queries, self._item_factors())

    def _item_factors(self) -> ItemFactors:
        return self._both()[2]

    def _both(self) -> tuple[NCFLearned, Floats, ItemFactors]:
        learned = self.learned
        if self._vectors is None or self._vectors[0] is not learned:
            items = _item_vectors(self.network, learned.items)
            self._vectors = learned, items, ItemFactors.from_rows(items)
        return self._vectors

    def user_vectors(self) -> Floats:
        """Give the vector of every user: the factors times h, ``b + b_u``, and 1 with biases."""
        return _user_vectors(self.network, self.learned.users, self.learned.weights)

    def item_vectors(self) -> Floats:
        """Give the vector of every item: the factors, 1, and with biases b_i."""  # (n_items, F)
        return self._both()[1]


class MLP(NCF[MLPConfig, NCFLearned]):
    """A tower over the vectors of user and item (He et al., WWW 2017), by log loss.

    ``h . phi_L + b`` with ``phi_1 = relu(W_p p + W_q q + b_1)``, ``phi_l = relu(phi_(l-1) W_l +
    b_l)``. The last layer has ``embedding_size`` units, each one below it twice as many, and p and
    q half as many as the first layer: for size 8 and three layers 32, 16, 8 and 16.

    Scores have no vectors behind them: a list costs a pass through the tower for every item.
    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    >>> model = MLP(embedding_size=4, epochs=3).fit(Dataset.from_tables(log))
    >>> len(model.recommend([3], k=2))
    2
    """

    @property
    def network(self) -> Network:
        """A tower alone."""
        return Network(0, halving(self.config))


class NeuMF(NCF[NeuMFConfig, NCFLearned]):
    """GMF and MLP side by side under one weighted output (He et al., WWW 2017), by log loss.

    ``h . [p o q ; phi_L] + b``, each with vectors of its own. With ``pretraining``, GMF and MLP are
    first trained by themselves, with Adam (and with ``validation``, each up to its own best epoch
    on the same fold); NeuMF starts from their vectors and layers, with
    ``h = [alpha h_GMF ; (1 - alpha) h_MLP]``, and goes on as the other settings say: in the paper
    by plain gradient descent, ``optimizer="sgd"``.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    >>> model = NeuMF(embedding_size=4, epochs=3).fit(Dataset.from_tables(log))
    >>> len(model.recommend([3], k=2))
    2
    """

    @property
    def network(self) -> Network:
        """Both, side by side."""
        return Network(self.config.embedding_size, halving(self.config))

    def warm_start(self, trainable: Factors, data: Dataset) -> None:
        """Start from a trained GMF and MLP if the settings say so."""
        if self.config.pretraining:
            trainable.start_from(*(self._trained(kind, data) for kind in (GMF, MLP)))

    def _trained(self, kind: type[NCF[Any, NCFLearned]], data: Dataset) -> NCFLearned:
        config = self.config
        shared = config.model_dump(include=set(kind.Config.model_fields)) | {
            "epochs": config.pretraining,
            "learning_rate": config.pretraining_rate,
            "optimizer": "adam",
        }
        return kind(**shared).fit(data).learned


def halving(config: MLPConfig) -> tuple[int, ...]:
    """Give the widths of a tower, the first first.

    Examples
    --------
    >>> halving(MLPConfig(embedding_size=8, layers=3))
    (32, 16, 8)
    """
    return tuple(config.embedding_size * 2**layer for layer in reversed(range(config.layers)))


def _user_vectors(network: Network, rows: Floats, weights: Floats) -> Floats:
    size, bias = network.size, weights[0]
    head = weights[1 : 1 + size] if network.weighted else np.ones(size, dtype=np.float32)
    if network.biases:
        bias = bias + rows[:, size]
    columns = [rows[:, :size] * head, np.broadcast_to(np.reshape(bias, (-1, 1)), (len(rows), 1))]
    if network.biases:
        columns.append(np.ones((len(rows), 1), dtype=np.float32))
    return np.concatenate(columns, axis=1).astype(np.float32)


def _item_vectors(network: Network, rows: Floats) -> Floats:
    size = network.size
    ones = np.ones((len(rows), 1), dtype=np.float32)
    return np.concatenate([rows[:, :size], ones, rows[:, size : network.tower_at]], axis=1)
