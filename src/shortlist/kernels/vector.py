"""The three pieces written in vector instructions, because a compiler does not get there.

``add_tile`` is what scoring, Gram matrices and ALS multiply with: 6 rows times 16 columns stay in
the registers of a processor that has 16 of 8 floats, where plain loops would go through memory.
``at_least`` and ``lowest_bit`` find the few good scores among many without a branch for each.
They are LLVM vectors of a fixed length, so LLVM translates them for any processor, and every
element goes through the same chain of operations wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ROWS: Final = 6
COLUMNS: Final = 16
"""The size of a tile."""

STRIP: Final = 32
"""How many scores :func:`at_least` compares."""

_LANES: Final = 8
_INDEX: Final = ir.IntType(64)


def _address(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [at])


def _load(builder: Any, address: Any, lanes: int) -> Any:
    vector = ir.VectorType(ir.FloatType(), lanes)
    value = builder.load(builder.bitcast(address, vector.as_pointer()))
    value.align = 4
    return value


def _spread(builder: Any, value: Any, lanes: int) -> Any:
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, nothing, zeros)


def _add_tile(
    typing_context: Any, left: Any, left_at: Any, left_step: Any, right: Any, right_at: Any,
    right_step: Any, depth: Any, out: Any, out_at: Any, out_step: Any,
) -> Any:  # fmt: skip
    arguments = (
        left, left_at, left_step, right, right_at, right_step, depth, out, out_at, out_step
    )  # fmt: skip

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def integer(position: int) -> Any:
            return context.cast(builder, values[position], arguments[position], types.int64)

        def start_of(position: int) -> Any:
            array = arguments[position], values[position]
            return _address(context, builder, *array, integer(position + 1))

        left_start, right_start, out_start = start_of(0), start_of(3), start_of(7)
        left_stride, right_stride, out_stride = integer(2), integer(5), integer(9)
        length = integer(6)
        vector = ir.VectorType(ir.FloatType(), _LANES)
        multiply_add = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{_LANES}f32"
        )
        before = builder.block
        head = builder.append_basic_block("tile.head")
        body = builder.append_basic_block("tile.body")
        after = builder.append_basic_block("tile.after")
        places = [
            builder.gep(out_start, [builder.add(builder.mul(out_stride, _INDEX(r)), _INDEX(c))])
            for r in range(ROWS)
            for c in range(0, COLUMNS, _LANES)
        ]
        initial = [_load(builder, place, _LANES) for place in places]
        builder.branch(head)

        builder.position_at_end(head)
        step = builder.phi(_INDEX)
        step.add_incoming(_INDEX(0), before)
        sums = [builder.phi(vector) for _ in places]
        for total, value in zip(sums, initial, strict=True):
            total.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", step, length), body, after)

        builder.position_at_end(body)
        rows = builder.gep(left_start, [builder.mul(step, left_stride)])
        columns = builder.gep(right_start, [builder.mul(step, right_stride)])
        loaded = [
            _load(builder, builder.gep(columns, [_INDEX(c)]), _LANES)
            for c in range(0, COLUMNS, _LANES)
        ]
        for r in range(ROWS):
            factor = _spread(builder, builder.load(builder.gep(rows, [_INDEX(r)])), _LANES)
            for c, column in enumerate(loaded):
                total = sums[r * len(loaded) + c]
                total.add_incoming(builder.call(multiply_add, [factor, column, total]), body)
        step.add_incoming(builder.add(step, _INDEX(1)), body)
        builder.branch(head)

        builder.position_at_end(after)
        for total, place in zip(sums, places, strict=True):
            builder.store(total, builder.bitcast(place, vector.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.void(*arguments), generate


def _at_least(typing_context: Any, scores: Any, at: Any, least: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _address(
            context, builder, scores, values[0], context.cast(builder, values[1], at, types.int64)
        )
        bound = _spread(builder, values[2], STRIP)
        passes = builder.fcmp_ordered(">=", _load(builder, place, STRIP), bound)
        return builder.zext(builder.bitcast(passes, ir.IntType(STRIP)), _INDEX)

    return types.int64(scores, at, types.float32), generate


def _lowest_bit(typing_context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


add_tile = cast(
    "Callable[[Floats, int, int, Floats, int, int, int, Floats, int, int], None]",
    intrinsic(_add_tile),
)
"""``add_tile(left, left_at, left_step, right, right_at, right_step, depth, out, out_at, out_step)``

``out[out_at + r * out_step + c] += sum over p < depth, from first to last, of
left[left_at + p * left_step + r] * right[right_at + p * right_step + c]`` for r < 6 and c < 16,
on flat arrays. Indices are not checked: all of the tile and of its operands must exist.
"""

at_least = cast("Callable[[Floats, int, np.float32], int]", intrinsic(_at_least))
"""``at_least(scores, at, least)``: bit i is whether ``scores[at + i] >= least``, for i < 32."""

lowest_bit = cast("Callable[[int], int]", intrinsic(_lowest_bit))
"""``lowest_bit(bits)``: the position of the lowest bit that is set; one must be."""
