"""The inputs of a cascade's ranker: one row of numbers for each candidate.

Of every stage: the candidate's score, level and rank. Of the training data: the users of the item,
the length of the history, and the users that the item has in common with the items of the history.
With ``features=True`` also the features of users and items: a number stays as it is, a date is in
days, a text is a category, a list is its length, and a missing value stays missing. Two more
numbers are the similarity of the item to the history (by item features) and of the user to the
users of the item (by user features). The others compare them column by column (``groups``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.kernels.similarity import common_choices
from shortlist.models.cascade.candidates import Candidates
from shortlist.models.cascade.groups import Group, GroupComparison, TableColumns
from shortlist.models.feature_similarity import FeatureSimilarity
from shortlist.models.neighborhood import Neighborhood
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, row_means, transposed

STAGE_COLUMNS = ("score", "level", "rank")
DATA_COLUMNS = (
    "users of the item",
    "items of the user",
    "cosines to the history, by users in common",
    "largest cosine to an item of the history",
    "users in common with the history",
    "largest share of the users of an item of the history",
)
NEAREST = 100  # neighbours of an item that count for users in common


class Columns(NamedTuple):
    """The columns of the ranker's inputs: of each stage, of the data, and of features."""

    n_stages: int
    n_features: int = 0
    categorical: tuple[int, ...] = ()  # the positions of categories

    @classmethod
    def of(cls, n_stages: int, features: CandidateFeatures | None = None) -> Columns:
        """Return the columns of some stages, with or without features."""
        plain = cls(n_stages)
        if features is None:
            return plain
        categorical = tuple(plain.width + position for position in features.categorical)
        return cls(n_stages, len(features.names), categorical)

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(STAGE_COLUMNS) * self.n_stages + len(DATA_COLUMNS) + self.n_features

    @property
    def levels(self) -> NDArray[np.intp]:
        """The position of the level of each stage."""
        return self._of_each("level")

    @property
    def ranks(self) -> NDArray[np.intp]:
        """The position of the rank of each stage."""
        return self._of_each("rank")

    def _of_each(self, name: str) -> NDArray[np.intp]:
        return np.arange(self.n_stages) * len(STAGE_COLUMNS) + STAGE_COLUMNS.index(name)

    def of_stages(self, stages: Sequence[int]) -> NDArray[np.intp]:
        """Return the positions of the columns of some stages, and of the data."""
        width = len(STAGE_COLUMNS)
        first = np.array(stages, dtype=np.intp)[:, np.newaxis] * width
        of_data = self.n_stages * width + np.arange(len(DATA_COLUMNS))
        return np.append(first + np.arange(width), of_data)

    @staticmethod
    def names(stages: Sequence[str]) -> list[str]:
        """Return the names of the columns without features, given the names of the stages."""
        names = [f"{stage}: {column}" for stage in stages for column in STAGE_COLUMNS]
        return names + list(DATA_COLUMNS)


@dataclass(frozen=True)
class RankerInputs:
    """Computes the ranker's inputs from the training data."""

    item_counts: NDArray[np.int64]  # (n_items,): the number of users of each item
    # The cosines of each item and the items that it shares most users with.
    nearest: csr_array  # (n_items, n_items)
    features: CandidateFeatures | None  # of candidates, if the ranker uses them

    @classmethod
    def of(cls, data: Dataset, features: CandidateFeatures | None = None) -> RankerInputs:
        """Find the neighbours of every item."""
        users = transposed(data.choices)  # (n_items, n_users)
        itself = np.arange(data.n_items, dtype=np.int32)
        nearest = Neighborhood.by_cosine(users).best_in_blocks(users, itself, NEAREST)
        return cls(data.item_counts, nearest, features)

    def rows(self, candidates: Candidates, profiles: Profiles) -> Floats:
        """Return one row per candidate.

        The columns are :meth:`Columns.names`, then ``features.names``.
        """  # (n, 3 S + 6 + f)
        owners = candidates.owners
        lengths = np.diff(profiles.history.indptr)
        columns: list[NDArray[np.generic]] = []
        for stage in range(len(candidates.scores)):
            columns += [candidates.scores[stage], candidates.levels[stage], candidates.ranks[stage]]
        columns += [self.item_counts[candidates.items], lengths[owners]]
        in_common = common_choices(
            csr_arrays(profiles.history),
            candidates.indptr,
            candidates.items,
            csr_arrays(self.nearest),
            np.sqrt(self.item_counts).astype(np.float32),
        )
        blocks = [np.stack(columns, axis=1).astype(np.float32), in_common]
        if self.features is not None:
            blocks.append(self.features.columns(profiles, owners, candidates.items))
        return np.concatenate(blocks, axis=1)


@dataclass(frozen=True)
class CandidateFeatures:
    """The features of candidates, from the user and item features of a data set."""

    data: Dataset
    seed: int

    @cached_property
    def _tables(self) -> tuple[TableColumns, TableColumns]:
        return TableColumns.of(self.data.user_features), TableColumns.of(self.data.item_features)

    @property
    def names(self) -> list[str]:
        """The name of each column."""
        users, items = self._tables
        names = [f"user: {name}" for name in users.names]
        names += [f"item: {name}" for name in items.names]
        if self._encoded_items is not None:
            names.append("similarity to the history")
        if self._encoded_choosers is not None:
            names.append("similarity to its users")
        if self._item_comparison is not None:
            names += [f"item and history: {name}" for name in self._item_comparison.names]
        if self._user_comparison is not None:
            names += [f"user and its users: {name}" for name in self._user_comparison.names]
        return names

    @property
    def categorical(self) -> list[int]:
        """The positions of the categorical columns."""
        users, items = self._tables
        categories = (*users.categories, *items.categories)
        return [position for position, values in enumerate(categories) if values is not None]

    def columns(self, profiles: Profiles, owners: NDArray[np.intp], items: Rows) -> Floats:
        """Return one row for each candidate."""  # (n, len(names))
        users_columns, items_columns = self._tables
        blocks: list[Floats] = []
        table = self._user_table(profiles)
        if users_columns.names:
            blocks.append(users_columns.numbers(table)[owners])
        if items_columns.names:
            blocks.append(self._item_numbers[items])
        if self._encoded_items is not None:
            history_means = row_means(binary(profiles.history), self._encoded_items)
            blocks.append(_products(history_means, owners, self._encoded_items, items))
        if self._encoded_choosers is not None:
            similarity, choosers = self._encoded_choosers
            blocks.append(_products(similarity.rows(table), owners, choosers, items))
        comparison = self._item_comparison
        if comparison is not None:
            groups = comparison.groups(binary(profiles.history))
            own = comparison.own
            blocks.append(comparison.columns(own, groups, items, owners))
        comparison = self._user_comparison
        if comparison is not None:
            blocks.append(
                comparison.columns(comparison.members(table), self._choosers, owners, items)
            )
        return np.concatenate([np.empty((len(items), 0), dtype=np.float32), *blocks], axis=1)

    def _user_table(self, profiles: Profiles) -> pa.Table:
        """Return the user features of the queries, or else those of the training users."""
        if profiles.features is not None:
            return profiles.features
        if self.data.user_features is None:
            return pa.table({})
        missing = profiles.users == UNKNOWN
        return self.data.user_features.take(pa.array(profiles.users, mask=missing))

    @cached_property
    def _item_numbers(self) -> Floats:
        return self._tables[1].numbers(self.data.item_features)

    @cached_property
    def _encoded_items(self) -> csr_array | None:
        """The items, encoded so that dot products are similarities."""  # (n_items, d)
        features, choosers = self.data.item_features, transposed(self.data.choices)
        similarity = FeatureSimilarity.learn(features, choosers, seed=self.seed)
        return None if similarity is None else similarity.rows(features)

    @cached_property
    def _encoded_choosers(self) -> tuple[FeatureSimilarity, csr_array] | None:
        """The encoding of users, and for each item the mean of its users."""
        features, choices = self.data.user_features, self.data.choices
        similarity = FeatureSimilarity.learn(features, choices, seed=self.seed)
        if similarity is None:
            return None
        return similarity, row_means(transposed(choices), similarity.rows(features))

    @cached_property
    def _item_comparison(self) -> GroupComparison | None:
        return GroupComparison.of(self.data.item_features)

    @cached_property
    def _user_comparison(self) -> GroupComparison | None:
        return GroupComparison.of(self.data.user_features)

    @cached_property
    def _choosers(self) -> Group:
        """The users of each item."""
        assert self._user_comparison is not None
        return self._user_comparison.groups(binary(transposed(self.data.choices)))


def _products(
    left: csr_array, owners: NDArray[np.intp], right: csr_array, items: Rows
) -> NDArray[Any]:
    """Return the dot product of each (query, item) pair of rows, summed in float64."""  # (n, 1)
    product = csr_array(left.astype(np.float64)[owners].multiply(right[items]))
    return np.asarray(product.sum(axis=1), dtype=np.float32)[:, np.newaxis]
