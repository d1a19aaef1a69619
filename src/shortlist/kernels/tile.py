"""The multiply-add tile that scoring, Gram matrices and ALS are built of.

``out[r, c] += sum_p left[p, r] * right[p, c]`` for a tile of 6 rows and 16 columns, p from first
to last. On a machine with 16 vector registers of 8 floats the whole tile stays in registers, which
a compiler does not get out of plain loops; so this one is written in vector instructions, which
LLVM translates for whatever the processor has. Every element of a tile goes through the same
chain of multiply-adds, so it has the same bits wherever in a matrix the tile is laid. There is no
second code path for edges: operands are packed into panels filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

ROWS: Final = 6
COLUMNS: Final = 16
_LANES: Final = 8

Floats = NDArray[np.float32]


def _tile(typing_context: Any, left: Any, left_at: Any, right: Any, right_at: Any, depth: Any,
          out: Any, out_at: Any, out_stride: Any) -> Any:
    argument_types = (left, left_at, right, right_at, depth, out, out_at, out_stride)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        index = ir.IntType(64)
        scalar = ir.FloatType()
        vector = ir.VectorType(scalar, _LANES)
        lane = ir.IntType(32)
        fused = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{_LANES}f32"
        )

        def integer(position: int) -> Any:
            return context.cast(builder, values[position], argument_types[position], types.int64)

        def pointer(position: int) -> Any:
            array = context.make_array(argument_types[position])(context, builder, values[position])
            return builder.gep(array.data, [integer(position + 1)])

        def load(address: Any) -> Any:
            value = builder.load(builder.bitcast(address, vector.as_pointer()))
            value.align = 4
            return value

        def spread(value: Any) -> Any:
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, lane(0))
            zeros = ir.Constant(ir.VectorType(lane, _LANES), [0] * _LANES)
            return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)

        left_data, right_data, out_data = pointer(0), pointer(2), pointer(5)
        length, stride = integer(4), integer(7)
        corners = [
            builder.gep(out_data, [builder.add(builder.mul(stride, index(r)), index(c))])
            for r in range(ROWS)
            for c in range(0, COLUMNS, _LANES)
        ]
        start = builder.block
        head = builder.append_basic_block("tile.head")
        body = builder.append_basic_block("tile.body")
        done = builder.append_basic_block("tile.done")
        initial = [load(corner) for corner in corners]
        builder.branch(head)

        builder.position_at_end(head)
        step = builder.phi(index)
        step.add_incoming(index(0), start)
        sums = [builder.phi(vector) for _ in corners]
        for total, value in zip(sums, initial, strict=True):
            total.add_incoming(value, start)
        builder.cbranch(builder.icmp_signed("<", step, length), body, done)

        builder.position_at_end(body)
        left_step = builder.gep(left_data, [builder.mul(step, index(ROWS))])
        right_step = builder.gep(right_data, [builder.mul(step, index(COLUMNS))])
        columns = [load(builder.gep(right_step, [index(c)])) for c in range(0, COLUMNS, _LANES)]
        for r in range(ROWS):
            row = spread(builder.load(builder.gep(left_step, [index(r)])))
            for c, column in enumerate(columns):
                total = sums[r * len(columns) + c]
                total.add_incoming(builder.call(fused, [row, column, total]), body)
        step.add_incoming(builder.add(step, index(1)), body)
        builder.branch(head)

        builder.position_at_end(done)
        for total, corner in zip(sums, corners, strict=True):
            builder.store(total, builder.bitcast(corner, vector.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.void(*argument_types), generate


add_tile = cast(
    "Callable[[Floats, int, Floats, int, int, Floats, int, int], None]", intrinsic(_tile)
)
"""``add_tile(left, left_at, right, right_at, depth, out, out_at, out_stride)`` on flat arrays.

``left`` holds ``depth`` steps of 6 numbers from ``left_at`` on, ``right`` ``depth`` steps of 16
from ``right_at`` on; the tile's corner is ``out[out_at]`` and its rows are ``out_stride`` apart.
"""
