"""Likeness by the definition: the cosine of every column written out, then their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.features import FeatureEncoder

Doubles = NDArray[np.float64]


def cosine(one: Doubles, other: Doubles) -> float:
    length = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / length) if length else 0.0


def cosines(rows: Doubles, others: Doubles) -> Doubles:
    """Of every row with every other; 0 where one is zero."""
    return np.array([[cosine(one, other) for other in others] for one in rows])


def column_cosines(table: pa.Table) -> dict[str, Doubles]:
    """By column, the cosines of all rows."""
    encoder = FeatureEncoder.fit(table)
    blocks = encoder.split(encoder.transform(table, missing="ignore", dtype=np.float64))
    return {name: cosines(block.toarray(), block.toarray()) for name, block in blocks.items()}


def likeness(table: pa.Table, weights: Mapping[str, float] | None = None) -> Doubles:
    """The weighted mean of the cosines; None: all columns weigh the same."""
    by_column = column_cosines(table)
    weighed = weights or dict.fromkeys(by_column, 1.0)
    total = sum(weighed[name] for name in by_column)
    summed = np.zeros((table.num_rows, table.num_rows))
    for name, of in by_column.items():
        summed += weighed[name] * of
    return summed / total
