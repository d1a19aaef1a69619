"""What the figures were computed from: the data, its split, the software and the machine."""

from __future__ import annotations

import datetime as dt
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist._version import __version__
from shortlist.data.dataset import Dataset
from shortlist.evaluation.comparison import Comparison
from shortlist.kernels.threads import thread_count
from shortlist.machine import memory_bytes

_PACKAGES = ("numpy", "scipy", "numba", "duckdb", "pyarrow", "scikit-learn")


@dataclass(frozen=True)
class SplitSide:
    """One side of the split.

    Attributes
    ----------
    name
        "training" or "test".
    interactions, users, items
        Counts; of users and items, only those with interactions.
    first, last
        The days of the first and the last interaction; None without times.
    weights
        The smallest, the median and the largest weight.
    """

    name: str
    interactions: int
    users: int
    items: int
    first: str | None
    last: str | None
    weights: tuple[float, float, float]


@dataclass(frozen=True)
class FeatureColumn:
    """One feature column of the users or the items."""

    table: str
    name: str
    type: str
    filled: float
    distinct: int | None


@dataclass(frozen=True)
class Summary:
    """The data of a comparison.

    Attributes
    ----------
    users, items
        Sizes of the vocabularies, including ids without interactions.
    density
        Share of all (user, item) pairs that are in training.
    per_user, per_item
        Median and maximum number of training interactions.
    sides
        Training and test.
    held_out
        The smallest and the largest number of test interactions of a test user.
    latest
        Share of test interactions that are no earlier than all training interactions of the user;
        None without times, or if no test user has training interactions.
    columns
        Feature columns of users and items.
    """

    users: int
    items: int
    density: float
    per_user: tuple[float, int]
    per_item: tuple[float, int]
    sides: tuple[SplitSide, SplitSide]
    held_out: tuple[int, int]
    latest: float | None
    columns: tuple[FeatureColumn, ...]


def summary(comparison: Comparison) -> Summary:
    """Describe both sides of the split and the features."""
    train, test = comparison.train, comparison.test
    held_out = test.user_counts[test.user_counts > 0]
    return Summary(
        users=train.n_users,
        items=train.n_items,
        density=train.n_interactions / (train.n_users * train.n_items),
        per_user=(float(np.median(train.user_counts)), int(train.user_counts.max())),
        per_item=(float(np.median(train.item_counts)), int(train.item_counts.max())),
        sides=(_split_side("training", train), _split_side("test", test)),
        held_out=(int(held_out.min()), int(held_out.max())),
        latest=latest_share(train, test),
        columns=tuple(
            FeatureColumn(
                kind,
                name,
                str(column.type),
                float(1 - column.null_count / max(len(column), 1)),
                count_distinct(column),
            )
            for kind, table in (("users", train.user_features), ("items", train.item_features))
            for name, column in feature_columns(table)
        ),
    )


def _split_side(name: str, data: Dataset) -> SplitSide:
    weights = np.quantile(data.weights, [0, 0.5, 1], method="nearest")
    return SplitSide(
        name,
        data.n_interactions,
        int((data.user_counts > 0).sum()),
        int((data.item_counts > 0).sum()),
        None if data.times is None else day(data.times.min()),
        None if data.times is None else day(data.times.max()),
        (float(weights[0]), float(weights[1]), float(weights[2])),
    )


def latest_share(train: Dataset, test: Dataset) -> float | None:
    """Return the share of test interactions no earlier than the user's training interactions."""
    if train.times is None or test.times is None:
        return None
    last = last_times(train, train.times)
    known = train.user_counts[test.user_rows] > 0
    if not known.any():
        return None
    return float((test.times >= last[test.user_rows])[known].mean())


def last_times(data: Dataset, times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the last interaction time of each user, the smallest int64 for users without one."""
    last = np.full(data.n_users, np.iinfo(np.int64).min)
    np.maximum.at(last, data.user_rows, times)
    return last


def day(microseconds: int) -> str:
    """Format microseconds since 1970 as a day.

    Examples
    --------
    >>> day(1_717_113_600_000_000)
    '2024-05-31'
    """
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(microseconds))
    return moment.strftime("%Y-%m-%d")


def feature_columns(table: pa.Table | None) -> list[tuple[str, pa.ChunkedArray]]:
    """Return the columns of a feature table with their names; none without a table."""
    if table is None:
        return []
    return list(zip(table.column_names, table.itercolumns(), strict=True))


def count_distinct(column: pa.ChunkedArray) -> int | None:
    """Count the distinct values of a column; None for nested types, which Arrow cannot count."""
    if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
        return None
    return int(pc.count_distinct(column, mode="only_valid").as_py())


@dataclass(frozen=True)
class Origin:
    """What is needed to reproduce the page.

    Attributes
    ----------
    command
        The command, or the Python calls.
    seed
        Seed of the splits that were cut here, the intervals, and all random draws.
    fingerprints
        Of both sides of the split.
    settings
        Of each model, as JSON, including defaults.
    versions
        Of this library and the libraries it computes with.
    machine
        The machine it ran on.
    made
        Date and time, UTC.
    """

    command: str
    seed: int
    fingerprints: Mapping[str, str]
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    made: str


def origin(comparison: Comparison, command: str | None) -> Origin:
    """Describe the comparison's settings, the installation and the machine."""
    versions = {"shortlist": __version__, "Python": platform.python_version()}
    memory = memory_bytes()
    return Origin(
        command=_python_calls(comparison) if command is None else command,
        seed=comparison[comparison.best].seed,
        fingerprints={
            "training": comparison.train.fingerprint,
            "test": comparison.test.fingerprint,
        },
        settings={
            name: json.dumps(model.config.model_dump(mode="json"), ensure_ascii=False)
            for name, model in comparison.models.items()
        },
        versions=versions | {name: version(name) for name in _PACKAGES},
        machine={
            "system": platform.platform(),
            "processor": _processor(),
            "threads": str(thread_count()),
            "memory": "unknown" if memory is None else f"{memory / 2**30:.1f} GiB",
        },
        made=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _python_calls(comparison: Comparison) -> str:
    report = comparison[comparison.best]
    models = ", ".join(f"sl.{model!r}" for model in comparison.models.values())
    return (
        f"sl.compare([{models}], train, test, k={report.k}, seed={report.seed})"
        '.write_report("report.html")'
    )


def _processor() -> str:
    """Return the processor's model name or, if the system does not know it, its family."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
