"""The plot of a search: the value of every trial, and of every setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist import extras
from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.models.base import Model
from shortlist.models.config import search_range
from shortlist.text import counted
from shortlist.tuning.objective import Objective, Trial, completed, tuned_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
_COLUMNS = 3  # settings in a row of panels
_COMPLETE, _PRUNED, _BEST = "#4878a8", "#c8c8c8", "#c44e52"


def plot_search(
    kind: type[Model[Any, Any]], objective: Objective, trials: Sequence[Trial]
) -> Figure:
    """Plot the trials in order with the best value so far; below, the metric over each setting."""
    extras.require("plots", "a picture")
    from matplotlib.figure import Figure

    names = tuned_names(trials)
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(10, 3.6 + 2.6 * rows), layout="constrained")
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1.3, *[1.0] * rows])
    history = figure.add_subplot(grid[0, :])
    history.set_title(f"{kind.__name__}, {counted(len(trials), 'trial')}", fontsize=11)
    _plot_history(history, objective, trials)
    for panel, name in enumerate(names):
        axis = figure.add_subplot(grid[1 + panel // columns, panel % columns])
        _plot_setting(axis, kind, objective, trials, name)
    return figure


def _plot_history(axis: Axes, objective: Objective, trials: Sequence[Trial]) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = [trial.number for _, trial in completed(trials)]
    values = np.array([value for value, _ in completed(trials)])
    better = np.maximum if objective.larger_is_better else np.minimum
    best = better.accumulate(values)
    end = len(trials) - 0.5
    axis.step([*numbers, end], [*best, best[-1]], where="post", color=_BEST, label="best so far")
    axis.scatter(numbers, values, s=18, color=_COMPLETE, label="complete")
    pruned = [trial for trial in trials if trial.state == "pruned"]
    if pruned:
        last = [trial.value or 0.0 for trial in pruned]
        numbers = [trial.number for trial in pruned]
        axis.scatter(numbers, last, s=18, color=_PRUNED, zorder=0, label="pruned, at its last step")
    failed = [trial.number for trial in trials if trial.state == "failed"]
    if failed:
        bottom = axis.get_xaxis_transform()  # y is a share of the axis, whatever the values
        y = [0.02] * len(failed)
        axis.scatter(failed, y, transform=bottom, marker="x", color="black", label="failed")
    default = trials[0].value
    if default is not None:
        axis.axhline(default, color="black", linewidth=0.8, linestyle=":")
        axis.annotate("defaults", (end, default), va="bottom", ha="right", fontsize=8)
    axis.set_xlim(-0.5, end)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_xlabel("trial")
    axis.set_ylabel(objective.metric)
    axis.legend(frameon=False, fontsize=8, loc="best")


def _plot_setting(
    axis: Axes,
    kind: type[Model[Any, Any]],
    objective: Objective,
    trials: Sequence[Trial],
    name: str,
) -> None:
    shown = [trial for trial in trials if trial.state != "failed" and name in trial.settings]
    values = [trial.settings[name] for trial in shown]
    x: list[float] = values
    search = search_range(kind.Config.model_fields[name])
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        labels = list(dict.fromkeys(f"{value}" for value in values))
        x = [labels.index(f"{value}") for value in values]
        axis.set_xticks(range(len(labels)), labels, fontsize=8)
        axis.margins(x=0.2)
    elif search is not None and search.scale == "log":
        if all(value > 0 for value in x):
            axis.set_xscale("log")
        else:  # a default of 0 turns the setting off; it is drawn as well
            axis.set_xscale("symlog", linthresh=search.low)
    best_value, best = objective.ranked(trials)[0]
    colors = [_COMPLETE if trial.state == "complete" else _PRUNED for trial in shown]
    axis.scatter(x, [trial.value or 0.0 for trial in shown], s=12, color=colors)
    if best in shown:  # else the setting has no effect in the best trial
        position = x[shown.index(best)]
        axis.scatter([position], [best_value], s=46, facecolors="none", edgecolors=_BEST)
    axis.set_title(name, fontsize=9)
    axis.tick_params(labelsize=8)


def require_plottable(path: str | Path) -> Path:
    """Raise a ConfigError or InputError now if a figure cannot be written to a path."""
    extras.require("plots", "a picture")
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"a picture cannot be written to {path}",
            remedy=f"end its name in one of: {', '.join(FORMATS)}",
        )
    return path


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure to a file atomically."""
    with atomic_file(require_plottable(path)) as partial:
        figure.savefig(partial, dpi=150)
    return Path(path)
