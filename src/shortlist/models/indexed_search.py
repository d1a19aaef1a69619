"""Searching a graph of vectors: building it, measuring it, and lists of exactly k from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.errors import BundleError
from shortlist.kernels.scores import pair_scores
from shortlist.kernels.threads import thread_count
from shortlist.scoring.scores import FactorScores, Floats
from shortlist.scoring.selection import Best, Eligible, top_k

SLACK = 2  # times as many are fetched as a mask that cuts evenly makes necessary
EXACT_SHARE = 2_000  # asked for more than one in so many, a graph is slower than scoring all


class Items(NamedTuple):
    """What the score of an item is made of."""

    vectors: Floats  # (n_items, f)
    bias: Floats  # (n_items,)


def items_of(scores: FactorScores) -> Items:
    """Give the items of factor scores, one a row."""
    return Items(np.ascontiguousarray(scores.items.columns.T), scores.items.offsets)


def built(items: Items, connectivity: int, expansion_add: int) -> NDArray[np.uint8]:
    """Build the graph with one thread, item by item, so that it is the same every time.

    Its edges, too, go by the inner product. Making all vectors as long as the longest by one more
    coordinate, so that the best are the nearest by angle (Bachrach et al., RecSys 2014), was
    measured beside it: with 128 candidates it found .58 to .97 of the 10 best where this finds
    .99 to 1.
    """
    from usearch.index import Index

    vectors = np.concatenate([items.vectors, items.bias[:, np.newaxis]], axis=1)  # (n_items, f + 1)
    index = Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="f32",
        connectivity=connectivity,
        expansion_add=expansion_add,
    )
    index.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=1)
    return np.frombuffer(index.save() or b"", dtype=np.uint8)


def restored(graph: NDArray[np.uint8], n_items: int, expansion_search: int) -> Any:
    """Make the graph ready to be searched.

    Raises
    ------
    BundleError
        The bytes are not a graph of this catalogue.
    """
    from usearch.index import Index

    try:
        index: Any = Index.restore(graph.tobytes())
    except (ValueError, RuntimeError) as error:
        raise _damaged(str(error)) from error
    if index is None or len(index) != n_items:
        raise _damaged(f"it holds {0 if index is None else len(index)} items, not {n_items}")
    index.expansion_search = expansion_search
    return index


def search(index: Any, items: Items, scores: FactorScores, eligible: Eligible, k: int) -> Best:
    """Give the best eligible items of each query; :class:`Indexed` says how.

    What becomes of a query depends on nothing but itself.
    """
    n_items = len(items.vectors)
    count = len(scores.queries)
    best = Best(np.full((count, k), UNKNOWN, np.int32), np.full((count, k), np.nan, np.float32))
    sizes = _first_sizes(eligible, k, n_items)
    most = n_items // EXACT_SHARE
    waiting = np.flatnonzero(sizes <= most)
    exact = np.flatnonzero(sizes > most)
    while len(waiting):
        chosen = waiting[sizes[waiting] == sizes[waiting].min()]
        size = int(sizes[chosen[0]])
        found = _found(index, items, scores.queries[chosen], eligible.take(chosen), k, size)
        done = found.rows[:, -1] != UNKNOWN
        best.rows[chosen[done]] = found.rows[done]
        best.scores[chosen[done]] = found.scores[done]
        short = chosen[~done]
        sizes[short] *= 2
        waiting = np.concatenate([np.setdiff1d(waiting, chosen), short[sizes[short] <= most]])
        exact = np.concatenate([exact, short[sizes[short] > most]])
    if len(exact):
        some = FactorScores(scores.queries[exact], scores.items)
        best.rows[exact], best.scores[exact] = top_k(some, eligible.take(exact), k)
    return best


def nearest(index: Any, queries: Floats, size: int) -> Rows:
    """Ask the graph; -1 where it found fewer."""  # (B, size)
    padded = np.zeros((len(queries), index.ndim), dtype=np.float32)
    padded[:, : queries.shape[1]] = queries
    padded[:, queries.shape[1]] = 1  # times the bias
    found: Any = index.search(padded, size, threads=thread_count())
    keys = np.atleast_2d(found.keys)  # of a single query, usearch gives a row
    counts = np.asarray(getattr(found, "counts", [keys.shape[1]]))
    rows = np.full((len(queries), size), UNKNOWN, dtype=np.int32)
    listed = np.arange(keys.shape[1]) < counts[:, np.newaxis]
    rows[:, : keys.shape[1]][listed] = keys[listed].astype(np.int32)
    return rows


def _first_sizes(eligible: Eligible, k: int, n_items: int) -> NDArray[np.int64]:
    """Say how many to ask the graph for, in powers of 2, for each query."""  # (B,)
    needed = k + np.diff(eligible.excluded_indptr)
    masked = eligible.mask_of >= 0
    if masked.any():
        allowed = np.maximum(eligible.masks.sum(axis=1), 1)[eligible.mask_of[masked]]
        needed[masked] = needed[masked] * n_items * SLACK // allowed
    sizes: NDArray[np.int64] = 2 ** np.ceil(np.log2(needed)).astype(np.int64)
    return sizes


def _found(
    index: Any, items: Items, queries: Floats, eligible: Eligible, k: int, size: int
) -> Best:
    """Give the best of what the graph finds, padded where too few of it are eligible."""
    n_items = len(items.vectors)
    rows = nearest(index, queries, size)  # (B, size)
    owners, places = np.nonzero(rows != UNKNOWN)
    found = rows[owners, places]
    excluded = np.repeat(np.arange(len(rows)), np.diff(eligible.excluded_indptr))
    keys = excluded * n_items + eligible.excluded_indices
    may = ~np.isin(owners * n_items + found, keys)
    masked = np.flatnonzero(may & (eligible.mask_of[owners] >= 0))
    may[masked] = eligible.masks[eligible.mask_of[owners[masked]], found[masked]]
    owners, found = owners[may], np.ascontiguousarray(found[may])
    indptr = np.searchsorted(owners, np.arange(len(rows) + 1)).astype(np.int64)
    scores = pair_scores(np.ascontiguousarray(queries), *items, indptr, found)
    order = np.lexsort((eligible.order[found], -scores, owners))
    ranks = np.arange(len(order)) - indptr[:-1][owners]
    listed = ranks < k
    best = Best(
        np.full((len(rows), k), UNKNOWN, np.int32), np.full((len(rows), k), np.nan, np.float32)
    )
    cells = owners[listed], ranks[listed]
    best.rows[cells], best.scores[cells] = found[order[listed]], scores[order[listed]]
    return best


def _damaged(why: str) -> BundleError:
    return BundleError(f"the index is damaged: {why}", remedy="fit and save the model again")
