"""Lists by brute force: every score written out, sorted, and cut. Slow and obvious."""

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

Listed = list[tuple[Id, Id, int, float]]  # who or what for, what, rank, score


def rows_of(table: pa.Table) -> Listed:
    """Give a result as (first column, second column, rank, score)."""
    columns = [table.column(place).to_pylist() for place in range(4)]
    return list(zip(*columns, strict=True))


def best_items(
    model: Model[Any, Any],
    k: int,
    *,
    exclude_seen: bool = True,
    eligible: NDArray[np.bool_] | None = None,
) -> Listed:
    """List the ``k`` best items of every user in training.

    Parameters
    ----------
    model
        A fitted model.
    k
        How many.
    exclude_seen
        Leave out what each user chose.
    eligible
        Which items may be listed; None: all.  # (n_items,)
    """
    data = model.data
    scores = dense_scores(model, np.arange(data.n_users, dtype=np.int32))
    allowed = np.ones(scores.shape, dtype=bool)
    if eligible is not None:
        allowed &= eligible
    if exclude_seen:
        allowed[data.user_rows, data.item_rows] = False
    users, items = data.users.ids.to_pylist(), data.items.ids.to_pylist()
    return _listed(users, items, scores, allowed, data.popularity_order, k)


def best_users(
    model: Model[Any, Any], items: Sequence[Id], k: int, *, exclude_seen: bool
) -> Listed:
    """List the ``k`` users that each item suits best; of equal ones the first by id."""
    data = model.data
    scores = dense_scores(model, np.arange(data.n_users, dtype=np.int32)).T
    allowed = np.ones(scores.shape, dtype=bool)
    told = model.uses_features and data.user_features is not None
    if model.needs_history and not told:  # somebody without a history has no score
        allowed[:, data.user_counts == 0] = False
    if exclude_seen:
        allowed[data.item_rows, data.user_rows] = False
    asked = data.items.require(items)
    users, order = data.users.ids.to_pylist(), np.arange(data.n_users)
    return _listed(items, users, scores[asked], allowed[asked], order, k)


def like_items(model: Any, items: Sequence[Id], k: int) -> Listed:
    """List the ``k`` items most like each item, by a model that compares items."""
    data = model.data
    asked = data.items.require(items)
    scores = dense(model.similar_scores(asked))
    allowed = np.arange(data.n_items) != asked[:, np.newaxis]
    return _listed(items, data.items.ids.to_pylist(), scores, allowed, data.popularity_order, k)


def _listed(
    asked: Sequence[Id],
    ids: Sequence[Id],
    scores: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    order: NDArray[Any],
    k: int,
) -> Listed:
    listed: Listed = []
    for who, own, may in zip(asked, scores, allowed, strict=True):
        best = [row for row in np.lexsort((order, -own)) if may[row]][:k]
        listed += [(who, ids[row], rank, float(own[row])) for rank, row in enumerate(best, 1)]
    return listed
