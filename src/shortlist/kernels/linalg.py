"""Linear algebra inside kernels: products of packed and sparse matrices, and small systems.

:mod:`~shortlist.kernels.topk` and :mod:`~shortlist.kernels.scores` call the same products, so a
score has the same bits in both. Dense products are summed in float32, factors from first to last;
sparse ones in float64, entries in the order they are stored, and rounded to float32 once.

Matrices for tiles and whole vectors are padded with zeros, so that no function has a second code
path for what is left over. The padding stays zero throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import inlined, reordering
from shortlist.kernels.types import Csr, Doubles, Floats, Integers
from shortlist.kernels.vector import COLUMNS, LANES, ROWS, add_tile

FEW: Final = 2
"""With fewer products than 1 / FEW of the columns, a sparse row lists those it touches."""

# The sign of its zero tells a sum to which nothing was added: -0.0 + x is x, and x - x is 0.0.
UNTOUCHED: Final = -0.0
UNTOUCHED_BITS: Final = -(2**63)


@inlined
def round_up(count: int, multiple: int) -> int:
    """Return the least multiple that is not below ``count``."""
    return (count + multiple - 1) // multiple * multiple


def whole_vectors(array: Floats) -> Floats:
    """Return an array whose last axis is lengthened with zeros to whole vectors; not in kernels."""
    missing = -array.shape[-1] % LANES
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]) if missing else array


@inlined
def copy_row(source: Floats, target: Floats) -> None:
    """Copy a row with a plain loop, which costs a fraction of a small slice assignment."""
    for column in range(len(source)):
        target[column] = source[column]


@reordering
def dot(x: Floats, y: Floats) -> np.float32:
    """Return the dot product; the order of its sum depends on the length alone."""
    total = np.float32(0.0)
    for p in range(len(x)):
        total += x[p] * y[p]
    return total


# --- products of packed matrices: whole tiles side by side, in the order they are read


@inlined
def pack_rows(matrix: Floats, start: int, stop: int, packed: Floats) -> None:
    """Copy rows of a (B, f) matrix to panels (group, f, 6), filled up with zeros."""
    depth = matrix.shape[1]
    for first in range(start, stop, ROWS):
        panel = packed[(first - start) * depth : (first - start + ROWS) * depth]
        for r in range(ROWS):
            for p in range(depth):
                panel[p * ROWS + r] = matrix[first + r, p] if first + r < stop else np.float32(0.0)


@inlined
def pack_columns(matrix: Floats, start: int, stop: int, packed: Floats) -> None:
    """Copy columns of an (f, N) matrix to panels (group, f, 16), filled up with zeros."""
    depth = matrix.shape[0]
    for first in range(start, stop, COLUMNS):
        width = min(COLUMNS, stop - first)
        for p in range(depth):
            row = matrix[p, first : first + width]
            begin = (first - start) * depth + p * COLUMNS
            panel = packed[begin : begin + COLUMNS]
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
    """Add packed rows times packed columns to ``out``, flat, whose rows are ``stride`` apart.

    ``out`` has room for whole tiles: rows and columns up to the next multiples of 6 and 16.
    """
    for c in range(0, n_columns, COLUMNS):
        for r in range(0, n_rows, ROWS):
            add_tile(
                left, r * depth, ROWS, right, c * depth, COLUMNS, depth, out, r * stride + c, stride
            )


@inlined
def score_chunk(
    left: Floats, n_rows: int, items_t: Floats, packed: Floats, bias: Floats, first: int, last: int,
    right: Floats, tile: Floats,
) -> None:  # fmt: skip
    """Write ``bias + rows . items`` of items ``first`` to ``last - 1`` to ``tile`` (n_rows, chunk).

    An empty ``bias`` stands for zeros. ``left`` holds packed rows and ``packed`` all packed items;
    if it is empty, the items of the chunk are packed into ``right``.
    """
    depth, chunk = len(items_t), tile.shape[1]
    for r in range(len(tile)):
        if len(bias):
            copy_row(bias[first:last], tile[r])
        else:
            tile[r] = 0.0
    if len(packed):
        panels = packed[first * depth :]
        add_products(left, n_rows, panels, last - first, depth, tile.reshape(-1), chunk)
    else:
        pack_columns(items_t, first, last, right)
        add_products(left, n_rows, right, last - first, depth, tile.reshape(-1), chunk)


@inlined
def score_of_pair(queries: Floats, row: int, items_t: Floats, item: int) -> np.float32:
    """Return the score that :func:`score_chunk` writes, without a bias, for a query and an item."""
    score = np.float32(0.0)
    for p in range(len(items_t)):
        score += queries[row, p] * items_t[p, item]
    return score


# --- sparse rows


@inlined
def add_sparse_product(left: Csr, row: int, right: Csr, sums: Doubles) -> None:
    """Add a row of a sparse matrix times another sparse matrix (M, n) to ``sums`` (n,)."""
    l_indptr, l_indices, l_data = left
    r_indptr, r_indices, r_data = right
    for entry in range(l_indptr[row], l_indptr[row + 1]):
        weight = np.float64(l_data[entry])
        first, last = r_indptr[l_indices[entry]], r_indptr[l_indices[entry] + 1]
        columns, values = r_indices[first:last], r_data[first:last]
        for position in range(last - first):
            # unsigned: Numba then leaves out the test for a negative index in the hottest of loops
            sums[np.uint32(columns[position])] += weight * np.float64(values[position])


@inlined
def add_touched(left: Csr, row: int, right: Csr, sums: Doubles, touched: Integers) -> int:
    """Add as :func:`add_sparse_product`; write the columns that had no sum yet to ``touched``.

    Returns their number. Sums to which nothing was added are ``UNTOUCHED``. ``touched`` (n + 1,)
    has room for one more than all columns, so that it can be written without a branch.
    """
    l_indptr, l_indices, l_data = left
    r_indptr, r_indices, r_data = right
    bits, count = sums.view(np.int64), 0
    for entry in range(l_indptr[row], l_indptr[row + 1]):
        weight = np.float64(l_data[entry])
        first, last = r_indptr[l_indices[entry]], r_indptr[l_indices[entry] + 1]
        columns, values = r_indices[first:last], r_data[first:last]
        for position in range(last - first):
            column = np.uint32(columns[position])
            touched[np.uint32(count)] = columns[position]
            count += bits[column] == UNTOUCHED_BITS
            # + 0: a product that is minus zero would leave the sum untouched
            sums[column] += weight * np.float64(values[position]) + 0.0
    return count


@inlined
def touches_few(left: Csr, row: int, right: Csr, n_columns: int) -> bool:
    """Return whether a row of a sparse product touches so few columns that a list of them pays."""
    l_indptr, l_indices, _ = left
    products = 0
    for entry in range(l_indptr[row], l_indptr[row + 1]):
        products += right.indptr[l_indices[entry] + 1] - right.indptr[l_indices[entry]]
    return products * FEW < n_columns


@inlined
def round_and_clear(sums: Doubles, row: Floats) -> None:
    """Round finished sums to float32, and clear them for the next row."""
    for column in range(len(row)):
        row[column] = np.float32(sums[column] + 0.0)  # + 0: minus zero becomes zero
        sums[column] = UNTOUCHED


# --- symmetric positive definite systems


@inlined
def solve_symmetric(a: Doubles, x: Doubles) -> None:
    """Replace x by the solution y of ``A y = x``; ``a`` is overwritten by L, A = L L'.

    Only the lower triangle of A is read.
    """
    for r in range(len(a)):
        for c in range(r + 1):
            total = a[r, c]
            for p in range(c):
                total -= a[r, p] * a[c, p]
            a[r, c] = np.sqrt(total) if r == c else total / a[c, c]
    for r in range(len(x)):
        for p in range(r):
            x[r] -= a[r, p] * x[p]
        x[r] /= a[r, r]
    for r in range(len(x) - 1, -1, -1):
        for p in range(r + 1, len(x)):
            x[r] -= a[p, r] * x[p]
        x[r] /= a[r, r]
