"""What a search found: the settings, every trial, and what it is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.frames import Tabular
from shortlist.models.base import Model
from shortlist.text import figure, text_table
from shortlist.tuning.check import Check
from shortlist.tuning.chosen import Chosen
from shortlist.tuning.goal import Goal
from shortlist.tuning.trials import Trial, completed, counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 5  # trials in the printed table


@dataclass(frozen=True, eq=False)
class Tuning(Tabular):
    """The outcome of :func:`shortlist.tune`; ``str(tuning)`` says it in a page.

    Attributes
    ----------
    kind
        The class of the model.
    given
        The settings that were not tuned because the caller gave them.
    goal
        The metric.
    trials
        Every trial, in order; the first is the defaults.
    data
        What was tuned on.
    folds, seed
        As they were asked for.
    seconds
        How long the search took, this time.
    check
        How the best settings do on a fold that the search has not seen; or why that is not known.
    """

    kind: type[Model[Any, Any]]
    given: Mapping[str, Any]
    goal: Goal
    trials: tuple[Trial, ...]
    data: Dataset
    folds: int
    seed: int
    seconds: float
    check: Check | str = "not checked on another fold"

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.kind.__name__

    @cached_property
    def best(self) -> Trial:
        """The best trial; of equal ones the first."""
        sign = -1 if self.goal.larger_is_better else 1
        return min(completed(self.trials), key=lambda one: (sign * one[0], one[1].number))[1]

    @property
    def value(self) -> float:
        """The metric of the best trial, on the folds it was chosen on."""
        [value] = [value for value, trial in completed(self.trials) if trial is self.best]
        return value

    @property
    def default_value(self) -> float | None:
        """The metric of the defaults, or None where they failed."""
        return self.trials[0].value

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the best trial, the given ones included."""
        return {**self.given, **self.best.settings}

    @property
    def config(self) -> dict[str, Any]:
        """Every setting of the best model, as plain data."""
        return dict(self.chosen().config)

    def best_model(self) -> Model[Any, Any]:
        """Make the best model, not fitted."""
        return self.kind(**self.settings)

    def chosen(self) -> Chosen:
        """Give the best settings as a file keeps them."""
        return Chosen.of(
            self.best_model(),
            {
                "metric": self.goal.metric,
                "value": self.value,
                "default_value": self.default_value,
                "trials": len(self.trials),
                "folds": self.folds,
                "seed": self.seed,
                "data": self.data.fingerprint,
                "check": self.check if isinstance(self.check, str) else self.check.to_dict(),
            },
        )

    def save(self, path: str | Path) -> Path:
        """Write the best settings to a JSON file, which ``shortlist fit --config`` takes."""
        return self.chosen().save(path)

    def picture(self) -> Figure:
        """Draw the search: every trial, the best so far, and each setting against the metric.

        Raises
        ------
        ConfigError
            The extra ``plots`` is not installed.
        """
        from shortlist.tuning.pictures import plot_tuning

        return plot_tuning(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that were tuned."""
        found: dict[str, None] = {}
        for trial in self.trials:
            found |= dict.fromkeys(trial.settings)
        return tuple(found)

    @cached_property
    def _table(self) -> pa.Table:
        columns = {
            "trial": pa.array([one.number for one in self.trials], pa.int64()),
            "state": pa.array([one.state for one in self.trials], pa.string()),
            self.goal.metric: pa.array([one.value for one in self.trials], pa.float64()),
            "seconds": pa.array([one.seconds for one in self.trials], pa.float64()),
        }
        for name in self.names:
            columns[name] = _column([one.settings.get(name) for one in self.trials])
        columns["reason"] = pa.array([one.reason for one in self.trials], pa.string())
        return pa.table(columns)

    def to_arrow(self) -> pa.Table:
        """One row a trial: trial, state, the metric, seconds, the tuned settings, reason.

        A setting that had no effect in a trial is null there.
        """
        return self._table

    def to_dict(self) -> dict[str, Any]:
        """The best settings and every trial, ready for JSON."""
        return self.chosen().model_dump(mode="json") | {
            "trials": [one.model_dump(mode="json") for one in self.trials]
        }

    def __str__(self) -> str:
        states = Counter(trial.state for trial in self.trials)
        ended = ", ".join(
            f"{states[one]} {one}" for one in ("complete", "pruned", "failed") if states[one]
        )
        parts = [
            f"{self.model}: {counted(self.trials)} ({ended}) on {self.data}",
            f"best {self.goal.metric} {figure(self.value)} in trial {self.best.number}; "
            f"with the defaults {_figure(self.default_value)}",
            "",
            text_table(["setting", "default", "best"], self._settings_rows()),
            "",
            text_table(["trial", self.goal.metric, "seconds", *self.names], self._trial_rows()),
            "Figures on the folds that settings were chosen on are a little too good.",
            self.check
            if isinstance(self.check, str)
            else f"On one more fold, which the search has not seen: {self.check}.",
        ]
        failed = Counter(trial.reason for trial in self.trials if trial.state == "failed")
        parts += [f"failed, {count} times: {reason}" for reason, count in failed.most_common(3)]
        return "\n".join(parts)

    def _settings_rows(self) -> list[list[str]]:
        best, fields = self.best_model().config, self.kind.Config.model_fields
        shown = [name for name in fields if name in self.names or name in self.given]
        return [[name, _shown(fields[name].default), _shown(getattr(best, name))] for name in shown]

    def _trial_rows(self) -> list[list[str]]:
        sign = -1 if self.goal.larger_is_better else 1
        ranked = sorted(completed(self.trials), key=lambda one: (sign * one[0], one[1].number))
        return [
            [f"{trial.number}", figure(value), f"{trial.seconds:.1f}"]
            + [
                _shown(trial.settings[name]) if name in trial.settings else ""
                for name in self.names
            ]
            for value, trial in ranked[:_SHOWN]
        ]

    def __repr__(self) -> str:
        return f"Tuning({self.best_model()!r}, {self.goal.metric}={self.value:.4f})"


def _column(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if (len(kinds) > 1 and kinds != {int, float}) or kinds & {list, dict}:  # choices of any kind
        return pa.array([None if value is None else f"{value}" for value in values], pa.string())
    return pa.array(values)


def _figure(value: float | None) -> str:
    return "none: they failed" if value is None else figure(value)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"
