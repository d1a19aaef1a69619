"""The result of an evaluation: figures with intervals, over all users and by history length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from shortlist.errors import InputError, suggestion
from shortlist.frames import Tabular
from shortlist.metrics.bootstrap import LEAST_USERS, LEVEL, RESAMPLES, Measure, bootstrap, interval
from shortlist.metrics.ranking import FloatArray, Int64Array
from shortlist.text import TextTable, figure, span

_HISTORY_FROM = (0, 1, 3, 6, 11, 21, 51)  # the smallest history of each group
HISTORY = ("0", "1-2", "3-5", "6-10", "11-20", "21-50", ">50")
ALL = "all"  # the group of every user
FEW_USERS = f"fewer than {LEAST_USERS} users"

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("model", "history")),
        ("users", pa.int64()),
        ("metric", pa.string()),
        *((name, pa.float64()) for name in ("value", "low", "high")),
    ]
)


def labelled(name: str, label: str | None) -> str:
    """Return a metric's full name, with the sample it comes from: ``mrr (99 sampled)``."""
    return name if label is None else f"{name} ({label})"


@dataclass(frozen=True, eq=False)
class Report(Tabular):
    """The figures of one model on one split, from :func:`shortlist.evaluate`.

    ``report["recall@10"]`` is a figure and ``report.interval("recall@10")`` its interval;
    ``str(report)`` is a table of all figures.

    Attributes
    ----------
    model
        The model's name.
    users
        Ids of the evaluated users: those with test items.  # (n_users,)
    history
        Number of training interactions of each, int64.  # (n_users,)
    measures
        Metrics with a value per user, by name.
    catalogue
        Metrics of all lists together (coverage), by name; they have no interval.
    k
        The list lengths measured at.
    n_items
        Size of the catalogue.
    protocol
        How test items were ranked, in words.
    label
        The sample that ranks are relative to, like ``"99 sampled"``; part of every metric's name.
        ``None``: the full catalogue.
    notes
        Remarks for the reader: test interactions that were left out, and why.
    score_seconds
        Time that scoring took; of the full catalogue, with ranking and the best items.
    listed
        How many users' lists hold each item, int64 (n_items,), by list length; empty for sampled
        figures.
    seed, resamples, level
        Settings of the bootstrap intervals; ``dataclasses.replace(report, level=0.9)`` changes the
        level.
    """

    model: str
    users: pa.Array
    history: Int64Array
    measures: Mapping[str, Measure]
    catalogue: Mapping[str, float]
    k: tuple[int, ...]
    n_items: int
    protocol: str
    label: str | None = None
    notes: tuple[str, ...] = ()
    score_seconds: float = 0.0
    listed: Mapping[int, Int64Array] = field(default_factory=dict)
    seed: int = 0
    resamples: int = RESAMPLES
    level: float = LEVEL

    @property
    def n_users(self) -> int:
        """The number of evaluated users."""
        return len(self.users)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and one where users are too few for an interval to say much."""
        few = f"{FEW_USERS}: intervals say little about the figures of other users"
        return (*self.notes, few) if self.n_users < LEAST_USERS else self.notes

    @property
    def main(self) -> str:
        """The metric that models are ranked by: NDCG at :attr:`main_k`."""
        return labelled(f"ndcg@{self.main_k}", self.label)

    @property
    def main_k(self) -> int:
        """The list length that models are ranked at: 10 if it was measured, else the middle one."""
        return 10 if 10 in self.k else self.k[len(self.k) // 2]

    @property
    def names(self) -> tuple[str, ...]:
        """The full name of every metric."""
        return (*self.measures, *self.catalogue)

    def __getitem__(self, name: str) -> float:
        """Return the figure of a metric over all users."""
        if name in self.catalogue:
            return self.catalogue[name]
        return self._measure(name).mean()

    def interval(self, name: str) -> tuple[float, float]:
        """Return the bootstrap interval of a metric over all users.

        Raises
        ------
        InputError
            There is no such metric, or it is one of all lists together and has no interval.
        """
        if name in self.catalogue:
            raise InputError(
                f"{name!r} is a property of all lists together and has no interval over users",
                remedy=f"ask for one of: {', '.join(self.measures)}",
            )
        self._measure(name)
        return self._intervals[name]

    def per_user(self, name: str) -> FloatArray:
        """Return the value for each of ``users`` (for RMSE: the mean squared error)."""
        return self._measure(name).values

    def _measure(self, name: str) -> Measure:
        if name not in self.measures:
            raise InputError(
                f"the report has no metric {name!r}", remedy=suggestion(name, self.names)
            )
        return self.measures[name]

    @cached_property
    def _intervals(self) -> dict[str, tuple[float, float]]:
        return self._intervals_of(self.measures)

    def _intervals_of(self, measures: Mapping[str, Measure]) -> dict[str, tuple[float, float]]:
        figures = bootstrap(list(measures.values()), resamples=self.resamples, seed=self.seed)
        return {
            name: interval(figures[:, column], self.level) for column, name in enumerate(measures)
        }

    def _groups(self) -> Iterator[tuple[str, dict[str, Measure]]]:
        """Yield each non-empty history group and the measures of its users."""
        group = np.searchsorted(_HISTORY_FROM, self.history, side="right") - 1  # (n_users,)
        for position, name in enumerate(HISTORY):
            members = group == position
            if members.any():
                yield name, {metric: m.take(members) for metric, m in self.measures.items()}

    @cached_property
    def _table(self) -> pa.Table:
        rows: list[tuple[Any, ...]] = []
        for history, measures in [(ALL, self.measures), *self._groups()]:
            n_users = len(next(iter(measures.values())).values)
            intervals: Mapping[str, tuple[float | None, float | None]] = {}
            if history == ALL:
                intervals = self._intervals
            elif n_users >= LEAST_USERS:
                intervals = self._intervals_of(measures)
            for name, measure in measures.items():
                bounds = intervals.get(name, (None, None))
                rows.append((history, n_users, name, measure.mean(), *bounds))
        rows += [(ALL, self.n_users, *figure, None, None) for figure in self.catalogue.items()]
        records = [dict(zip(SCHEMA.names, (self.model, *row), strict=True)) for row in rows]
        return pa.Table.from_pylist(records, schema=SCHEMA)

    def to_arrow(self) -> pa.Table:
        """Return one row per group and metric: model, history, users, metric, value, low, high.

        ``history`` is "all" or a range of training interactions. A group of fewer than 30 users
        has no interval: resampling so few values says little about other users, and all resamples
        of a single user are equal.
        """
        return self._table

    def per_user_table(self) -> pa.Table:
        """Return one row per user: id, number of training interactions, and every metric."""
        columns = {name: pa.array(measure.values) for name, measure in self.measures.items()}
        return pa.table({"user_id": self.users, "history": pa.array(self.history), **columns})

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the values of single users, ready for JSON."""
        groups: dict[str, dict[str, Any]] = {}
        for row in self._table.to_pylist():
            group = groups.setdefault(row["history"], {"users": row["users"], "metrics": {}})
            group["metrics"][row["metric"]] = {key: row[key] for key in ("value", "low", "high")}
        overall = groups.pop(ALL)
        return {
            "model": self.model,
            "protocol": self.protocol,
            "sampled": self.label is not None,
            "users": self.n_users,
            "items": self.n_items,
            "k": list(self.k),
            "level": self.level,
            "resamples": self.resamples,
            "seed": self.seed,
            "score_seconds": self.score_seconds,
            "metrics": overall["metrics"],
            "by_history": groups,
            "notes": list(self.notes),
        }

    def content(self) -> list[str | TextTable]:
        """Return the table of all figures, and the main ones by the length of the history."""
        interval_head = f"{self.level:.0%} interval"
        by_history = self.main, self.main.replace("ndcg", "recall")
        in_groups = [name for name in self.measures if name in by_history]
        overall: list[list[str]] = []
        groups: dict[str, list[str]] = {}
        for row in self._table.to_pylist():
            history, bounds = row["history"], ""
            if row["low"] is not None:
                bounds = span(row["low"], row["high"])
            elif history != ALL:
                bounds = FEW_USERS
            cells = [figure(row["value"]), bounds]
            if history == ALL:
                overall.append([row["metric"], *cells])
            elif row["metric"] in in_groups:
                groups.setdefault(history, [history, f"{row['users']:,}"]).extend(cells)
        header = [text for name in in_groups for text in (name, interval_head)]
        return [
            f"{self.model}: {self.n_users:,} users, {self.n_items:,} items, {self.protocol}",
            *self.remarks,
            "",
            TextTable(["metric", "value", interval_head], overall),
            "",
            TextTable(["interactions in training", "users", *header], [*groups.values()]),
        ]

    def __repr__(self) -> str:
        return f"Report({self.model}, {self.n_users} users, {self.main}={self[self.main]:.4f})"
