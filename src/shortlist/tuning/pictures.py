"""The picture of a search: what was tried, what was best when, and which settings mattered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shortlist import extras
from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.models.config import search_range
from shortlist.tuning.trials import completed, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from shortlist.tuning.result import Tuning

FORMATS = (".png", ".svg", ".pdf")
_COLUMNS = 3  # panels beside each other
_TRIED, _GIVEN_UP, _BEST = "#4878a8", "#c8c8c8", "#c44e52"


def plot_tuning(tuning: Tuning) -> Figure:
    """Draw every trial in order with the best so far; below, each setting against the metric.

    Returns
    -------
    A matplotlib figure: ``plot_tuning(tuning).savefig("tuning.png")``.

    Raises
    ------
    ConfigError
        The extra ``plots`` is not installed.
    """
    extras.require("plots", "a picture")
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(tuning.names))
    rows = -(-len(tuning.names) // columns)
    figure = Figure(figsize=(10, 3.6 + 2.6 * rows), layout="constrained")
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1.3, *[1.0] * rows])
    _history(figure.add_subplot(grid[0, :]), tuning)
    for place, name in enumerate(tuning.names):
        axis = figure.add_subplot(grid[1 + place // columns, place % columns])
        _slice(axis, tuning, name)
    return figure


def _history(axis: Axes, tuning: Tuning) -> None:
    from matplotlib.ticker import MaxNLocator

    complete = completed(tuning.trials)
    numbers = [trial.number for _, trial in complete]
    values = np.array([value for value, _ in complete])
    better = np.maximum if tuning.goal.larger_is_better else np.minimum
    end = len(tuning.trials) - 0.5
    best = better.accumulate(values)
    axis.step([*numbers, end], [*best, best[-1]], where="post", color=_BEST, label="best so far")
    axis.scatter(numbers, values, s=18, color=_TRIED, label="tried")
    pruned = [one for one in tuning.trials if one.state == "pruned" and one.value is not None]
    if pruned:
        given_up = [one.value or 0.0 for one in pruned]
        axis.scatter([one.number for one in pruned], given_up, s=18, color=_GIVEN_UP, zorder=0)
        axis.scatter([], [], s=18, color=_GIVEN_UP, label="given up, as far as it came")
    failed = [one.number for one in tuning.trials if one.state == "failed"]
    if failed:
        bottom = axis.get_xaxis_transform()  # places along the axis itself, whatever the values
        axis.scatter(failed, [0.02] * len(failed), transform=bottom, marker="x", color="black")
        axis.scatter([], [], marker="x", color="black", label="failed")
    if tuning.default_value is not None:
        axis.axhline(tuning.default_value, color="black", linewidth=0.8, linestyle=":")
        axis.annotate("defaults", (end, tuning.default_value), va="bottom", ha="right", fontsize=8)
    axis.set_xlim(-0.5, end)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_xlabel("trial")
    axis.set_ylabel(tuning.goal.metric)
    axis.set_title(f"{tuning.model}, {counted(tuning.trials)}", fontsize=11)
    axis.legend(frameon=False, fontsize=8, loc="best")


def _slice(axis: Axes, tuning: Tuning, name: str) -> None:
    shown = [one for one in tuning.trials if one.state != "failed" and name in one.settings]
    given = [one.settings[name] for one in shown]
    search = tuning.kind.Config.model_fields[name]
    numeric = all(isinstance(one, int | float) and not isinstance(one, bool) for one in given)
    places: list[float] = given
    if not numeric:
        labels = list(dict.fromkeys(f"{one}" for one in given))
        places = [labels.index(f"{one}") for one in given]
        axis.set_xticks(range(len(labels)), labels, fontsize=8)
        axis.margins(x=0.2)
    elif (found := search_range(search)) is not None and found.scale == "log":
        if all(place > 0 for place in places):
            axis.set_xscale("log")
        else:  # a default of 0 means "none of it", and has a place, too
            axis.set_xscale("symlog", linthresh=found.low)
    for number, (place, one) in enumerate(zip(places, shown, strict=True)):
        color = _TRIED if one.state == "complete" else _GIVEN_UP
        axis.scatter([place], [one.value or 0.0], s=12, color=color, zorder=number)
    best = [place for place, one in zip(places, shown, strict=True) if one is tuning.best]
    values = [tuning.value] * len(best)  # of none, where the setting has no effect in the best
    axis.scatter(best, values, s=46, facecolors="none", edgecolors=_BEST, zorder=len(shown))
    axis.set_title(name, fontsize=9)
    axis.tick_params(labelsize=8)


def drawable(path: str | Path) -> Path:
    """Refuse a file that no picture can be written to, before there is one.

    Raises
    ------
    ConfigError
        The extra ``plots`` is not installed.
    InputError
        The name does not end in ``.png``, ``.svg`` or ``.pdf``.
    """
    extras.require("plots", "a picture")
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path} does not say what kind of picture to draw",
            remedy=f"end its name in one of: {', '.join(FORMATS)}",
        )
    return path


def draw(tuning: Tuning, path: str | Path) -> Path:
    """Write the picture to a file, whole or not at all."""
    with atomic_file(drawable(path)) as partial:
        plot_tuning(tuning).savefig(partial, dpi=150)
    return Path(path)
