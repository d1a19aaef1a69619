"""The same list for everyone: what most people chose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.models.base import Model
from shortlist.models.config import ModelConfig
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, Scores


class PopularityConfig(ModelConfig):
    """Popularity has nothing to set."""


@dataclass(frozen=True)
class PopularityLearned:
    """How many users chose each item."""

    counts: Floats  # (n_items,)


class Popularity(Model[PopularityConfig, PopularityLearned]):
    """Score an item by the number of users who chose it.

    The baseline that every other model has to beat, and the fallback for somebody of whom nothing
    is known.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": ["ann", "bob", "bob"], "item_id": ["tea", "tea", "rye"]})
    >>> Popularity().fit(Dataset.from_tables(log)).recommend(["ann"], k=1).to_arrow().to_pylist()
    [{'user_id': 'ann', 'item_id': 'rye', 'rank': 1, 'score': 1.0, 'source': 'Popularity'}]
    """

    needs_history = False

    def learn(self, data: Dataset) -> PopularityLearned:
        """Count."""
        return PopularityLearned(data.item_counts.astype(np.float32))

    def score(self, profiles: Profiles) -> Scores:
        """Give everyone the counts."""
        return popularity_scores(self.learned.counts, len(profiles))

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give the count itself."""
        count = np.array([self.learned.counts[item]], dtype=np.float64)
        return [Parts("popularity", pa.array(["users who chose it"]), count)]


def popularity_scores(counts: Floats, n_queries: int) -> FactorScores:
    """Score the catalogue by popularity for ``n_queries`` people."""  # (n_queries, n_items)
    return FactorScores(np.ones((n_queries, 1), dtype=np.float32), counts[np.newaxis])
