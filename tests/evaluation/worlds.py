"""Small data and models with known results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Vocabulary
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig, hyper
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Scores

Pairs = Sequence[tuple[int, int]]


class KnownConfig(ModelConfig):
    """Settings without an effect."""

    flavour: str = hyper("plain", "Distinguishes two models.")


@dataclass(frozen=True)
class Table:
    """A score of every item for every user."""

    scores: NDArray[np.float32]  # (n_users, n_items)


class Known(Model[KnownConfig, Table]):
    """Takes its scores from a table that the test provides."""

    needs_history = False
    table: NDArray[np.float32]

    def learn(self, data: Dataset) -> Fitted[Table]:
        return Fitted(Table(self.table))

    def score(self, profiles: Profiles) -> Scores:
        return DenseScores(self.learned.scores[profiles.users])


class Rater(Known):
    """Predicts twice the score as a rating."""

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> NDArray[np.float32]:
        rows = self.data.users.require(users), self.data.items.require(items)
        return 2 * self.learned.scores[rows]


def known(table: object, *, kind: type[Known] = Known, flavour: str = "plain") -> Known:
    """Make an unfitted model with these scores, (n_users, n_items)."""
    model = kind(flavour=flavour)
    model.table = np.array(table, dtype=np.float32)
    return model


def split(
    n_users: int,
    n_items: int,
    train: Pairs,
    test: Pairs,
    *,
    times: Sequence[int] | None = None,
    ratings: Sequence[float] | None = None,
    items: Mapping[str, object] | None = None,
) -> tuple[Dataset, Dataset]:
    """Make a split of users 100, 101, ... and items 0, 1, ...; times (us), ratings: of the test."""
    users = Vocabulary(pa.array(range(100, 100 + n_users)), kind="user")
    catalogue = Vocabulary(pa.array(range(n_items)), kind="item")
    features = None if items is None else pa.table(items)

    def side(pairs: Pairs) -> Dataset:
        order = sorted(range(len(pairs)), key=lambda position: pairs[position])
        rows = np.array([pairs[position] for position in order], dtype=np.int32).reshape(-1, 2)
        return Dataset(
            users,
            catalogue,
            rows[:, 0].copy(),
            rows[:, 1].copy(),
            np.ones(len(pairs), dtype=np.float32),
            None if times is None else np.zeros(len(pairs), dtype=np.int64),
            np.array(order, dtype=np.int64),
            item_features=features,
        )

    train_side, test_side = side(train), side(test)
    if times is not None:
        test_times = np.array(times, dtype=np.int64)[test_side.positions]
        test_side = replace(test_side, times=test_times)
    if ratings is not None:
        weights = np.array(ratings, dtype=np.float32)[test_side.positions]
        test_side = replace(test_side, weights=weights)
    return train_side, test_side
