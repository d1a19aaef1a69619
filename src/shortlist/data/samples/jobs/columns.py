"""Columns with given marginal distributions, which may reveal the position of their rows.

The values of a column have exact shares or quantiles at every size and for every seed. They are
assigned to the rows in the order of a sort key: a random key, or one that depends on the position
of the rows on a line of the planted structure (see ``world``), blurred by noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.samples.jobs.words import ENDINGS, GENERAL, SPECIALITIES

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)
Quantiles: TypeAlias = Sequence[tuple[float, float]]
"""(share of the rows, value), both ascending, shares from 0 to 1; a repeated share is a step."""
Blur: TypeAlias = tuple[float, float]
"""(standard deviation on the line, share of the rows that moves to a random position)"""

GENERAL_SHARE, MESSY_SHARE = 0.25, 0.03  # of general words; of words after a blank, lists with ';'


def quantile_values(points: Quantiles, n: int) -> Floats:
    """Return n ascending values with the given quantiles, linearly interpolated.

    >>> quantile_values([(0, 2), (0.5, 4), (1, 10)], 5).tolist()
    [2.0, 3.0, 4.0, 7.0, 10.0]
    >>> quantile_values([(0, 0), (0.5, 0), (0.5, 8), (1, 10)], 5).tolist()
    [0.0, 0.0, 8.0, 9.0, 10.0]
    """
    shares, values = np.array(points, dtype=np.float64).T
    return np.asarray(np.interp(np.linspace(0, 1, n), shares, values))


def code_values(counts: Mapping[int, float], n: int) -> Ints:
    """Return n codes, in the given order, in proportion to their counts.

    >>> code_values({4: 3, 9: 1}, 8).tolist()
    [4, 4, 4, 4, 4, 4, 9, 9]
    """
    shares = np.cumsum(list(counts.values())) / sum(counts.values())
    ends: Ints = np.rint(shares * n).astype(np.int64)
    return np.repeat(np.array(list(counts), dtype=np.int64), np.diff(ends, prepend=0))


def assign(values: NDArray[Value], key: Floats) -> NDArray[Value]:
    """Assign values to rows: the first value to the row with the smallest key, and so on.

    >>> assign(np.array([1, 2, 3]), np.array([0.9, 0.1, 0.5])).tolist()
    [3, 1, 2]
    """
    assigned = np.empty_like(values)
    assigned[np.argsort(key, kind="stable")] = values
    return assigned


def cell(positions: Floats, count: int) -> Ints:
    """Return which of ``count`` equal parts of the line [0, 1) holds each position."""
    return (positions * count).astype(np.int64)


def drift(
    positions: Floats, spread: float | Floats, lost: float, rng: np.random.Generator
) -> Floats:
    """Add noise to positions on the line [0, 1), which is closed to a circle.

    ``spread`` is the standard deviation; a share ``lost`` moves to a random position.
    """
    moved = (positions + spread * rng.standard_normal(len(positions))) % 1.0
    return np.where(rng.random(len(positions)) < lost, rng.random(len(positions)), moved)


def mostly_first(count: int, n: int, rng: np.random.Generator) -> Ints:
    """Draw n integers below ``count``, small ones more often: their density is 1/sqrt."""
    return cell(rng.random(n) ** 2, count)


def draw_distinct(sizes: Ints, draw: Callable[[Ints], Ints], n_values: int) -> tuple[Ints, Ints]:
    """Draw ``sizes`` (n,) distinct values for each row; at times fewer, as attempts are limited.

    ``draw`` returns a value below ``n_values`` for each row number of an array. Returns ascending
    row numbers, and their values.
    """
    rows = np.repeat(np.arange(len(sizes)), np.where(sizes > 0, 3 * sizes + 3, 0))
    values = draw(rows)
    first = np.sort(np.unique(rows * n_values + values, return_index=True)[1])
    rows, values = rows[first], values[first]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < sizes[rows]
    return rows[kept], values[kept]


@dataclass(frozen=True)
class Rows:
    """Résumés or postings, with methods that draw their columns."""

    work: Floats  # (n,): positions on the line of work
    region: Floats  # (n,)
    rng: np.random.Generator

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.work)

    def random(self) -> Floats:
        """Return a random key."""
        return self.rng.random(self.n)

    def near(self, positions: Floats, blur: Blur) -> Floats:
        """Return a key that reveals positions, with noise."""
        return drift(positions, *blur, self.rng)

    def codes(self, counts: Mapping[int, float], key: Floats | None = None) -> Ints:
        """Return codes in proportion to their counts, in the order of a key (None: random)."""
        return assign(code_values(counts, self.n), self.random() if key is None else key)

    def numbers(self, points: Quantiles, key: Floats | None = None) -> Floats:
        """Return numbers with these quantiles, in the order of a key (None: random)."""
        return assign(quantile_values(points, self.n), self.random() if key is None else key)

    def mask(self, count: int, of: int, key: Floats | None = None) -> Bools:
        """Select the share ``count / of`` of the rows, those with the smallest keys."""
        return np.asarray(self.codes({1: count, 0: of - count}, key) == 1)

    def take(self, indices: Ints) -> Rows:
        """Return some of the rows, possibly with repetitions."""
        return Rows(self.work[indices], self.region[indices], self.rng)

    def keywords(
        self, given: Bools, lengths: Quantiles, endings: int, general: int, blur: Blur
    ) -> pa.Array:
        """Return ';' lists of words close to each row's speciality, null for rows not ``given``.

        ``endings`` and ``general`` are the numbers of endings and general words in use.
        """
        specific = [word + ending for word in SPECIALITIES for ending in ENDINGS[:endings]]
        vocabulary = [*specific, *GENERAL[:general]]

        def draw(rows: Ints) -> Ints:
            speciality = cell(drift(self.work[rows], *blur, self.rng), len(SPECIALITIES))
            word = speciality * endings + mostly_first(endings, len(rows), self.rng)
            other = len(specific) + mostly_first(general, len(rows), self.rng)
            return np.where(self.rng.random(len(rows)) < GENERAL_SHARE, other, word)

        sizes = np.rint(self.numbers(lengths)).astype(np.int64) * given
        rows, words = draw_distinct(sizes, draw, len(vocabulary))
        blank = self.rng.random(len(rows)) < MESSY_SHARE
        values = pc.binary_join_element_wise(
            look_up(["", " "], blank.astype(np.int64)), look_up(vocabulary, words), ""
        )
        offsets = pa.array(np.searchsorted(rows, np.arange(self.n + 1)), pa.int32())
        lists = pc.binary_join(pa.ListArray.from_arrays(offsets, values), ";")
        ends = look_up(["", ";"], (self.random() < MESSY_SHARE).astype(np.int64))
        return pc.if_else(pa.array(given), pc.binary_join_element_wise(lists, ends, ""), None)

    def free_text(self, texts: Sequence[str], given: Bools) -> pa.Array:
        """Return a text for each ``given`` row, without repetition while texts last."""
        order = self.rng.permutation(len(texts))
        return look_up(texts, order[np.cumsum(given) % len(texts)], given)


def look_up(texts: Sequence[str], indices: Ints, given: Bools | None = None) -> pa.Array:
    """Return texts by index, null for rows that are not ``given``."""
    return pa.array(texts).take(pa.array(indices, mask=None if given is None else ~given))


def ids(letter: str, rows: Ints) -> pa.Array:
    """Return ids in the published form: a letter and the row, from 1, in five digits or more.

    >>> ids("U", np.array([0, 8481])).to_pylist()
    ['U00001', 'U08482']
    """
    digits = pc.utf8_lpad(pa.array(rows + 1).cast(pa.string()), 5, "0")
    return pc.binary_join_element_wise(letter, digits, "")
