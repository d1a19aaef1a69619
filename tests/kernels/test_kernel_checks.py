"""Wrong arguments of public kernels are refused with an error that names the argument."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import CASES, functions, modules
from kernel_worlds import Selection, Sparse
from numpy.typing import NDArray

from shortlist.kernels.checks import Shapes
from shortlist.kernels.sampling import draw
from shortlist.kernels.scores import dense_factors, dense_sparse
from shortlist.kernels.similarity import neighbors
from shortlist.kernels.topk import topk_factors
from shortlist.kernels.types import Csr, EligibleItems

ARRAYS = [(name, path) for name, case in CASES.items() for path, _ in case.arrays()]
OTHER_DTYPES = {
    "float32": np.float64, "float64": np.float32, "int32": np.int64, "int64": np.int32,
    "uint32": np.int32, "uint8": np.int8, "bool": np.uint8,
}  # fmt: skip

PLAIN = {"splitmix", "added", "shard_count", "shard_rows", "total_gram"}
"""Public functions that call no compiled code."""


def refused(name: str, path: str, array: Any, error: type[Exception] = ValueError) -> str:
    """Return the message with which a kernel refuses an array, which must name it."""
    case = CASES[name]
    with pytest.raises(error, match=f"^{re.escape(path)} ") as caught:
        case.function(**case.with_array(path, array))
    return str(caught.value)


def array_at(name: str, path: str) -> NDArray[Any]:
    return dict(CASES[name].arrays())[path]


def test_every_public_kernel_is_tested_here() -> None:
    public = [
        function.__name__
        for module in modules()
        for function in functions(module)
        if not function.__name__.startswith("_") and function.__name__ not in PLAIN
    ]
    assert sorted(public) == sorted(CASES)


def test_compiled_functions_are_private() -> None:
    compiled = [
        function.__name__
        for module in modules()
        for function in functions(module)
        if hasattr(function, "__wrapped__")
    ]
    assert len(compiled) > 10
    assert [name for name in compiled if not name.startswith("_")] == []


@pytest.mark.parametrize("name", CASES)
def test_the_arguments_as_they_are_work(name: str) -> None:
    CASES[name]()


@pytest.mark.parametrize(("name", "path"), ARRAYS)
def test_another_dtype_is_refused(name: str, path: str) -> None:
    array = array_at(name, path)
    other = np.dtype(OTHER_DTYPES[array.dtype.name])
    message = refused(name, path, array.astype(other), TypeError)
    assert message == f"{path} has dtype {other}, expected {array.dtype}"
    if array.dtype.itemsize > 1:
        refused(name, path, array.astype(array.dtype.newbyteorder()), TypeError)


@pytest.mark.parametrize(("name", "path"), ARRAYS)
def test_what_is_no_array_is_refused(name: str, path: str) -> None:
    array = array_at(name, path)
    message = refused(name, path, array.tolist(), TypeError)
    assert message == f"{path} is a list, expected an array of {array.dtype}"


@pytest.mark.parametrize(("name", "path"), ARRAYS)
def test_another_number_of_dimensions_is_refused(name: str, path: str) -> None:
    array = array_at(name, path)
    for other in (array[np.newaxis], array[0]):
        if isinstance(other, np.ndarray):
            assert f"{path} has shape {other.shape}, expected (" in refused(name, path, other)


@pytest.mark.parametrize(("name", "path"), ARRAYS)
def test_an_array_that_is_not_contiguous_is_refused(name: str, path: str) -> None:
    array = array_at(name, path)
    for other in (np.repeat(array, 2, axis=-1)[..., ::2], np.asfortranarray(array), array[::-1]):
        if not other.flags.c_contiguous:
            assert "is not C-contiguous" in refused(name, path, other)


@pytest.mark.parametrize(
    ("name", "path", "axis"),
    [(name, path, axis) for name, path in ARRAYS for axis in range(array_at(name, path).ndim)],
)
def test_a_size_that_does_not_fit_the_others_is_refused(name: str, path: str, axis: int) -> None:
    case, array = CASES[name], array_at(name, path)
    longer = np.concatenate([array, np.take(array, [-1], axis=axis)], axis=axis)
    if f"{path}:{axis}" in case.free:
        case.function(**case.with_array(path, longer))
        return
    with pytest.raises(ValueError, match=r" has shape .*, expected |, expected the length of "):
        case.function(**case.with_array(path, longer))


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name, path in ARRAYS if path in CASES[name].bounded]
)
def test_an_index_out_of_range_is_refused(name: str, path: str) -> None:
    array = array_at(name, path)
    least, bound = CASES[name].bounded[path]
    for wrong in (bound, least - 1, 2**31 - 1, -(2**31)):
        for position in (0, array.size - 1):
            changed = array.copy()
            changed.flat[position] = wrong
            message = refused(name, path, changed)
            if path != "eligible.order":
                expected = f"holds {wrong}, expected at least {least} and less than {bound}"
                assert message == f"{path} {expected}"


def test_every_array_of_indices_is_bounded() -> None:
    indices = {(name, path) for name, path in ARRAYS if array_at(name, path).dtype == np.int32}
    bounded = {(name, path) for name, case in CASES.items() for path in case.bounded}
    compared_only = {("list_ranks", "order"), ("draw", "known[1]")}
    assert indices - bounded == compared_only


@pytest.mark.parametrize(
    ("name", "path"),
    [(name, path) for name, path in ARRAYS if path.endswith("indptr") or path == "known[0]"],
)
def test_pointers_that_are_none_are_refused(name: str, path: str) -> None:
    array = array_at(name, path)
    total = int(array[-1])
    for position, wrong in [(0, -1), (-1, total + 1), (-1, 2**62), (1, total + 1), (1, -5)]:
        changed = array.copy()
        changed[position] = wrong
        refused(name, path, changed)
    if path != "known[0]":
        assert "has shape (0,), expected" in refused(name, path, array[:0])


@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name, case in CASES.items() for size in case.sizes]
)
def test_a_size_is_a_whole_number(name: str, size: str) -> None:
    with pytest.raises(ValueError, match=f"^{size} is -1, expected 0 or more$"):
        CASES[name](**{size: -1})
    with pytest.raises(TypeError, match=f"^{size} is a float, expected a whole number$"):
        CASES[name](**{size: 2.0})


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for name, case in CASES.items()
        for argument, value in case.arguments.items()
        if isinstance(value, Csr | EligibleItems)
    ],
)
def test_sparse_rows_and_selections_are_of_their_type(name: str, argument: str) -> None:
    with pytest.raises(TypeError, match=f"^{argument} is a (NoneType|ndarray), expected an? "):
        CASES[name](**{argument: None})
    with pytest.raises(TypeError, match=f"^{argument} is a ndarray, expected an? "):
        CASES[name](**{argument: np.zeros((2, 2), np.float32)})


def test_an_order_that_repeats_an_item_is_refused() -> None:
    order = np.array([0, 1, 1], np.int32)
    with pytest.raises(ValueError, match=r"eligible\.order is not a permutation"):
        CASES["topk_dense"](
            block=np.zeros((1, 3), np.float32),
            eligible=Selection.everything(1, 3).eligible._replace(order=order),
        )


@pytest.mark.parametrize(("own", "other"), [(2, 8), (4096, 2), (8, 0)])
def test_widths_that_differ_are_refused(own: int, other: int) -> None:
    """Without the check, the first returns garbage and the second ends the process."""
    queries, items = np.ones((3, own), np.float32), np.ones((other, 5), np.float32)
    eligible = Selection.everything(3, 5).eligible
    message = rf"items_t has shape \({other}, 5\), expected \(f={own}, N\)"
    with pytest.raises(ValueError, match=message):
        topk_factors(queries, items, eligible, 2)
    with pytest.raises(ValueError, match=message):
        dense_factors(queries, items)


@given(st.tuples(*[st.integers(0, 3)] * 5))
def test_shapes_fit_or_are_refused(sizes: tuple[int, int, int, int, int]) -> None:
    n_queries, width, depth, n_items, n_bias = sizes
    arguments = [
        np.ones(shape, np.float32) for shape in [(n_queries, width), (depth, n_items), (n_bias,)]
    ]
    if width == depth and n_items == n_bias:
        assert (dense_factors(*arguments) == 1 + depth).all()
    else:
        with pytest.raises(ValueError, match=r"^(items_t|bias) has shape .*, expected "):
            dense_factors(*arguments)


@pytest.mark.parametrize("n_queries", [1, 500])  # the rows that are used hold less, or more
def test_rows_that_a_product_uses_are_checked(n_queries: int) -> None:
    profiles = Sparse.of(np.tile(np.array([[0, 1, 0]], np.float32), (n_queries, 1))).csr
    matrix = Sparse.of(np.ones((3, 4), np.float32)).csr
    for part, position, wrong in [("indices", 5, 4), ("indices", 5, -1), ("indptr", 2, 99)]:
        changed = getattr(matrix, part).copy()
        changed[position] = wrong
        with pytest.raises(ValueError, match=f"^matrix.{part} "):
            dense_sparse(profiles, matrix._replace(**{part: changed}), 4)
    scale = np.ones(n_queries, np.float32), np.ones(4, np.float32)
    nothing = np.full(n_queries, -1, np.int32)
    broken = matrix._replace(indices=np.full(12, 4, np.int32))
    with pytest.raises(ValueError, match=r"^columns.indices holds 4, expected .* less than 4"):
        neighbors(profiles, broken, *scale, 0.0, nothing, 2)


def test_sizes_that_are_given_are_named() -> None:
    with pytest.raises(ValueError, match=r"^x has shape \(2,\), expected \(n=3\)$"):
        Shapes(n=3).check("x f32 n", np.zeros(2, np.float32))


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="weights has shape"):
        draw(np.arange(1), np.zeros(1, np.int32), 1, 0, np.empty(0))
    assert draw(np.arange(0), np.zeros(0, np.int32), 1, 0, np.empty(0)).shape == (0, 1)
