"""The arrays that kernels take and fill, each name a NumPy type and a Numba type in one.

``@kernel`` compiles a function for exactly the types in its annotations. All arrays are
C-contiguous. Inputs may be read-only, as memory maps are; kernels write to results (``Out...``).
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np
from numba.core import types
from numpy.typing import NDArray


def _input(scalar: Any, dimensions: int) -> Any:
    return types.Array(scalar, dimensions, "C", readonly=True)


Vector = Annotated[NDArray[np.float32], _input(types.float32, 1)]
Matrix = Annotated[NDArray[np.float32], _input(types.float32, 2)]
DoubleVector = Annotated[NDArray[np.float64], _input(types.float64, 1)]
DoubleMatrix = Annotated[NDArray[np.float64], _input(types.float64, 2)]
Indices = Annotated[NDArray[np.int32], _input(types.int32, 1)]
IndexMatrix = Annotated[NDArray[np.int32], _input(types.int32, 2)]
Pointers = Annotated[NDArray[np.int64], _input(types.int64, 1)]
Words = Annotated[NDArray[np.uint32], _input(types.uint32, 1)]
Bits = Annotated[NDArray[np.uint8], _input(types.uint8, 2)]
Masks = Annotated[NDArray[np.bool_], _input(types.boolean, 2)]

OutVector = Annotated[NDArray[np.float32], types.float32[::1]]
OutMatrix = Annotated[NDArray[np.float32], types.float32[:, ::1]]
OutDoubles = Annotated[NDArray[np.float64], types.float64[::1]]
OutDoubleMatrix = Annotated[NDArray[np.float64], types.float64[:, ::1]]
OutPartials = Annotated[NDArray[np.float64], types.float64[:, :, ::1]]
OutIndices = Annotated[NDArray[np.int32], types.int32[::1]]
OutIndexMatrix = Annotated[NDArray[np.int32], types.int32[:, ::1]]
OutCounts = Annotated[NDArray[np.int64], types.int64[::1]]
OutBits = Annotated[NDArray[np.uint8], types.uint8[:, ::1]]

# The same without a Numba type: inside kernels, where Numba infers it.
Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int32]
Longs: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]


class Csr(NamedTuple):
    """A sparse matrix in compressed rows.

    Row r holds ``data[indptr[r] : indptr[r + 1]]`` in the columns
    ``indices[indptr[r] : indptr[r + 1]]``.
    """

    indptr: Pointers
    indices: Indices
    data: Vector


class EligibleItems(NamedTuple):
    """Which items each of B queries may get, and which of two equal scores comes first.

    Query b never gets ``excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]`` (seen,
    denied), in any order, repeats allowed. It only gets items where its mask,
    ``masks[mask_of[b]]``, is true; -1: no mask. ``order`` is a permutation of 0..N-1: of equal
    scores the smaller order comes first.
    """

    excluded_indptr: Pointers
    excluded_indices: Indices
    masks: Masks
    mask_of: Indices
    order: Indices


class Given(NamedTuple):
    """Items of each of B queries whose ranks among its candidates are wanted.

    Those of query b are ``items[indptr[b] : indptr[b + 1]]``; a kernel writes to ``ranks``, which
    lies as ``items``. Equal scores share the mean of their ranks: the rank of an item is
    ``1 + #(candidates with a greater score) + #(other candidates with an equal score) / 2``, and
    inf if the item is not a candidate.
    """

    indptr: Pointers
    items: Indices
    ranks: OutDoubles
