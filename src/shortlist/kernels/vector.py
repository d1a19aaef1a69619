"""The pieces that are written in vector instructions, because a compiler does not get there.

A processor multiplies and adds 8 floats at once if they lie side by side in a vector register. A
compiler does this to simple loops, but spends most of the time of a short row (a vector of 64
factors, say) on deciding how to run the loop: do the arrays overlap, how many elements are left
over. Nor does it keep a block of sums in registers while it multiplies two matrices. So these loops
are written here, each as an *intrinsic*: Numba calls the function ``generate`` when it compiles a
kernel, and the function emits the instructions for LLVM, the compiler behind Numba. LLVM translates
vectors of a fixed length for any processor.

Arrays are flat, and offsets count floats. **No index is checked**: callers make room for whole
vectors and tiles, and the public kernels check shapes. Every element goes through the same chain of
operations wherever it is in a vector, so results do not depend on how the work is cut up.

How to read ``generate``: each call of ``builder`` emits one instruction. ``gep`` computes the
address so many elements further on; ``phi`` is a variable of a loop, with one value for its first
round and one for each following; a *lane* is one element of a vector, and a *shuffle* makes a
vector of some lanes of two others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES: Final = 8
"""Floats in a vector."""

FOUR: Final = 4
"""Rows that the functions on rows take together."""

ROWS: Final = 6
COLUMNS: Final = 16
"""The size of a tile: 12 vectors of sums, of the 16 registers that a processor has at least."""

STRIP: Final = 32
"""Scores that :func:`at_least` compares."""

_INT: Final = ir.IntType(32)
_LONG: Final = ir.IntType(64)
_FLOAT: Final = ir.FloatType()
_VECTOR: Final = ir.VectorType(_FLOAT, LANES)

# A kernel calls the function without its first parameter; Numba knows the types, mypy does not.
emitted = cast("Callable[[Callable[..., Any]], Callable[..., Any]]", intrinsic)


def _address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    """Return the address of an element of a flat array."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def _load(builder: Any, address: Any, lanes: int = LANES) -> Any:
    """Load the floats from an address on, which need not be a multiple of the vector's size."""
    pointer = builder.bitcast(address, ir.VectorType(_FLOAT, lanes).as_pointer())
    return builder.load(pointer, align=4)


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.bitcast(address, value.type.as_pointer()), align=4)


def _shuffle(builder: Any, first: Any, second: Any, lanes: list[int]) -> Any:
    """Return a vector of some lanes of two others, the second's numbered after the first's."""
    mask = ir.Constant(ir.VectorType(_INT, len(lanes)), lanes)
    return builder.shuffle_vector(first, second, mask)


def _broadcast(builder: Any, value: Any, lanes: int = LANES) -> Any:
    """Return a vector with a float in every lane."""
    undefined = ir.Constant(ir.VectorType(_FLOAT, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, _INT(0))
    return _shuffle(builder, first, undefined, [0] * lanes)


def _multiply_add(builder: Any, factor: Any, vector: Any, total: Any) -> Any:
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    return builder.call(function, [factor, vector, total])


def _loop(
    builder: Any, length: Any, step: int, initial: list[Any], body: Callable[..., list[Any]]
) -> list[Any]:
    """Emit ``for position in range(0, length, step)`` and return the totals after the last round.

    ``body(position, totals)`` emits one round and returns the next totals; ``initial`` are the
    first.
    """
    before = builder.block
    head, round_, after = (
        builder.append_basic_block(f"loop.{name}") for name in ("head", "round", "after")
    )
    builder.branch(head)
    builder.position_at_end(head)
    position = builder.phi(_LONG)
    position.add_incoming(_LONG(0), before)
    totals = [builder.phi(value.type) for value in initial]
    for total, value in zip(totals, initial, strict=True):
        total.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", position, length), round_, after)
    builder.position_at_end(round_)
    for total, value in zip(totals, body(position, totals), strict=True):
        total.add_incoming(value, round_)
    position.add_incoming(builder.add(position, _LONG(step)), round_)
    builder.branch(head)
    builder.position_at_end(after)
    return totals


@emitted
def add_tile(
    typing_context: Any, left: Any, left_start: Any, left_stride: Any, right: Any, right_start: Any,
    right_stride: Any, depth: Any, out: Any, out_start: Any, out_stride: Any,
) -> Any:  # fmt: skip
    """Add a tile of a matrix product to ``out``.

    ``out[out_start + r * out_stride + c] += sum over p < depth, from first to last, of
    left[left_start + p * left_stride + r] * right[right_start + p * right_stride + c]``
    for r < 6 and c < 16. All of the tile and of its operands must exist.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        left_data = _address(context, builder, left, values[0], values[1])
        right_data = _address(context, builder, right, values[3], values[4])
        out_data = _address(context, builder, out, values[7], values[8])
        vectors = range(0, COLUMNS, LANES)
        addresses = [
            builder.gep(out_data, [builder.add(builder.mul(values[9], _LONG(r)), _LONG(c))])
            for r in range(ROWS)
            for c in vectors
        ]

        def add_outer_product(p: Any, totals: list[Any]) -> list[Any]:
            column = builder.gep(left_data, [builder.mul(p, values[2])])  # 6 rows of the left
            row = builder.gep(right_data, [builder.mul(p, values[5])])  # 16 columns of the right
            loaded = [_load(builder, builder.gep(row, [_LONG(c)])) for c in vectors]
            sums = iter(totals)
            return [
                _multiply_add(builder, factor, vector, next(sums))
                for factor in (
                    _broadcast(builder, builder.load(builder.gep(column, [_LONG(r)])))
                    for r in range(ROWS)
                )
                for vector in loaded
            ]

        initial = [_load(builder, address) for address in addresses]
        totals = _loop(builder, values[6], 1, initial, add_outer_product)
        for total, address in zip(totals, addresses, strict=True):
            _store(builder, total, address)
        return context.get_dummy_value()

    long = types.int64
    return types.void(left, long, long, right, long, long, long, out, long, long), generate


def _passes(context: Any, builder: Any, scores: Any, values: Any) -> Any:
    """Emit the comparison of a strip of scores, from a start on, with the least; 32 bits."""
    strip = _load(builder, _address(context, builder, scores, values[0], values[1]), STRIP)
    passes = builder.fcmp_ordered(">=", strip, _broadcast(builder, values[2], STRIP))
    return builder.bitcast(passes, ir.IntType(STRIP))


@emitted
def at_least(typing_context: Any, scores: Any, start: Any, least: Any) -> Any:
    """Return 32 bits: bit i is whether ``scores[start + i] >= least``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.zext(_passes(context, builder, scores, values), _LONG)

    return types.int64(scores, types.int64, types.float32), generate


@emitted
def count_at_least(typing_context: Any, scores: Any, start: Any, least: Any) -> Any:
    """Return how many of the 32 scores from ``start`` on are ``least`` or more."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.zext(builder.ctpop(_passes(context, builder, scores, values)), _LONG)

    return types.int64(scores, types.int64, types.float32), generate


@emitted
def lowest_bit(typing_context: Any, bits: Any) -> Any:
    """Return the position of the lowest bit that is set; at least one must be."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


def _emit_dots(builder: Any, x: Any, rows: list[Any], length: Any) -> Any:
    """Emit the dot products of a vector with four rows; returns them as one vector of 4 floats."""

    def multiply(position: Any, totals: list[Any]) -> list[Any]:
        own = _load(builder, builder.gep(x, [position]))
        return [
            _multiply_add(builder, own, _load(builder, builder.gep(row, [position])), total)
            for row, total in zip(rows, totals, strict=True)
        ]

    zeros = ir.Constant(_VECTOR, [0.0] * LANES)
    sums = _loop(builder, length, LANES, [zeros] * FOUR, multiply)
    halves = [
        builder.fadd(
            _shuffle(builder, total, total, [0, 1, 2, 3]),
            _shuffle(builder, total, total, [4, 5, 6, 7]),
        )
        for total in sums
    ]
    for _ in range(2):  # neighbouring lanes are added: 4 x 4 lanes, then 2 x 4, then 1 x 4
        halves = [
            builder.fadd(
                _shuffle(builder, first, second, [0, 2, 4, 6]),
                _shuffle(builder, first, second, [1, 3, 5, 7]),
            )
            for first, second in zip(halves[::2], halves[1::2], strict=True)
        ]
    return halves[0]


def _emit_add_rows(
    builder: Any, out: Any, rows: list[Any], factors: list[Any], length: Any
) -> None:
    """Emit the addition of four rows, each times a vector that has its factor in every lane."""

    def add(position: Any, _: list[Any]) -> list[Any]:
        address = builder.gep(out, [position])
        total = _load(builder, address)
        for factor, row in zip(factors, rows, strict=True):
            total = _multiply_add(
                builder, factor, _load(builder, builder.gep(row, [position])), total
            )
        _store(builder, total, address)
        return []

    _loop(builder, length, LANES, [], add)


@emitted
def four_dots(
    typing_context: Any, x: Any, x_start: Any, rows: Any, i: Any, j: Any, k: Any, m: Any,
    length: Any,
) -> Any:  # fmt: skip
    """Return four dot products of ``x[x_start : x_start + length]``.

    With the parts of ``rows`` that start at i, j, k and m; ``length`` is a multiple of 8.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        own = _address(context, builder, x, values[0], values[1])
        four = [_address(context, builder, rows, values[2], start) for start in values[3:7]]
        dots = _emit_dots(builder, own, four, values[7])
        apart = [builder.extract_element(dots, _INT(lane)) for lane in range(FOUR)]
        return cgutils.pack_array(builder, apart)  # type: ignore[no-untyped-call]

    floats = types.UniTuple(types.float32, FOUR)  # type: ignore[no-untyped-call]
    return floats(x, types.int64, rows, *[types.int64] * 5), generate


@emitted
def add_four_rows(
    typing_context: Any, out: Any, out_start: Any, rows: Any, i: Any, j: Any, k: Any, m: Any,
    a: Any, b: Any, c: Any, d: Any, length: Any,
) -> Any:  # fmt: skip
    """Add multiples of four rows to ``out[out_start : out_start + length]``, one after the other.

    ``out += a * rows[i : ...] + b * rows[j : ...] + c * rows[k : ...] + d * rows[m : ...]``;
    ``length`` is a multiple of 8.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        into = _address(context, builder, out, values[0], values[1])
        four = [_address(context, builder, rows, values[2], start) for start in values[3:7]]
        factors = [_broadcast(builder, value) for value in values[7:11]]
        _emit_add_rows(builder, into, four, factors, values[11])
        return context.get_dummy_value()

    starts, factors = [types.int64] * 4, [types.float32] * 4
    return types.void(out, types.int64, rows, *starts, *factors, types.int64), generate


@emitted
def add_four_errors(
    typing_context: Any, out: Any, out_start: Any, scale: Any, x: Any, x_start: Any, rows: Any,
    i: Any, j: Any, k: Any, m: Any, targets: Any, targets_start: Any, length: Any,
) -> Any:  # fmt: skip
    """Add to ``out`` four rows, each times ``scale`` times its error; return the squared errors.

    The error of a row is its dot product with x minus its target, one of
    ``targets[targets_start : targets_start + 4]``. The squared errors are summed.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        into = _address(context, builder, out, values[0], values[1])
        own = _address(context, builder, x, values[3], values[4])
        four = [_address(context, builder, rows, values[5], start) for start in values[6:10]]
        wanted = _load(builder, _address(context, builder, targets, values[10], values[11]), FOUR)
        errors = builder.fsub(_emit_dots(builder, own, four, values[12]), wanted)
        scaled = builder.fmul(_broadcast(builder, values[2], FOUR), errors)
        factors = [_shuffle(builder, scaled, scaled, [lane] * LANES) for lane in range(FOUR)]
        _emit_add_rows(builder, into, four, factors, values[12])
        squares = builder.fmul(errors, errors)
        for distance in (2, 1):
            rotated = [(lane + distance) % FOUR for lane in range(FOUR)]
            squares = builder.fadd(squares, _shuffle(builder, squares, squares, rotated))
        return builder.extract_element(squares, _INT(0))

    long, starts = types.int64, [types.int64] * 4
    return (
        types.float32(out, long, types.float32, x, long, rows, *starts, targets, long, long),
        generate,
    )


def _emit_sum(builder: Any, vector: Any) -> Any:
    """Emit the sum of the lanes of a vector."""
    for distance in (4, 2, 1):
        rotated = [(lane + distance) % LANES for lane in range(LANES)]
        vector = builder.fadd(vector, _shuffle(builder, vector, vector, rotated))
    return builder.extract_element(vector, _INT(0))


@emitted
def negated_product(typing_context: Any, x: Any, y: Any, out: Any, length: Any) -> Any:
    """Set ``out`` to ``-x * y``, of a length that is a multiple of 8; return ``sum x^2 * y``."""
    return _product(x, y, out, negated=True)


@emitted
def scaled(typing_context: Any, x: Any, y: Any, out: Any, length: Any) -> Any:
    """Set ``out`` to ``x * y``, of a length that is a multiple of 8; return ``sum x^2 * y``."""
    return _product(x, y, out, negated=False)


def _product(x: Any, y: Any, out: Any, *, negated: bool) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start = _LONG(0)
        left, right, into = (
            _address(context, builder, kind, value, start)
            for kind, value in zip((x, y, out), values[:3], strict=True)
        )

        def multiply(position: Any, totals: list[Any]) -> list[Any]:
            own = _load(builder, builder.gep(left, [position]))
            product = builder.fmul(own, _load(builder, builder.gep(right, [position])))
            result = builder.fneg(product) if negated else product
            _store(builder, result, builder.gep(into, [position]))
            return [_multiply_add(builder, own, product, totals[0])]

        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        return _emit_sum(builder, _loop(builder, values[3], LANES, [zeros], multiply)[0])

    return types.float32(x, y, out, types.int64), generate


@emitted
def dot_of_vectors(typing_context: Any, x: Any, y: Any, length: Any) -> Any:
    """Return the dot product of two rows, of a length that is a multiple of 8."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        left, right = (
            _address(context, builder, kind, value, _LONG(0))
            for kind, value in zip((x, y), values[:2], strict=True)
        )

        def multiply(position: Any, totals: list[Any]) -> list[Any]:
            own = _load(builder, builder.gep(left, [position]))
            other = _load(builder, builder.gep(right, [position]))
            return [_multiply_add(builder, own, other, totals[0])]

        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        return _emit_sum(builder, _loop(builder, values[2], LANES, [zeros], multiply)[0])

    return types.float32(x, y, types.int64), generate


@emitted
def conjugate_step(
    typing_context: Any, length: Any, x: Any, direction: Any, residual: Any, image: Any,
    scale: Any, size: Any,
) -> Any:  # fmt: skip
    """Go a ``length`` along a direction, and set ``image`` to the scaled residual there.

    ``x += length * direction``, ``residual += length * image``, ``image = scale * residual``; all
    have ``size`` elements, a multiple of 8. Return ``residual . image``.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arrays = [
            _address(context, builder, kind, value, _LONG(0))
            for kind, value in zip((x, direction, residual, image, scale), values[1:6], strict=True)
        ]
        factor = _broadcast(builder, values[0])

        def step(position: Any, totals: list[Any]) -> list[Any]:
            at = [builder.gep(array, [position]) for array in arrays]
            here, along, left, change, by = (_load(builder, address) for address in at)
            _store(builder, _multiply_add(builder, factor, along, here), at[0])
            left = _multiply_add(builder, factor, change, left)
            scaled = builder.fmul(by, left)
            _store(builder, left, at[2])
            _store(builder, scaled, at[3])
            return [_multiply_add(builder, left, scaled, totals[0])]

        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        return _emit_sum(builder, _loop(builder, values[6], LANES, [zeros], step)[0])

    single, long = types.float32, types.int64
    return single(single, x, direction, residual, image, scale, long), generate
