"""The conjugate gradients of :mod:`~shortlist.kernels.als` in rounds, for observations in parts.

``als.solve_cg`` reads all observations of a row at each step. Where they lie in several processes,
each process adds its share (:func:`add_share`) to the sum of those before it, in the order of
the columns; then :meth:`Descent.take_step` goes one step, and knows the next directions. Sums are
added up in the order of ``solve_cg``, so the results have the same bits.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels import linalg
from shortlist.kernels.als import add_errors, add_image, is_small, next_direction
from shortlist.kernels.checks import Shapes
from shortlist.kernels.compile import kernel
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    DoubleVector,
    Indices,
    Matrix,
    OutDoubles,
    OutMatrix,
    OutVector,
    Vector,
)
from shortlist.kernels.vector import LANES, scaled

_ROWS: Final = 64  # rows for a thread at a time


class Sums(NamedTuple):
    """What the processes have added up so far, for the rows of a round."""

    vectors: OutMatrix  # (B, w)
    squares: NDArray[np.float64]  # (B,)


def padded(vectors: Matrix) -> Matrix:
    """Return vectors with columns of zeros, so that their number is a multiple of 8."""
    Shapes().check("vectors f32 n f", vectors)
    return linalg.whole_vectors(vectors)


def begin_sums(vectors: Matrix, shared: Vector, penalties: Vector) -> Sums:
    """Return ``-D x`` (B, w) and ``x'D x`` (B,) of vectors x; D is ``diag(shared + penalties)``."""
    table = "vectors f32 B w, shared f32 w, penalties f32 B"
    shapes = Shapes().check(table, vectors, shared, penalties)
    _check_width(shapes)
    sums = Sums(np.empty(vectors.shape, np.float32), np.empty(len(vectors)))
    over_rows(_begin, len(vectors), _ROWS, vectors, shared, penalties, *sums)
    return sums


def add_share(
    observed: Csr, rows: Indices, factors: Matrix, vectors: Matrix, first: bool, sums: Sums
) -> None:
    """Add what the observations here add to the sums of the processes before.

    ``rows`` (B,) are the rows of ``observed`` that ``vectors`` (B, w) belong to, ``factors`` (n, w)
    the factors of its columns. In the ``first`` round that is ``sum w (1 - x.v) v`` and
    ``sum w (1 - x.v)^2``, and the sums of all processes are ``b - A x`` and the loss at x. In the
    others it is ``-sum w (x.v) v`` alone, and the sums are ``-A x``.
    """
    shapes = Shapes().check(
        "factors f32 n w, vectors f32 B w, sums.vectors f32 B w, sums.squares f64 B",
        factors, vectors, sums.vectors, sums.squares,
    )  # fmt: skip
    _check_width(shapes)
    observed = shapes.rows_of_csr("observed", observed, "n", "rows", rows, "B")
    over_rows(_add, len(rows), _ROWS, observed, rows, factors, vectors, first, *sums)


def _check_width(shapes: Shapes) -> None:
    if shapes["w"] % LANES:
        raise ValueError(f"w={shapes['w']} is not a multiple of {LANES}: pass padded(vectors)")


class Descent:
    """Rows that take conjugate-gradient steps together: their vectors and next directions.

    ``start`` (B, f) are vectors in the eigenbasis of the factors, ``shared`` (f,) as for
    ``solve_cg``, and ``penalties`` (B,) its regularization. A row stops after ``steps``, or where a
    share ``tolerance`` of its excess loss is left.
    """

    def __init__(
        self, start: Matrix, shared: Vector, penalties: Vector, steps: int, tolerance: float
    ) -> None:
        Shapes().check("start f32 B f, shared f32 f, penalties f32 B", start, shared, penalties)
        self._depth, self._x = start.shape[1], np.array(padded(start))
        self._shared, self._penalties = linalg.whole_vectors(shared), penalties
        self._residual, self._direction = np.empty_like(self._x), np.empty_like(self._x)
        self._sizes, self._least = np.empty(len(start), np.float32), np.empty(len(start))
        self._round, self._steps, self._tolerance = 0, steps, tolerance
        self.losses = np.zeros(len(start))
        self.active = np.arange(len(start), dtype=np.int32)

    @property
    def vectors(self) -> Matrix:
        """The vectors of the rows after the steps so far."""  # (B, f)
        return self._x[:, : self._depth]

    @property
    def first(self) -> bool:
        """Whether the next round is the first one."""
        return self._round == 0

    def directions(self) -> tuple[Matrix, Vector, Vector]:
        """Return the vectors of the active rows for the next round, and their diagonals."""
        of = self._x if self.first else self._direction
        return of[self.active], self._shared, self._penalties[self.active]

    def take_step(self, sums: Sums) -> bool:
        """Take a step by the sums of all processes; return whether any row is still active."""
        shapes = Shapes(B=len(self.active), w=self._x.shape[1])
        shapes.check("sums.vectors f32 B w, sums.squares f64 B", sums.vectors, sums.squares)
        on = np.empty(len(self.active), np.float32)
        over_rows(
            _step, len(on), _ROWS, self.active, self._shared, self._penalties, self.first,
            self._tolerance, *sums, self._x, self._residual, self._direction, self._sizes,
            self._least, self.losses, on,
        )  # fmt: skip
        self.active = self.active[on > 0]
        self._round += 1
        return self._round <= self._steps and len(self.active) > 0


@kernel
def _begin(
    start: int, stop: int, vectors: Matrix, shared: Vector, penalties: Vector, sums: OutMatrix,
    squares: OutDoubles,
) -> None:  # fmt: skip
    width = vectors.shape[1]
    diagonal = np.empty(width, np.float32)
    for u in range(start, stop):
        for p in range(width):
            diagonal[p] = -shared[p] - penalties[u]
        squares[u] = 0.0 - np.float64(scaled(vectors[u], diagonal, sums[u], width))


@kernel
def _add(
    start: int, stop: int, observed: Csr, rows: Indices, factors: Matrix, vectors: Matrix,
    first: bool, sums: OutMatrix, squares: OutDoubles,
) -> None:  # fmt: skip
    flat, one = factors.reshape(-1), np.float32(1.0)
    for b in range(start, stop):
        if first:
            squares[b] = add_errors(observed, rows[b], flat, vectors[b], sums[b], one, squares[b])
        else:
            add_image(observed, rows[b], flat, vectors[b], sums[b])


@kernel
def _step(
    start: int, stop: int, active: Indices, shared: Vector, penalties: Vector, first: bool,
    tolerance: float, images: Matrix, squares: DoubleVector, x: OutMatrix, residual: OutMatrix,
    direction: OutMatrix, sizes: OutVector, least: OutDoubles, losses: OutDoubles, on: OutVector,
) -> None:  # fmt: skip
    width = x.shape[1]
    scale, image = np.empty(width, np.float32), np.empty(width, np.float32)
    one = np.float32(1.0)
    for b in range(start, stop):
        u = active[b]
        for p in range(width):
            scale[p] = one / (shared[p] + penalties[u])
        if first:
            linalg.copy_row(images[b], residual[u])
            losses[u] = squares[b]
            sizes[u] = scaled(residual[u], scale, direction[u], width)
            least[u] = tolerance * np.float64(sizes[u])
        else:
            linalg.copy_row(images[b], image)
            sizes[u], gain = next_direction(sizes[u], x[u], direction[u], residual[u], image, scale)
            losses[u] -= gain
        on[b] = 0.0 if is_small(sizes[u], least[u], losses[u]) else 1.0
