"""The most similar of many sparse rows, found block by block: never the whole similarity matrix."""

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
from shortlist.scoring.sparse import empty, inverse, parts, row_norms, transposed


class Ranked(NamedTuple):
    """Neighbours of B rows among n, the most similar first."""

    others: Rows  # (B, count), padded with -1
    values: Floats  # (B, count)
    n_others: int

    def sparse(self, count: int | NDArray[np.integer] | None = None) -> csr_array:
        """Give the first ``count`` as sparse rows: all found, so many, or so many of each row."""
        others, values = self.others, self.values
        kept = others != UNKNOWN
        if count is not None:
            kept &= np.arange(others.shape[1]) < np.reshape(count, (-1, 1))
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        shape = (len(others), self.n_others)
        near = csr_array((values[kept], others[kept], indptr), shape=shape)
        near.sort_indices()  # sums then run in the same order whatever the similarities are
        return near


@dataclass(frozen=True)
class Neighborhood:
    """Rows to find neighbours among.

    Attributes
    ----------
    columns
        The rows, transposed.  # (d, n)
    scale
        One over the length of each row for cosines, ones for dot products.  # (n,)
    shrinkage
        Added to the product of two lengths.
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

    def meets(self, rows: csr_array) -> NDArray[np.bool_]:
        """Say which of these rows share a column with any row here, and so have neighbours."""
        taken = np.diff(self.columns.indptr) > 0  # (d,)
        found = np.concatenate([[0], np.cumsum(taken[rows.indices])])[rows.indptr]
        return np.diff(found) > 0

    def ranked(
        self, rows: csr_array, scale: Floats | None, itself: Rows | None, count: int | None
    ) -> Ranked:
        """Find the most similar rows of each of these, the most similar first.

        Parameters
        ----------
        rows
            What to find neighbours of.  # (B, d)
        scale
            One over the length of each; None: ones.  # (B,)
        itself
            A row that is no neighbour of each, -1 for none; None: none at all.  # (B,)
        count
            How many neighbours; None: all that share a column.
        """
        n_rows, n_others = rows.shape[0], self.columns.shape[1]
        found = neighbors(
            parts(rows),
            parts(self.columns),
            np.ones(n_rows, dtype=np.float32) if scale is None else scale,
            self.scale,
            self.shrinkage,
            np.full(n_rows, UNKNOWN, dtype=np.int32) if itself is None else itself,
            n_others if count is None else min(count, n_others),
        )
        return Ranked(*found, n_others)

    def nearest(
        self, rows: csr_array, scale: Floats | None, itself: Rows | None, count: int | None
    ) -> csr_array:
        """As :meth:`ranked`, as sparse rows of similarities."""  # (B, n)
        return self.ranked(rows, scale, itself, count).sparse()

    def nearest_in_blocks(
        self, rows: csr_array, scale: Floats | None, itself: Rows | None, count: int | None
    ) -> csr_array:
        """As :meth:`nearest`, for many rows, through the engine."""
        width = self.columns.shape[1] if count is None else count
        task = partial(_block, self, rows=rows, scale=scale, itself=itself, count=count)
        blocks = engine.current().map_rows(task, rows.shape[0], 8 * width, "neighbours")
        none = empty(0, self.columns.shape[1])
        return csr_array(vstack([none, *blocks], format="csr"))


def only(rows: csr_array, kept: NDArray[np.bool_]) -> csr_array:
    """Empty all rows but the kept, so that those are nobody's neighbours."""
    lengths = np.diff(rows.indptr)
    entries = np.repeat(kept, lengths)
    indptr = np.concatenate([[0], np.cumsum(lengths * kept)])
    return csr_array((rows.data[entries], rows.indices[entries], indptr), shape=rows.shape)


def inverse_lengths(rows: csr_array) -> Floats:
    """Give one over the Euclidean length of each row, 0 for an empty one."""  # (n,)
    return inverse(row_norms(rows)).astype(np.float32)


def _block(
    neighborhood: Neighborhood,
    block: range,
    *,
    rows: csr_array,
    scale: Floats | None,
    itself: Rows | None,
    count: int | None,
) -> csr_array:
    span = slice(block.start, block.stop)
    return neighborhood.nearest(
        rows[span],
        None if scale is None else scale[span],
        None if itself is None else itself[span],
        count,
    )
