"""The most similar of many sparse rows, found in blocks: never the whole similarity matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from shortlist import engine
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.kernels.similarity import neighbors
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import csr_arrays, empty, inverse, row_norms, transposed


class RankedNeighbors(NamedTuple):
    """The neighbours of B rows among n candidate rows, the most similar first.

    Attributes
    ----------
    rows
        Candidate rows, padded with -1.  # (B, count)
    similarities
        Their similarities.  # (B, count)
    n_candidates
        The number of candidates.
    """

    rows: Rows
    similarities: Floats
    n_candidates: int

    def sparse(self, count: int | NDArray[np.integer] | None = None) -> csr_array:
        """Return the first ``count`` neighbours of each row as sparse rows of similarities.

        ``count`` may be one number, or one per row; None: all neighbours that were found.
        """  # (B, n_candidates)
        kept = self.rows != UNKNOWN
        if count is not None:
            kept &= np.arange(self.rows.shape[1]) < np.reshape(count, (-1, 1))
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        shape = (len(self.rows), self.n_candidates)
        similarities = csr_array((self.similarities[kept], self.rows[kept], indptr), shape=shape)
        similarities.sort_indices()  # the order of later sums must not depend on the similarities
        return similarities


@dataclass(frozen=True)
class Neighborhood:
    """Candidate rows to find neighbours among.

    Attributes
    ----------
    columns
        The candidates, transposed.  # (d, n)
    scale
        For each candidate, 1 / length for cosines, 1 for dot products.  # (n,)
    shrinkage
        Added to the product of two lengths.

    Examples
    --------
    >>> rows = csr_array(np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    >>> near = Neighborhood.by_product(rows).nearest(rows[[1]], None, None, 2)
    >>> near.toarray()
    array([[1., 2., 0.]], dtype=float32)
    """

    columns: csr_array
    scale: Floats
    shrinkage: float = 0.0

    @classmethod
    def by_cosine(cls, rows: csr_array, shrinkage: float = 0.0) -> Neighborhood:
        """Compare by ``a . b / (|a| |b| + shrinkage)``."""
        return cls(transposed(rows), inverse_lengths(rows), shrinkage)

    @classmethod
    def by_product(cls, rows: csr_array) -> Neighborhood:
        """Compare by ``a . b``."""
        return cls(transposed(rows), np.ones(rows.shape[0], dtype=np.float32))

    def has_neighbors(self, rows: csr_array) -> NDArray[np.bool_]:
        """Return which rows have a column in common with any candidate."""  # (B,)
        used = np.diff(self.columns.indptr) > 0  # (d,)
        shared = np.concatenate([[0], np.cumsum(used[rows.indices])])[rows.indptr]
        return np.diff(shared) > 0

    def ranked(
        self, rows: csr_array, scale: Floats | None, own_rows: Rows | None, count: int | None
    ) -> RankedNeighbors:
        """Find the candidates most similar to each row, the most similar first.

        Parameters
        ----------
        rows
            The rows to find neighbours of.  # (B, d)
        scale
            1 / length of each row; None: 1.  # (B,)
        own_rows
            The candidate that each row itself is, which is not its neighbour; -1: none. None: no
            row is a candidate.  # (B,)
        count
            The number of neighbours; None: every candidate that shares a column.
        """
        n_rows, n_candidates = rows.shape[0], self.columns.shape[1]
        found = neighbors(
            csr_arrays(rows),
            csr_arrays(self.columns),
            np.ones(n_rows, dtype=np.float32) if scale is None else scale,
            self.scale,
            self.shrinkage,
            np.full(n_rows, UNKNOWN, dtype=np.int32) if own_rows is None else own_rows,
            n_candidates if count is None else min(count, n_candidates),
        )
        return RankedNeighbors(*found, n_candidates)

    def nearest(
        self, rows: csr_array, scale: Floats | None, own_rows: Rows | None, count: int | None
    ) -> csr_array:
        """Return the result of :meth:`ranked` as sparse rows of similarities."""  # (B, n)
        return self.ranked(rows, scale, own_rows, count).sparse()

    def nearest_in_blocks(
        self, rows: csr_array, scale: Floats | None, own_rows: Rows | None, count: int | None
    ) -> csr_array:
        """Return the result of :meth:`nearest`, computed in blocks by the engine."""  # (B, n)
        width = self.columns.shape[1] if count is None else count
        task = partial(_block, self, rows=rows, scale=scale, own_rows=own_rows, count=count)
        blocks = engine.current().map_rows(task, rows.shape[0], 8 * width, "neighbours")
        no_rows = empty(0, self.columns.shape[1])
        return csr_array(vstack([no_rows, *blocks], format="csr"))


def keep_rows(rows: csr_array, kept: NDArray[np.bool_]) -> csr_array:
    """Empty all other rows, so that they have no neighbours and are no neighbours."""
    lengths = np.diff(rows.indptr)
    entries = np.repeat(kept, lengths)
    indptr = np.concatenate([[0], np.cumsum(lengths * kept)])
    return csr_array((rows.data[entries], rows.indices[entries], indptr), shape=rows.shape)


def inverse_lengths(rows: csr_array) -> Floats:
    """Return 1 / Euclidean length of each row, 0 for an empty row."""  # (n,)
    return inverse(row_norms(rows)).astype(np.float32)


def _block(
    neighborhood: Neighborhood,
    block: range,
    *,
    rows: csr_array,
    scale: Floats | None,
    own_rows: Rows | None,
    count: int | None,
) -> csr_array:
    span = slice(block.start, block.stop)
    return neighborhood.nearest(
        rows[span],
        None if scale is None else scale[span],
        None if own_rows is None else own_rows[span],
        count,
    )
