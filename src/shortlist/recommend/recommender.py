"""The one place where scores become lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.data.rules.where import Mask
from shortlist.data.vocabulary import Id, Rows
from shortlist.engine.base import FEWEST_QUERIES
from shortlist.errors import InputError
from shortlist.machine import require_memory
from shortlist.recommend.diversity import Variety
from shortlist.recommend.notes import notes_on, notes_on_rule
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.requests import Requests, resolve
from shortlist.recommend.result import Recommendations
from shortlist.recommend.rules import Rules
from shortlist.scoring.capabilities import Shortlists
from shortlist.scoring.finite import require_complete, require_finite_scores
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scorer import Scorer, known_profiles
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors
from shortlist.scoring.selection import Best, Eligible, dense, top_k
from shortlist.scoring.sparse import csr_arrays

Block: TypeAlias = tuple[Best, NDArray[np.bool_]]  # lists, and which hold popular items instead

_ROW_BYTES = 24  # of a row of the result beside its ids: rank, score, source, title
_LITTLE = 1 << 20  # looking at the free memory takes longer than a list
PACK_FROM = 256  # queries from which packing the item vectors pays


@dataclass(frozen=True)
class ListOptions:
    """The arguments of :meth:`Model.recommend` that every list of a call has in common."""

    k: int
    exclude_seen: bool
    rules: Rules
    on_unknown: OnUnknown
    diversity: float

    @property
    def strict(self) -> bool:
        """Whether an unknown id is an error."""
        return self.on_unknown == "raise"


@dataclass(frozen=True)
class ListTask:
    """Lists the best items of a block of requests."""

    model: Scorer
    requests: Requests
    options: ListOptions
    met: Mask | None  # the items that meet the rule of the call; None: there is none, (n_items,)
    common: Mask | None  # those that all rules of the call allow; None: all, (n_items,)
    variety: Variety | None

    @classmethod
    def of(
        cls,
        model: Scorer,
        users: Iterable[Id] | None,
        queries: Iterable[Query] | None,
        options: ListOptions,
    ) -> ListTask:
        """Check the arguments and look up their ids; :meth:`Model.recommend` documents them."""
        check_k(options.k)
        variety = Variety.of(options.diversity, model.data)
        requests = resolve(model, users, queries, options.on_unknown)
        rules, met = options.rules, options.rules.met(model.data)
        common = None if rules.empty else rules.mask(model.data, strict=options.strict, met=met)
        if len(requests) >= PACK_FROM:
            pack_items(model)
        return cls(model, requests, options, met, common, variety)

    def __call__(self, block: range) -> Block:
        """Return the lists of a block, and which of them hold popular items instead."""
        model, n_items = self.model, self.model.data.n_items
        profiles = self.requests.profiles(block, model)
        eligible = self.eligible(block, profiles)
        k = min(self.options.k, n_items)
        if self.variety is None:
            return best_items(model, profiles, eligible, k)
        longer = self.variety.candidates(k, n_items)
        best, fallback = best_items(model, profiles, eligible, longer)
        return self.variety.pick(best, k), fallback

    def eligible(self, block: range, profiles: Profiles) -> Eligible:
        """Return the items that the lists of a block may hold."""
        data, rules = self.model.data, self.requests.rules
        seen = np.zeros(len(block) + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
        if self.options.exclude_seen:
            seen = csr_arrays(profiles.excluded)[:2]
        eligible = Eligible.excluding(*seen, data.popularity_order, self.common)
        if rules is None:
            return eligible
        own = rules[block.start : block.stop]
        masks, mask_of = _masks(data, self.common, own, self.options.strict)
        return eligible._replace(masks=masks, mask_of=mask_of)


def recommend(
    model: Scorer,
    users: Iterable[Id] | None,
    queries: Iterable[Query] | None,
    options: ListOptions,
) -> Recommendations:
    """List the best eligible items; :meth:`Model.recommend` documents the arguments."""
    task = ListTask.of(model, users, queries, options)
    requests, data, k = task.requests, model.data, options.k
    if (table_bytes := memory_of_lists(data, len(requests), k)) > _LITTLE:
        require_memory(
            f"a table with {k} items for each of {len(requests):,} queries",
            table_bytes,
            "list fewer users at a time, or write the lists part by part into a folder: "
            "recommend_to(FOLDER), --out FOLDER/",
        )
    masks = 0 if requests.rules is None else data.n_items  # each query may have one of its own
    memory = model.bytes_per_query + masks
    blocks = engine.current().map_rows(task, len(requests), memory, "recommending", FEWEST_QUERIES)
    lists = Recommendations.assemble(blocks, (requests.label, requests.labels), model, k)
    on_rule = notes_on_rule(data.item_features, options.rules.rule, task.met, "item")
    return replace(lists, notes=(*notes_on(model, requests, lists.table), *on_rule))


def memory_of_lists(data: Dataset, count: int, k: int) -> int:
    """Return about the bytes of a table with lists of ``k`` items for ``count`` users."""
    ids: float = sum(each.nbytes / max(len(each), 1) for each in (data.users.ids, data.items.ids))
    return round(count * min(k, data.n_items) * (ids + _ROW_BYTES))


def check_k(k: int) -> None:
    """Raise an InputError unless ``k`` is a list length of 1 or more."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k={k!r} is not a list length", remedy="pass a whole number of 1 or more")


def best_items(
    model: Scorer, profiles: Profiles, eligible: Eligible, k: int
) -> tuple[Best, NDArray[np.bool_]]:
    """Return the best items of each query, and which queries got popular items instead."""
    fallback = ~model.can_score(profiles)  # (B,)
    if not fallback.any():
        return _best_scored(model, profiles, eligible, k), fallback
    best = Best.empty(len(profiles), k)
    unknown, known = np.flatnonzero(fallback), np.flatnonzero(~fallback)
    popular = eligible.take(unknown).first(k)  # its order is that of popularity
    best.rows[unknown] = popular
    best.scores[unknown] = np.where(popular >= 0, model.data.item_counts[popular], np.nan)
    if len(known):
        scored = _best_scored(model, profiles.take(known), eligible.take(known), k)
        best.rows[known], best.scores[known] = scored
    return best, fallback


def dense_scores(model: Scorer, user_rows: Rows) -> Floats:
    """Write out the scores (B, n_items) that ``recommend`` ranks the items of users (B,) by."""
    profiles = known_profiles(model, user_rows)
    fallback = ~model.can_score(profiles)
    if not fallback.any():
        return dense(model.score(profiles))
    block = np.empty((len(user_rows), model.data.n_items), dtype=np.float32)
    block[fallback] = model.data.item_counts
    known = np.flatnonzero(~fallback)
    if len(known):
        block[known] = dense(model.score(profiles.take(known)))
    return block


def popularity_scores(counts: Floats, n_queries: int) -> FactorScores:
    """Score the catalogue by popularity, the same for every query."""  # (n_queries, n_items)
    return FactorScores(np.ones((n_queries, 1), dtype=np.float32), ItemFactors(counts[np.newaxis]))


def pack_items(model: Scorer) -> None:
    """Pack the item vectors that a fitted model holds, for many queries or many small batches.

    Takes as much memory again as the vectors; lists keep their bits. Does nothing without vectors.
    """
    if isinstance(model, Shortlists) or not model.data.n_users:
        return
    profiles = known_profiles(model, np.array([np.argmax(model.data.user_counts)], dtype=np.int32))
    if model.can_score(profiles).all():
        scores = model.score(profiles)
        if isinstance(scores, FactorScores):
            scores.items.pack()


def _best_scored(model: Scorer, profiles: Profiles, eligible: Eligible, k: int) -> Best:
    with np.errstate(over="ignore", invalid="ignore"):  # checked here
        if isinstance(model, Shortlists):
            best = model.best(profiles, eligible, k)
        else:
            scores = model.score(profiles)
            require_finite_scores(model.name, scores)
            best = top_k(scores, eligible, k)
    require_complete(model.name, best, eligible)
    return best


def _masks(
    data: Dataset, common: Mask | None, rules: Sequence[Rules], strict: bool
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Return the distinct masks of queries, and the row of each query's mask."""
    masks: list[Mask] = []
    row_of: dict[Any, int] = {}
    mask_of = np.empty(len(rules), dtype=np.int32)
    for query, query_rules in enumerate(rules):
        key = query_rules.key
        if key not in row_of:
            row_of[key] = len(masks)
            mask = query_rules.mask(data, strict=strict)
            masks.append(mask if common is None else mask & common)
        mask_of[query] = row_of[key]
    return np.stack(masks), mask_of
