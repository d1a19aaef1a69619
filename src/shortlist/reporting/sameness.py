"""Checks for what is missing, or never changes: weights, times, columns of features."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.reporting.findings import Finding, share
from shortlist.reporting.summary import columns, distinct

EARLIEST = 315_532_800_000_000  # 1980-01-01, in microseconds
_MOSTLY_MISSING = 0.9
_DAY = 86_400_000_000


def constant_weights(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for weights that say nothing."""
    first = float(train.weights[0])
    if not (train.weights == first).all():
        return []
    return [
        Finding(
            "note",
            f"all training interactions have the weight {first:g}",
            "Interactions count alike; predicted ratings would mean nothing.",
        )
    ]


def times_that_say_little(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for times that are missing, all the same, tied, or impossible."""
    if train.times is None or test.times is None:
        return [
            Finding(
                "note",
                "the interactions have no times",
                "What is held out is not what came last, and nothing here is about the order of "
                "events.",
            )
        ]
    found = []
    times = np.concatenate([train.times, test.times])
    early = int((times < EARLIEST).sum())
    if (times == times[0]).all():
        found.append(
            Finding(
                "warning",
                "all interactions have the same time",
                "It says nothing: what came last was drawn by lot.",
            )
        )
    else:
        last = np.full(train.n_users, np.iinfo(np.int64).min)
        np.maximum.at(last, train.user_rows, train.times)
        tied = int((last[test.user_rows] == test.times).sum())
        if tied:
            found.append(
                Finding(
                    "note",
                    f"{share(tied, len(test))} test interactions have the time of the user's last "
                    "training interaction",
                    "Which of them came last is not known, and was drawn by lot.",
                )
            )
        whole_days = (times % _DAY == 0).all()
        if whole_days:
            found.append(
                Finding("note", "the times are whole days", "Nothing is known of a day's order.")
            )
    if early:
        found.append(
            Finding(
                "warning",
                f"{share(early, len(times))} interactions are dated before 1980",
                "Times are seconds since 1970; other units, or a 0 for a missing time, look like "
                "this.",
            )
        )
    return found


def columns_that_say_nothing(train: Dataset, test: Dataset) -> list[Finding]:
    """Look for feature columns that are empty, nearly empty, or constant."""
    found = []
    for kind, table in (("user", train.user_features), ("item", train.item_features)):
        empty, sparse, constant = [], [], []
        for name, column in columns(table):
            missing = _missing(column)
            if missing == len(column):
                empty.append(name)
            elif missing >= _MOSTLY_MISSING * len(column):
                sparse.append(f"{name} ({missing / len(column):.0%})")
            elif not missing and distinct(column) == 1:
                constant.append(name)
        if empty:
            found.append(
                Finding(
                    "warning",
                    f"{kind} columns without any value: {', '.join(empty)}",
                    "Models leave them out. Was something lost on the way?",
                )
            )
        if sparse:
            found.append(
                Finding(
                    "note",
                    f"{kind} columns that are mostly missing: {', '.join(sparse)}",
                    "They speak for few rows.",
                )
            )
        if constant:
            found.append(
                Finding(
                    "note",
                    f"{kind} columns with one value in every row: {', '.join(constant)}",
                    "Models leave them out.",
                )
            )
    return found


def _missing(column: pa.ChunkedArray) -> int:
    """Count the cells without a value; an empty list and an empty text have none."""
    kind = column.type
    missing: int = column.null_count
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        missing += column.to_pylist().count([])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        missing += column.to_pylist().count("")
    return missing
