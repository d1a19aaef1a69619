"""Popularity: the items that most users chose, the same list for everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa

from shortlist.bundle.declarations import Array
from shortlist.data.dataset import Dataset
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig
from shortlist.recommend.recommender import popularity_scores
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats, Scores


class PopularityConfig(ModelConfig):
    """Popularity has no settings."""


@dataclass(frozen=True)
class PopularityLearned:
    """The number of users of each item."""

    counts: Annotated[Floats, Array("n_items", low=0)]


class Popularity(Model[PopularityConfig, PopularityLearned]):
    """Score an item by the number of users who chose it.

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
        return Fitted(PopularityLearned(data.item_counts.astype(np.float32)))

    def score(self, profiles: Profiles) -> Scores:
        """Score every query by the counts."""
        return popularity_scores(self.learned.counts, len(profiles))

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Return the count, which is the score."""
        count = np.array([self.learned.counts[item]], dtype=np.float64)
        return [Parts("popularity", pa.array(["users who chose it"]), count)]
