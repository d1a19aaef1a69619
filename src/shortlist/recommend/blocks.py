"""Scores of a block of queries and the best of them, or what is popular for somebody unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import Rows
from shortlist.models.base import Model
from shortlist.models.popularity import popularity_scores
from shortlist.recommend.requests import Requests
from shortlist.scoring.capabilities import Shortlists
from shortlist.scoring.packed import keep_packed
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.selection import Best, Eligible, dense, top_k


def blank(model: Model[Any, Any], profiles: Profiles) -> NDArray[np.bool_]:
    """Say of which queries the model knows nothing: they get what is popular."""  # (B,)
    return ~model.knows(profiles)


def dense_scores(model: Model[Any, Any], user_rows: Rows) -> Floats:
    """Give the scores of known users that ``recommend`` ranks them by, written out.

    Parameters
    ----------
    model
        A fitted model.
    user_rows
        Rows of users in the model's data.  # (B,)
    """  # (B, n_items)
    requests = Requests("user_id", model.data.users.take(user_rows), user_rows)
    profiles = requests.profiles(range(len(user_rows)), model)
    unknown = blank(model, profiles)
    if not unknown.any():
        return dense(model.score(profiles))
    block = np.empty((len(user_rows), model.data.n_items), dtype=np.float32)
    block[unknown] = model.data.item_counts
    known = np.flatnonzero(~unknown)
    if len(known):
        block[known] = dense(model.score(profiles.take(known)))
    return block


def make_ready(model: Model[Any, Any]) -> None:
    """Lay the items of a model out for many small batches, for as much memory again as they take.

    Lists stay the same, bit for bit. A model without item vectors has nothing to lay out.

    Parameters
    ----------
    model
        A fitted model that is about to answer requests.
    """
    data = model.data
    if isinstance(model, Shortlists) or not data.n_users:
        return
    row = np.array([np.argmax(data.user_counts)], dtype=np.int32)  # somebody with a history
    profiles = Requests("user_id", data.users.take(row), row).profiles(range(1), model)
    if not blank(model, profiles).any():
        keep_packed(model.score(profiles))


def best_items(
    model: Model[Any, Any], profiles: Profiles, eligible: Eligible, k: int
) -> tuple[Best, NDArray[np.bool_]]:
    """Give the best items of each query, and who got what is popular instead."""
    unknown = blank(model, profiles)
    if not unknown.any():
        return _best_known(model, profiles, eligible, k), unknown
    best = Best(
        np.empty((len(profiles), k), dtype=np.int32), np.empty((len(profiles), k), dtype=np.float32)
    )
    new = np.flatnonzero(unknown)
    counts = model.data.item_counts.astype(np.float32)
    popular = popularity_scores(counts, len(new))
    best.rows[new], best.scores[new] = top_k(popular, eligible.take(new), k)
    known = np.flatnonzero(~unknown)
    if len(known):
        found = _best_known(model, profiles.take(known), eligible.take(known), k)
        best.rows[known], best.scores[known] = found
    return best, unknown


def _best_known(model: Model[Any, Any], profiles: Profiles, eligible: Eligible, k: int) -> Best:
    if isinstance(model, Shortlists):
        return model.best(profiles, eligible, k)
    return top_k(model.score(profiles), eligible, k)
