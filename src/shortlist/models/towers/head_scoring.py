"""The head that scores a pair of vectors, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors
from shortlist.models.towers.config import HeadConfig
from shortlist.models.towers.layers import Layer, dense_layers, unflat
from shortlist.models.towers.learned import TowersLearned
from shortlist.scoring.scores import Floats

ROWS = 4096  # pairs of one query that are worked on together: their layers stay in the cache


def head_widths(config: HeadConfig) -> list[int]:
    """Give the widths of the head's dense layers, from both vectors to a score; or none."""
    deep = config.head_layers or config.cross_layers
    return [2 * config.embedding_size, *config.head_layers, 1] if deep else []


def cross_widths(config: HeadConfig) -> list[int]:
    """Give the widths of the dense layers within each cross layer."""
    both = 2 * config.embedding_size
    return [both, both] if config.cross_rank is None else [both, config.cross_rank, both]


@dataclass(frozen=True)
class HeadLearned(TowersLearned):
    """The towers, and the head over their vectors.

    Attributes
    ----------
    start
        What every score starts from.
    product, biased
        Whether the dot product of both vectors is added, and whether their biases are.
    head, head_widths
        Its dense layers, flat, and their widths.
    cross, cross_widths, n_cross
        The dense layers within cross layers, one after another, their widths, and how many.
    """

    start: float
    product: bool
    biased: bool
    head: Floats
    head_widths: list[int]
    cross: Floats
    cross_widths: list[int]
    n_cross: int

    @cached_property
    def head_dense(self) -> list[Layer]:
        """The dense layers of the head."""
        return unflat(self.head, self.head_widths) if self.head_widths else []

    @cached_property
    def cross_dense(self) -> list[list[Layer]]:
        """The dense layers of each cross layer."""
        each = len(self.cross) // max(self.n_cross, 1)
        return [
            unflat(self.cross[n * each : (n + 1) * each], self.cross_widths)
            for n in range(self.n_cross)
        ]

    @cached_property
    def item_half(self) -> Floats:
        """What each item puts into the first dense layer."""  # (n_items, h)
        weight, bias = self.head_dense[0]
        half = np.ascontiguousarray(weight[self.depth :])
        return dense_factors(self._factors(self.items), half, np.zeros_like(bias))

    def user_half(self, users: Floats) -> Floats:
        """What users put into the first dense layer, with its bias."""  # (B, h)
        weight, bias = self.head_dense[0]
        return dense_factors(self._factors(users), np.ascontiguousarray(weight[: self.depth]), bias)

    def _factors(self, vectors: Floats) -> Floats:
        return np.ascontiguousarray(vectors[:, : self.depth])

    def pair_scores(self, users: Floats, places: Rows, items: Rows) -> Floats:
        """Score pairs.

        Parameters
        ----------
        users
            Vectors.  # (U, w)
        places
            Which of them each pair has.  # (n,)
        items
            The item row of each pair.  # (n,)
        """  # (n,)
        halves = self.user_half(users) if self._split else users
        out = np.empty(len(items), dtype=np.float32)
        for start in range(0, len(items), ROWS):
            part = slice(start, start + ROWS)
            own = places[part]
            out[part] = self._scores(users[own], halves[own], items[part])
        return out

    def block(self, users: Floats) -> Floats:
        """Score the whole catalogue for each query."""  # (B, n_items)
        halves = self.user_half(users) if self._split else users
        everything = np.arange(len(self.items), dtype=np.int32)
        out = np.empty((len(users), len(everything)), dtype=np.float32)
        for place in range(len(users)):
            one = slice(place, place + 1)
            for start in range(0, len(everything), ROWS):
                part = slice(start, start + ROWS)
                out[place, part] = self._scores(users[one], halves[one], everything[part])
        return out

    @property
    def _split(self) -> bool:
        """Whether the first dense layer takes users and items separately."""
        return bool(self.head_dense) and not self.n_cross

    def _scores(self, users: Floats, halves: Floats, items: Rows) -> Floats:
        """Score users (n or 1 rows) with items (n rows)."""
        others = self.items[items]
        total = np.full(len(items), self.start, dtype=np.float64)
        if self.biased:
            total += users[:, -1] + others[:, -1]
        if self.product:
            factors = np.broadcast_to(users[:, : self.depth], (len(items), self.depth))
            total += np.einsum("nf,nf->n", factors, others[:, : self.depth], dtype=np.float64)
        if self._split:
            hidden = halves + self.item_half[items]
            if len(self.head_dense) > 1:
                hidden = dense_layers(self.head_dense[1:], np.maximum(hidden, 0))
            total += hidden[:, 0]
        elif self.head_dense:
            both = np.empty((len(items), 2 * self.depth), dtype=np.float32)
            both[:, : self.depth] = users[:, : self.depth]
            both[:, self.depth :] = others[:, : self.depth]
            total += dense_layers(self.head_dense, crossed(both, self.cross_dense))[:, 0]
        return total.astype(np.float32)


def crossed(inputs: Floats, layers: Sequence[Sequence[Layer]]) -> Floats:
    """Give what cross layers make of their inputs: ``x <- x_0 (W x + b) + x``, element by element.

    DCN v2 (Wang et al., WWW 2021); with a low rank W is a product of two.
    """  # (n, d)
    rows = inputs
    for dense in layers:
        step = rows
        for layer in dense:
            step = dense_factors(step, layer.weight, layer.bias)
        rows = inputs * step + rows
    return rows
