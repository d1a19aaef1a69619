"""How the lists spread over popular and rare items, beside the data they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison

DATA = "the training data"
_EDGES = (0.01, 0.1, 0.5)  # shares of the items that anybody chose, most chosen first
_NAMES = ("the most chosen 1%", "the next 9%", "the next 40%", "the other half", "never chosen")


@dataclass(frozen=True)
class Tail:
    """Where choices and list places fall.

    Attributes
    ----------
    groups
        Items by how often they were chosen in training, most first.
    sizes
        Items in each group.
    shares
        For the data and for each model: which fraction falls on each group.
    half
        For the same: the smallest number of items on which half of it falls.
    """

    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    shares: Mapping[str, tuple[float, ...]]
    half: Mapping[str, int]


def tail(comparison: Comparison) -> Tail | None:
    """Count the places of the lists that were measured; None where nobody was shown a list."""
    k = comparison[comparison.best].main_k
    if any(k not in report.listed for report in comparison.reports.values()):
        return None
    train = comparison.train
    counts = train.item_counts
    chosen = int((counts > 0).sum())
    edges = [int(np.ceil(share * chosen)) for share in _EDGES]
    # By place in the order of popularity; what was never chosen comes last.
    group = np.searchsorted([*edges, chosen], train.popularity_order, side="right")  # (n_items,)
    spread = {DATA: counts} | {name: one.listed[k] for name, one in comparison.reports.items()}
    sizes = np.bincount(group, minlength=len(_NAMES))
    kept = np.flatnonzero(sizes)
    return Tail(
        tuple(_NAMES[position] for position in kept),
        tuple(int(sizes[position]) for position in kept),
        {name: tuple(_shares(group, times)[kept].tolist()) for name, times in spread.items()},
        {name: half_of(times) for name, times in spread.items()},
    )


def _shares(group: NDArray[np.intp], times: NDArray[np.int64]) -> NDArray[np.float64]:
    found = np.bincount(group, times, minlength=len(_NAMES)) / max(times.sum(), 1)
    return np.asarray(found, dtype=np.float64)


def half_of(times: NDArray[np.int64]) -> int:
    """Give the smallest number of items on which at least half of the total falls.

    Examples
    --------
    >>> half_of(np.array([1, 5, 2, 2]))
    1
    """
    running = np.cumsum(np.sort(times)[::-1])
    return int(np.searchsorted(running, times.sum() / 2)) + 1
