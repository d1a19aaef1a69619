"""Interactions that are held as a matrix or as a list for each user, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array

from shortlist.errors import InputError
from shortlist.text import shown


def tables_of_matrix(
    matrix: Any, user_ids: Any, item_ids: Any
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return the interactions (with a weight), the users and the items of a matrix."""
    if np.ndim(matrix) != 2:
        raise InputError(
            f"a matrix has two dimensions, not {np.ndim(matrix)}",
            remedy="for a list of items for each user, call Dataset.from_histories",
        )
    try:
        entries = coo_array(matrix)
        columns = {"weight": pa.array(entries.data.astype(np.float64))}
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the matrix does not hold numbers: {error}".splitlines()[0],
            remedy="for rows of ids, call Dataset.from_tables",
        ) from error
    if hasattr(matrix, "iloc"):  # a frame of pandas, whose labels are the ids
        user_ids = matrix.index if user_ids is None else user_ids
        item_ids = matrix.columns if item_ids is None else item_ids
    listed = []
    for axis, (role, given) in enumerate({"user_id": user_ids, "item_id": item_ids}.items()):
        ids = pa.array(np.arange(entries.shape[axis]) if given is None else given)
        if len(ids) != entries.shape[axis]:
            raise InputError(
                f"{len(ids)} {role}s for {entries.shape[axis]} {('rows', 'columns')[axis]}",
                remedy="give one id for each",
            )
        columns[role] = ids.take(pa.array(entries.coords[axis]))
        listed.append(pa.table({role: ids}))
    return pa.table(columns), listed[0], listed[1]


def table_of_histories(histories: Any) -> pa.Table:
    """Return the interactions of a mapping from user id to the items that the user chose."""
    if not isinstance(histories, Mapping):
        raise InputError(
            f"histories must be a mapping from user id to item ids, not a "
            f"{type(histories).__name__}",
            remedy="pass {user: [item, ...], ...}, or rows to Dataset.from_tables",
        )
    users: list[Any] = []
    items: list[Any] = []
    weights: list[Any] = []
    for user, history in histories.items():
        if isinstance(history, str | bytes) or not isinstance(history, Iterable):
            raise InputError(
                f"the history {shown(history)} is not a list of item ids",
                where=f"user {shown(user)}",
                remedy="pass a list of items, or a mapping from item to weight",
            )
        chosen = [*history]
        items += chosen
        users += [user] * len(chosen)
        weights += history.values() if isinstance(history, Mapping) else [1.0] * len(chosen)
    if not items:
        raise InputError("no history holds an item", remedy="give at least one user an item")
    columns = {"user_id": users, "item_id": items, "weight": weights}
    try:
        return pa.table({name: pa.array(values) for name, values in columns.items()})
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise InputError(
            f"the histories cannot be read: {error}".splitlines()[0],
            remedy="give users and items ids of one type, integers or text, and numbers as weights",
        ) from error
