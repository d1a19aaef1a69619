"""Several models on the same split: their figures, and which differences are significant."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import pyarrow as pa

from shortlist import engine as engines
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, require_known
from shortlist.evaluation.protocol import evaluate
from shortlist.evaluation.report import Report, labelled
from shortlist.evaluation.truth import Truth, positive_integers, require_fitted_on, require_model
from shortlist.frames import Tabular
from shortlist.metrics.bootstrap import bootstrap
from shortlist.metrics.paired import PairedTest, paired_tests
from shortlist.metrics.ranking import FloatArray
from shortlist.models.base import Fitted, Model
from shortlist.progress import track
from shortlist.text import TextTable, counted, figure, span

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("model", "metric")),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        *((name, pa.float64()) for name in ("difference", "difference_low", "difference_high")),
        *((name, pa.float64()) for name in ("p_value", "corrected")),
        ("real", pa.bool_()),
    ]
)


@dataclass(frozen=True, eq=False)
class Comparison(Tabular):
    """Models ranked by their main metric, best first, with tests of their differences.

    ``comparison["EASE"]`` is a model's :class:`Report`; ``str(comparison)`` is a table.

    Attributes
    ----------
    reports
        The report of each model, by name, best first.
    fit_seconds
        How long fitting took, by name; None for a model that was already fitted.
    models
        The fitted models, by name, best first.
    train, test
        The split the models were evaluated on.
    """

    reports: Mapping[str, Report]
    fit_seconds: Mapping[str, float | None]
    models: Mapping[str, Model[Any, Any]]
    train: Dataset
    test: Dataset

    @classmethod
    def of(
        cls,
        models: Sequence[Model[Any, Any]],
        train: Dataset,
        test: Dataset,
        k: int | Iterable[int] = (5, 10, 20),
        *,
        seed: int = 0,
    ) -> Self:
        """Fit and evaluate models; see :func:`shortlist.compare`."""
        if not models:
            raise InputError(
                "there is no model to compare", where="models", remedy="pass some models"
            )
        # Refuse invalid arguments before the first fit, which may take long.
        ks = positive_integers("k", k)
        Truth.of(train, test)
        for model in models:
            require_model(model)
            if model.is_fitted:
                require_fitted_on(model, train)
            else:
                model.require_fittable(train)
        reports: dict[str, Report] = {}
        fit_seconds: dict[str, float | None] = {}
        named = dict(zip(distinct_names(models), models, strict=True))
        to_fit = {name: model for name, model in named.items() if not model.is_fitted}
        fits = engines.current().map(
            partial(_fit, train),
            list(to_fit.values()),
            max((model.memory_to_fit(train) for model in to_fit.values()), default=0),
            f"fitting {', '.join(to_fit)}",
        )
        for name, model in track(named.items(), "comparing models", len(models), alike=False):
            fit_seconds[name] = None
            if name in to_fit:
                fitted, fit_seconds[name] = next(fits)
                model.restore(train, *fitted)  # a copy may have been fitted, in another process
            reports[name] = replace(evaluate(model, train, test, ks, seed=seed), model=name)
        ranking = sorted(reports, key=lambda name: -reports[name][reports[name].main])
        return cls(
            {name: reports[name] for name in ranking},
            fit_seconds,
            {name: named[name] for name in ranking},
            train,
            test,
        )

    @property
    def best(self) -> str:
        """The name of the model with the highest main metric."""
        return next(iter(self.reports))

    @property
    def main(self) -> str:
        """The metric that models are ranked by."""
        return self.reports[self.best].main

    @property
    def uses(self) -> str:
        """What of the data the models use, in a line; ``model.uses`` says it for each."""
        by_use: dict[tuple[str, ...], list[str]] = {}
        for name, model in self.models.items():
            by_use.setdefault(model.uses, []).append(name)
        return "; ".join(f"{', '.join(use)}: {', '.join(by_use[use])}" for use in by_use)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that can be tested: every model has a value per user."""
        first, *others = (report.measures for report in self.reports.values())
        return tuple(name for name in first if all(name in measures for measures in others))

    def __getitem__(self, model: str) -> Report:
        """Return the report of one model."""
        require_known(model, self.reports, f"no model {model!r} was compared")
        return self.reports[model]

    @cached_property
    def _figures(self) -> dict[str, FloatArray]:
        """Bootstrap figures by metric, (resamples, n_models), all from the same resamples."""
        first = self[self.best]
        columns = [
            report.measures[name] for name in self.metrics for report in self.reports.values()
        ]
        figures = bootstrap(columns, resamples=first.resamples, seed=first.seed)
        by_metric = np.split(figures, len(self.metrics), axis=1)
        return dict(zip(self.metrics, by_metric, strict=True))

    def tests(self, metric: str | None = None) -> tuple[PairedTest, ...]:
        """Test every pair of models on a metric (None: the main one), corrected over the pairs.

        Raises
        ------
        InputError
            Not every model has this metric, or it has no value per user.
        """
        metric = self.main if metric is None else metric
        require_known(metric, self.metrics, f"{metric!r} cannot be tested")
        measures = {name: report.measures[metric] for name, report in self.reports.items()}
        return paired_tests(measures, self._figures[metric], level=self[self.best].level)

    def against_best(self, metric: str | None = None) -> dict[str, PairedTest]:
        """Return the test of each other model against the best one, by the other's name.

        Differences are the other model's figure minus that of the best model. The best model is
        the best on the main metric and may be worse on this one.
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
                figures = {"value": report[metric], "low": low, "high": high}
                record = {"model": name, "metric": metric, **figures}
                if (test := against.get(metric, {}).get(name)) is not None:
                    record |= {"difference": test.difference, "difference_low": test.low}
                    record |= {"difference_high": test.high, "p_value": test.p_value}
                    record |= {"corrected": test.corrected, "real": test.real}
                records.append(record)
        return pa.Table.from_pylist(records, schema=SCHEMA)

    def to_arrow(self) -> pa.Table:
        """Return one row per model and metric, best model first.

        Columns: model, metric, value, low, high; then the test against the best model: difference,
        difference_low, difference_high, p_value, corrected (Holm, over all pairs of models), real.
        The latter are empty for the best model and for metrics that cannot be tested.
        """
        return self._table

    def to_dict(self) -> dict[str, Any]:
        """Return the reports, times and tests of the main metric, ready for JSON."""
        return {
            "main_metric": self.main,
            "best": self.best,
            "models": [
                {**report.to_dict(), "fit_seconds": self.fit_seconds[name]}
                for name, report in self.reports.items()
            ],
            "tests": [asdict(test) for test in self.tests()],
        }

    def content(self) -> list[str | TextTable]:
        """Return the table of the models, and what the stars in it mean."""
        best = self[self.best]
        interval_head = f"{best.level:.0%} interval"
        others = [self.main.replace("ndcg", name) for name in ("hit_rate", "recall")]
        others += [labelled(name, best.label) for name in ("mrr", "rmse")]
        others += [self.main.replace("ndcg", "coverage")]
        shown = [
            name for name in others if any(name in report.names for report in self.reports.values())
        ]
        tests = self.against_best()
        rows = []
        for model, report in self.reports.items():
            row = [model, figure(report[self.main]), span(*report.interval(self.main))]
            if (test := tests.get(model)) is None:
                row += ["best", ""]
            else:
                row += [f"{test.difference:+.4f}{'*' if test.real else ' '}"]
                row += [span(test.low, test.high)]
            row += [figure(report[name]) if name in report.names else "" for name in shown]
            seconds = self.fit_seconds[model]
            row += ["fitted" if seconds is None else f"{seconds:.1f}"]
            row += [f"{report.score_seconds:.1f}"]
            rows.append(row)
        header = ["model", self.main, interval_head, "against best", interval_head, *shown]
        header += ["fit s", "score s"]
        n_pairs = len(self.reports) * (len(self.reports) - 1) // 2
        content: list[str | TextTable] = [
            f"{best.n_users:,} users, {best.n_items:,} items, {best.protocol}",
            *best.remarks,
            "",
            TextTable(header, rows),
        ]
        if n_pairs:
            content.append(
                f"* significantly different from the best in {self.main}: paired t-test, p < "
                f"{1 - best.level:.2g} after Holm's correction over "
                f"{counted(n_pairs, 'pair')}"
            )
        return content

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.reports)}; by {self.main})"


def _fit(train: Dataset, model: Model[Any, Any]) -> tuple[Fitted[Any], float]:
    """Fit a model; return what it learned, and the seconds that took."""
    started = time.perf_counter()
    model.fit(train)
    return Fitted(model.learned, model.history), time.perf_counter() - started


def distinct_names(models: Sequence[Model[Any, Any]]) -> list[str]:
    """Return distinct names: with the settings that differ, or else with a number."""
    names = []
    for model in models:
        others = [other.config.model_dump() for other in models if other.name == model.name]
        settings = model.config.model_dump()
        differing = [
            f"{field}={value!r}"
            for field, value in settings.items()
            if any(other[field] != value for other in others)
        ]
        names.append(f"{model.name}({', '.join(differing)})" if differing else model.name)
    return [
        name if (before := names[:position].count(name)) == 0 else f"{name} #{before + 1}"
        for position, name in enumerate(names)
    ]
