"""Q6: what a sparse matrix speeds up, and what drawing negatives costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import dok_array
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

import shortlist as sl

from .bench import Bench
from .document import Section, Table
from .measure import percent

NEGATIVES = 4  # for each choice
SLOW_DRAWS = 40_000  # of the ways that ask one cell at a time
REPEATS = 3  # the fastest counts
BATCH = 256  # as in the notes' page on NCF

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Draws:
    """Users to draw negatives for, and what a first draw gave them."""

    data: sl.Dataset
    users: NDArray[np.int64]  # (n,)
    items: NDArray[np.int64]  # (n,)

    @classmethod
    def of(cls, data: sl.Dataset, most: int | None = None) -> Draws:
        """Draw for every choice, or for as many as come to ``most`` draws."""
        users = np.repeat(data.user_rows.astype(np.int64), NEGATIVES)
        rng = np.random.default_rng(0)
        users = users if most is None else rng.permutation(users)[:most]
        return cls(data, users, rng.integers(0, data.n_items, len(users)))

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which draws hit something the user chose."""
        return _is_in(self.data, self.users, self.items)


def _is_in(data: sl.Dataset, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
    keys = data.user_rows.astype(np.int64) * data.n_items + data.item_rows
    asked = users * data.n_items + items
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.asarray(keys[place] == asked)
