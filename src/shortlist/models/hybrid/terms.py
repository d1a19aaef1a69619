"""What a Hybrid is made of: the rows it compares, its numbers, and the terms it adds up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.features import unit_rows
from shortlist.errors import InputError
from shortlist.kernels.scores import dense_sparse
from shortlist.models.hybrid.config import HybridConfig, ItemBlocks, UserBlocks
from shortlist.models.likeness import Likeness, beside
from shortlist.models.neighborhood import Neighborhood
from shortlist.models.weighting import Weighting, binary, column_importance, weighted
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import empty, inverse, parts, transposed

ALL = -1  # a number of neighbours in a bundle: all of them


class Settings(NamedTuple):
    """The numbers of a Hybrid once everything is decided."""

    user_term: float
    item_term: float
    both_term: float
    user_feature_weight: float
    item_feature_weight: float
    user_neighbors: int
    item_neighbors: int
    cold_neighbors: int

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Settings:
        """Take them from a bundle's manifest."""
        counts = {name: int(values[name]) for name in cls._fields if name.endswith("neighbors")}
        return cls(**{**{name: values[name] for name in cls._fields}, **counts})  # type: ignore[arg-type]


def likenesses(config: HybridConfig, data: Dataset) -> tuple[Likeness | None, Likeness | None]:
    """Learn how users and items are alike by their features, where they are compared by them."""
    choices = data.choices
    users = data.user_features if config.user_blocks != "action" else None
    items = data.item_features if config.item_blocks != "interactions" else None
    given: dict[str, float] | None = {} if config.column_weights == "even" else None
    return (
        Likeness.learn(users, choices, given=given, seed=config.seed),
        Likeness.learn(items, transposed(choices), given=given, seed=config.seed),
    )


def user_rows(
    history: csr_array,
    likeness: Likeness | None,
    features: pa.Table | None,
    blocks: UserBlocks,
    weight: float,
) -> csr_array:
    """Lay choices and features of users side by side, so that a dot product is the similarity.

    - ``action``: ``cos(choices)``
    - ``features``: the mean cosine of the features
    - ``action+features``: ``cos(choices) + weight * (the mean cosine of the features)``
    - ``concatenated``: one cosine over the choices and the features as zeros and ones; what share
      the features have is left to how many a user has of each

    Parameters
    ----------
    history
        What users chose.  # (n, n_items)
    likeness, features
        How features are compared, and n rows of them; None: there are none.
    blocks, weight
        Which of the above, and the weight of the features.
    """  # (n, n_items + d), without features (n, n_items)
    choices = binary(history)
    if blocks == "action":
        return unit_rows(choices)
    if likeness is None:
        if blocks == "features":
            raise InputError(
                "users are to be compared by features, and there are none",
                remedy="give a users table with more than ids, or compare by action",
            )
        return unit_rows(choices)
    if features is None:
        known = empty(history.shape[0], likeness.encoder.n_features)
    else:
        known = likeness.rows(features)
    if blocks == "concatenated":
        return unit_rows(beside(choices, binary(known)))
    if blocks == "features":
        return beside(empty(*choices.shape), known)
    return beside(unit_rows(choices), known, weight)


def user_counts(history: csr_array, settings: Settings, n_users: int) -> NDArray[np.int64]:
    """Say how many neighbours each query has: others where only features are known."""  # (B,)
    cold = np.diff(history.indptr) == 0
    counts = np.where(cold, settings.cold_neighbors, settings.user_neighbors)
    return np.where(counts == ALL, n_users, counts)


def item_rows(
    data: Dataset,
    likeness: Likeness | None,
    blocks: ItemBlocks,
    weighting: Weighting,
    weight: float,
) -> csr_array:
    """The same for items: ``cos(choosers) + weight * (the mean cosine of the features)``.

    ``weighting`` says how much a chooser counts; somebody who chose much tells little (TF-IDF).
    """
    by_item = transposed(data.matrix)
    importance = column_importance(by_item, weighting)
    average = data.n_interactions / max(data.n_items, 1)
    choosers = unit_rows(weighted(by_item, weighting, importance, average))  # (n_items, n_users)
    if blocks == "interactions" or likeness is None or data.item_features is None:
        if blocks == "features":
            raise InputError(
                "items are to be compared by features, and there are none",
                remedy="give an items table with more than ids, or compare by interactions",
            )
        return choosers
    known = likeness.rows(data.item_features)  # (n_items, d)
    if blocks == "features":
        return known
    return beside(choosers, known, weight)


def item_similarity(rows: csr_array, self_similarity: bool, count: int) -> csr_array:
    """Compare all items, block by block; a row of the result speaks for its columns.

    Each item keeps its own nearest, so the result's columns, not its rows, have ``count`` entries.
    """  # (n_items, n_items)
    itself = None if self_similarity else np.arange(rows.shape[0], dtype=np.int32)
    neighborhood = Neighborhood.by_product(rows)
    return transposed(
        neighborhood.nearest_in_blocks(rows, None, itself, None if count == ALL else count)
    )


def user_term(near: csr_array, choices: csr_array) -> Floats:
    """Give ``S_u R`` for queries with these neighbours."""  # (B, n_items)
    return dense_sparse(parts(near), parts(choices), choices.shape[1])


def item_term(history: csr_array, similarity: csr_array) -> Floats:
    """Give ``R S_i``, or ``S_u R S_i`` where the history is ``S_u R``."""  # (B, n_items)
    return dense_sparse(parts(history), parts(similarity), similarity.shape[1])


def factors(term: Floats, rescaled: bool) -> NDArray[np.float64]:
    """Give what brings each query's largest score to 1; ones where nothing is rescaled."""  # (B,)
    if not rescaled:
        return np.ones(len(term))
    return inverse(term.max(axis=1, initial=0).astype(np.float64))
