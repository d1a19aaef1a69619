"""Reference lists by brute force: all scores are computed, sorted, and cut at k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.vocabulary import Id
from shortlist.models.base import Model
from shortlist.recommend.recommender import dense_scores
from shortlist.scoring.selection import dense

Entries = list[tuple[Id, Id, int, float]]  # query, listed id, rank, score


def rows_of(table: pa.Table) -> Entries:
    """Return the first four columns of a result, row by row: query, listed id, rank, score."""
    columns = [table.column(position).to_pylist() for position in range(4)]
    return list(zip(*columns, strict=True))


def best_items(
    model: Model[Any, Any],
    k: int,
    *,
    exclude_seen: bool = True,
    eligible: NDArray[np.bool_] | None = None,
) -> Entries:
    """List the ``k`` best items of every user in training.

    Parameters
    ----------
    model
        A fitted model.
    k
        Length of the lists.
    exclude_seen
        Whether to leave out the training items of each user.
    eligible
        Whether each item may be listed; None: all may.  # (n_items,)
    """
    data = model.data
    scores = dense_scores(model, np.arange(data.n_users, dtype=np.int32))
    allowed = np.ones(scores.shape, dtype=bool)
    if eligible is not None:
        allowed &= eligible
    if exclude_seen:
        allowed[data.user_rows, data.item_rows] = False
    users, items = data.users.ids.to_pylist(), data.items.ids.to_pylist()
    return _entries(users, items, scores, allowed, data.popularity_order, k)


def best_users(
    model: Model[Any, Any], items: Sequence[Id], k: int, *, exclude_seen: bool
) -> Entries:
    """List the ``k`` users with the highest scores for each item; ties by id."""
    data = model.data
    scores = dense_scores(model, np.arange(data.n_users, dtype=np.int32)).T
    allowed = np.ones(scores.shape, dtype=bool)
    has_features = model.uses_features and data.user_features is not None
    if model.needs_history and not has_features:  # users without a history have no score
        allowed[:, data.user_counts == 0] = False
    if exclude_seen:
        allowed[data.item_rows, data.user_rows] = False
    item_rows = data.items.require(items)
    users, order = data.users.ids.to_pylist(), np.arange(data.n_users)
    return _entries(items, users, scores[item_rows], allowed[item_rows], order, k)


def like_items(model: Any, items: Sequence[Id], k: int) -> Entries:
    """List the ``k`` items most similar to each item, by a model that compares items."""
    data = model.data
    item_rows = data.items.require(items)
    scores = dense(model.similar_scores(item_rows))
    allowed = np.arange(data.n_items) != item_rows[:, np.newaxis]
    return _entries(items, data.items.ids.to_pylist(), scores, allowed, data.popularity_order, k)


def _entries(
    queries: Sequence[Id],
    ids: Sequence[Id],
    scores: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    order: NDArray[Any],
    k: int,
) -> Entries:
    entries: Entries = []
    for query, values, mask in zip(queries, scores, allowed, strict=True):
        best = [row for row in np.lexsort((order, -values)) if mask[row]][:k]
        entries += [(query, ids[row], rank, float(values[row])) for rank, row in enumerate(best, 1)]
    return entries
