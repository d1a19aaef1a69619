"""What the ranker of a cascade sees of a candidate: a row of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.models.cascade.candidates import Candidates
from shortlist.models.cascade.features import Features
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats

OF_A_STAGE = ("score", "level", "place")
COUNTS = ("users of the item", "items of the user")


def column_names(stages: Sequence[str]) -> list[str]:
    """Name the columns, given the names of the stages."""
    return [f"{stage}: {what}" for stage in stages for what in OF_A_STAGE] + list(COUNTS)


def columns_of(
    candidates: Candidates, profiles: Profiles, data: Dataset, features: Features | None = None
) -> Floats:
    """Write out a row for each candidate.

    Of each stage its score, its level and its place; how many users chose the item in the data
    the stages learned from, and how long the history of the query is. Then the features.
    """  # (n, 3 S + 2 + f)
    owners = candidates.owners
    histories = np.diff(profiles.history.indptr)
    columns: list[NDArray[np.generic]] = []
    for stage in range(len(candidates.scores)):
        columns += [candidates.scores[stage], candidates.levels[stage], candidates.places[stage]]
    columns += [data.item_counts[candidates.items], histories[owners]]
    said = np.stack(columns, axis=1).astype(np.float32)
    if features is None:
        return said
    return np.concatenate([said, features.columns(profiles, owners, candidates.items)], axis=1)
