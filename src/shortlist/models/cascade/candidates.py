"""The first half of a cascade: what each stage would list, and what it says of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.kernels.ranking import list_ranks
from shortlist.kernels.topk import topk_dense
from shortlist.models.base import Model
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.selection import Eligible, dense
from shortlist.scoring.sparse import parts

Stages = Sequence[Model[Any, Any]]

LEVELS = (-1.0, 2.0)  # a level is held between these: an item that was chosen may be far above


@dataclass(frozen=True)
class Candidates:
    """What S stages return for a block of B queries: n candidates, in rows of the catalogue.

    Of every candidate there is what every stage says, whichever stage returned it. None of it
    depends on who else is eligible: the same item gets the same numbers under any rule.

    Attributes
    ----------
    indptr, items
        The candidates of query b are ``items[indptr[b] : indptr[b + 1]]``, ascending.
    returned
        Which stage returned it.  # (S, n)
    scores
        The score that each stage gives it.  # (S, n)
    levels
        Where that score lies between the last (0) and the first (1) of the stage's own list.
    places
        The place it has, or would have, in that list; one more than its length for all behind it.
    known
        Which queries each stage knows something of; of the others it says 0 and lists nothing.
    blocks
        Every score of each stage.  # S of (B, n_items)
    ends
        The last and the first score of each stage's list.  # (S, 2, B)
    """

    indptr: NDArray[np.int64]  # (B + 1,)
    items: Rows  # (n,)
    returned: NDArray[np.bool_]  # (S, n)
    scores: Floats  # (S, n)
    levels: Floats  # (S, n)
    places: NDArray[np.int32]  # (S, n)
    known: NDArray[np.bool_]  # (S, B)
    blocks: list[Floats]
    ends: Floats

    @property
    def owners(self) -> NDArray[np.intp]:
        """The query each candidate belongs to."""  # (n,)
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


def unseen(profiles: Profiles, order: Rows) -> Eligible:
    """Let every query have what is not in its history."""
    indptr, indices, _ = parts(profiles.history)
    count = len(profiles)
    return Eligible(
        indptr,
        indices,
        np.empty((0, profiles.history.shape[1]), dtype=bool),
        np.full(count, -1, dtype=np.int32),
        order,
    )


def known_users(data: Dataset, users: Rows, stages: Stages) -> Profiles:
    """Describe training users as they stand in the data."""
    features = None
    if data.user_features is not None and any(stage.uses_features for stage in stages):
        features = data.user_features.take(pa.array(users))
    ordered = any(stage.uses_order for stage in stages)
    return Profiles(
        users,
        data.matrix[users],
        np.zeros(len(users), dtype=bool),
        features,
        data.recency[users] if ordered else None,
    )


def retrieve(
    stages: Stages, profiles: Profiles, eligible: Eligible | None, count: int, order: Rows
) -> Candidates:
    """Ask every stage for its best ``count`` of each query, and about those of the others.

    Parameters
    ----------
    stages
        Fitted models.
    profiles
        The queries.
    eligible
        Who may be a candidate; None: everything. Items of a query's own history that are eligible
        are candidates without being asked for.
    count
        How many each stage returns at most.
    order
        Which of two equal scores comes first.
    """
    own = unseen(profiles, order)
    narrowed = eligible is not None and bool((eligible.mask_of >= 0).any())
    asked = own if eligible is None else _without_history(eligible, own)
    narrowed = narrowed or len(asked.excluded_indices) != len(own.excluded_indices)
    blocks, lists, tops, known = [], [], [], []
    for stage in stages:
        block, knows = _scores(stage, profiles)
        top = topk_dense(block, own, count)[0]
        top[~knows] = UNKNOWN
        lists.append(top)
        if narrowed:
            top = topk_dense(block, asked, count)[0]
            top[~knows] = UNKNOWN
        blocks.append(block)
        tops.append(top)
        known.append(knows)
    n_items = profiles.history.shape[1]
    keys = [_keys(top, n_items) for top in tops]
    chosen = np.unique(np.concatenate([*keys, _eligible_history(eligible, own)]))
    items = (chosen % n_items).astype(np.int32)
    indptr = np.searchsorted(chosen, np.arange(len(profiles) + 1) * n_items)
    owners = chosen // n_items
    said = [
        list_ranks(block, best, indptr, items, order)
        for block, best in zip(blocks, lists, strict=True)
    ]
    scores = np.stack([one for one, _ in said])  # (S, n)
    ends = np.stack([_ends(block, best) for block, best in zip(blocks, lists, strict=True)])
    return Candidates(
        indptr,
        items,
        np.stack([np.isin(chosen, key, assume_unique=True) for key in keys]),
        scores,
        np.stack([_level(one, *end[:, owners]) for one, end in zip(scores, ends, strict=True)]),
        np.stack([one for _, one in said]),
        np.stack(known),
        blocks,
        ends,
    )


def blend(candidates: Candidates) -> Floats:
    """Give the mean over the stages of where a score lies, squeezed into -1 to 1.

    ``mean over s of z / (1 + |z|)``, with z the level, not held: it orders what is never re-ranked.
    """  # (B, n_items)
    total = np.zeros(candidates.blocks[0].shape, dtype=np.float32)
    for block, (low, high) in zip(candidates.blocks, candidates.ends, strict=True):
        width = np.where(high > low, high - low, np.float32(1))
        z = (block - low[:, np.newaxis]) / width[:, np.newaxis]
        total += z / (1 + np.abs(z))
    return total / np.float32(len(candidates.blocks))


def _scores(stage: Model[Any, Any], profiles: Profiles) -> tuple[Floats, NDArray[np.bool_]]:
    """Write out what a stage says of the catalogue, and of whom it knows something."""
    knows = stage.can_score(profiles)
    if knows.all():
        return dense(stage.score(profiles)), knows
    block = np.zeros((len(profiles), profiles.history.shape[1]), dtype=np.float32)
    if knows.any():
        block[knows] = dense(stage.score(profiles.take(np.flatnonzero(knows))))
    return block, knows


def _without_history(eligible: Eligible, own: Eligible) -> Eligible:
    """Exclude the histories as well."""
    given = [eligible.excluded_indices, own.excluded_indices]
    lengths = [np.diff(one.excluded_indptr) for one in (eligible, own)]
    if all(np.array_equal(one, other) for one, other in (given, lengths)):
        return eligible
    rows = np.concatenate([np.repeat(np.arange(len(one)), one) for one in lengths])
    order = np.argsort(rows, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(sum(lengths))]).astype(np.int64)
    return eligible._replace(
        excluded_indptr=indptr, excluded_indices=np.concatenate(given)[order].astype(np.int32)
    )


def _eligible_history(eligible: Eligible | None, own: Eligible) -> NDArray[np.int64]:
    """Give the keys of what is in a query's history and may be listed all the same."""
    n_items = own.masks.shape[1]
    owners = np.repeat(np.arange(len(own.mask_of)), np.diff(own.excluded_indptr))
    keys: NDArray[np.int64] = owners * n_items + own.excluded_indices
    if eligible is None:
        return keys
    excluded = np.repeat(np.arange(len(own.mask_of)), np.diff(eligible.excluded_indptr))
    kept = ~np.isin(keys, excluded * n_items + eligible.excluded_indices)
    mask_of = eligible.mask_of[owners]
    masked = np.flatnonzero(kept & (mask_of >= 0))
    kept[masked] = eligible.masks[mask_of[masked], own.excluded_indices[masked]]
    return keys[kept]


def _keys(top: Rows, n_items: int) -> NDArray[np.int64]:
    """Number the entries of a list by query and item."""
    queries, columns = np.nonzero(top != UNKNOWN)
    keys: NDArray[np.int64] = queries * n_items + top[queries, columns]
    return keys


def _ends(block: Floats, best: Rows) -> Floats:
    """Give the last and the first score of each list; 0 where it is empty."""  # (2, B)
    lengths = (best != UNKNOWN).sum(axis=1)
    queries = np.arange(len(best))
    last = best[queries, np.maximum(lengths - 1, 0)]
    ends = np.stack([block[queries, last], block[queries, best[:, 0]]])
    ends[:, lengths == 0] = 0
    return ends


def _level(scores: Floats, low: Floats, high: Floats) -> Floats:
    width = high - low
    raw = np.divide(scores - low, width, out=np.zeros_like(scores), where=width > 0)
    held: Floats = np.clip(raw, *LEVELS)
    return held
