"""The one place where scores become a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id
from shortlist.errors import InputError
from shortlist.models.base import Model
from shortlist.recommend.blocks import best_items, make_ready
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.requests import Requests
from shortlist.recommend.resolve import resolve
from shortlist.recommend.result import Recommendations
from shortlist.recommend.rules import Rules
from shortlist.recommend.where import Mask
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.selection import Eligible
from shortlist.scoring.sparse import parts

FALLBACK = "popularity"
MANY = 256  # queries, for which it pays to lay the items out for the kernels once and for all


def recommend(
    model: Model[Any, Any],
    users: Iterable[Id] | None,
    queries: Iterable[Query] | None,
    k: int,
    exclude_seen: bool,
    rules: Rules,
    on_unknown: OnUnknown,
) -> Recommendations:
    """List the best eligible items; :meth:`Model.recommend` documents the arguments."""
    check_k(k)
    data = model.data
    requests = resolve(model, users, queries, on_unknown)
    strict = on_unknown == "raise"
    if len(requests) >= MANY:
        make_ready(model)
    task = partial(
        _list_block,
        model=model,
        requests=requests,
        exclude_seen=exclude_seen,
        common=None if rules.empty else rules.mask(data, strict=strict),
        strict=strict,
        k=min(k, data.n_items),
    )
    blocks = engine.current().map_rows(task, len(requests), model.bytes_per_query, "recommending")
    return Recommendations.assemble(
        blocks,
        label=requests.label,
        labels=requests.labels,
        listed="item_id",
        ids=data.items.ids,
        model=model,
        k=k,
        fallback=FALLBACK,
    )


def check_k(k: int) -> None:
    """Refuse a list length below 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k={k!r} is no list length", remedy="pass a whole number of 1 or more")


def _list_block(
    block: range,
    *,
    model: Model[Any, Any],
    requests: Requests,
    exclude_seen: bool,
    common: Mask | None,
    strict: bool,
    k: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int8]]:
    data = model.data
    profiles = requests.profiles(block, model)
    own = None if requests.rules is None else requests.rules[block.start : block.stop]
    masks, mask_of = _masks(len(block), data, common, own, strict)
    eligible = Eligible(*_seen(profiles, exclude_seen), masks, mask_of, data.popularity_order)
    best, fallback = best_items(model, profiles, eligible, k)
    source = np.broadcast_to(fallback[:, np.newaxis], best.rows.shape).astype(np.int8)
    return best.rows, best.scores, source


def _seen(profiles: Profiles, exclude_seen: bool) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    if not exclude_seen:
        return np.zeros(len(profiles) + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
    indptr, indices, _ = parts(profiles.history)
    return indptr, indices


def _masks(
    count: int,
    data: Dataset,
    common: Mask | None,
    own: Sequence[Rules] | None,
    strict: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Give the distinct masks of a block, and which of them each query uses."""  # (G, n), (B,)
    if own is None:
        if common is None:
            return np.empty((0, data.n_items), dtype=bool), np.full(count, -1, dtype=np.int32)
        return common[np.newaxis], np.zeros(count, dtype=np.int32)
    masks: list[Mask] = []
    number: dict[str, int] = {}
    mask_of = np.empty(count, dtype=np.int32)
    for position, rules in enumerate(own):
        key = repr(rules)
        if key not in number:
            number[key] = len(masks)
            mask = rules.mask(data, strict=strict)
            masks.append(mask if common is None else mask & common)
        mask_of[position] = number[key]
    return np.stack(masks), mask_of
