"""All items at once: the norms of their vectors, a two-dimensional map, and plots of both.

Plots need no display: they return matplotlib figures and show nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy.stats import spearmanr

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, suggestion
from shortlist.explore.items import first_values, item_factors, item_table
from shortlist.models.base import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE_LISTED = "none listed"
MOST_COLOURS = 10  # groups that can be told apart by colour; the others are grey
_GREY = "#c8c8c8"


def norms(model: Model[Any, Any]) -> pa.Table:
    """Return the norm of each item's vector, next to the number of users who chose the item.

    Returns
    -------
    One row per item, in the order of the ids: ``item_id``, ``title`` (if items have one),
    ``interactions`` and ``norm``.
    """
    vectors, data = item_factors(model), model.data
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    rows = np.arange(data.n_items, dtype=np.int32)
    return item_table(data, rows, interactions=data.item_counts, norm=lengths)


def item_map(
    model: Model[Any, Any],
    *,
    by: str = "genres",
    least: int = 1,
    perplexity: float = 40.0,
    seed: int = 0,
) -> pa.Table:
    """Map items to two dimensions, with similar items close together (t-SNE of the cosine).

    Parameters
    ----------
    model
        A fitted model with vectors.
    by
        The item feature that defines the groups; for a list, its first value.
    least
        Only map items with at least this many interactions.
    perplexity
        About how many neighbours count; at most a third of the items.
    seed
        Seed of the layout.

    Returns
    -------
    ``item_id``, ``title`` (if items have one), ``group``, ``x`` and ``y``.

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
    points = layout.fit_transform(vectors[rows])
    group = [groups[row] for row in rows]
    return item_table(data, rows, group=group, x=points[:, 0], y=points[:, 1])


def _groups(data: Dataset, by: str) -> list[str]:
    """Return the group of each item."""
    names = [] if data.item_features is None else data.item_features.column_names
    if data.item_features is None or by not in names:
        raise InputError(
            f"the items have no feature {by!r} to group them by",
            where=f"by={by!r}",
            remedy=suggestion(by, names) if names else "pass an item table with such a feature",
        )
    values = first_values(data.item_features.column(by)).to_pylist()
    return [NONE_LISTED if value is None else str(value) for value in values]


def plot_norms(tables: pa.Table | Mapping[str, pa.Table]) -> Figure:
    """Plot the norm of each item's vector over the number of users who chose it.

    Parameters
    ----------
    tables
        The result of :func:`~shortlist.explore.norms`; or several results by name, for one panel
        each.

    Returns
    -------
    A matplotlib figure: ``plot_norms(...).savefig("norms.png")``.

    Raises
    ------
    ConfigError
        The extra ``plots`` is not installed.
    InputError
        There is no table.
    """
    figure_class = _figure_class()
    panels = {"": tables} if isinstance(tables, pa.Table) else dict(tables)
    if not panels:
        raise InputError("there is no table to draw", remedy="pass the result of norms(model)")
    figure = figure_class(figsize=(4.5 * len(panels), 4), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    for axis, (name, table) in zip(axes, panels.items(), strict=True):
        counts, lengths = table["interactions"].to_numpy(), table["norm"].to_numpy()
        axis.scatter(np.maximum(counts, 0.5), lengths, s=6, alpha=0.4, linewidths=0)
        axis.set_xscale("log")
        axis.set_xlabel("users who chose it")
        axis.set_ylabel("norm of its vector")
        axis.set_ylim(bottom=0)
        correlation = spearmanr(counts, lengths).statistic if len(counts) > 1 else np.nan
        axis.set_title(f"{name}\nSpearman {correlation:+.2f}".strip(), fontsize=10)
    return figure


def plot_map(table: pa.Table) -> Figure:
    """Plot the map of the items, with colours for the largest groups.

    Parameters
    ----------
    table
        The result of :func:`~shortlist.explore.item_map`.

    Returns
    -------
    A matplotlib figure: ``plot_map(...).savefig("map.png")``.

    Raises
    ------
    ConfigError
        The extra ``plots`` is not installed.
    """
    figure = _figure_class()(figsize=(9, 7), layout="constrained")
    axis = figure.subplots()
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    groups = np.array(table["group"].to_pylist())
    largest = [name for name, _ in Counter(groups.tolist()).most_common(MOST_COLOURS)]
    others = ~np.isin(groups, largest)
    for number, name in enumerate(largest):
        members = groups == name
        label = f"{name} ({members.sum()})"
        color = f"C{number}"
        axis.scatter(x[members], y[members], s=12, color=color, linewidths=0, label=label)
    if others.any():
        axis.scatter(x[others], y[others], s=9, color=_GREY, linewidths=0, zorder=0, label="others")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=1.8)
    return figure


def _figure_class() -> type[Figure]:
    extras.require("plots", "a picture")
    from matplotlib.figure import Figure

    return Figure
