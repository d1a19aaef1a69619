"""Lists for the users of a Spark DataFrame, from a bundle: for sites whose tables live in Spark."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shortlist.errors import InputError
from shortlist.models.registry import load

if TYPE_CHECKING:
    from pathlib import Path

_loaded: dict[str, Any] = {}  # the last bundle of a Python worker, which Spark uses again


def recommend(bundle: str | Path, df: Any, k: int = 10, **choice: Any) -> Any:
    """List the ``k`` best items of each user in a Spark DataFrame.

    Parameters
    ----------
    bundle
        The path of a bundle, the same on every executor.
    df
        A DataFrame with a column ``user_id`` of integers or strings.
    k, choice
        As for :meth:`Model.recommend`; unknown users are skipped unless ``on_unknown`` says
        otherwise.

    Returns
    -------
    A DataFrame with the columns ``user_id``, ``item_id``, ``rank``, ``score`` and ``source``.
    Spark computes it when it is asked for; a user who is in several partitions gets several lists.

    Raises
    ------
    InputError
        ``df`` has no column ``user_id``.
    BundleError
        The folder is not a bundle.
    """
    if "user_id" not in df.columns:
        raise InputError(
            f"the DataFrame has no column user_id, only {', '.join(df.columns)}",
            remedy="rename it: df.withColumnRenamed('customer', 'user_id')",
        )
    data = load(bundle).data
    user, item = (
        "string" if pa.types.is_string(ids.type) else "bigint"
        for ids in (data.users.ids, data.items.ids)
    )
    schema = f"user_id {user}, item_id {item}, rank int, score float, source string"
    settings = {"k": k, "on_unknown": "skip", **choice}
    ids = df.select(df["user_id"].cast(user))
    return ids.mapInArrow(partial(_lists, str(bundle), settings), schema)


def _lists(
    bundle: str, settings: dict[str, Any], batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    if bundle not in _loaded:
        _loaded.clear()
        _loaded[bundle] = load(bundle)
    for batch in batches:
        yield from _loaded[bundle].recommend(batch.column(0), **settings).table.to_batches()
