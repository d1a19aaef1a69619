"""What matrix factorisation learns, and the vectors of users that training has not seen.

With the softmax loss a user is a bag of items, and the vector is the forward pass. With the other
losses it is a ridge regression on the history. Neither needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import LARGEST, Array, Value
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import InputError, NumericalError, suggestion
from shortlist.kernels.ridge import solve_ridge
from shortlist.kernels.scores import dense_profile
from shortlist.models.factorization.config import FactorizationConfig
from shortlist.models.vectors import LearnedUserVectors
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, inverse, row_scaled

DAMPING = 10.0  # layers are divided by this, as in the Google course: first logits are close to 0
RIDGE_FLOOR = 1e-6  # of the mean squared length of the items: selects the shortest exact solution

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class FactorizationLearned(LearnedUserVectors):
    """The vectors; with biases, users end in (mean + b_u, 1) and items in (1, b_i).

    Attributes
    ----------
    users, items
        The vectors.
    inputs
        The contribution of each item to the vector of a bag (softmax); else no rows.
    mean
        The global bias.
    n_cells
        The number of cells in training.
    """

    users: Annotated[Floats, Array("n_users", "embedding_size + biases + biases")]
    items: Annotated[Floats, Array("n_items", "embedding_size + biases + biases")]
    inputs: Annotated[Floats, Array("0 | n_items", "embedding_size")]
    mean: Annotated[float, Value(float, ge=-LARGEST, le=LARGEST)]
    n_cells: Annotated[int, Value(int, ge=1)]

    @property
    def compared(self) -> Floats:
        """The item vectors without biases."""  # (n_items, f)
        return self.items[:, : self.inputs.shape[1]]


def global_bias(config: FactorizationConfig, data: Dataset) -> float:
    """Return the constant that fits the data best; 0 without biases.

    It minimises ``mean over cells of (x - c)^2 + gravity * c^2``.
    """
    if not config.biases or config.loss == "softmax":
        return 0.0
    gravity = config.gravity if config.loss == "regularized" else 0.0
    return float(data.weights.mean(dtype=np.float64)) / (1 + gravity)


# --- bags of items -------------------------------------------------------------------------------


def item_categories(
    name: str, config: FactorizationConfig, data: Dataset
) -> dict[str, tuple[csr_array, int]]:
    """Return the categories of each item and the length of their embeddings, by feature.

    The rows of each matrix (n_items, n_categories) sum to 1. Category 0 stands for a missing value.
    A feature that the data lacks is left out.

    Raises
    ------
    InputError
        A column is named in the settings, and the items do not have it.
    """
    categories = {}
    for key, width in (("genre", config.genre_size), ("year", config.year_size)):
        column = getattr(config, f"{key}_column")
        names = [] if data.item_features is None else data.item_features.column_names
        if width and column in names:
            values = data.item_features.column(column)  # type: ignore[union-attr]
            categories[key] = (_categories(values.combine_chunks()), width)
        elif width and column != type(config).model_fields[f"{key}_column"].default:
            raise InputError(
                f"{name}: the items have no feature {column!r}",
                where=f"{key}_column={column!r}",
                remedy=suggestion(column, names) if names else "give an item table with it",
            )
    return categories


def _categories(column: pa.Array) -> csr_array:
    """Return the categories of each row of a column of values, or of lists of values."""
    count = len(column)
    rows, values = np.arange(count), column
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        rows, values = column.value_parent_indices().to_numpy(), column.flatten()
    codes = values.dictionary_encode().indices.fill_null(-1).to_numpy() + 1
    rows = np.concatenate([rows[codes > 0], np.setdiff1d(np.arange(count), rows[codes > 0])])
    codes = np.concatenate([codes[codes > 0], np.zeros(len(rows) - (codes > 0).sum(), np.int64)])
    ones = np.ones(len(rows), dtype=np.float32)
    return _shares(csr_array((ones, (rows, codes)), shape=(count, int(codes.max(initial=0)) + 1)))


def _shares(matrix: csr_array) -> csr_array:
    """Give the entries of each row equal weights that sum to 1."""
    return row_scaled(binary(matrix), inverse(np.diff(matrix.indptr).astype(np.float64)))


def contributions(
    parameters: Mapping[str, Floats], categories: dict[str, tuple[csr_array, int]]
) -> Floats:
    """Compute the contribution of each item to a bag: the vector of a user who chose it alone.

    The layers are linear, so the vector of a user is the mean contribution of the history.
    """  # (n_items, f)
    bag = [parameters["items"].astype(np.float64)]
    bag += [matrix @ parameters[f"tables.{key}"] for key, (matrix, _) in categories.items()]
    rows = np.concatenate(bag, axis=1)
    for name in sorted(name for name in parameters if name.startswith("layers.")):
        rows = rows @ (parameters[name] / DAMPING)
    return rows.astype(np.float32)


def bag_vectors(history: csr_array, inputs: Floats) -> Floats:
    """Compute the mean contribution of each history."""  # (B, f)
    return dense_profile(csr_arrays(_shares(history)), inputs)


# --- ridge regression ----------------------------------------------------------------------------


def fold_in(
    config: FactorizationConfig, learned: FactorizationLearned, history: csr_array
) -> Floats:
    """Compute the vectors of users with these histories, for fixed items.

    For ``softmax`` that is the forward pass: the mean contribution of the items. Otherwise it is
    the exact minimum of the training loss over the user's own row. With n cells in training, N
    users, M items, x the weights of the history and q the item vectors:

    ``sum over the history of (p.q - x)^2 + (n / N) regularization |p|^2
    + (n / (N M)) gravity sum over all items of (p.q)^2``

    (with biases ``p.q + b + mean + b_i`` replaces ``p.q``, and ``b^2`` is added to ``|p|^2``).
    ``observed`` has no gravity; unlike in training, it keeps the regularization, because without it
    a short history has no unique solution.

    A full fit would differ: the items would move too, and gradient steps may stop before the
    minimum.
    """  # (B, F)
    if config.loss == "softmax":
        vectors = bag_vectors(history, learned.inputs)
        if not config.biases:
            return vectors
        ends = np.broadcast_to(np.array([0, 1], dtype=np.float32), (len(vectors), 2))
        return np.concatenate([vectors, ends], axis=1)
    prior, linear = quadratic(config, learned)
    targets = (history.data - _offsets(config, learned)[history.indices]).astype(np.float32)
    cells = csr_array((targets, history.indices, history.indptr), shape=history.shape)
    design, rounded = _design(config, learned), prior.astype(np.float32).astype(np.float64)
    linear32 = linear.astype(np.float32).astype(np.float64)
    vectors = solve_ridge(csr_arrays(cells), design, rounded, linear32)
    failed = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(failed):  # rounded to float32, the prior need not be positive definite
        vectors[failed] = solve_ridge(csr_arrays(cells[failed]), design, prior, linear)
        if not np.isfinite(vectors[failed]).all():
            raise NumericalError(
                "a system of equations for the vector of a user is not positive definite, not even "
                f"in float64, because regularization={config.regularization:g} is too weak",
                remedy="choose a larger regularization or a smaller gravity, and fit again",
            )
    if not config.biases:
        return vectors
    vectors[:, -1] += learned.mean
    return np.concatenate([vectors, np.ones((len(vectors), 1), dtype=np.float32)], axis=1)


def contributions_to_scores(
    config: FactorizationConfig, learned: FactorizationLearned, history: csr_array, items: Rows
) -> Iterator[tuple[Doubles, float]]:
    """Split the scores of items for a folded-in user.

    Yields
    ------
    For each item the contribution of each entry of the history (n,), and the rest: biases and the
    pull to 0.
    """
    if config.loss == "softmax":
        inputs = learned.inputs[history.indices]
        for target in learned.items[items].astype(np.float64):
            products = inputs @ target[: config.embedding_size]
            rest = float(target[-1]) if config.biases else 0.0
            yield products / max(len(products), 1), rest
        return
    design = _design(config, learned).astype(np.float64)
    prior, linear = quadratic(config, learned)
    chosen = design[history.indices]  # (n, d)
    solved = np.linalg.solve(prior + chosen.T @ chosen, design[items].T)  # (d, k)
    offsets = _offsets(config, learned)
    weights = history.data - offsets[history.indices]
    for item, column, products in zip(items, solved.T, (chosen @ solved).T, strict=True):
        yield weights * products, float(linear @ column + offsets[item])


def quadratic(
    config: FactorizationConfig, learned: FactorizationLearned
) -> tuple[Doubles, Doubles]:
    """Return the loss of a user without a history: its matrix and its linear part."""
    n_users, n_items, gram = len(learned.users), len(learned.items), learned.gram
    depth = config.embedding_size + config.biases
    squares = gram[:depth, :depth]
    ridge = learned.n_cells / n_users * config.regularization
    floor = RIDGE_FLOOR * np.trace(squares) / n_items + np.finfo(np.float32).tiny
    prior = max(ridge, floor) * np.eye(depth)
    linear = np.zeros(depth)
    if config.loss == "regularized":
        weight = learned.n_cells / (n_users * n_items) * config.gravity
        prior += weight * squares
        if config.biases:  # the known part of every product, mean + b_i
            linear -= weight * (learned.mean * gram[:depth, -2] + gram[:depth, -1])
    return prior, linear  # (d, d), (d,)


def _design(config: FactorizationConfig, learned: FactorizationLearned) -> Floats:
    """Return the item columns that multiply a user's unknowns: factors and, with biases, ones."""
    depth = config.embedding_size + config.biases
    return np.ascontiguousarray(learned.items[:, :depth])  # (n_items, d)


def _offsets(config: FactorizationConfig, learned: FactorizationLearned) -> Doubles:
    """Return the part of each item's score that does not depend on the user: mean + b_i."""
    if not config.biases:
        return np.zeros(len(learned.items))  # (n_items,)
    return learned.mean + learned.items[:, -1].astype(np.float64)
