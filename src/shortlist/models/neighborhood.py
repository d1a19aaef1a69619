"""The most similar of many sparse rows, found in blocks, and the weights of their entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows, Vocabulary
from shortlist.kernels.similarity import neighbors
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import (
    columns_in_rows,
    consecutive_rows,
    csr_arrays,
    empty,
    inverse,
    pointers,
    row_norms,
    transposed,
)

Weighting = Literal["binary", "weighted", "tfidf", "bm25"]

K1 = 1.2  # BM25: how soon repeated terms stop counting (Robertson & Zaragoza 2009)
B = 0.75  # BM25: how much long rows are penalised


class RankedNeighbors(NamedTuple):
    """The neighbours of B rows among n candidate rows, the most similar first."""

    rows: Rows  # candidate rows, padded with -1: (B, count)
    similarities: Floats  # (B, count)
    n_candidates: int

    def sparse(self, count: int | NDArray[np.integer] | None = None) -> csr_array:
        """Return :meth:`best_first` with ascending columns.

        So the order of later sums does not depend on the similarities.
        """  # (B, n_candidates)
        similarities = self.best_first(count)
        similarities.sort_indices()
        return similarities

    def best_first(self, count: int | NDArray[np.integer] | None = None) -> csr_array:
        """Return the first ``count`` neighbours of each row as sparse rows of similarities.

        ``count`` may be one number, or one per row; None: all neighbours that were found.
        """  # (B, n_candidates)
        kept = self.rows != UNKNOWN
        if count is not None:
            kept &= np.arange(self.rows.shape[1]) < np.reshape(count, (-1, 1))
        indptr = pointers(np.count_nonzero(kept, axis=1))
        shape, positions = (len(self.rows), self.n_candidates), np.flatnonzero(kept)
        entries = self.similarities.reshape(-1)[positions], self.rows.reshape(-1)[positions]
        return csr_array((*entries, indptr), shape=shape)


@dataclass(frozen=True)
class Neighborhood:
    """Candidate rows to find neighbours among."""

    columns: csr_array  # the candidates, transposed: (d, n)
    scale: Floats | None  # 1 / length of each candidate; None for dot products
    shrinkage: float = 0.0  # added to the product of two lengths

    @classmethod
    def by_cosine(cls, rows: csr_array, shrinkage: float = 0.0) -> Neighborhood:
        """Compare by ``a . b / (|a| |b| + shrinkage)``."""
        return cls(transposed(rows), inverse_lengths(rows), shrinkage)

    @classmethod
    def by_product(cls, rows: csr_array) -> Neighborhood:
        """Compare by ``a . b``."""
        return cls(transposed(rows), None)

    def has_neighbors(self, rows: csr_array) -> NDArray[np.bool_]:
        """Return which rows have a column in common with any candidate."""  # (B,)
        used = np.diff(self.columns.indptr) > 0  # (d,)
        shared = np.concatenate([[0], np.cumsum(used[rows.indices])])[rows.indptr]
        return np.diff(shared) > 0

    def ranked(self, rows: csr_array, own_rows: Rows | None, count: int | None) -> RankedNeighbors:
        """Find the candidates most similar to each row, the most similar first.

        ``own_rows`` (B,) says which candidate each row itself is, and so not its neighbour; -1, or
        None for all rows: none. ``count=None``: every candidate that shares a column.
        """
        n_rows, n_candidates = rows.shape[0], self.columns.shape[1]
        ones = np.ones(max(n_rows, n_candidates), dtype=np.float32)
        nearest = neighbors(
            csr_arrays(rows),
            csr_arrays(self.columns),
            ones[:n_rows] if self.scale is None else inverse_lengths(rows),
            ones[:n_candidates] if self.scale is None else self.scale,
            self.shrinkage,
            np.full(n_rows, UNKNOWN, dtype=np.int32) if own_rows is None else own_rows,
            n_candidates if count is None else min(count, n_candidates),
        )
        return RankedNeighbors(*nearest, n_candidates)

    def nearest(self, rows: csr_array, own_rows: Rows | None, count: int | None) -> csr_array:
        """Return the result of :meth:`ranked` as sparse rows of similarities."""  # (B, n)
        return self.ranked(rows, own_rows, count).sparse()

    def best_in_blocks(
        self, rows: csr_array, own_rows: Rows | None, count: int | None
    ) -> csr_array:
        """Return sparse rows of similarities, the best first, computed in blocks by the engine.

        The columns of a row are not ascending; :func:`~shortlist.scoring.sparse.transposed` makes
        them so.
        """  # (B, n)
        width = self.columns.shape[1] if count is None else min(count, self.columns.shape[1])
        task = partial(self._block, rows=rows, own_rows=own_rows, count=count)
        blocks = engine.current().map_rows(task, rows.shape[0], 32 * width, "neighbours")
        no_rows = empty(0, self.columns.shape[1])
        return csr_array(vstack([no_rows, *blocks], format="csr"))

    def _block(
        self, block: range, rows: csr_array, own_rows: Rows | None, count: int | None
    ) -> csr_array:
        span = slice(block.start, block.stop)
        own = None if own_rows is None else own_rows[span]
        return self.ranked(consecutive_rows(rows, span), own, count).best_first()


def memory_of_neighbors(data: Dataset, count: int | str | None, tried: Sequence[int] = ()) -> int:
    """Return about the bytes that finding the neighbours of every item takes.

    ``count`` is theirs for each item; None: all, "auto": the most that are ``tried``. Items are
    neighbours where a user chose both, so there are no more than pairs of choices.
    """
    pairs = int(np.square(data.user_counts).sum())
    most = max(tried) if isinstance(count, str) else count
    per_item = data.n_items if most is None else min(most, data.n_items)
    return 24 * min(pairs, data.n_items * per_item) + 24 * data.n_interactions


def first_entries(rows: csr_array, count: int) -> csr_array:
    """Return the first ``count`` entries of each row."""
    lengths = np.diff(rows.indptr)
    if not len(lengths) or lengths.max() <= count:
        return rows
    position = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], lengths)
    kept = np.flatnonzero(position < count)
    parts = rows.data[kept], rows.indices[kept], pointers(np.minimum(lengths, count))
    return csr_array(parts, shape=rows.shape)


def keep_rows(rows: csr_array, kept: NDArray[np.bool_]) -> csr_array:
    """Empty all other rows, so that they have no neighbours and are no neighbours."""
    lengths = np.diff(rows.indptr)
    entries = np.repeat(kept, lengths)
    kept_rows = rows.data[entries], rows.indices[entries], pointers(lengths * kept)
    return csr_array(kept_rows, shape=rows.shape)


def inverse_lengths(rows: csr_array) -> Floats:
    """Return 1 / Euclidean length of each row, 0 for an empty row."""  # (n,)
    return inverse(row_norms(rows)).astype(np.float32)


def product_parts(
    kind: str,
    entries: csr_array,
    matrix: csr_array,
    vocabulary: Vocabulary,
    items: Rows,
    factor: float = 1.0,
) -> Iterator[Parts]:
    """Yield what each entry of a row adds to ``factor * (row @ matrix)``, for each of the items."""
    for positions, values in columns_in_rows(matrix, entries.indices, items):
        rows, amounts = entries.indices[positions], entries.data[positions] * values
        yield Parts.nonzero(kind, vocabulary, rows, amounts, factor)


# --- weights of entries -------------------------------------------------------------------------


def weighted_rows(matrix: csr_array, weighting: Weighting) -> csr_array:
    """Weight the rows of a matrix by its own column importance and average row length."""
    importance = column_importance(matrix, weighting)
    return weighted(matrix, weighting, importance, mean_length(matrix))


def mean_length(matrix: csr_array) -> float:
    """Return the mean number of entries of the rows that have any."""
    return float(matrix.nnz / _count_documents(matrix))


def _count_documents(matrix: csr_array) -> int:
    """Return the number of rows that have entries; 1 where none has.

    The others are no documents: who is merely listed changes no weight.
    """
    return max(int(np.count_nonzero(np.diff(matrix.indptr))), 1)


def column_importance(matrix: csr_array, weighting: Weighting) -> NDArray[np.float64]:
    """Compute the inverse document frequency of each column, for TF-IDF and BM25.

    That is ``log(rows that have any column / rows that have this one)``, and 0 for an empty column.
    For other weightings every column has importance 1.  # (n_columns,)
    """
    if weighting in ("binary", "weighted"):
        return np.ones(matrix.shape[1])
    share = np.bincount(matrix.indices, minlength=matrix.shape[1]) / _count_documents(matrix)
    return np.log(inverse(share), out=np.zeros(matrix.shape[1]), where=share > 0)


def weighted(
    matrix: csr_array, weighting: Weighting, importance: NDArray[np.float64], average_length: float
) -> csr_array:
    """Weight the entries of a matrix whose rows are documents and whose columns are terms.

    With term frequency 1 for binary, TF-IDF and BM25, and L the number of entries of the row:

    - binary: 1
    - weighted: the stored weight
    - tfidf: importance
    - bm25: importance * (k1 + 1) / (1 + k1 * (1 - b + b * L / average length))

    ``importance`` is that of :func:`column_importance`, and ``average_length`` that of
    :func:`mean_length`, both of the training rows.
    """
    if weighting == "weighted":
        return matrix
    data = importance[matrix.indices]
    if weighting == "bm25":
        lengths = np.diff(matrix.indptr)
        penalty = 1 - B + B * (lengths / max(average_length, 1e-12))
        data = data * np.repeat((K1 + 1) / (1 + K1 * penalty), lengths)
    return csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
