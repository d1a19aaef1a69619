"""Rows of scores, the one way they are computed, for whoever selects from them or returns them.

``topk`` and ``scores`` call the same pieces, so a score has the same bits in both.
Dense products: float32, factors from first to last. Sparse ones: float64, the profile's entries in
the order they are stored, rounded to float32 once at the end.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import inlined
from shortlist.kernels.vector import COLUMNS, ROWS, add_tile

QUERIES: Final = 24 * ROWS
"""How many queries share one pass over the items."""

_PANEL_FLOATS: Final = 32_768  # packed items of a chunk: 128 KiB, a quarter of a usual L2 cache
_MOST_ITEMS: Final = 1_024  # and at most 384 KiB of scores beside them

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int32]
Longs = NDArray[np.int64]


@inlined
def groups(count: int, size: int) -> int:
    """Return how many groups of ``size`` hold ``count``."""
    return (count + size - 1) // size


@inlined
def items_per_chunk(n_factors: int) -> int:
    """Return how many items to score at a time: a multiple of the tile, small enough to cache."""
    fitting = _PANEL_FLOATS // max(n_factors, 1) // COLUMNS * COLUMNS
    return max(COLUMNS, min(_MOST_ITEMS, fitting))


@inlined
def copy_row(source: Floats, target: Floats) -> None:
    """Copy a row; a plain loop, which costs a fraction of a small slice assignment."""
    for at in range(len(source)):
        target[at] = source[at]


@inlined
def pack_rows(matrix: Floats, start: int, stop: int, packed: Floats) -> None:
    """Lay rows of a (B, f) matrix out as panels (group, f, 6), filled up with zeros."""
    depth = matrix.shape[1]
    for group in range(groups(stop - start, ROWS)):
        panel = packed[group * depth * ROWS : (group + 1) * depth * ROWS]
        for r in range(ROWS):
            row = start + group * ROWS + r
            if row < stop:
                for p in range(depth):
                    panel[p * ROWS + r] = matrix[row, p]
            else:
                for p in range(depth):
                    panel[p * ROWS + r] = 0.0


@inlined
def pack_columns(matrix: Floats, start: int, stop: int, packed: Floats) -> None:
    """Lay columns of an (f, N) matrix out as panels (group, f, 16), filled up with zeros."""
    depth = matrix.shape[0]
    for group in range(groups(stop - start, COLUMNS)):
        first = start + group * COLUMNS
        width = min(COLUMNS, stop - first)
        for p in range(depth):
            row = matrix[p, first : first + width]
            panel = packed[(group * depth + p) * COLUMNS : (group * depth + p + 1) * COLUMNS]
            if width == COLUMNS:  # the same loop, of a length the compiler knows
                for c in range(COLUMNS):
                    panel[c] = row[c]
            else:
                for c in range(COLUMNS):
                    panel[c] = row[c] if c < width else np.float32(0.0)


@inlined
def add_products(
    left: Floats, n_rows: int, right: Floats, n_columns: int, depth: int, out: Floats, stride: int
) -> None:
    """Add packed rows times packed columns to ``out``, whose rows are ``stride`` apart.

    ``out`` has room for whole tiles: rows and columns up to the next multiples of 6 and 16.
    """
    for c in range(groups(n_columns, COLUMNS)):
        for r in range(groups(n_rows, ROWS)):
            add_tile(
                left, r * depth * ROWS, ROWS, right, c * depth * COLUMNS, COLUMNS, depth,
                out, r * ROWS * stride + c * COLUMNS, stride,
            )  # fmt: skip


@inlined
def add_sparse_row(
    indices: Integers, data: Floats, start: int, stop: int,
    m_indptr: Longs, m_indices: Integers, m_data: Floats, sums: Doubles,
) -> None:  # fmt: skip
    """Add one sparse row times a sparse matrix to ``sums`` (n,)."""
    for entry in range(start, stop):
        weight = np.float64(data[entry])
        first, last = m_indptr[indices[entry]], m_indptr[indices[entry] + 1]
        columns, values = m_indices[first:last], m_data[first:last]
        for at in range(last - first):
            # unsigned: spares Numba's test for a negative index in the hottest of loops
            sums[np.uint32(columns[at])] += weight * np.float64(values[at])


@inlined
def round_and_clear(sums: Doubles, row: Floats) -> None:
    """Round the finished sums to float32 and leave zeros for the next row."""
    for column in range(len(row)):
        row[column] = np.float32(sums[column])
        sums[column] = 0.0
