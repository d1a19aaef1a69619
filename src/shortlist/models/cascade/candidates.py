"""Retrieval in a cascade: the candidates of several models, and their scores by each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.kernels.scores import list_ranks
from shortlist.kernels.topk import topk_dense
from shortlist.models.base import Model
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.selection import Eligible, dense
from shortlist.scoring.sparse import csr_arrays

Stages: TypeAlias = Sequence[Model[Any, Any]]

LEVEL_RANGE = (-1.0, 2.0)  # levels are clipped: an item of the history may score far above the list


@dataclass(frozen=True)
class Candidates:
    """The union of the items that S stages return for a block of B queries: n candidates.

    Every stage scores every candidate, whichever stage returned it. The numbers of an item do not
    depend on which other items are eligible, so they are the same under any rule.
    """

    # The candidates of query b are ``items[indptr[b] : indptr[b + 1]]``, ascending.
    indptr: NDArray[np.int64]  # (B + 1,)
    items: Rows  # (n,)
    returned: NDArray[np.bool_]  # (S, n): whether each stage returned the candidate
    scores: Floats  # (S, n): the score of each stage
    # The score relative to the stage's own list: 0 for its last item, 1 for its first.
    levels: Floats  # (S, n)
    # The rank in the stage's own list; one more than its length for all items behind it.
    ranks: NDArray[np.int32]  # (S, n)
    # The queries that each stage can score; for others it returns no items and scores 0.
    can_score: NDArray[np.bool_]  # (S, B)
    blocks: list[Floats]  # S of (B, n_items): the scores of all items by each stage
    ends: Floats  # (S, 2, B): the last and the first score of each stage's own list

    @property
    def owners(self) -> NDArray[np.intp]:
        """The query of each candidate."""  # (n,)
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """Which candidates are outside the query's history: those that a stage returned."""  # (n,)
        return np.asarray(self.returned.any(axis=0))

    def only(self, kept: NDArray[np.bool_]) -> Candidates:
        """Return some of the candidates; the numbers of each stay the same."""
        lengths = np.bincount(self.owners[kept], minlength=len(self.indptr) - 1)
        return replace(
            self,
            indptr=np.append(0, np.cumsum(lengths)),
            items=self.items[kept],
            returned=self.returned[:, kept],
            scores=self.scores[:, kept],
            levels=self.levels[:, kept],
            ranks=self.ranks[:, kept],
        )


def unseen(profiles: Profiles, order: Rows) -> Eligible:
    """Make every item eligible that is neither in the query's history nor disliked."""
    indptr, indices, _ = csr_arrays(profiles.excluded)
    return Eligible.excluding(indptr, indices, order)


def retrieve(
    stages: Stages, profiles: Profiles, eligible: Eligible | None, count: int, order: Rows
) -> Candidates:
    """Collect the best ``count`` items of every stage for each query, and score them by all stages.

    ``eligible`` items may be candidates, None: every item; those of a query's own history always
    are. Of equal scores the smaller ``order`` comes first.
    """
    own = unseen(profiles, order)
    allowed = own if eligible is None else _without_history(eligible, own)
    has_rules = bool((allowed.mask_of >= 0).any())
    has_rules = has_rules or len(allowed.excluded_indices) != len(own.excluded_indices)
    blocks, own_lists, lists, can_score = [], [], [], []
    for stage in stages:
        block, scorable = _scores(stage, profiles)
        blocks.append(block)
        can_score.append(scorable)
        own_lists.append(_top(block, own, count, scorable))
        lists.append(_top(block, allowed, count, scorable) if has_rules else own_lists[-1])
    n_items = profiles.history.shape[1]
    keys = [_keys(rows, n_items) for rows in lists]
    union = np.unique(np.concatenate([*keys, _eligible_history(eligible, own)]))
    items = (union % n_items).astype(np.int32)
    indptr = np.searchsorted(union, np.arange(len(profiles) + 1) * n_items)
    owners = union // n_items
    by_stage = [
        list_ranks(block, rows, indptr, items, order)
        for block, rows in zip(blocks, own_lists, strict=True)
    ]
    scores = np.stack([stage_scores for stage_scores, _ in by_stage])  # (S, n)
    ends = np.stack([_ends(block, rows) for block, rows in zip(blocks, own_lists, strict=True)])
    return Candidates(
        indptr,
        items,
        np.stack([_marked(union, stage_keys) for stage_keys in keys]),
        scores,
        np.stack([_level(row, *end[:, owners]) for row, end in zip(scores, ends, strict=True)]),
        np.stack([ranks for _, ranks in by_stage]),
        np.stack(can_score),
        blocks,
        ends,
    )


def stage_mean(candidates: Candidates) -> Floats:
    """Return the mean of the stages' scores, each mapped to (-1, 1): the order of other items.

    ``mean over stages of z / (1 + |z|)``, where z is the level without clipping; z itself can be
    too large for a number.
    """  # (B, n_items)
    total = np.zeros(candidates.blocks[0].shape, dtype=np.float32)
    for block, (low, high) in zip(candidates.blocks, candidates.ends, strict=True):
        distance = block - low[:, np.newaxis]
        size = np.abs(distance)
        size += np.where(high > low, high - low, np.float32(1))[:, np.newaxis]
        distance /= size
        total += distance
    total /= np.float32(len(candidates.blocks))
    return total


def lowest(candidates: Candidates, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lowest of these scores of each query's unseen candidates; 0 without any.

    Candidates of the history do not count: a list may leave them out, and the other scores do not
    depend on that.
    """  # (B,)
    owners = candidates.owners[candidates.unseen]
    low = np.full(len(candidates.indptr) - 1, np.inf)
    np.minimum.at(low, owners, scores[candidates.unseen])
    low[np.bincount(owners, minlength=len(low)) == 0] = 0
    return low


def _scores(stage: Model[Any, Any], profiles: Profiles) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a stage's scores of all items, and which queries it can score."""
    scorable = stage.can_score(profiles)
    if scorable.all():
        return dense(stage.score(profiles)), scorable
    block = np.zeros((len(profiles), profiles.history.shape[1]), dtype=np.float32)
    if scorable.any():
        block[scorable] = dense(stage.score(profiles.take(np.flatnonzero(scorable))))
    return block, scorable


def _top(block: Floats, eligible: Eligible, count: int, scorable: NDArray[np.bool_]) -> Rows:
    rows = topk_dense(block, eligible, count)[0]
    rows[~scorable] = UNKNOWN
    return rows


def _without_history(eligible: Eligible, own: Eligible) -> Eligible:
    """Exclude the histories as well."""
    indices = [eligible.excluded_indices, own.excluded_indices]
    lengths = [np.diff(part.excluded_indptr) for part in (eligible, own)]
    if all(np.array_equal(first, second) for first, second in (indices, lengths)):
        return eligible
    rows = np.concatenate([np.repeat(np.arange(len(part)), part) for part in lengths])
    order = np.argsort(rows, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(sum(lengths))]).astype(np.int64)
    return eligible._replace(
        excluded_indptr=indptr, excluded_indices=np.concatenate(indices)[order].astype(np.int32)
    )


def _eligible_history(eligible: Eligible | None, own: Eligible) -> NDArray[np.int64]:
    """Return the keys of the items that are in a query's history and eligible."""
    owners = np.repeat(np.arange(len(own.mask_of)), np.diff(own.excluded_indptr))
    keys: NDArray[np.int64] = owners * len(own.order) + own.excluded_indices
    return keys if eligible is None else keys[eligible.contains(owners, own.excluded_indices)]


def _keys(lists: Rows, n_items: int) -> NDArray[np.int64]:
    """Number the entries of lists by query and item."""
    queries, columns = np.nonzero(lists != UNKNOWN)
    keys: NDArray[np.int64] = queries * n_items + lists[queries, columns]
    return keys


def _marked(union: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the ascending union are among the keys, all of which are in it."""  # (n,)
    marks = np.zeros(len(union), dtype=bool)
    marks[np.searchsorted(union, keys)] = True
    return marks


def _ends(block: Floats, lists: Rows) -> Floats:
    """Return the last and the first score of each list; 0 for an empty list."""  # (2, B)
    lengths = (lists != UNKNOWN).sum(axis=1)
    queries = np.arange(len(lists))
    last = lists[queries, np.maximum(lengths - 1, 0)]
    ends = np.stack([block[queries, last], block[queries, lists[:, 0]]])
    ends[:, lengths == 0] = 0
    return ends


def _level(scores: Floats, low: Floats, high: Floats) -> Floats:
    width = high - low
    with np.errstate(over="ignore"):  # infinite levels are clipped
        raw = np.divide(scores - low, width, out=np.zeros_like(scores), where=width > 0)
    levels: Floats = np.clip(raw, *LEVEL_RANGE)
    return levels
