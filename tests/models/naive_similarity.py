"""Feature similarity by definition: the weighted mean of the cosines of all columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.features import FeatureEncoder

Doubles = NDArray[np.float64]


def cosine(a: Doubles, b: Doubles) -> float:
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length else 0.0


def cosines(rows: Doubles, others: Doubles) -> Doubles:
    """The cosine of every pair of rows; 0 for a zero row."""
    return np.array([[cosine(a, b) for b in others] for a in rows])


def column_cosines(table: pa.Table) -> dict[str, Doubles]:
    """The cosines of all pairs of rows, by column."""
    encoder = FeatureEncoder.fit(table)
    rows = encoder.transform(table, dtype=np.float64).toarray()
    return {name: cosines(rows[:, part], rows[:, part]) for name, part in encoder.blocks.items()}


def feature_similarity(table: pa.Table, weights: Mapping[str, float] | None = None) -> Doubles:
    """The weighted mean of the cosines; None: equal weights."""
    by_column = column_cosines(table)
    used = weights or dict.fromkeys(by_column, 1.0)
    total = sum(used[name] for name in by_column)
    summed = np.zeros((table.num_rows, table.num_rows))
    for name, similarities in by_column.items():
        summed += used[name] * similarities
    return summed / total
