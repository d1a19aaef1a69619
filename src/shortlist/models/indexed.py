"""Approximate search: a model of vectors behind an HNSW graph, with exact scores and filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist import extras
from shortlist.bundle.declarations import Checked, Context, Setting
from shortlist.bundle.declarations import Fitted as FittedModel
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.errors import BundleError, CapabilityError
from shortlist.kernels.scores import pair_scores
from shortlist.kernels.threads import thread_count
from shortlist.models.base import Fitted, Model
from shortlist.models.composite import CompositeModel, ModelSpec, known_users
from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.models.foreign_formats import check_graph_bytes
from shortlist.progress import track
from shortlist.scoring.capabilities import ComparesItems, Explains, Parts, cannot
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, FactorScores, Floats, Scores
from shortlist.scoring.selection import Best, Eligible, dense, top_k

RECALL_USERS = 500  # users on whom the recall of the graph is measured
RECALL_K = 10  # the length of their lists
MASK_MARGIN = 2  # with a mask, fetch this many times the expected number of candidates
_ADDED = 500  # items added to the graph at a time: after each, Ctrl-C is noticed
EXACT_SHARE = 2_000  # fetching more than 1 / 2,000 of the catalogue is slower than exact scoring


class IndexedConfig(ModelConfig):
    """Settings of :class:`Indexed`."""

    model: ModelSpec = hyper(
        ModelSpec(model="IALS"), "The model whose vectors are searched: unfitted, or its name."
    )
    connectivity: int = hyper(
        16, "Neighbours per item in the graph.", ge=2, le=256, search=Search(8, 64, "log")
    )
    expansion_add: int = hyper(128, "Candidates examined when an item is added.", ge=1)
    expansion_search: int = hyper(
        128,
        "Candidates examined when the graph is searched; more raise recall and take longer.",
        ge=1,
        search=Search(32, 1024, "log"),
    )


def _check_graph(graph: Any, context: Context) -> None:
    """Check the graph against the vectors of the fitted model."""
    if not isinstance(graph, np.ndarray):
        raise ValueError(f"is a {type(graph).__name__}, expected an array of bytes")
    model = context.values["model"]
    if not context.data.n_users:
        raise ValueError("is of data without users")
    columns = _factors_of_users(model, np.zeros(1, dtype=np.int32)).items.columns
    check_graph_bytes(graph, context.data.n_items, columns.shape[0])


@dataclass(frozen=True)
class IndexedLearned:
    """The fitted model, and the graph over its items."""

    model: Annotated[Model[Any, Any], FittedModel("model")]
    graph: Annotated[NDArray[np.uint8], Checked("graph of usearch", _check_graph)]
    expansion_search: Annotated[int, Setting("expansion_search")]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: not what is computed, as usearch has no pickle."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def items(self) -> Floats:
        """The item vectors."""  # (n_items, f)
        first_user = np.zeros(1, dtype=np.int32)  # the items are the same for every query
        return item_rows(_factors_of_users(self.model, first_user))

    @cached_property
    def index(self) -> Any:
        """The graph, ready to be searched."""
        extras.require("index", "searching an index")
        return open_graph(self.graph, self.model.data.n_items, self.expansion_search)


class Indexed(CompositeModel[IndexedConfig, IndexedLearned]):
    """Search the vectors of a model in an HNSW graph (Malkov & Yashunin 2018, by usearch).

    Scores are inner products, and the graph is built with the same inner product (Morozov &
    Babenko, NeurIPS 2018). Items that the graph finds are scored exactly and sorted, so the index
    may miss an item, but scores are always exact. All other models search exactly;
    ``benchmarks/index.py`` shows from which size of the catalogue an index pays.

    A list holds exactly k items wherever k items are eligible. For each query, the graph is first
    asked for as many items as should contain k eligible items, given the number of ineligible
    items, then for twice as many, and so on. A query that would need more than one item in 2,000 of
    the catalogue is answered exactly, which is then faster. So with fewer than some ten thousand
    items every list is exact. ``score`` is always exact.

    The graph is built by one thread in the order of the items, so the same data give the same
    graph; it is searched by all threads. ``history`` holds the recall of the exact top 10, measured
    on up to 500 users.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from shortlist.models.ials.model import IALS
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Indexed(model=IALS(embedding_size=4)).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    extra = "index"

    @property
    def inner_models(self) -> tuple[Model[Any, Any], ...]:
        """The model whose vectors are searched."""
        return (self.config.model.make() if self._learned is None else self._learned.model,)

    def learn(self, data: Dataset) -> Fitted[IndexedLearned]:
        """Fit the model, build the graph over its items, and measure its recall."""
        config = self.config
        model = config.model.make().fit(data)
        active = np.flatnonzero(data.user_counts).astype(np.int32)
        sampled = np.random.default_rng(0).permutation(active)[:RECALL_USERS]
        scores = _factors_of_users(model, np.sort(sampled))
        graph = build_graph(item_rows(scores), config.connectivity, config.expansion_add)
        index = open_graph(graph, data.n_items, config.expansion_search)
        recall = _recall(index, scores, data)
        history = pa.table({"epoch": [1], f"recall@{RECALL_K}": [recall]})
        return Fitted(IndexedLearned(model, graph, config.expansion_search), history)

    def score(self, profiles: Profiles) -> Scores:
        """Score by the model, exactly."""
        return self.learned.model.score(profiles)

    def best(self, profiles: Profiles, eligible: Eligible, k: int) -> Best:
        """Search the graph; score exactly where it finds too few eligible items."""
        learned = self.learned
        scores = _factors(learned.model, profiles)
        return search(learned.index, learned.items, scores, eligible, k)

    def ranked_scores(self, profiles: Profiles, eligible: Eligible, k: int) -> Scores:
        """Score by the model; an item that the search missed gets less than the last on the list.

        Scores are written out: 4 bytes for each query and item.
        """
        block = dense(self.score(profiles))
        listed = self.best(profiles, eligible, k)
        last = listed.scores[:, -1:]  # NaN if the list is not full: then no item was missed
        scores = np.where(block > last, np.nextafter(last, np.float32(-np.inf)), block)
        queries, ranks = np.nonzero(listed.rows != UNKNOWN)
        items = listed.rows[queries, ranks]
        scores[queries, items] = block[queries, items]
        return DenseScores(scores)

    def similar_scores(self, items: Rows) -> Scores:
        """Compare items by the model, exactly."""
        model = self.learned.model
        if not isinstance(model, ComparesItems):
            raise cannot(model, ComparesItems)
        return model.similar_scores(items)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the parts of the model's scores."""
        model = self.learned.model
        if not isinstance(model, Explains):
            raise cannot(model, Explains)
        return model.parts_of(profiles, items)


def _factors_of_users(model: Model[Any, Any], users: Rows) -> FactorScores:
    return _factors(model, known_users(model.data, users, [model]))


def _factors(model: Model[Any, Any], profiles: Profiles) -> FactorScores:
    scores = model.score(profiles)
    if not isinstance(scores, FactorScores):
        raise CapabilityError(
            f"{model.name} does not score by vectors, so there is nothing to index",
            where="Indexed(model=...)",
            remedy="choose IALS, MatrixFactorization or Retrieval, or use the model as it is",
        )
    return scores


def _recall(index: Any, scores: FactorScores, data: Dataset) -> float:
    """Measure the share of the exact top items that the graph finds."""
    k, n_users = min(RECALL_K, data.n_items), len(scores.queries)
    exact = top_k(scores, Eligible.everything(n_users, data.popularity_order), k).rows
    listed = nearest(index, scores.queries, k)
    hits = [np.isin(row, candidates).mean() for row, candidates in zip(exact, listed, strict=True)]
    return float(np.mean(hits))


def item_rows(scores: FactorScores) -> Floats:
    """Return the item vectors of factor scores, one row per item."""  # (n_items, f)
    return np.ascontiguousarray(scores.items.columns.T)


def build_graph(vectors: Floats, connectivity: int, expansion_add: int) -> NDArray[np.uint8]:
    """Build the graph with one thread, so that it is the same every time; serialise it.

    The alternative of Bachrach et al. (RecSys 2014), which makes all vectors equally long by one
    more coordinate and then searches by angle, was measured: with 128 candidates its recall of the
    top 10 was .58 to .97, where this graph has .99 to 1.
    """
    from usearch.index import Index

    index = Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="f32",
        connectivity=connectivity,
        expansion_add=expansion_add,
    )
    keys = np.arange(len(vectors), dtype=np.uint64)
    for start in track(range(0, len(vectors), _ADDED), "building the index"):
        added = slice(start, start + _ADDED)
        try:
            index.add(keys[added], vectors[added], threads=1)
        except RuntimeError as error:
            if "terminated" in str(error).lower():  # usearch noticed Ctrl-C itself
                raise KeyboardInterrupt from error
            raise
    return np.frombuffer(index.save() or b"", dtype=np.uint8)


def open_graph(graph: NDArray[np.uint8], n_items: int, expansion_search: int) -> Any:
    """Read a serialised graph, ready to be searched; BundleError if it is not of this catalogue."""
    from usearch.index import Index

    try:
        index: Any = Index.restore(graph.tobytes())
    except (ValueError, RuntimeError) as error:
        raise _damaged(str(error)) from error
    if index is None or len(index) != n_items:
        raise _damaged(f"it holds {0 if index is None else len(index)} items, not {n_items}")
    index.expansion_search = expansion_search
    return index


def search(index: Any, items: Floats, scores: FactorScores, eligible: Eligible, k: int) -> Best:
    """Return the best eligible items of each query, as described in :class:`Indexed`.

    Queries are independent: the result of a query does not depend on the other queries.
    """
    n_items = len(items)
    best = Best.empty(len(scores.queries), k)
    sizes = _first_sizes(eligible, k, n_items)
    max_size = n_items // EXACT_SHARE
    pending = np.flatnonzero(sizes <= max_size)
    exact = np.flatnonzero(sizes > max_size)
    while len(pending):
        batch = pending[sizes[pending] == sizes[pending].min()]
        size, queries = int(sizes[batch[0]]), scores.queries[batch]
        lists = _best_of_graph(index, items, queries, eligible.take(batch), k, size)
        complete = lists.rows[:, -1] != UNKNOWN
        best.rows[batch[complete]] = lists.rows[complete]
        best.scores[batch[complete]] = lists.scores[complete]
        short = batch[~complete]
        sizes[short] *= 2
        pending = np.concatenate([np.setdiff1d(pending, batch), short[sizes[short] <= max_size]])
        exact = np.concatenate([exact, short[sizes[short] > max_size]])
    if len(exact):
        exact_scores = FactorScores(scores.queries[exact], scores.items)
        best.rows[exact], best.scores[exact] = top_k(exact_scores, eligible.take(exact), k)
    return best


def nearest(index: Any, queries: Floats, size: int) -> Rows:
    """Return ``size`` items that the graph finds for each query, padded with -1."""  # (B, size)
    matches: Any = index.search(queries, size, threads=thread_count())
    keys = np.atleast_2d(matches.keys)  # usearch returns a vector for a single query
    counts = np.asarray(getattr(matches, "counts", [keys.shape[1]]))
    rows = np.full((len(queries), size), UNKNOWN, dtype=np.int32)
    valid = np.arange(keys.shape[1]) < counts[:, np.newaxis]
    rows[:, : keys.shape[1]][valid] = keys[valid].astype(np.int32)
    return rows


def _first_sizes(eligible: Eligible, k: int, n_items: int) -> NDArray[np.int64]:
    """Return how many items to fetch first for each query, as powers of 2."""  # (B,)
    needed = k + np.diff(eligible.excluded_indptr)
    masked = eligible.mask_of >= 0
    if masked.any():
        allowed = np.maximum(eligible.masks.sum(axis=1), 1)[eligible.mask_of[masked]]
        needed[masked] = needed[masked] * n_items * MASK_MARGIN // allowed
    sizes: NDArray[np.int64] = 2 ** np.ceil(np.log2(needed)).astype(np.int64)
    return sizes


def _best_of_graph(
    index: Any, items: Floats, queries: Floats, eligible: Eligible, k: int, size: int
) -> Best:
    """Return the best eligible items among ``size`` items of the graph, padded."""
    rows = nearest(index, queries, size)  # (B, size)
    owners, columns = np.nonzero(rows != UNKNOWN)
    candidates = rows[owners, columns]
    kept = eligible.contains(owners, candidates)
    owners, candidates = owners[kept], np.ascontiguousarray(candidates[kept])
    indptr = np.searchsorted(owners, np.arange(len(rows) + 1)).astype(np.int64)
    scores = pair_scores(np.ascontiguousarray(queries), items, indptr, candidates)
    order = np.lexsort((eligible.order[candidates], -scores, owners))
    ranks = np.arange(len(order)) - indptr[:-1][owners]
    in_list = ranks < k
    best = Best.empty(len(rows), k)
    cells = owners[in_list], ranks[in_list]
    best.rows[cells], best.scores[cells] = candidates[order[in_list]], scores[order[in_list]]
    return best


def _damaged(reason: str) -> BundleError:
    return BundleError(f"the index is damaged: {reason}", remedy="fit and save the model again")
