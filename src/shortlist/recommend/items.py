"""Lists for items: the items most similar to an item, and the users whom it suits best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial, reduce
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.data.rules.where import Mask, Where, matches, parse_where
from shortlist.data.vocabulary import UNKNOWN, Id, Rows
from shortlist.engine.base import FEWEST_QUERIES
from shortlist.errors import ConfigError
from shortlist.recommend.notes import notes_on_rule
from shortlist.recommend.query import OnUnknownItem
from shortlist.recommend.recommender import check_k
from shortlist.recommend.requests import Requests, of_ids
from shortlist.recommend.result import Recommendations
from shortlist.recommend.rules import Rules
from shortlist.scoring.capabilities import ComparesItems, cannot
from shortlist.scoring.finite import require_complete, require_finite_scores
from shortlist.scoring.scorer import Scorer, known_profiles
from shortlist.scoring.scores import DenseScores
from shortlist.scoring.selection import Best, Columns, Eligible, top_k
from shortlist.scoring.sparse import transposed

ITEMS_PER_PASS = 256  # items whose audience is computed in one pass over the users


def similar(
    model: Scorer, items: Iterable[Id], k: int, rules: Rules, on_unknown: OnUnknownItem
) -> Recommendations:
    """List the items most similar to each item; :meth:`Model.similar` documents the arguments.

    The first column of the result, ``query_item_id``, is the item that others are compared with.
    """
    check_k(k)
    if not isinstance(model, ComparesItems):
        raise cannot(model, ComparesItems)
    data = model.data
    requests = _requests(data, "query_item_id", items, on_unknown)
    met = rules.met(data)
    mask = None if rules.empty else rules.mask(data, strict=on_unknown == "raise", met=met)
    task = partial(_similar_block, model, requests.users, mask, min(k, data.n_items))
    blocks = engine.current().map_rows(
        task, len(requests), model.bytes_per_query, "similar items", FEWEST_QUERIES
    )
    lists = Recommendations.assemble(blocks, (requests.label, requests.labels), model, k)
    return replace(lists, notes=notes_on_rule(data.item_features, rules.rule, met, "item"))


def _similar_block(
    model: Any, items: Rows, mask: Mask | None, k: int, block: range
) -> tuple[Best, NDArray[np.bool_]]:
    rows = items[block.start : block.stop]
    itself = np.arange(len(rows) + 1, dtype=np.int64), rows  # an item is not similar to itself
    eligible = Eligible.excluding(*itself, model.data.popularity_order, mask)
    scores = model.similar_scores(rows)
    require_finite_scores(model.name, scores)
    best = top_k(scores, eligible, k)
    require_complete(model.name, best, eligible)
    return best, np.zeros(len(rows), dtype=bool)


def audience(
    model: Scorer,
    items: Iterable[Id],
    k: int,
    exclude_seen: bool,
    on_unknown: OnUnknownItem,
    where: Where | None = None,
) -> Recommendations:
    """List the users whom each item suits best; :meth:`Model.audience` documents the arguments.

    Users whom the model cannot score are not listed.
    """
    check_k(k)
    data = model.data
    requests = _requests(data, "item_id", items, on_unknown)
    k = min(k, data.n_users)
    choosers = transposed(data.excluded)
    rule = None if where is None else parse_where(where)
    allowed = None if rule is None else matches(data.user_features, rule, where, "user")
    passes = []
    for start in range(0, len(requests), ITEMS_PER_PASS):
        rows = requests.users[start : start + ITEMS_PER_PASS]
        seen = choosers[rows] if exclude_seen else None
        task = partial(_audience_block, model, Columns(rows), seen, allowed, k)
        memory = model.bytes_per_query + 8 * data.n_items  # scores are written out
        blocks = engine.current().map_rows(task, data.n_users, memory, "audience")
        best = reduce(partial(_merged, k), blocks, Best.empty(len(rows)))
        passes.append((best, np.zeros(len(rows), dtype=bool)))
    labels = requests.label, requests.labels
    lists = Recommendations.assemble(passes, labels, model, k, requests.users)
    return replace(lists, notes=notes_on_rule(data.user_features, rule, allowed, "user"))


def _audience_block(
    model: Scorer,
    columns: Columns,
    choosers: csr_array | None,
    allowed: Mask | None,
    k: int,
    block: range,
) -> Best:
    """Return the best users of a block for each item."""
    users = np.arange(block.start, block.stop, dtype=np.int32)
    profiles = known_profiles(model, users)
    listed = model.can_score(profiles)
    if allowed is not None:
        listed = listed & allowed[block.start : block.stop]
    scored = np.flatnonzero(listed)
    items = columns.items
    if not len(scored):
        return Best.empty(len(items))
    scores = columns.of(model.score(profiles.take(scored))).T  # (len(items), len(scored))
    require_finite_scores(model.name, DenseScores(scores))
    users = users[scored]
    position = np.full(model.data.n_users, UNKNOWN, dtype=np.int32)  # of a user in users
    position[users] = np.arange(len(users))
    indptr, excluded = np.zeros(len(items) + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
    if choosers is not None:
        positions = position[choosers.indices]
        indptr = np.concatenate([[0], np.cumsum(positions >= 0)])[choosers.indptr]
        excluded = positions[positions >= 0]
    order = np.arange(len(users), dtype=np.int32)  # of equal scores the first user comes first
    eligible = Eligible.excluding(indptr, excluded, order)
    best = top_k(DenseScores(np.ascontiguousarray(scores)), eligible, min(k, len(users)))
    return Best(np.where(best.rows >= 0, users[best.rows], UNKNOWN), best.scores)


def _merged(k: int, first: Best, second: Best) -> Best:
    """Merge two lists for the same items; of equal scores those of the first come first."""
    rows = np.concatenate([first.rows, second.rows], axis=1)
    scores = np.concatenate([first.scores, second.scores], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # padding is NaN, and comes last
    return Best(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))


def _requests(
    data: Dataset, label: str, items: Iterable[Id], on_unknown: OnUnknownItem
) -> Requests:
    if on_unknown not in get_args(OnUnknownItem):
        raise ConfigError(
            f"on_unknown={on_unknown!r}, and for an unknown item there is nothing to fall back to",
            remedy="pass 'raise' or 'skip'",
        )
    return of_ids(data.items, label, items, on_unknown)
