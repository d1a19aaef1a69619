"""Small worlds and slow, obvious references for the kernel tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from shortlist.kernels.types import Csr, EligibleItems

Floats = NDArray[np.float32]


@dataclass
class Sparse:
    """A CSR matrix with the dtypes that kernels take."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: Floats
    n_columns: int

    @classmethod
    def of(cls, dense: NDArray[np.floating]) -> Sparse:
        stored = dense != 0
        return cls(
            indptr=np.concatenate([[0], np.cumsum(stored.sum(axis=1))]).astype(np.int64),
            indices=np.nonzero(stored)[1].astype(np.int32),
            data=dense[stored].astype(np.float32),
            n_columns=dense.shape[1],
        )

    def part(self, start: int, stop: int) -> Sparse:
        first, last = self.indptr[start], self.indptr[stop]
        return Sparse(
            indptr=self.indptr[start : stop + 1] - first,
            indices=self.indices[first:last].copy(),
            data=self.data[first:last].copy(),
            n_columns=self.n_columns,
        )

    @property
    def csr(self) -> Csr:
        """The argument of a kernel."""
        return Csr(self.indptr, self.indices, self.data)


@dataclass
class Selection:
    """Who may get what, with an answer by brute force."""

    excluded: list[list[int]]
    masks: NDArray[np.bool_]
    mask_of: NDArray[np.int32]
    order: NDArray[np.int32]

    @classmethod
    def random(cls, rng: np.random.Generator, n_queries: int, n_items: int) -> Selection:
        n_masks = int(rng.integers(0, 3))
        excluded = [
            rng.integers(0, n_items, rng.integers(0, 2 * n_items)).tolist() if n_items else []
            for _ in range(n_queries)
        ]
        return cls(
            # some lists sorted, as the rows of a CSR matrix are, and some not
            excluded=[
                sorted(items) if query % 2 else items for query, items in enumerate(excluded)
            ],
            masks=rng.random((n_masks, n_items)) < 0.6,
            mask_of=rng.integers(-1, n_masks, n_queries).astype(np.int32),
            order=rng.permutation(n_items).astype(np.int32),
        )

    @classmethod
    def everything(cls, n_queries: int, n_items: int) -> Selection:
        return cls(
            excluded=[[] for _ in range(n_queries)],
            masks=np.ones((0, n_items), np.bool_),
            mask_of=np.full(n_queries, -1, np.int32),
            order=np.arange(n_items, dtype=np.int32),
        )

    def part(self, start: int, stop: int) -> Selection:
        return Selection(
            self.excluded[start:stop], self.masks, self.mask_of[start:stop].copy(), self.order
        )

    @property
    def eligible(self) -> EligibleItems:
        """The argument of a kernel."""
        lengths = [len(items) for items in self.excluded]
        return EligibleItems(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.array([item for items in self.excluded for item in items], np.int32),
            self.masks,
            self.mask_of,
            self.order,
        )

    def candidates(self, query: int) -> list[int]:
        mask, excluded = self.mask_of[query], set(self.excluded[query])
        return [
            item
            for item in range(len(self.order))
            if item not in excluded and (mask < 0 or self.masks[mask, item])
        ]

    def best(self, scores: Floats, k: int) -> tuple[NDArray[np.int32], Floats]:
        rows = np.full((len(scores), k), -1, np.int32)
        values = np.full((len(scores), k), np.nan, np.float32)
        for query, row in enumerate(scores):
            ranked = sorted(
                self.candidates(query), key=lambda item: (-row[item], self.order[item])
            )[:k]
            rows[query, : len(ranked)] = ranked
            values[query, : len(ranked)] = row[ranked]
        return rows, values


def sparse_floats(
    rng: np.random.Generator, shape: tuple[int, int], density: float = 0.3, levels: int = 4
) -> Floats:
    """Return a matrix of few distinct values, so that equal scores are common."""
    values = rng.integers(1, levels + 1, shape) * (rng.random(shape) < density)
    return values.astype(np.float32)


seeds = st.integers(0, 2**32 - 1)
"""Seeds of random worlds."""
