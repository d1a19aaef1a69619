"""Lists that start from an item: items like it, and the users it suits."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Id, Rows
from shortlist.errors import ConfigError
from shortlist.kernels.topk import topk_dense
from shortlist.models.base import Model
from shortlist.recommend.blocks import blank
from shortlist.recommend.query import OnUnknownItem
from shortlist.recommend.recommender import check_k
from shortlist.recommend.requests import Requests, of_ids
from shortlist.recommend.result import Recommendations
from shortlist.recommend.rules import Rules
from shortlist.recommend.where import Mask
from shortlist.scoring.capabilities import ComparesItems, cannot
from shortlist.scoring.scores import Floats
from shortlist.scoring.selection import Best, Eligible, columns, top_k
from shortlist.scoring.sparse import transposed

ITEMS_A_PASS = 256  # of whom the audience is found in one pass over the users


def similar(
    model: Model[Any, Any], items: Iterable[Id], k: int, rules: Rules, on_unknown: OnUnknownItem
) -> Recommendations:
    """List the items most like each item; :meth:`Model.similar` documents the arguments.

    The result's first column, ``query_item_id``, is the item that was asked about.
    """
    check_k(k)
    if not isinstance(model, ComparesItems):
        raise cannot(model, ComparesItems)
    data = model.data
    asked = _items(data, "query_item_id", items, on_unknown)
    mask = None if rules.empty else rules.mask(data, strict=on_unknown == "raise")
    task = partial(
        _similar_block, model=model, items=asked.users, mask=mask, k=min(k, data.n_items)
    )
    blocks = engine.current().map_rows(task, len(asked), model.bytes_per_query, "similar items")
    return Recommendations.assemble(
        blocks,
        label="query_item_id",
        labels=asked.labels,
        listed="item_id",
        ids=data.items.ids,
        model=model,
        k=k,
    )


def _similar_block(
    block: range, *, model: Any, items: Rows, mask: Mask | None, k: int
) -> tuple[Rows, Floats, NDArray[np.int8]]:
    rows, data = items[block.start : block.stop], model.data
    eligible = Eligible(
        np.arange(len(rows) + 1, dtype=np.int64),
        rows,  # an item is not listed as like itself
        np.empty((0, data.n_items), dtype=bool) if mask is None else mask[np.newaxis],
        np.full(len(rows), -1 if mask is None else 0, dtype=np.int32),
        data.popularity_order,
    )
    best = top_k(model.similar_scores(rows), eligible, k)
    return best.rows, best.scores, np.zeros(best.rows.shape, dtype=np.int8)


def audience(
    model: Model[Any, Any],
    items: Iterable[Id],
    k: int,
    exclude_seen: bool,
    on_unknown: OnUnknownItem,
) -> Recommendations:
    """List the users each item suits best; :meth:`Model.audience` documents the arguments.

    Users of whom the model knows nothing have no score of their own and are not listed.
    """
    check_k(k)
    data = model.data
    asked = _items(data, "item_id", items, on_unknown)
    k = min(k, data.n_users)
    choosers = transposed(data.matrix)
    passes = []
    for start in range(0, len(asked), ITEMS_A_PASS):
        rows = asked.users[start : start + ITEMS_A_PASS]
        task = partial(
            _audience_block,
            model=model,
            items=rows,
            choosers=choosers[rows] if exclude_seen else None,
            k=k,
        )
        best = Best(np.full((len(rows), 0), -1, np.int32), np.empty((len(rows), 0), np.float32))
        blocks = engine.current().map_rows(task, data.n_users, model.bytes_per_query, "audience")
        for found in blocks:
            best = _better(best, found, k)
        passes.append((best.rows, best.scores, np.zeros(best.rows.shape, dtype=np.int8)))
    return Recommendations.assemble(
        passes,
        label="item_id",
        labels=asked.labels,
        listed="user_id",
        ids=data.users.ids,
        model=model,
        k=k,
    )


def _audience_block(
    block: range, *, model: Model[Any, Any], items: Rows, choosers: csr_array | None, k: int
) -> Best:
    """Give the best users of a block for each item."""
    users = np.arange(block.start, block.stop, dtype=np.int32)
    everyone = Requests("user_id", model.data.users.ids, np.arange(block.stop, dtype=np.int32))
    profiles = everyone.profiles(block, model)
    known = np.flatnonzero(~blank(model, profiles))
    if not len(known):
        return Best(np.full((len(items), 0), -1, np.int32), np.empty((len(items), 0), np.float32))
    scores = columns(model.score(profiles.take(known)), items).T  # (n_asked, n_known)
    place = np.full(model.data.n_users, UNKNOWN, dtype=np.int32)  # of a user among the known ones
    place[users[known]] = np.arange(len(known))
    indptr, left_out = np.zeros(len(items) + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
    if choosers is not None:
        here = place[choosers.indices]
        indptr = np.concatenate([[0], np.cumsum(here >= 0)])[choosers.indptr]
        left_out = here[here >= 0]
    best = _top(np.ascontiguousarray(scores), indptr, left_out, k)
    return Best(np.where(best.rows >= 0, users[known][best.rows], UNKNOWN), best.scores)


def _better(one: Best, other: Best, k: int) -> Best:
    """Merge two lists for the same items; of equal scores those of the first come first."""
    rows = np.concatenate([one.rows, other.rows], axis=1)
    scores = np.concatenate([one.scores, other.scores], axis=1)
    padding = rows == UNKNOWN
    indptr = np.concatenate([[0], np.cumsum(padding.sum(axis=1))])
    left_out = np.nonzero(padding)[1].astype(np.int32)
    chosen = _top(np.where(padding, np.float32(0), scores), indptr, left_out, k)
    taken = np.take_along_axis(rows, np.maximum(chosen.rows, 0), axis=1)
    return Best(np.where(chosen.rows >= 0, taken, UNKNOWN), chosen.scores)


def _top(scores: Floats, indptr: NDArray[np.int64], left_out: Rows, k: int) -> Best:
    """Give the ``k`` best columns of each row of scores, the earlier of two equal ones first."""
    count, width = scores.shape
    no_masks = np.empty((0, width), dtype=bool), np.full(count, -1, dtype=np.int32)
    order = np.arange(width, dtype=np.int32)
    return Best(*topk_dense(scores, indptr, left_out, *no_masks, order, min(k, width)))


def _items(data: Dataset, label: str, items: Iterable[Id], on_unknown: OnUnknownItem) -> Requests:
    if on_unknown not in get_args(OnUnknownItem):
        raise ConfigError(
            f"on_unknown={on_unknown!r}, and for an unknown item there is nothing to fall back to",
            remedy="pass 'raise' or 'skip'",
        )
    return of_ids(data.items, label, items, on_unknown)
