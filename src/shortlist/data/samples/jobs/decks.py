"""Columns with stated marginals: a deck of values in the right shares, dealt to the rows.

Whoever is dealt what may depend on a line of the planted structure or on nothing; the shares of the
deck hold either way, at every size and for every seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)
Quantiles = Sequence[tuple[float, float]]
"""(share of the rows, value), both ascending, the shares from 0 to 1; one given twice is a step."""


def quantile_deck(points: Quantiles, n: int) -> Floats:
    """Return n ascending values with the quantiles given, straight lines between them.

    Examples
    --------
    >>> quantile_deck([(0, 2), (0.5, 4), (1, 10)], 5).tolist()
    [2.0, 3.0, 4.0, 7.0, 10.0]
    >>> quantile_deck([(0, 0), (0.5, 0), (0.5, 8), (1, 10)], 5).tolist()
    [0.0, 0.0, 8.0, 9.0, 10.0]
    """
    shares, values = np.array(points, dtype=np.float64).T
    return np.asarray(np.interp(np.linspace(0, 1, n), shares, values))


def code_deck(counts: Mapping[int, float], n: int) -> Ints:
    """Return n codes, in the order given, in proportion to their counts.

    Examples
    --------
    >>> code_deck({4: 3, 9: 1}, 8).tolist()
    [4, 4, 4, 4, 4, 4, 9, 9]
    """
    shares = np.cumsum(list(counts.values())) / sum(counts.values())
    ends: Ints = np.rint(shares * n).astype(np.int64)
    return np.repeat(np.array(list(counts), dtype=np.int64), ends - np.append(0, ends[:-1]))


def deal(deck: NDArray[Value], key: Floats) -> NDArray[Value]:
    """Hand out a deck: its first card to the row with the smallest key, and so on.

    Examples
    --------
    >>> deal(np.array([1, 2, 3]), np.array([0.9, 0.1, 0.5])).tolist()
    [3, 1, 2]
    """
    dealt = np.empty_like(deck)
    dealt[np.argsort(key, kind="stable")] = deck
    return dealt


def cell(spots: Floats, count: int) -> Ints:
    """Tell which of ``count`` equal parts of the line [0, 1) each spot lies in."""
    return (spots * count).astype(np.int64)


def drift(spots: Floats, spread: float | Floats, lost: float, rng: np.random.Generator) -> Floats:
    """Move spots along the line [0, 1), a share ``lost`` of them anywhere.

    ``spread`` is the standard deviation. The line is closed: what leaves it at one end comes back
    at the other.
    """
    moved = (spots + spread * rng.standard_normal(len(spots))) % 1.0
    return np.where(rng.random(len(spots)) < lost, rng.random(len(spots)), moved)


def mostly_first(count: int, n: int, rng: np.random.Generator) -> Ints:
    """Draw n numbers below ``count``, the small ones more often: density 1/sqrt."""
    return cell(rng.random(n) ** 2, count)


def draw_distinct(sizes: Ints, draw: Callable[[Ints], Ints], kinds: int) -> tuple[Ints, Ints]:
    """Draw for each row ``sizes`` different values; fewer if luck does not give so many.

    Parameters
    ----------
    sizes
        How many values each row wants, (n,).
    draw
        Gives one value below ``kinds`` for each row number of an array.

    Returns
    -------
    rows, values
        Equally long; rows ascending.
    """
    rows = np.repeat(np.arange(len(sizes)), np.where(sizes > 0, 3 * sizes + 3, 0))
    values = draw(rows)
    first = np.sort(np.unique(rows * kinds + values, return_index=True)[1])
    rows, values = rows[first], values[first]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    wanted = rank < sizes[rows]
    return rows[wanted], values[wanted]
