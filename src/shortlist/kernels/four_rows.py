"""A vector against four rows at a time, written in vector instructions.

A row of factors is short. Compiled from plain loops, most of the time goes into deciding how to run
the loop (do the arrays overlap, how many elements are left over) and into adding up the lanes of
one dot product after another. Here rows have whole vectors of 8 floats, and the lanes of four dot
products are added up together, always in one order.
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

LANES: Final = 8
"""Rows must have a multiple of this length."""

_INDEX: Final = ir.IntType(64)
_EIGHT: Final = ir.VectorType(ir.FloatType(), LANES)
_FOUR: Final = ir.VectorType(ir.FloatType(), 4)
_LANE: Final = ir.IntType(32)
_EVEN, _ODD = [0, 2, 4, 6], [1, 3, 5, 7]


def _place(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [at])


def _eight(builder: Any, start: Any, at: Any) -> tuple[Any, Any]:
    """Give the address and the value of the 8 floats ``at`` elements after a start."""
    place = builder.bitcast(builder.gep(start, [at]), _EIGHT.as_pointer())
    value = builder.load(place)
    value.align = 4
    return place, value


def _shuffled(builder: Any, one: Any, other: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(one, other, mask)


def _multiply_add(builder: Any, one: Any, other: Any, total: Any) -> Any:
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(_EIGHT, [_EIGHT] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    return builder.call(function, [one, other, total])


def _each_eight(builder: Any, length: Any, initial: list[Any], step: Callable[..., Any]) -> Any:
    """Loop over ``length`` elements, 8 at a time; ``step(at, totals)`` gives the next totals."""
    before = builder.block
    head, body, after = (builder.append_basic_block(f"rows.{n}") for n in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    at = builder.phi(_INDEX)
    at.add_incoming(_INDEX(0), before)
    totals = [builder.phi(value.type) for value in initial]
    for total, value in zip(totals, initial, strict=True):
        total.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", at, length), body, after)
    builder.position_at_end(body)
    for total, value in zip(totals, step(at, totals), strict=True):
        total.add_incoming(value, body)
    at.add_incoming(builder.add(at, _INDEX(LANES)), body)
    builder.branch(head)
    builder.position_at_end(after)
    return totals


def _dots(builder: Any, own: Any, starts: list[Any], length: Any) -> Any:
    """Give the dot products of a vector with four rows, as one vector of 4 floats."""

    def step(at: Any, totals: Any) -> Any:
        _, mine = _eight(builder, own, at)
        theirs = [_eight(builder, start, at)[1] for start in starts]
        return [
            _multiply_add(builder, mine, row, total)
            for row, total in zip(theirs, totals, strict=True)
        ]

    sums = _each_eight(builder, length, [ir.Constant(_EIGHT, [0.0] * LANES)] * 4, step)
    halves = [
        builder.fadd(
            _shuffled(builder, one, one, [0, 1, 2, 3]), _shuffled(builder, one, one, [4, 5, 6, 7])
        )
        for one in sums
    ]
    for _ in range(2):  # 4 x 4 lanes, 2 x 4, 1 x 4: one lane is left of each dot product
        halves = [
            builder.fadd(
                _shuffled(builder, one, other, _EVEN), _shuffled(builder, one, other, _ODD)
            )
            for one, other in zip(halves[::2], halves[1::2], strict=True)
        ]
    return halves[0]


def _add_rows(builder: Any, into: Any, starts: list[Any], factors: list[Any], length: Any) -> None:
    """Add four rows, each by a vector that holds its factor in every lane."""

    def step(at: Any, totals: Any) -> Any:
        place, total = _eight(builder, into, at)
        for factor, start in zip(factors, starts, strict=True):
            total = _multiply_add(builder, factor, _eight(builder, start, at)[1], total)
        builder.store(total, place).align = 4
        return []

    _each_eight(builder, length, [], step)


def _spread(builder: Any, value: Any, lanes: int) -> Any:
    """Put a float into every lane."""
    nothing = ir.Constant(ir.VectorType(ir.FloatType(), lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, _LANE(0))
    return _shuffled(builder, first, nothing, [0] * lanes)


def _four_dots(
    typing_context: Any, x: Any, x_at: Any, rows: Any, i: Any, j: Any, k: Any, m: Any, length: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        own = _place(context, builder, x, values[0], values[1])
        starts = [_place(context, builder, rows, values[2], at) for at in values[3:7]]
        dots = _dots(builder, own, starts, values[7])
        apart = [builder.extract_element(dots, _LANE(lane)) for lane in range(4)]
        return cgutils.pack_array(builder, apart)  # type: ignore[no-untyped-call]

    longs = [types.int64] * 5
    four = types.UniTuple(types.float32, 4)  # type: ignore[no-untyped-call]
    return four(x, types.int64, rows, *longs), generate


def _add_four_rows(
    typing_context: Any, out: Any, out_at: Any, rows: Any, i: Any, j: Any, k: Any, m: Any,
    a: Any, b: Any, c: Any, d: Any, length: Any,
) -> Any:  # fmt: skip
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        into = _place(context, builder, out, values[0], values[1])
        starts = [_place(context, builder, rows, values[2], at) for at in values[3:7]]
        factors = [_spread(builder, value, LANES) for value in values[7:11]]
        _add_rows(builder, into, starts, factors, values[11])
        return context.get_dummy_value()

    longs, floats = [types.int64] * 4, [types.float32] * 4
    return types.void(out, types.int64, rows, *longs, *floats, types.int64), generate


def _add_four_errors(
    typing_context: Any, out: Any, out_at: Any, scale: Any, x: Any, x_at: Any, rows: Any,
    i: Any, j: Any, k: Any, m: Any, targets: Any, targets_at: Any, length: Any,
) -> Any:  # fmt: skip
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        into = _place(context, builder, out, values[0], values[1])
        own = _place(context, builder, x, values[3], values[4])
        starts = [_place(context, builder, rows, values[5], at) for at in values[6:10]]
        wanted = builder.bitcast(
            _place(context, builder, targets, values[10], values[11]), _FOUR.as_pointer()
        )
        errors = builder.fsub(
            _dots(builder, own, starts, values[12]), builder.load(wanted, align=4)
        )
        scaled = builder.fmul(_spread(builder, values[2], 4), errors)
        factors = [_shuffled(builder, scaled, scaled, [lane] * LANES) for lane in range(4)]
        _add_rows(builder, into, starts, factors, values[12])
        squares = builder.fmul(errors, errors)
        for distance in (2, 1):
            there = [(lane + distance) % 4 for lane in range(4)]
            squares = builder.fadd(squares, _shuffled(builder, squares, squares, there))
        return builder.extract_element(squares, _LANE(0))

    longs = [types.int64] * 4
    wanted = (out, types.int64, types.float32, x, types.int64, rows, *longs, targets)
    return types.float32(*wanted, types.int64, types.int64), generate


four_dots = cast(
    "Callable[[Floats, int, Floats, int, int, int, int, int], "
    "tuple[np.float32, np.float32, np.float32, np.float32]]",
    intrinsic(_four_dots),
)
"""``four_dots(x, x_at, rows, i, j, k, m, length)``

The dot products of ``x[x_at : x_at + length]`` with the parts of ``rows`` that start at i, j, k and
m, on flat arrays. ``length`` is a multiple of 8. Indices are not checked.
"""

add_four_rows = cast(
    "Callable[[Floats, int, Floats, int, int, int, int, "
    "np.float32, np.float32, np.float32, np.float32, int], None]",
    intrinsic(_add_four_rows),
)
"""``add_four_rows(out, out_at, rows, i, j, k, m, a, b, c, d, length)``

``out[out_at : out_at + length] += a * rows[i : ...] + b * rows[j : ...] + c * rows[k : ...]
+ d * rows[m : ...]``, one after the other, under the same conditions.
"""

add_four_errors = cast(
    "Callable[[Floats, int, np.float32, Floats, int, Floats, int, int, int, int, Floats, int, int],"
    " np.float32]",
    intrinsic(_add_four_errors),
)
"""``add_four_errors(out, out_at, scale, x, x_at, rows, i, j, k, m, targets, targets_at, length)``

How far the four dot products are from ``targets[targets_at : targets_at + 4]``: adds the rows, each
by ``scale`` times its error, to ``out``, and returns the sum of the squared errors.
"""
