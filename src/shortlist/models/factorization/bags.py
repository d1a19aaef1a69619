"""Users as bags of items: what an item puts into the bag, with and without PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, suggestion
from shortlist.kernels.scores import dense_profile
from shortlist.models.weighting import binary
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import inverse, parts, row_scaled

if TYPE_CHECKING:
    from shortlist.models.factorization.model import FactorizationConfig
    from shortlist.models.training.loop import Arrays

DAMPING = 10.0  # layers count a tenth, as in the Google course: first logits are close to 0


def item_categories(
    name: str, config: FactorizationConfig, data: Dataset
) -> dict[str, tuple[csr_array, int]]:
    """Give the categories of each item, and the length of their embeddings, by feature.

    Each matrix (n_items, n_categories) has rows that add up to 1. Category 0 stands for nothing
    known. A feature that the data lacks is left out.

    Raises
    ------
    InputError
        A column was named in the settings, and the items do not have it.
    """
    found = {}
    for key, width in (("genre", config.genre_size), ("year", config.year_size)):
        column = getattr(config, f"{key}_column")
        names = [] if data.item_features is None else data.item_features.column_names
        if width and column in names:
            values = data.item_features.column(column)  # type: ignore[union-attr]
            found[key] = (_categories(values.combine_chunks()), width)
        elif width and column != type(config).model_fields[f"{key}_column"].default:
            raise InputError(
                f"{name}: the items have no feature {column!r}",
                where=f"{key}_column={column!r}",
                remedy=suggestion(column, names) if names else "give an item table with it",
            )
    return found


def _categories(column: pa.Array) -> csr_array:
    """Give the categories of each row of a column of values, or of lists of values."""
    count = len(column)
    rows, values = np.arange(count), column
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        rows, values = column.value_parent_indices().to_numpy(), column.flatten()
    codes = values.dictionary_encode().indices.fill_null(-1).to_numpy() + 1
    rows = np.concatenate([rows[codes > 0], np.setdiff1d(np.arange(count), rows[codes > 0])])
    codes = np.concatenate([codes[codes > 0], np.zeros(len(rows) - (codes > 0).sum(), np.int64)])
    ones = np.ones(len(rows), dtype=np.float32)
    matrix = csr_array((ones, (rows, codes)), shape=(count, int(codes.max(initial=0)) + 1))
    return shares(matrix)


def shares(matrix: csr_array) -> csr_array:
    """Give each entry of a row the same weight, so that the row adds up to 1."""
    return row_scaled(binary(matrix), inverse(np.diff(matrix.indptr).astype(np.float64)))


def slices(
    indptr: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give new pointers for these rows, and the places of their entries, one after another.

    Examples
    --------
    >>> slices(np.array([0, 2, 5, 6]), np.array([2, 0]))
    (array([0, 1, 3]), array([5, 0, 1]))
    """
    lengths = indptr[rows + 1] - indptr[rows]
    pointers = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(pointers[-1]) + np.repeat(indptr[rows] - pointers[:-1], lengths)
    return pointers, places


def contributions(parameters: Arrays, categories: dict[str, tuple[csr_array, int]]) -> Floats:
    """Give what each item adds to the vector of a user who chose it alone.

    The layers are linear, so a user's vector is the mean of this over what they chose.
    """  # (n_items, f)
    bag = [parameters["items"].astype(np.float64)]
    bag += [matrix @ parameters[f"tables.{key}"] for key, (matrix, _) in categories.items()]
    rows = np.concatenate(bag, axis=1)
    for name in sorted(name for name in parameters if name.startswith("layers.")):
        rows = rows @ (parameters[name] / DAMPING)
    return rows.astype(np.float32)


def bag_vectors(history: csr_array, inputs: Floats) -> Floats:
    """Give the mean contribution of each history."""  # (B, f)
    return dense_profile(parts(shares(history)), inputs)
