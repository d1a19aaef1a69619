"""Pictures of what :mod:`shortlist.explore.maps` gives. Needs no display: nothing is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy.stats import spearmanr

from shortlist import extras
from shortlist.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_GROUPS = 10  # that eyes tell apart by colour; the rest is grey
_GREY = "#c8c8c8"


def plot_norms(tables: pa.Table | Mapping[str, pa.Table]) -> Figure:
    """Draw the length of each item's vector over the number of users who chose it.

    Parameters
    ----------
    tables
        What :func:`~shortlist.explore.norms` gave; or several of them by name, for one panel each.

    Returns
    -------
    A matplotlib figure: ``plot_norms(...).savefig("norms.png")``.

    Raises
    ------
    ConfigError
        The extra ``plots`` is not installed.
    """
    figure_class = _figure_class()
    panels = {"": tables} if isinstance(tables, pa.Table) else dict(tables)
    if not panels:
        raise InputError("there is no table to draw", remedy="pass what norms(model) gives")
    figure = figure_class(figsize=(4.5 * len(panels), 4), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    for axis, (name, table) in zip(axes, panels.items(), strict=True):
        counts, lengths = table["interactions"].to_numpy(), table["norm"].to_numpy()
        axis.scatter(np.maximum(counts, 0.5), lengths, s=6, alpha=0.4, linewidths=0)
        axis.set_xscale("log")
        axis.set_xlabel("users who chose it")
        axis.set_ylabel("length of its vector")
        axis.set_ylim(bottom=0)
        rank = spearmanr(counts, lengths).statistic if len(counts) > 1 else np.nan
        axis.set_title(f"{name}\nSpearman {rank:+.2f}".strip(), fontsize=10)
    return figure


def plot_map(table: pa.Table) -> Figure:
    """Draw the map of the items, the largest groups in colours of their own.

    Parameters
    ----------
    table
        What :func:`~shortlist.explore.item_map` gave.

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
    largest = [name for name, _ in Counter(groups.tolist()).most_common(MOST_GROUPS)]
    others = ~np.isin(groups, largest)
    for number, name in enumerate(largest):
        own = groups == name
        label = f"{name} ({own.sum()})"
        axis.scatter(x[own], y[own], s=12, color=f"C{number}", linewidths=0, label=label)
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
