"""All items at once: how long their vectors are, and who lies near whom in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, suggestion
from shortlist.explore.items import described, item_factors
from shortlist.models.base import Model

NONE_LISTED = "none listed"


def norms(model: Model[Any, Any]) -> pa.Table:
    """Give how long the vector of each item is, beside how many users chose it.

    Returns
    -------
    One row an item, in the order of the ids: ``item_id``, ``title`` (where items have one),
    ``interactions`` and ``norm``.
    """
    vectors, data = item_factors(model), model.data
    everything = np.arange(data.n_items, dtype=np.int32)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return described(data, everything, interactions=data.item_counts, norm=lengths)


def item_map(
    model: Model[Any, Any],
    *,
    by: str = "genres",
    least: int = 1,
    perplexity: float = 40.0,
    seed: int = 0,
) -> pa.Table:
    """Place items in two dimensions so that alike ones are neighbours (t-SNE of the cosine).

    Parameters
    ----------
    model
        A fitted model with vectors.
    by
        The item feature that groups are made of; of a list the first value.
    least
        Only items that at least so many users chose.
    perplexity
        About how many neighbours count; at most a third of the items.
    seed
        Seeds the layout.

    Returns
    -------
    ``item_id``, ``title`` (where items have one), ``group``, ``x`` and ``y``.

    Raises
    ------
    ConfigError
        The extra ``plots`` is not installed.
    InputError
        The items have no such feature, or fewer than four items are left.
    """
    extras.require("plots", "a map of the items")
    from sklearn.manifold import TSNE  # type: ignore[import-untyped]

    vectors, data = item_factors(model), model.data
    groups = _groups(data, by)
    rows = np.flatnonzero(data.item_counts >= least).astype(np.int32)
    if len(rows) < 4:
        raise InputError(
            f"{len(rows)} items have {least} or more interactions; a map needs 4",
            remedy="pass a smaller least",
        )
    layout = TSNE(
        n_components=2,
        perplexity=min(perplexity, (len(rows) - 1) / 3),
        metric="cosine",
        early_exaggeration=10.0,
        init="pca",
        max_iter=400,
        random_state=seed,
    )
    places = layout.fit_transform(vectors[rows])
    kept = [groups[row] for row in rows]
    return described(data, rows, group=kept, x=places[:, 0], y=places[:, 1])


def _groups(data: Dataset, by: str) -> list[str]:
    """Give the group of each item."""
    names = [] if data.item_features is None else data.item_features.column_names
    if data.item_features is None or by not in names:
        raise InputError(
            f"the items have no feature {by!r} to group them by",
            where=f"by={by!r}",
            remedy=suggestion(by, names) if names else "give an item table with one",
        )
    first = [
        value[0] if isinstance(value, list) and value else value
        for value in data.item_features.column(by).to_pylist()
    ]
    return [NONE_LISTED if value is None or value == [] else str(value) for value in first]
