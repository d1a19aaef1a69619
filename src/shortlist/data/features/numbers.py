"""Blocks of numbers and dates: on a scale, or in buckets."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.features.block import Block, Missing, features, nulls, to_numpy
from shortlist.data.features.cells import Cells, Family
from shortlist.data.features.specs import Buckets, Number

QUARTILE_RANGE = 1.3489795003921634  # of the normal distribution with standard deviation 1


class _Measured(Block):
    """Whole numbers and fractions are one family here: either may follow the other."""

    reads: ClassVar[tuple[Family, ...]] = ("whole", "number", "date")

    @classmethod
    def fit(cls, column: str, spec: Number | Buckets, cells: Cells) -> _Measured:
        family: Family = "number" if cells.family == "whole" else cells.family
        plain = Cells(family, cells.as_family(family, column))
        return cls(column, spec, family, cls.learn(spec, plain))


class NumberBlock(_Measured):
    """A number or a date ``x`` as a direction, so that a dot product falls with the distance.

    With ``z = (x - centre) / scale``, the features are ``(z, 1) / sqrt(1 + z^2)``: the sine and
    cosine of ``arctan z``. The dot product of two rows is ``cos(arctan z1 - arctan z2)``: 1 where
    values agree, 0 where they are 90 degrees apart (-1 and +1 scale from the centre), -1 at
    opposite ends. Extreme values end near 90 degrees, whatever their size. (A block of ``z`` alone,
    scaled to length 1, would keep nothing but its sign.)
    """

    @classmethod
    def learn(cls, spec: Number, cells: Cells) -> pa.Table:
        """Give the value, its companion, and a flag if a cell is empty."""
        x = np.sort(_measure(cells.values)[~nulls(cells.values)])  # sums then ignore row order
        centre, scale = (float(x.mean()), float(x.std()))
        if spec.scale == "robust":
            low, centre, high = np.quantile(x, [0.25, 0.5, 0.75])
            # Where half of the rows share one value, their range says nothing.
            scale = (high - low) / QUARTILE_RANGE or scale
        scale = scale or float(x[-1] - x[0]) or 1.0  # 1: the column has one value, or none
        return pa.concat_tables(
            [
                features("value", centre=[centre], scale=[scale]),
                features("known", 1),
                features("missing", int(cells.values.null_count > 0)),
            ]
        )

    def names(self) -> list[str]:
        """Give ``salary``, ``salary is known`` and ``salary is missing``."""
        tails = {"value": "", "known": " is known", "missing": " is missing"}
        return [self.column + tails[role] for role in self.features["role"].to_pylist()]

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        """Put a known number on features 0 and 1, a missing one on feature 2."""
        centre, scale = (self.features[name][0].as_py() for name in ("centre", "scale"))
        empty, flag = nulls(values), self.place("missing")
        with np.errstate(over="ignore"):  # an infinite z points to 90 degrees
            angle = np.arctan((_measure(values) - centre) / scale)
        # One pair a cell; where the cell is empty, the flag and nothing.
        data = np.column_stack([np.sin(angle), np.cos(angle)])
        data[empty] = (float(flag is not None and missing == "flag"), 0.0)
        columns = np.tile(np.array([0, 1], dtype=np.int32), (len(values), 1))
        columns[empty, 0] = flag or 0
        indptr = np.arange(0, data.size + 1, 2, dtype=np.int32)
        rows = csr_array((data.ravel(), columns.ravel(), indptr), shape=(len(values), len(self)))
        rows.eliminate_zeros()
        rows.sort_indices()
        return rows


class BucketBlock(_Measured):
    """A number or a date as the one bucket it lies in: ``low <= x < high``.

    Edges are quantiles, taken from the values themselves; equal edges fall together. Outer buckets
    are open.
    """

    @classmethod
    def learn(cls, spec: Buckets, cells: Cells) -> pa.Table:
        """Give the buckets, and a flag if a cell is empty."""
        x = np.sort(_measure(cells.values)[~nulls(cells.values)])
        shares = np.arange(1, spec.bins) / spec.bins
        edges = np.unique(np.quantile(x, shares, method="higher"))
        edges = edges[edges > x[0]]
        if not len(edges) and x[-1] > x[0]:  # nearly all rows share the least value
            edges = x[x > x[0]][:1]
        bounds = [None, *edges.tolist(), None]
        return pa.concat_tables(
            [
                features("bucket", low=bounds[:-1], high=bounds[1:]),
                features("missing", int(cells.values.null_count > 0)),
            ]
        )

    def names(self) -> list[str]:
        """Give ``age<25``, ``25<=age<35``, ``age>=35`` and ``age is missing``."""
        return [
            self._name(**row) for row in self.features.select(["role", "low", "high"]).to_pylist()
        ]

    def _name(self, role: str, low: float | None, high: float | None) -> str:
        if role == "missing":
            return f"{self.column} is missing"
        if low is None and high is None:
            return f"{self.column} is known"
        if low is None or high is None:
            sign, edge = ("<", high) if low is None else (">=", low)
            return f"{self.column}{sign}{self._shown(edge)}"
        return f"{self._shown(low)}<={self.column}<{self._shown(high)}"

    def _shown(self, edge: float | None) -> str:
        assert edge is not None
        if self.family == "date":
            moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=edge)
            return moment.isoformat().removesuffix("T00:00:00")
        return repr(edge).removesuffix(".0")

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        """Put each value into its bucket."""
        lows = to_numpy(pc.drop_null(self.features["low"]))
        places: NDArray[np.int64] = np.searchsorted(lows, _measure(values), side="right")
        places[nulls(values)] = -1
        return self.one_hot(places, values, missing)


def _measure(values: pa.Array) -> NDArray[np.float64]:
    """Give numbers as they are, dates in microseconds since 1970; empty cells as 0."""
    if pa.types.is_timestamp(values.type):
        values = pc.cast(pc.cast(values, pa.int64()), pa.float64(), safe=False)
    filled: NDArray[np.float64] = pc.fill_null(values, 0.0).to_numpy()
    return filled
