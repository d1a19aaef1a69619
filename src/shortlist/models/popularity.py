"""Popularity: the items that most users chose, the same list for everyone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pyarrow as pa

from shortlist.bundle.declarations import Array
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.base import Fitted, Model
from shortlist.models.config import chosen_settings
from shortlist.models.signals import WeightedConfig, choose_signals
from shortlist.recommend.recommender import popularity_scores
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats, Scores


class PopularityConfig(WeightedConfig):
    """Settings of :class:`Popularity`."""


@dataclass(frozen=True)
class PopularityLearned:
    """The number of users of each item, or the sum of their weights."""

    counts: Annotated[Floats, Array("n_items", low=0)]
    settings: Annotated[Mapping[str, Any], chosen_settings(PopularityConfig)]


class Popularity(Model[PopularityConfig, PopularityLearned]):
    """Score an item by the number of users who chose it, or by the sum of their weights.

    The baseline that every other model has to beat, and the fallback for queries that another model
    cannot score.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": ["ann", "bob", "bob"], "item_id": ["tea", "tea", "rye"]})
    >>> Popularity().fit(Dataset.from_tables(log)).recommend(["ann"], k=1).to_arrow().to_pylist()
    [{'user_id': 'ann', 'item_id': 'rye', 'rank': 1, 'score': 1.0, 'source': 'Popularity'}]
    """

    needs_history = False
    learns_quickly = True
    dense_scores = False

    def learn(self, data: Dataset) -> Fitted[PopularityLearned]:
        """Count the users of each item."""
        settings, weights = choose_signals(self, data, ()), None
        if settings["weighting"] == "weighted":
            weights = data.weights
        counts = np.bincount(data.item_rows, weights, minlength=data.n_items)
        return Fitted(PopularityLearned(counts.astype(np.float32), settings))

    def score(self, profiles: Profiles) -> Scores:
        """Score every query by the counts."""
        return popularity_scores(self.learned.counts, len(profiles))

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the count of each item, which is its score."""
        weighted = self.used.weighting == "weighted"
        name = pa.array(["weights of users who chose it" if weighted else "users who chose it"])
        for count in self.learned.counts[items].astype(np.float64):
            yield [Parts("popularity", name, np.array([count]))]
