"""A trained head over the vectors of two towers, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Any

import numpy as np

from shortlist.bundle.declarations import Setting, Value, Widths
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors
from shortlist.models.config import Arrays
from shortlist.models.towers.learned import (
    LARGEST_WEIGHT,
    SLICE,
    Layer,
    TowersLearned,
    dense_layers,
    flat,
    halves,
    trained_layers,
    unflat,
    weights,
)
from shortlist.scoring.scores import Floats


@dataclass(frozen=True)
class HeadLearned(TowersLearned):
    """The towers, and the head over their vectors."""

    start: Annotated[float, Value(float, ge=-LARGEST_WEIGHT, le=LARGEST_WEIGHT)]  # in every score
    product: Annotated[bool, Setting("product")]  # whether the dot product of vectors is added
    biased: Annotated[bool, Value(bool)]  # whether the biases of vectors are added
    head: Annotated[Floats, weights("n_head")]  # the dense layers, flat
    head_widths: Annotated[list[int], Widths("head", attrgetter("head_widths"))]
    cross: Annotated[Floats, weights("n_cross_weights")]  # the layers within cross layers, flat
    cross_widths: Annotated[
        list[int], Widths("cross", attrgetter("cross_widths"), times="cross_layers")
    ]
    n_cross: Annotated[int, Setting("cross_layers")]

    @classmethod
    def fields_of(cls, config: Any, data: Dataset, parameters: Arrays) -> dict[str, Any]:
        """Return the fields by name; the head is that of the task ``ranking``."""
        name, widths, within = "tasks.ranking.head", config.head_widths, config.cross_widths
        crossing = [
            layer
            for n in range(config.cross_layers)
            for layer in trained_layers(parameters, f"{name}.cross.{n}.dense", within)
        ]
        return super().fields_of(config, data, parameters) | {
            "start": config.start(data),
            "product": config.product,
            "biased": config.adds_biases,
            "head": flat(trained_layers(parameters, f"{name}.dense", widths)),
            "head_widths": widths,
            "cross": flat(crossing),
            "cross_widths": within,
            "n_cross": config.cross_layers,
        }

    @cached_property
    def head_dense(self) -> list[Layer]:
        """The dense layers of the head."""
        return unflat(self.head, self.head_widths)

    @cached_property
    def cross_dense(self) -> list[list[Layer]]:
        """The dense layers of each cross layer."""
        each = np.split(self.cross, self.n_cross) if self.n_cross else []
        return [unflat(values, self.cross_widths) for values in each]

    @property
    def _split(self) -> bool:
        """Whether the first dense layer is a sum of a user's and an item's half."""
        return bool(self.head_dense) and not self.n_cross

    @cached_property
    def item_half(self) -> Floats:
        """What each item adds to the first dense layer."""  # (n_items, h)
        return dense_layers(halves(self.head_dense[0])[1:], self.items[:, : self.depth])

    def user_half(self, users: Floats) -> Floats:
        """Return what users add to the first dense layer, its bias included."""  # (B, h)
        if not self._split:
            return users
        return dense_layers(halves(self.head_dense[0])[:1], users[:, : self.depth])

    def pair_scores(self, users: Floats, positions: Rows, items: Rows) -> Floats:
        """Score pairs of a user's vector, at a position in ``users`` (U, w), and an item."""
        halves = self.user_half(users)
        out = np.empty(len(items), dtype=np.float32)  # (n,)
        for start in range(0, len(items), SLICE):
            part = slice(start, start + SLICE)
            own = positions[part]
            out[part] = self._scores(users[own], halves[own], items[part])
        return out

    def block(self, users: Floats) -> Floats:
        """Score the whole catalogue for each query."""  # (B, n_items)
        halves = self.user_half(users)
        catalogue = np.arange(len(self.items), dtype=np.int32)
        out = np.empty((len(users), len(catalogue)), dtype=np.float32)
        for query in range(len(users)):
            row = slice(query, query + 1)
            for start in range(0, len(catalogue), SLICE):
                part = slice(start, start + SLICE)
                out[query, part] = self._scores(users[row], halves[row], catalogue[part])
        return out

    def ratings(self, data: Dataset, users: Rows, items: Rows) -> Floats:
        """Score pairs of rows of the training data."""  # (n,)
        distinct, positions = np.unique(users, return_inverse=True)
        profiles = self.profiles(data).take(distinct.astype(np.intp))
        return self.pair_scores(self.users(profiles), positions.astype(np.int32), items)

    def _scores(self, users: Floats, halves: Floats, items: Rows) -> Floats:
        """Score n users, or one, with n items."""
        others, depth = self.items[items], self.depth
        total = np.full(len(items), self.start, dtype=np.float64)
        if self.biased:
            total += users[:, -1] + others[:, -1]
        factors = np.broadcast_to(users[:, :depth], (len(items), depth))
        if self.product:
            total += np.einsum("nf,nf->n", factors, others[:, :depth], dtype=np.float64)
        if self._split:
            hidden = halves + self.item_half[items]
            if len(self.head_dense) > 1:
                hidden = dense_layers(self.head_dense[1:], np.maximum(hidden, 0))
            total += hidden[:, 0]
        elif self.head_dense:
            rows = inputs = np.concatenate([factors, others[:, :depth]], axis=1)
            for layers in self.cross_dense:  # x <- x_0 (W x + b) + x (Wang et al., WWW 2021)
                step = rows
                for layer in layers:
                    step = dense_factors(step, *layer)
                rows = inputs * step + rows
            total += dense_layers(self.head_dense, rows)[:, 0]
        return total.astype(np.float32)
