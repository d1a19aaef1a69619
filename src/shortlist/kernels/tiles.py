"""Products of small dense matrices of any layout, for networks that are trained in chunks.

``add_product`` is to a chunk of examples what ``products`` is to a block of scores, with one
difference: the left matrix may lie in rows or in columns, so activations serve the forward pass,
the backward pass and the gradient of the weights where they are, without being copied into panels.
Rows are :func:`stride` floats apart, which is never a power of two: all of the cache is used.

Every element of a product is one chain of multiply-adds over the depth, from first to last,
wherever its tile is: a score depends on its row alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from shortlist.kernels.compile import inlined

Floats = NDArray[np.float32]

ROWS: Final = 6
COLUMNS: Final = 16
"""The size of a tile: twelve vectors of 8 floats."""

_LANES: Final = 8
_INDEX: Final = ir.IntType(64)
_VECTOR: Final = ir.VectorType(ir.FloatType(), _LANES)


def _spread(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    return builder.shuffle_vector(first, nothing, zeros)


def _add_tile(
    typing_context: Any, left: Any, left_at: Any, left_row: Any, left_step: Any,
    right: Any, right_at: Any, right_step: Any, depth: Any, out: Any, out_at: Any, out_row: Any,
) -> Any:  # fmt: skip
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def start_of(position: int) -> Any:
            array = context.make_array(signature.args[position])(context, builder, values[position])
            return builder.gep(array.data, [values[position + 1]])

        left_start, right_start, out_start = start_of(0), start_of(4), start_of(8)
        row_stride, left_stride, right_stride, length, out_stride = (
            values[place] for place in (2, 3, 6, 7, 10)
        )
        multiply_add = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{_LANES}f32"
        )
        before = builder.block
        head, body, after = (
            builder.append_basic_block(f"tile.{name}") for name in ("head", "body", "after")
        )
        places = [
            builder.bitcast(
                builder.gep(
                    out_start, [builder.add(builder.mul(out_stride, _INDEX(r)), _INDEX(c))]
                ),
                _VECTOR.as_pointer(),
            )
            for r in range(ROWS)
            for c in range(0, COLUMNS, _LANES)
        ]
        rows = [builder.gep(left_start, [builder.mul(row_stride, _INDEX(r))]) for r in range(ROWS)]
        initial = [builder.load(place, align=4) for place in places]
        builder.branch(head)

        builder.position_at_end(head)
        step = builder.phi(_INDEX)
        step.add_incoming(_INDEX(0), before)
        sums = [builder.phi(_VECTOR) for _ in places]
        for total, value in zip(sums, initial, strict=True):
            total.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", step, length), body, after)

        builder.position_at_end(body)
        across = builder.mul(step, left_stride)
        down = builder.gep(right_start, [builder.mul(step, right_stride)])
        columns = [
            builder.load(
                builder.bitcast(builder.gep(down, [_INDEX(c)]), _VECTOR.as_pointer()), align=4
            )
            for c in range(0, COLUMNS, _LANES)
        ]
        for r, row in enumerate(rows):
            factor = _spread(builder, builder.load(builder.gep(row, [across])))
            for c, column in enumerate(columns):
                total = sums[r * len(columns) + c]
                total.add_incoming(builder.call(multiply_add, [factor, column, total]), body)
        step.add_incoming(builder.add(step, _INDEX(1)), body)
        builder.branch(head)

        builder.position_at_end(after)
        for total, place in zip(sums, places, strict=True):
            builder.store(total, place, align=4)
        return context.get_dummy_value()

    long = types.int64
    return (
        types.void(left, long, long, long, right, long, long, long, out, long, long),
        generate,
    )


add_tile = cast(
    "Callable[[Floats, int, int, int, Floats, int, int, int, Floats, int, int], None]",
    intrinsic(_add_tile),
)


def stride(width: int) -> int:
    """Return how far apart rows of that width are laid: whole tiles, and a tile in between.

    Examples
    --------
    >>> stride(64), stride(8)
    (80, 32)
    """
    return -(-width // COLUMNS) * COLUMNS + COLUMNS


def padded(count: int) -> int:
    """Return how many rows to make room for: whole tiles.

    Examples
    --------
    >>> padded(64)
    66
    """
    return -(-count // ROWS) * ROWS


@inlined
def add_product(
    left: Floats, left_at: int, left_row: int, left_step: int, n_rows: int,
    right: Floats, right_at: int, right_step: int, n_columns: int, depth: int,
    out: Floats, out_at: int, out_row: int,
) -> None:  # fmt: skip
    """Add a matrix product, ``out[r, c] += sum over p of left[r, p] * right[p, c]``.

    All are flat arrays: ``left[r, p]`` is ``left[left_at + r * left_row + p * left_step]``, and
    ``right[p, c]`` is ``right[right_at + p * right_step + c]``. Operands and result must have room
    for whole tiles, and what is there is computed with. Indices are not checked.
    """
    for c in range(0, n_columns, COLUMNS):
        for r in range(0, n_rows, ROWS):
            add_tile(
                left, left_at + r * left_row, left_row, left_step,
                right, right_at + c, right_step, depth, out, out_at + r * out_row + c, out_row,
            )  # fmt: skip
