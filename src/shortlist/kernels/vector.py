"""The pieces that are written in vector instructions, because a compiler does not get there.

A processor multiplies and adds 8 floats at once if they lie side by side in a vector register. A
compiler does this to simple loops, but spends most of the time of a short row (a vector of 64
factors, say) on deciding how to run the loop: do the arrays overlap, how many elements are left
over. Nor does it keep a block of sums in registers while it multiplies two matrices. So these loops
are written here, each as an *intrinsic*: Numba calls the function when it compiles a kernel, and it
emits the instructions for LLVM, the compiler behind Numba, which translates vectors of a fixed
length for any processor.

Arrays are flat, and offsets count floats. **No index is checked**: callers make room for whole
vectors and tiles, and the public kernels check shapes. Every element goes through the same chain of
operations wherever it is in a vector, so results do not depend on how the work is cut up.

How to read them: each call of ``builder`` emits one instruction. ``gep`` computes the address so
many elements further on; ``phi`` is a variable of a loop, with one value for its first round and
one for each following; a *lane* is one element of a vector, and a *shuffle* makes a vector of some
lanes of two others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter, Signature
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
_ZEROS: Final = ir.Constant(_VECTOR, [0.0] * LANES)
_VECTORS: Final = range(0, COLUMNS, LANES)  # where the vectors of a tile's row begin

# The parameters of an intrinsic: an array, or an array and the starts of one or four parts of it.
_ARRAY, _PART, _FOUR_PARTS = 0, 1, FOUR
_I64, _F32 = types.int64, types.float32


def emitted(returns: Any, *parameters: Any) -> Callable[[Any], Callable[..., Any]]:
    """Turn a function that emits instructions into one that kernels call.

    The function gets the builder, the addresses of arrays or of their parts, and scalar values.
    Kernels leave out the builder; Numba knows the types, mypy does not.
    """

    def decorate(emit: Callable[..., Any]) -> Callable[..., Any]:
        def typed(typing_context: Any, *kinds: Any) -> Any:
            expected: list[Any] = []
            for parameter in parameters:
                array = isinstance(parameter, int)
                expected.append(kinds[len(expected)] if array else parameter)
                expected += [types.int64] * parameter if array else []

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                left, operands = iter(zip(kinds, values, strict=True)), []
                for parameter in parameters:
                    kind, value = next(left)
                    if isinstance(parameter, int):
                        value = context.make_array(kind)(context, builder, value).data
                        starts = [next(left)[1] for _ in range(parameter)] or [_LONG(0)]
                        operands += [builder.gep(value, [start]) for start in starts]
                    else:
                        operands.append(value)
                result = emit(builder, *operands)
                return context.get_dummy_value() if result is None else result

            return returns(*expected), generate

        count = 1 + sum(1 + p if isinstance(p, int) else 1 for p in parameters)
        names = [Parameter(f"p{n}", Parameter.POSITIONAL_ONLY) for n in range(count)]
        typed.__signature__ = Signature(names)  # type: ignore[attr-defined]
        typed.__name__, typed.__doc__ = emit.__name__, emit.__doc__
        return cast("Callable[..., Any]", intrinsic(typed))

    return decorate


def _load(builder: Any, address: Any, position: Any = None, lanes: int = LANES) -> Any:
    """Load the floats from a position on, which need not be a multiple of the vector's size."""
    if position is not None:
        address = builder.gep(address, [position])
    pointer = builder.bitcast(address, ir.VectorType(_FLOAT, lanes).as_pointer())
    return builder.load(pointer, align=4)


def _store(builder: Any, value: Any, address: Any, position: Any = None) -> None:
    if position is not None:
        address = builder.gep(address, [position])
    builder.store(value, builder.bitcast(address, value.type.as_pointer()), align=4)


def _shuffle(builder: Any, first: Any, second: Any, lanes: Iterable[int]) -> Any:
    """Return a vector of some lanes of two others, the second's numbered after the first's."""
    mask = list(lanes)
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_INT, len(mask)), mask))


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
    """Emit ``for position in range(0, length, step)``; return the totals after the last round.

    ``body(position, totals)`` emits a round and returns the next totals.
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


def _sum_of_lanes(builder: Any, vector: Any) -> Any:
    lanes = distance = vector.type.count
    while distance > 1:
        distance //= 2
        rotated = ((lane + distance) % lanes for lane in range(lanes))
        vector = builder.fadd(vector, _shuffle(builder, vector, vector, rotated))
    return builder.extract_element(vector, _INT(0))


def _sum_over(builder: Any, length: Any, add: Callable[[Any, Any], Any]) -> Any:
    """Emit a loop over whole vectors; ``add(position, total)`` returns the next of its totals."""
    totals = _loop(builder, length, LANES, [_ZEROS], lambda n, totals: [add(n, totals[0])])
    return _sum_of_lanes(builder, totals[0])


@emitted(types.void, _PART, _I64, _PART, _I64, _I64, _PART, _I64)
def add_tile(
    builder: Any, left: Any, left_stride: Any, right: Any, right_stride: Any, depth: Any,
    out: Any, out_stride: Any,
) -> None:  # fmt: skip
    """Add a tile of a matrix product to ``out``.

    ``out[out_start + r * out_stride + c] += sum over p < depth, from first to last, of
    left[left_start + p * left_stride + r] * right[right_start + p * right_stride + c]``
    for r < 6 and c < 16. All of the tile and of its operands must exist.
    """
    addresses = [
        builder.gep(out, [builder.add(builder.mul(out_stride, _LONG(r)), _LONG(c))])
        for r in range(ROWS)
        for c in _VECTORS
    ]

    def add_outer_product(p: Any, totals: list[Any]) -> list[Any]:
        column = builder.gep(left, [builder.mul(p, left_stride)])  # 6 rows of the left
        row = builder.gep(right, [builder.mul(p, right_stride)])  # 16 columns of the right
        loaded, sums = [_load(builder, row, _LONG(c)) for c in _VECTORS], iter(totals)
        factors = (
            _broadcast(builder, builder.load(builder.gep(column, [_LONG(r)]))) for r in range(ROWS)
        )
        return [
            _multiply_add(builder, factor, vector, next(sums))
            for factor in factors
            for vector in loaded
        ]

    initial = [_load(builder, address) for address in addresses]
    totals = _loop(builder, depth, 1, initial, add_outer_product)
    for total, address in zip(totals, addresses, strict=True):
        _store(builder, total, address)


def _passes(builder: Any, scores: Any, least: Any) -> Any:
    strip = _load(builder, scores, lanes=STRIP)
    passes = builder.fcmp_ordered(">=", strip, _broadcast(builder, least, STRIP))
    return builder.zext(builder.bitcast(passes, ir.IntType(STRIP)), _LONG)


@emitted(_I64, _PART, _F32)
def at_least(builder: Any, scores: Any, least: Any) -> Any:
    """Return 32 bits: bit i is whether ``scores[start + i] >= least``."""
    return _passes(builder, scores, least)


@emitted(_I64, _PART, _F32)
def count_at_least(builder: Any, scores: Any, least: Any) -> Any:
    """Return how many of the 32 scores from ``start`` on are ``least`` or more."""
    return builder.ctpop(_passes(builder, scores, least))


@emitted(_I64, _I64)
def lowest_bit(builder: Any, bits: Any) -> Any:
    """Return the position of the lowest bit that is set; at least one must be."""
    return builder.cttz(bits, ir.IntType(1)(1))


def _dots(builder: Any, x: Any, rows: Sequence[Any], length: Any) -> Any:
    """Emit the dot products of a vector with four rows; return them as a vector of 4 floats."""

    def multiply(position: Any, totals: list[Any]) -> list[Any]:
        own = _load(builder, x, position)
        return [
            _multiply_add(builder, own, _load(builder, row, position), total)
            for row, total in zip(rows, totals, strict=True)
        ]

    def add(first: Any, second: Any, lanes: Iterable[int], others: Iterable[int]) -> Any:
        return builder.fadd(
            _shuffle(builder, first, second, lanes), _shuffle(builder, first, second, others)
        )

    sums = _loop(builder, length, LANES, [_ZEROS] * FOUR, multiply)
    sums = [add(total, total, range(4), range(4, 8)) for total in sums]
    while len(sums) > 1:  # neighbouring lanes are added: 4 x 4 lanes, then 2 x 4, then 1 x 4
        pairs = zip(sums[::2], sums[1::2], strict=True)
        sums = [add(first, second, (0, 2, 4, 6), (1, 3, 5, 7)) for first, second in pairs]
    return sums[0]


def _add_rows(
    builder: Any, out: Any, rows: Sequence[Any], factors: Sequence[Any], length: Any
) -> None:
    """Emit the addition of four rows, each times a vector that has its factor in every lane."""

    def add(position: Any, _: list[Any]) -> list[Any]:
        total = _load(builder, out, position)
        for factor, row in zip(factors, rows, strict=True):
            total = _multiply_add(builder, factor, _load(builder, row, position), total)
        _store(builder, total, out, position)
        return []

    _loop(builder, length, LANES, [], add)


@emitted(types.UniTuple(_F32, FOUR), _PART, _FOUR_PARTS, _I64)  # type: ignore[no-untyped-call]
def four_dots(builder: Any, x: Any, i: Any, j: Any, k: Any, m: Any, length: Any) -> Any:
    """Return four dot products of ``x[x_start : x_start + length]``.

    With the parts of ``rows`` that start at i, j, k and m; ``length`` is a multiple of 8.
    """
    dots = _dots(builder, x, (i, j, k, m), length)
    apart = [builder.extract_element(dots, _INT(lane)) for lane in range(FOUR)]
    return cgutils.pack_array(builder, apart)  # type: ignore[no-untyped-call]


@emitted(types.void, _PART, _FOUR_PARTS, _F32, _F32, _F32, _F32, _I64)
def add_four_rows(
    builder: Any, out: Any, i: Any, j: Any, k: Any, m: Any, a: Any, b: Any, c: Any, d: Any,
    length: Any,
) -> None:  # fmt: skip
    """Add multiples of four rows to ``out[out_start : out_start + length]``, one after the other.

    ``out += a * rows[i : ...] + b * rows[j : ...] + c * rows[k : ...] + d * rows[m : ...]``;
    ``length`` is a multiple of 8.
    """
    factors = [_broadcast(builder, value) for value in (a, b, c, d)]
    _add_rows(builder, out, (i, j, k, m), factors, length)


@emitted(_F32, _PART, _F32, _PART, _FOUR_PARTS, _PART, _I64)
def add_four_errors(
    builder: Any, out: Any, scale: Any, x: Any, i: Any, j: Any, k: Any, m: Any, targets: Any,
    length: Any,
) -> Any:  # fmt: skip
    """Add to ``out`` four rows, each times ``scale`` times its error; return the squared errors.

    The error of a row is its dot product with x minus its target, one of
    ``targets[targets_start : targets_start + 4]``. The squared errors are summed.
    """
    rows = i, j, k, m
    errors = builder.fsub(_dots(builder, x, rows, length), _load(builder, targets, lanes=FOUR))
    scaled = builder.fmul(_broadcast(builder, scale, FOUR), errors)
    factors = [_shuffle(builder, scaled, scaled, [lane] * LANES) for lane in range(FOUR)]
    _add_rows(builder, out, rows, factors, length)
    return _sum_of_lanes(builder, builder.fmul(errors, errors))


@emitted(_F32, _ARRAY, _ARRAY, _I64)
def dot_of_vectors(builder: Any, x: Any, y: Any, length: Any) -> Any:
    """Return the dot product of two rows, of a length that is a multiple of 8."""

    def add(position: Any, total: Any) -> Any:
        own, other = _load(builder, x, position), _load(builder, y, position)
        return _multiply_add(builder, own, other, total)

    return _sum_over(builder, length, add)


@emitted(_F32, _ARRAY, _ARRAY, _ARRAY, _I64)
def scaled(builder: Any, x: Any, y: Any, out: Any, length: Any) -> Any:
    """Set ``out`` to ``x * y``, of a length that is a multiple of 8; return ``sum x^2 * y``."""

    def add(position: Any, total: Any) -> Any:
        own = _load(builder, x, position)
        product = builder.fmul(own, _load(builder, y, position))
        _store(builder, product, out, position)
        return _multiply_add(builder, own, product, total)

    return _sum_over(builder, length, add)


@emitted(_F32, _F32, _ARRAY, _ARRAY, _ARRAY, _ARRAY, _ARRAY, _I64)
def conjugate_step(
    builder: Any, length: Any, x: Any, direction: Any, residual: Any, image: Any, scale: Any,
    size: Any,
) -> Any:  # fmt: skip
    """Take a step of a ``length`` along a direction; set ``image`` to the scaled residual there.

    ``x += length * direction``, ``residual += length * image``, ``image = scale * residual``; all
    have ``size`` elements, a multiple of 8. Return ``residual . image``.
    """
    factor = _broadcast(builder, length)

    def step(position: Any, total: Any) -> Any:
        here, along, left, change, by = (
            _load(builder, array, position) for array in (x, direction, residual, image, scale)
        )
        left = _multiply_add(builder, factor, change, left)
        changed = builder.fmul(by, left)
        _store(builder, _multiply_add(builder, factor, along, here), x, position)
        _store(builder, left, residual, position)
        _store(builder, changed, image, position)
        return _multiply_add(builder, left, changed, total)

    return _sum_over(builder, size, step)
