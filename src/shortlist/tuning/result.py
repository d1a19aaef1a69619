"""The results of ``tune`` and ``auto``: the best settings, and the selected model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.frames import Tabular
from shortlist.models.base import Model
from shortlist.text import TextTable, counted, figure, span
from shortlist.tuning.folds import ModelCheck, SettingsCheck
from shortlist.tuning.objective import Objective, Trial, tuned_names
from shortlist.tuning.plot import plot_search
from shortlist.tuning.settings_file import SettingsFile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 5  # trials in the printed table
NOT_CHECKED = "not checked on an unseen fold"


@dataclass(frozen=True, eq=False)
class Tuning(Tabular):
    """The result of :func:`shortlist.tune`; ``str(tuning)`` is a summary.

    Attributes
    ----------
    kind
        The class of the model.
    given
        The settings that the caller fixed.
    goal
        The metric.
    trials
        Every trial, in order; the first is the defaults.
    data
        The training data.
    folds, seed
        As passed to ``tune``.
    seconds
        The duration of this search, without that of earlier trials in its study file.
    check
        The best settings on a fold that the search has not used; or why there is no such check.
    """

    kind: type[Model[Any, Any]]
    given: Mapping[str, Any]
    goal: Objective
    trials: tuple[Trial, ...]
    data: Dataset
    folds: int
    seed: int
    seconds: float
    check: SettingsCheck | str = NOT_CHECKED

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.kind.__name__

    @cached_property
    def _ranked(self) -> list[tuple[float, Trial]]:
        return self.goal.ranked(self.trials)

    @property
    def best(self) -> Trial:
        """The best trial; of equal ones the first."""
        return self._ranked[0][1]

    @property
    def value(self) -> float:
        """The metric of the best trial on the folds of the search."""
        return self._ranked[0][0]

    @property
    def default_value(self) -> float | None:
        """The metric of the defaults; None if they failed."""
        return self.trials[0].value

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tuned settings."""
        return tuned_names(self.trials)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the best trial, including the given ones."""
        return {**self.given, **self.best.settings}

    @property
    def config(self) -> dict[str, Any]:
        """Every setting of the best model, ready for JSON."""
        return dict(self.chosen().config)

    def best_model(self) -> Model[Any, Any]:
        """Make the model with the best settings, not fitted."""
        return self.kind(**self.settings)

    def chosen(self) -> SettingsFile:
        """Return the best settings as the content of a settings file."""
        return SettingsFile.of(
            self.best_model(),
            {
                "metric": self.goal.metric,
                "value": self.value,
                "default_value": self.default_value,
                "trials": len(self.trials),
                "folds": self.folds,
                "seed": self.seed,
                "data": self.data.fingerprint,
                "check": self.check if isinstance(self.check, str) else asdict(self.check),
            },
        )

    def save(self, path: str | Path) -> Path:
        """Write the best settings to a JSON file, which ``shortlist fit --config`` reads."""
        return self.chosen().save(path)

    def picture(self) -> Figure:
        """Plot the search: every trial, the best value so far, and the metric over each setting.

        Raises
        ------
        ConfigError
            The extra ``plots`` is not installed.
        """
        return plot_search(self.kind, self.goal, self.trials)

    def to_arrow(self) -> pa.Table:
        """Return one row per trial: trial, state, the metric, seconds, the tuned settings, reason.

        A setting that had no effect in a trial is null there.
        """
        trials = self.trials
        columns = {
            "trial": pa.array([trial.number for trial in trials], pa.int64()),
            "state": pa.array([trial.state for trial in trials], pa.string()),
            self.goal.metric: pa.array([trial.value for trial in trials], pa.float64()),
            "seconds": pa.array([trial.seconds for trial in trials], pa.float64()),
        }
        for name in self.names:
            columns[name] = settings_column([trial.settings.get(name) for trial in trials])
        columns["reason"] = pa.array([trial.reason for trial in trials], pa.string())
        return pa.table(columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the best settings and every trial, ready for JSON."""
        return self.chosen().model_dump(mode="json") | {
            "trials": [trial.model_dump(mode="json") for trial in self.trials]
        }

    def content(self) -> list[str | TextTable]:
        """Return the settings, the best trials, and the check on an unseen fold."""
        counts = Counter(trial.state for trial in self.trials)
        states = ", ".join(
            f"{counts[state]} {state}"
            for state in ("complete", "pruned", "failed")
            if counts[state]
        )
        default = "failed" if self.default_value is None else figure(self.default_value)
        best, fields = self.best_model().config, self.kind.Config.model_fields
        settings = [
            [name, _setting_text(fields[name].default), _setting_text(getattr(best, name))]
            for name in fields
            if name in self.names or name in self.given
        ]
        trials = [
            [f"{trial.number}", figure(value), f"{trial.seconds:.1f}"]
            + [_setting_text(trial.settings.get(name, "")) for name in self.names]
            for value, trial in self._ranked[:_SHOWN]
        ]
        reasons = Counter(trial.reason for trial in self.trials if trial.state == "failed")
        return [
            f"{self.model}: {counted(len(self.trials), 'trial')} ({states}) on {self.data}",
            f"best {self.goal.metric} {figure(self.value)} in trial {self.best.number}; "
            f"defaults {default}",
            "",
            TextTable(["setting", "default", "best"], settings),
            "",
            TextTable(["trial", self.goal.metric, "seconds", *self.names], trials),
            "These values are slightly optimistic: the same folds selected the settings.",
            self.check if isinstance(self.check, str) else f"On an unseen fold: {self.check}.",
            *(f"failed, {n} times: {reason}" for reason, n in reasons.most_common(3)),
        ]

    def __repr__(self) -> str:
        return f"Tuning({self.best_model()!r}, {self.goal.metric}={self.value:.4f})"


def settings_column(values: list[Any]) -> pa.Array:
    """Make a column of a setting's values; values of mixed types become texts."""
    types = {type(value) for value in values if value is not None}
    if (len(types) > 1 and types != {int, float}) or types & {list, dict}:
        return pa.array([None if value is None else f"{value}" for value in values], pa.string())
    return pa.array(values)


def _setting_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


@dataclass(frozen=True, kw_only=True)
class CandidateResult:
    """The result of a model in an automatic selection."""

    model: str  # followed by "(tuned)" if its settings were searched
    value: float | None = None  # the metric on the validation fold; None if it was not measured
    difference: float | None = None  # to the best value; None for the best
    low: float | None = None  # the paired interval of the difference
    high: float | None = None
    seconds: float | None = None  # to fit and to measure
    outcome: str
    """``"chosen"``, ``"best"``, ``"as good as the best"``, ``"not significantly worse"`` (the
    interval contains 0), ``"worse"``, or why it was left out."""

    @property
    def measured(self) -> bool:
        """Whether the model was measured, and not left out."""
        return self.value is not None

    def texts(self) -> list[str]:
        """Return the cells of its row in a printed table."""
        return [
            self.model,
            "" if self.value is None else figure(self.value),
            "" if self.difference is None else f"{self.difference:+.4f}",
            "" if self.low is None or self.high is None else span(self.low, self.high),
            "" if self.seconds is None else f"{self.seconds:.1f}",
            self.outcome,
        ]


_CHOICE_SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        *((name, pa.float64()) for name in ("value", "difference", "low", "high", "seconds")),
        ("outcome", pa.string()),
    ]
)


@dataclass(frozen=True, eq=False)
class Choice(Tabular):
    """The result of :func:`shortlist.auto`; ``str(choice)`` is the table and the reason.

    Attributes
    ----------
    model
        The selected model, fitted on all of the data.
    reason
        Why it was selected.
    standings
        Every candidate: the measured ones, best first; then those that were left out.
    metric
        The metric that decided.
    data, n_users
        The training data, and the number of users in the validation fold.
    notes
        Remarks on what was not done.
    seconds
        The duration of the whole selection.
    check
        The selected model on a fold that took no part; or why there is no such check.
    """

    model: Model[Any, Any]
    reason: str
    standings: tuple[CandidateResult, ...]
    metric: str
    data: Dataset
    n_users: int
    notes: tuple[str, ...]
    seconds: float
    check: ModelCheck | str = NOT_CHECKED

    def to_arrow(self) -> pa.Table:
        """Return one row per candidate: model, value, difference, low, high, seconds, outcome."""
        return pa.Table.from_pylist(list(map(asdict, self.standings)), schema=_CHOICE_SCHEMA)

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the model, ready for JSON, as a bundle records it."""
        return {
            "chosen_by": "auto",
            "metric": self.metric,
            "users": self.n_users,
            "reason": self.reason,
            "candidates": list(map(asdict, self.standings)),
            "notes": list(self.notes),
            "check": self.check if isinstance(self.check, str) else asdict(self.check),
        }

    def content(self) -> list[str | TextTable]:
        """Return the table of the measured candidates, what was left out, and the reason."""
        header = ["model", self.metric, "against best", "95% interval", "seconds", "outcome"]
        return [
            f"{self.data}: one interaction of each of {self.n_users:,} users is held out",
            *self.notes,
            "",
            TextTable(header, [each.texts() for each in self.standings if each.measured]),
            *self._left_out(),
            "The best of these values is slightly optimistic: they decided the selection.",
            self.check
            if isinstance(self.check, str)
            else f"The chosen model on an unseen fold, with one choice fewer per person to "
            f"learn from: {self.metric} {self.check}.",
            self.reason,
        ]

    def _left_out(self) -> list[str]:
        """Return a line for each reason for which models were left out, with their names."""
        models: dict[str, list[str]] = {}
        for each in self.standings:
            if not each.measured:
                models.setdefault(each.outcome.replace(each.model, "it"), []).append(each.model)
        return [f"{reason}: {', '.join(names)}" for reason, names in models.items()]

    def __repr__(self) -> str:
        return f"Choice({self.model!r}; by {self.metric} of {len(self.standings)})"
