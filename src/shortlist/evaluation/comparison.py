"""Several models beside each other: their figures, and which differences are real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, suggestion
from shortlist.evaluation.report import Report, labelled
from shortlist.frames import Tabular
from shortlist.metrics.ranking import FloatArray
from shortlist.metrics.significance import PairedTest, bootstrap, paired_tests
from shortlist.models.base import Model
from shortlist.text import figure, span, text_table

SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("difference", pa.float64()),
        ("difference_low", pa.float64()),
        ("difference_high", pa.float64()),
        ("p_value", pa.float64()),
        ("corrected", pa.float64()),
        ("real", pa.bool_()),
    ]
)


@dataclass(frozen=True, eq=False)
class Comparison(Tabular):
    """Models ranked by their main metric, best first, with what can be said about the differences.

    ``comparison["EASE"]`` is a model's :class:`Report`; ``str(comparison)`` is the table;
    :meth:`write_report` makes a page of it.

    Attributes
    ----------
    reports
        By the model's name, best first.
    fit_seconds
        How long fitting took, by name; None for a model that came fitted.
    models
        The fitted models, by name, best first.
    train, test
        The split they were measured on.
    """

    reports: Mapping[str, Report]
    fit_seconds: Mapping[str, float | None]
    models: Mapping[str, Model[Any, Any]]
    train: Dataset
    test: Dataset

    @property
    def best(self) -> str:
        """The name of the model with the highest main metric."""
        return next(iter(self.reports))

    @property
    def main(self) -> str:
        """The metric models are ranked by."""
        return self.reports[self.best].main

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that every model has a value a user for, and that can be tested."""
        first, *others = (report.measures for report in self.reports.values())
        return tuple(name for name in first if all(name in measures for measures in others))

    def __getitem__(self, model: str) -> Report:
        """The report of one model."""
        if model not in self.reports:
            raise InputError(
                f"no model {model!r} was compared", remedy=suggestion(model, self.reports)
            )
        return self.reports[model]

    @cached_property
    def _figures(self) -> dict[str, FloatArray]:
        """Bootstrap figures of each metric, (resamples, n_models), from one set of resamples."""
        first = self[self.best]
        columns = [
            report.measures[name] for name in self.metrics for report in self.reports.values()
        ]
        figures = bootstrap(columns, resamples=first.resamples, seed=first.seed)
        n_models = len(self.reports)
        return {
            name: figures[:, position * n_models : (position + 1) * n_models]
            for position, name in enumerate(self.metrics)
        }

    def tests(self, metric: str | None = None) -> tuple[PairedTest, ...]:
        """Test every pair of models on a metric (None: the main one), corrected over the pairs.

        Raises
        ------
        InputError
            Not every model has this metric, or it has no value a user.
        """
        metric = self.main if metric is None else metric
        if metric not in self.metrics:
            raise InputError(
                f"{metric!r} cannot be tested", remedy=suggestion(metric, self.metrics)
            )
        measures = {name: report.measures[metric] for name, report in self.reports.items()}
        return paired_tests(measures, self._figures[metric], level=self[self.best].level)

    def against_best(self, metric: str | None = None) -> dict[str, PairedTest]:
        """The tests of each other model against the best one, by the other's name.

        The differences are the other model's figure minus that of the best, which is best on the
        main metric and may be behind on this one.
        """
        tests = [test for test in self.tests(metric) if test.first == self.best]
        return {test.second: test.reversed() for test in tests}

    @cached_property
    def _table(self) -> pa.Table:
        against = {metric: self.against_best(metric) for metric in self.metrics}
        records = []
        for name, report in self.reports.items():
            for metric in report.names:
                low, high = report.interval(metric) if metric in report.measures else (None, None)
                record = {"model": name, "metric": metric, "value": report[metric]}
                record |= {"low": low, "high": high}
                if (test := against.get(metric, {}).get(name)) is not None:
                    record |= {"difference": test.difference, "difference_low": test.low}
                    record |= {"difference_high": test.high, "p_value": test.p_value}
                    record |= {"corrected": test.corrected, "real": test.real}
                records.append(record)
        return pa.Table.from_pylist(records, schema=SCHEMA)

    def to_arrow(self) -> pa.Table:
        """One row a model and metric, best model first.

        Columns: model, metric, value, low, high; then against the best model, and empty for itself
        and for metrics that cannot be tested: difference, difference_low, difference_high, p_value,
        corrected (Holm, over all pairs of models), real.
        """
        return self._table

    def to_dict(self) -> dict[str, Any]:
        """Reports, times and tests of the main metric, ready for JSON."""
        return {
            "main_metric": self.main,
            "best": self.best,
            "models": [
                {**report.to_dict(), "fit_seconds": self.fit_seconds[name]}
                for name, report in self.reports.items()
            ],
            "tests": [asdict(test) for test in self.tests()],
        }

    def write_report(
        self, path: str | Path, *, title: str = "Which model is best?", command: str | None = None
    ) -> Path:
        """Write one HTML page, which opens without a network, for people who decide.

        Parameters
        ----------
        path
            The file; one that is there is replaced in one step.
        title
            Its heading.
        command
            What to type to make it again; None: the Python calls that made it.

        Raises
        ------
        ConfigError
            The extra ``report`` is not installed.
        InputError
            The folder does not exist, or ``path`` is a folder.
        """
        from shortlist.reporting import write_report

        return write_report(self, path, title=title, command=command)

    def __str__(self) -> str:
        best = self[self.best]
        sure = f"{best.level:.0%} interval"
        others = [self.main.replace("ndcg", name) for name in ("hit_rate", "recall")]
        others += [labelled(name, best.label) for name in ("mrr", "rmse")]
        others += [self.main.replace("ndcg", "coverage")]
        shown = [
            name for name in others if any(name in report.names for report in self.reports.values())
        ]
        tests = self.against_best()
        rows = []
        for name, report in self.reports.items():
            row = [name, figure(report[self.main]), span(*report.interval(self.main))]
            if (test := tests.get(name)) is None:
                row += ["best", ""]
            else:
                row += [f"{test.difference:+.4f}{'*' if test.real else ' '}"]
                row += [span(test.low, test.high)]
            row += [figure(report[one]) if one in report.names else "" for one in shown]
            fitted = self.fit_seconds[name]
            row += ["fitted" if fitted is None else f"{fitted:.1f}", f"{report.score_seconds:.1f}"]
            rows.append(row)
        header = ["model", self.main, sure, "against best", sure, *shown, "fit s", "score s"]
        n_pairs = len(self.reports) * (len(self.reports) - 1) // 2
        parts = [
            f"{best.n_users:,} users, {best.n_items:,} items, {best.protocol}",
            *best.notes,
            "",
            text_table(header, rows),
        ]
        if n_pairs:
            parts.append(
                f"* really different from the best in {self.main}: paired t-test, p < "
                f"{1 - best.level:.2g} after Holm's correction over {n_pairs} pairs"
            )
        return "\n".join(parts)

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.reports)}; by {self.main})"
