"""What the kernels of collaborative filtering networks pass to each other."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from shortlist.kernels.compile import inlined

OutFloats = Annotated[NDArray[np.float32], types.float32[::1]]
OutIntegers = Annotated[NDArray[np.int32], types.int32[::1]]
Doubles = Annotated[NDArray[np.float64], types.Array(types.float64, 1, "C", readonly=True)]
Drawn = Annotated[NDArray[np.int32], types.Array(types.int32, 2, "C", readonly=True)]
Places = Annotated[NDArray[np.int64], types.Array(types.int64, 2, "C", readonly=True)]

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]


@inlined
def cut(total: int, parts: int, part: int) -> int:
    """Return where a part begins, of ``total`` things in parts of about equal size."""
    return total * part // parts
