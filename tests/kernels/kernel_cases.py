"""A valid call of every public kernel, and which of its sizes nothing else depends on."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np
from kernel_worlds import Selection, Sparse, sparse_floats
from numpy.typing import NDArray

import shortlist.kernels
from shortlist.kernels import (
    als,
    als_rounds,
    diversity,
    embeddings,
    factorization,
    products,
    ridge,
    sampling,
    scores,
    similarity,
    topk,
)
from shortlist.kernels.types import Given

B, N, M, F, D = 5, 9, 7, 8, 6  # queries, items, inner size of sparse products, factors, features
WITHOUT_CHECKS = {
    "types",
    "checks",
    "compile",
    "threads",
    "vector",
    "linalg",
    "selection",
    "shards",
}


@dataclass
class Case:
    """A valid call.

    Attributes
    ----------
    function, arguments
        The kernel, and its arguments by name.
    free
        Axes that may grow alone, as "path:axis".
    bounded
        Arrays of indices: the least and the first number too large.
    sizes
        Arguments that are a whole number.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    free: set[str] = field(default_factory=set)
    bounded: dict[str, tuple[int, int]] = field(default_factory=dict)
    sizes: tuple[str, ...] = ()

    def __call__(self, **changed: Any) -> Any:
        return self.function(**(self.arguments | changed))

    def arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield every array with its path: "items", "matrix.indptr", "known[0]"."""
        for name, value in self.arguments.items():
            if isinstance(value, np.ndarray):
                yield name, value
            elif hasattr(value, "_fields"):
                parts = ((f"{name}.{part}", getattr(value, part)) for part in value._fields)
                yield from ((path, part) for path, part in parts if isinstance(part, np.ndarray))
            elif isinstance(value, tuple):
                yield from ((f"{name}[{position}]", part) for position, part in enumerate(value))

    def with_array(self, path: str, array: Any) -> dict[str, Any]:
        """Return the arguments with another array in place of one."""
        if "." in path:
            name, part = path.split(".")
            return self.arguments | {name: self.arguments[name]._replace(**{part: array})}
        if "[" in path:
            name, position = path.rstrip("]").split("[")
            parts = list(self.arguments[name])
            parts[int(position)] = array
            return self.arguments | {name: tuple(parts)}
        return self.arguments | {path: array}


def _cases() -> dict[str, Case]:
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape).astype(np.float32)

    def sparse(rows: int, columns: int) -> Any:
        dense = sparse_floats(rng, (rows, columns), 0.5)
        dense[:, -1] = 1  # no row is empty, and the last column is used
        return Sparse.of(dense).csr

    eligible = Selection.random(rng, B, N).eligible._replace(
        masks=rng.random((2, N)) < 0.6, mask_of=np.array([-1, 0, 1, 1, -1], np.int32)
    )
    indptr = np.array([0, 1, 3, 3, 4, 6])
    items = np.array([0, 8, 1, 8, 2, 3], np.int32)
    in_eligible = {
        "eligible.excluded_indices": (0, N), "eligible.mask_of": (-1, 2), "eligible.order": (0, N)
    }  # fmt: skip
    selection = {"eligible": eligible, "k": 4}
    given = {"given": Given(indptr, items, np.empty(6))}
    in_lists = in_eligible | {"given.items": (0, N)}
    systems = {
        "observed": sparse(B, M), "factors": floats(M, F), "shared": np.ones(F, np.float32),
        "regularization": np.ones(B, np.float32),
    }  # fmt: skip
    factors = {"queries": floats(B, F), "items_t": floats(F, N)}
    cells = sparse_floats(rng, (B, N), 0.5)
    cells[:, -1] = cells[-1] = 1
    features = sparse_floats(rng, (N, D), 0.5)
    features[:, -1] = features[-1] = 1
    known = (np.array([0, 2, 3]), np.array([0, 8, 4], np.int32))
    weights = np.arange(1.0, N + 1)
    moments = floats(N, F), floats(N, F) ** 2
    table = embeddings.Table(floats(N, F), moments, np.ones(N, np.int64))
    cases = [
        Case(
            topk.topk_factors,
            {**factors, **selection, **given, "packed": topk.packed_items(factors["items_t"])},
            {"eligible.masks:0"}, in_lists, ("k",),
        ),
        Case(topk.packed_items, {"items_t": factors["items_t"]}, {"items_t:0", "items_t:1"}),
        Case(
            topk.topk_sparse,
            {"profiles": sparse(B, M), "matrix": sparse(M, N), **selection, **given},
            {"eligible.masks:0", "matrix.indptr:0"},
            {**in_lists, "profiles.indices": (0, M), "matrix.indices": (0, N)}, ("k",),
        ),
        Case(
            topk.topk_dense, {"block": floats(B, N), **selection, **given}, {"eligible.masks:0"},
            in_lists, ("k",),
        ),
        Case(topk.topk_order, selection, {"eligible.masks:0"}, in_eligible, ("k",)),
        Case(
            diversity.most_varied,
            {
                "candidates": rng.integers(-1, N, (B, M)).astype(np.int32),
                "relevance": rng.random((B, M)), "vectors": sparse(N, D), "width": D,
                "diversity": 0.4, "k": 4,
            },
            {"vectors.indptr:0"}, {"candidates": (-1, N), "vectors.indices": (0, D)},
            ("width", "k"),
        ),
        Case(
            diversity.pair_similarities,
            {
                "lists": rng.integers(-1, B, (3, M)).astype(np.int32), "indptr": indptr,
                "indices": items, "width": N,
            },
            {"lists:0", "lists:1", "indptr:0"}, {"lists": (-1, B), "indices": (0, N)}, ("width",),
        ),
        Case(scores.dense_factors, {**factors, "bias": floats(N)}, {"queries:0"}),
        Case(
            scores.dense_sparse,
            {"profiles": sparse(B, M), "matrix": sparse(M, N), "n_items": N},
            {"profiles.indptr:0", "matrix.indptr:0"},
            {"profiles.indices": (0, M), "matrix.indices": (0, N)}, ("n_items",),
        ),
        Case(
            ridge.regressions,
            {
                "users": Sparse.of(np.ascontiguousarray(features.T)).csr,
                "items": Sparse.of(features).csr, "head": floats(3, 3), "ridge": 2.0, "k": 4,
                "first": 2, "count": 5,
            },
            {"users.indptr:0", "items.indptr:0"},
            {"users.indices": (0, N), "items.indices": (0, D)}, ("k", "first", "count"),
        ),
        Case(
            scores.dense_profile, {"profiles": sparse(B, M), "matrix": floats(M, N)},
            {"profiles.indptr:0", "matrix:0", "matrix:1"}, {"profiles.indices": (0, M)},
        ),
        Case(
            scores.dense_max,
            {
                "indptr": indptr, "indices": items, "rows": Sparse.of(features).csr,
                "columns": Sparse.of(np.ascontiguousarray(features.T)).csr,
            },
            {"indptr:0", "rows.indptr:0", "columns.indptr:0"},
            {"indices": (0, N), "rows.indices": (0, D), "columns.indices": (0, N)},
        ),
        Case(
            scores.pair_scores,
            {
                "queries": floats(B, F), "items": floats(N, F), "indptr": indptr,
                "indices": items,
            },
            {"items:0"}, {"indices": (0, N)},
        ),
        Case(
            scores.list_ranks,
            {
                "block": floats(B, N), "best_rows": np.tile(np.array([3, 1, -1], np.int32), (B, 1)),
                "indptr": indptr, "items": items, "order": eligible.order,
            },
            {"best_rows:1"}, {"best_rows": (-1, N), "items": (0, N)},
        ),
        Case(
            similarity.neighbors,
            {
                "queries": sparse(B, M), "columns": sparse(M, N), "query_scale": floats(B),
                "base_scale": floats(N), "shrinkage": 0.5,
                "self_rows": np.array([-1, 0, 1, 2, 8], np.int32), "n": 3,
            },
            {"columns.indptr:0", "base_scale:0"},
            {"queries.indices": (0, M), "columns.indices": (0, N), "self_rows": (-1, N)}, ("n",),
        ),
        Case(
            similarity.common_choices,
            {
                "histories": sparse(B, N), "indptr": indptr, "items": items,
                "nearest": sparse(N, N), "lengths": floats(N),
            },
            set(),
            {"histories.indices": (0, N), "items": (0, N), "nearest.indices": (0, N)},
        ),
        Case(products.gram, {"factors": floats(N, F)}, {"factors:0", "factors:1"}),
        Case(
            products.shard_grams, {"factors": floats(N, F), "rows": 4, "first": 3},
            {"factors:0", "factors:1"}, {}, ("rows", "first"),
        ),
        Case(
            products.multiply, {"factors": floats(N, F), "square": floats(F, F)}, {"factors:0"}
        ),
        Case(als.solve_exact, systems, {"factors:0"}, {"observed.indices": (0, M)}),
        Case(
            als.solve_cg, {**systems, "start": floats(B, F), "steps": 2}, {"factors:0"},
            {"observed.indices": (0, M)}, ("steps",),
        ),
        Case(als_rounds.padded, {"vectors": floats(B, F)}, {"vectors:0", "vectors:1"}),
        Case(
            als_rounds.begin_sums,
            {"vectors": floats(B, F), "shared": floats(F), "penalties": floats(B)},
        ),
        Case(
            als_rounds.add_share,
            {
                "observed": sparse(B, M), "rows": np.arange(B, dtype=np.int32),
                "factors": floats(M, F), "vectors": floats(B, F), "first": True,
                "sums": als_rounds.Sums(floats(B, F), np.ones(B)),
            },
            {"factors:0", "observed.indptr:0"},
            {"observed.indices": (0, M), "rows": (0, B)},
        ),
        Case(
            ridge.solve_double,
            {
                "observed": sparse(B, M), "factors": floats(M, F), "shared": np.ones(F),
                "regularization": np.ones(B),
            },
            {"factors:0"}, {"observed.indices": (0, M)},
        ),
        Case(
            factorization.squared_error,
            {
                "by_user": Sparse.of(cells).csr,
                "by_item": Sparse.of(np.ascontiguousarray(cells.T)).csr,
                "users": floats(B, F), "items": floats(N, F),
            },
            set(), {"by_user.indices": (0, N), "by_item.indices": (0, B)},
        ),
        Case(
            ridge.solve_ridge,
            {
                "cells": sparse(B, M), "factors": floats(M, F), "prior": np.eye(F),
                "pull": np.ones(F),
            },
            {"cells.indptr:0", "factors:0"}, {"cells.indices": (0, M)},
        ),
        Case(sampling.alias_table, {"weights": weights}, {"weights:0"}),
        Case(
            sampling.bitmap, {"indptr": known[0], "indices": known[1], "n_items": N},
            {"indptr:0"}, {"indices": (0, N)}, ("n_items",),
        ),
        Case(
            sampling.draw,
            {
                "examples": np.arange(4), "rows": np.array([0, 1, 1, 0], np.int32), "count": 3,
                "seed": 1, "weights": weights, "table": sampling.alias_table(weights),
                "known": known, "bits": sampling.bitmap(*known, N),
            },
            {"known[1]:0"}, {"rows": (0, 2), "table[1]": (0, N)}, ("count",),
        ),
        Case(
            embeddings.catch_up,
            {
                "table": table, "rows": np.array([0, 8, 4], np.int32), "step": 3, "rate": 0.1,
            },
            {"rows:0"}, {"rows": (0, N)},
        ),
        Case(
            embeddings.take_step,
            {
                "table": table, "batch": embeddings.Batch.of(np.array([8, 2, 8], np.int32)),
                "gradients": floats(3, F), "optimizer": "adam", "step": 4, "rate": 0.1,
            },
            {"gradients:0"}, {"batch.rows": (0, N), "batch.order": (0, 3)},
        ),
        Case(
            embeddings.descend,
            {
                "user_rows": floats(N, F), "item_rows": floats(M, F), "bias": floats(1),
                "users": np.array([0, 8], np.int32),
                "items": np.array([[2, 4], [5, 2]], np.int32), "size": 1, "biased": True,
                "rate": 0.1, "penalty": 0.1,
            },
            {"items:1", "user_rows:0", "item_rows:0"}, {"users": (0, N), "items": (0, M)},
        ),
    ]  # fmt: skip
    return {case.function.__name__: case for case in cases}


CASES = _cases()


def modules() -> Iterator[Any]:
    """Yield the modules of kernels."""
    for module in pkgutil.iter_modules(shortlist.kernels.__path__):
        if module.name not in WITHOUT_CHECKS:
            yield importlib.import_module(f"shortlist.kernels.{module.name}")


def functions(module: Any) -> Iterator[FunctionType]:
    """Yield the Python functions that a module defines, compiled or not."""
    for value in vars(module).values():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield value


def run_all() -> None:
    """Run every kernel once."""
    for case in CASES.values():
        case()
