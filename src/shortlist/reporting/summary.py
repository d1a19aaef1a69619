"""What the figures were computed from: the data, its split, the software and the machine."""

from __future__ import annotations

import datetime as dt
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

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


def summary(comparison: Comparison) -> dict[str, Any]:
    """Describe both sides of the split and the features."""
    train, test = comparison.train, comparison.test
    held_out = test.user_counts[test.user_counts > 0]
    return {
        "users": train.n_users,  # with those without interactions
        "items": train.n_items,
        "density": train.n_interactions / (train.n_users * train.n_items),
        "per_user": (float(np.median(train.user_counts)), int(train.user_counts.max())),
        "per_item": (float(np.median(train.item_counts)), int(train.item_counts.max())),
        "sides": [_split_side("training", train), _split_side("test", test)],
        "held_out": (int(held_out.min()), int(held_out.max())),
        "latest": latest_share(train, test),
        "columns": [
            {
                "table": kind,
                "name": name,
                "type": str(column.type),
                "filled": float(1 - column.null_count / max(len(column), 1)),
                "distinct": count_distinct(column),
            }
            for kind, table in (("users", train.user_features), ("items", train.item_features))
            for name, column in feature_columns(table)
        ],
    }


def _split_side(name: str, data: Dataset) -> dict[str, Any]:
    days = (None, None) if data.times is None else (day(data.times.min()), day(data.times.max()))
    return {
        "name": name,
        "fingerprint": data.fingerprint,
        "interactions": data.n_interactions,
        "users": int((data.user_counts > 0).sum()),
        "items": int((data.item_counts > 0).sum()),
        "first": days[0],
        "last": days[1],
        "weights": np.quantile(data.weights, [0, 0.5, 1], method="nearest").tolist(),
    }


def latest_share(train: Dataset, test: Dataset) -> float | None:
    """Return the share of test interactions no earlier than the user's training interactions.

    None without times, or if no test user has training interactions.
    """
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

    >>> day(1_717_113_600_000_000)
    '2024-05-31'
    """
    return str(np.datetime64(int(microseconds), "us").astype("datetime64[D]"))


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


def origin(comparison: Comparison, command: str | None) -> dict[str, Any]:
    """Describe the settings, the installation and the machine, to reproduce the page."""
    versions = {"shortlist": __version__, "Python": platform.python_version()}
    memory = memory_bytes()
    return {
        "command": _python_calls(comparison) if command is None else command,
        "settings": {  # with defaults
            name: json.dumps(model.config.model_dump(mode="json"), ensure_ascii=False)
            for name, model in comparison.models.items()
        },
        "versions": versions | {name: version(name) for name in _PACKAGES},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "threads": str(thread_count()),
            "memory": "unknown" if memory is None else f"{memory / 2**30:.1f} GiB",
        },
        "made": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


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
