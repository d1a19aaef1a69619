"""Two towers and a head that ranks: ratings, or the odds of a choice, for a pair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.errors import CapabilityError
from shortlist.models.config import Search, hyper
from shortlist.models.ratings import required_pairs
from shortlist.models.towers.head_config import HeadConfig
from shortlist.models.towers.head_scoring import ROWS, HeadLearned, cross_widths, head_widths
from shortlist.models.towers.layers import Layer, flat
from shortlist.models.towers.learned import TowersLearned
from shortlist.models.training.model import TrainedModel
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores

if TYPE_CHECKING:
    from shortlist.models.training.loop import Arrays, Trainable


class RankingConfig(HeadConfig):
    """Settings of :class:`Ranking`."""

    loss: Literal["logistic", "squared", "hinge", "listmle"] = hyper(
        "logistic",
        "What is minimised: the surprise at who chose what, against drawn negatives; the error of "
        "weights (ratings); or the disorder of lists, by pairs (hinge) or whole (listmle).",
    )
    negatives: int = hyper(
        4,
        "Items drawn against every chosen one (not for squared).",
        ge=0,
        search=Search(choices=(1, 2, 4, 8)),
    )
    rejection: bool = hyper(True, "Never draw what the user chose as a negative.")
    list_size: int = hyper(5, "Chosen items in a list (hinge, listmle).", ge=1)
    embedding_size: int = hyper(
        32, "Length of the vectors.", ge=1, le=2048, search=Search(8, 128, "log")
    )
    epochs: int = hyper(20, "Passes over the data.", ge=1, search=Search(5, 60, "log"))
    batch_size: int | None = hyper(
        1024, "Interactions a step; None: all (with history a fifth at most).", ge=1
    )
    learning_rate: float = hyper(
        0.005, "Length of the steps.", gt=0, search=Search(1e-3, 1.0, "log")
    )


class Ranking(TrainedModel[RankingConfig, HeadLearned]):
    """Score a pair of a user and an item by a small network over the vectors of both.

    ``s = start + b_u + b_i + u . v + f([u; v])``: biases, the product and f can each be left out;
    f is cross layers, then dense layers with ReLU. The vectors come from two towers, as those of
    :class:`~shortlist.models.towers.retrieval.Retrieval`: sums of ids, features and chosen items,
    so that new users and new items are scored by their features.

    Learned with one of four losses (:mod:`shortlist.models.towers.ranking_losses`). ``squared``
    predicts ratings; the others predict choices, against sampled negatives.

    Every pair is computed: of a large catalogue a user's score takes thousands of times as long as
    a product of vectors. That is what a first stage (:class:`Retrieval`) is for.

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
        """Whether features can stand in for a history."""
        return self.config.features

    @property
    def bytes_per_query(self) -> int:
        """Add the layers of a slice of the catalogue."""
        widths = [2 * self.config.embedding_size, *self.config.head_layers]
        return super().bytes_per_query + 8 * min(self.data.n_items, ROWS) * sum(widths)

    def trainable(self, data: Dataset) -> Trainable:
        """Make two towers and the task."""
        from shortlist.models.towers.head import Head
        from shortlist.models.towers.network import Drawing
        from shortlist.models.towers.ranking_task import ranking_task
        from shortlist.models.towers.training import two_towers

        config = self.config
        inner, held = self.folds(data)
        start, drawing = self._start(inner), Drawing([config.seed, 1])
        head = Head(self.name, config, drawing, start, biased=config.biases)
        task = ranking_task(self.name, config, head, inner)
        return two_towers(self.name, config, inner, held, {"ranking": (1.0, task)})

    def finished(self, data: Dataset, parameters: Arrays) -> HeadLearned:
        """Keep the user tower, what the item tower makes of all items, and the head."""
        inner, _ = self.folds(data)
        towers = TowersLearned.of(self.config, inner, parameters)
        start, biased = self._start(inner), self.config.biases
        return head_learned(self.config, towers, parameters, start=start, biased=biased)

    def _start(self, data: Dataset) -> float:
        """Give the mean rating, or everybody's odds; 0 without biases, and for lists."""
        config = self.config
        if config.biases and config.loss == "squared":
            return float(data.weights.mean(dtype=np.float64))
        if config.biases and config.loss == "logistic":
            return -float(np.log(max(config.negatives, 1)))
        return 0.0

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Say of whom an id, a history or a feature tells something."""
        return self.learned.can_score(profiles)

    def score(self, profiles: Profiles) -> Scores:
        """Send each query's vector through the head, with every item's."""
        return DenseScores(self.learned.block(self.learned.users(profiles)))

    def pair_scores(self, profiles: Profiles, queries: Rows, items: Rows) -> Floats:
        """Send the vectors of these pairs through the head."""  # (n,)
        learned = self.learned
        return learned.pair_scores(learned.users(profiles), queries, items)

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> Floats:
        """Predict the weight (rating) of each (user, item) pair.

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
        CapabilityError
            The model was trained by another loss than squared: its scores are no ratings.
        """  # (n,)
        if self.config.loss != "squared":
            raise CapabilityError(
                f"{self.name} with loss={self.config.loss!r} cannot predict ratings: its scores "
                "are none",
                remedy="fit it with loss='squared'",
            )
        return predicted(self.learned, self.data, users, items)


def head_learned(
    config: HeadConfig, towers: TowersLearned, parameters: Arrays, *, start: float, biased: bool
) -> HeadLearned:
    """Put the head beside its towers.

    Parameters
    ----------
    config
        The settings.
    towers
        The towers.
    parameters
        Those of ``tower_training.TwoTowers``, whose task ``ranking`` has the head.
    start, biased
        As they were trained with.
    """

    def dense(name: str, count: int) -> list[Layer]:
        at = f"tasks.ranking.head.{name}"
        return [
            Layer(parameters[f"{at}.weights.{n}"], parameters[f"{at}.biases.{n}"])
            for n in range(count)
        ]

    widths, across = head_widths(config), cross_widths(config)
    crossing = [
        layer
        for n in range(config.cross_layers)
        for layer in dense(f"cross.{n}.dense", len(across) - 1)
    ]
    return HeadLearned(
        **{field.name: getattr(towers, field.name) for field in fields(towers)},
        start=start,
        product=config.product,
        biased=biased,
        head=flat(dense("dense", max(len(widths) - 1, 0))),
        head_widths=widths,
        cross=flat(crossing),
        cross_widths=across,
        n_cross=config.cross_layers,
    )


def predicted(
    learned: HeadLearned, data: Dataset, users: Iterable[Id], items: Iterable[Id]
) -> Floats:
    """Predict ratings; :meth:`Ranking.predict` documents it."""  # (n,)
    user_rows, item_rows = required_pairs(data, users, items)
    distinct, places = np.unique(user_rows, return_inverse=True)
    profiles = learned.profiles(data).take(distinct.astype(np.intp))
    return learned.pair_scores(learned.users(profiles), places.astype(np.int32), item_rows)
