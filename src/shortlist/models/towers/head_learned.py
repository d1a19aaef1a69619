"""A trained head over the vectors of two towers, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated

import numpy as np

from shortlist.bundle.declarations import Setting, Value, Widths
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Rows
from shortlist.kernels.scores import dense_factors
from shortlist.models.ratings import required_pairs
from shortlist.models.towers.config import HeadConfig
from shortlist.models.towers.layers import (
    LARGEST_WEIGHT,
    SLICE,
    Layer,
    dense_layers,
    flat,
    scores_of_halves,
    unflat,
    weights,
)
from shortlist.models.towers.learned import TowersLearned
from shortlist.models.training.config import Arrays
from shortlist.scoring.scores import Floats


def head_widths(config: HeadConfig) -> list[int]:
    """Return the widths of the head's dense layers, from both vectors to a score; or none."""
    deep = config.head_layers or config.cross_layers
    return [2 * config.embedding_size, *config.head_layers, 1] if deep else []


def cross_widths(config: HeadConfig) -> list[int]:
    """Return the widths of the dense layers within each cross layer."""
    both = 2 * config.embedding_size
    return [both, both] if config.cross_rank is None else [both, config.cross_rank, both]


@dataclass(frozen=True)
class HeadLearned(TowersLearned):
    """The towers, and the head over their vectors.

    Attributes
    ----------
    start
        A constant in every score.
    product, biased
        Whether the dot product of both vectors, and their biases, are added.
    head, head_widths
        The dense layers of the head, flat, and their widths.
    cross, cross_widths, n_cross
        The dense layers within cross layers, flat, their widths, and the number of cross layers.
    """

    start: Annotated[float, Value(float, ge=-LARGEST_WEIGHT, le=LARGEST_WEIGHT)]
    product: Annotated[bool, Setting("product")]
    biased: Annotated[bool, Value(bool)]
    head: Annotated[Floats, weights("n_head")]
    head_widths: Annotated[list[int], Widths("head", head_widths)]
    cross: Annotated[Floats, weights("n_cross_weights")]
    cross_widths: Annotated[list[int], Widths("cross", cross_widths, times="cross_layers")]
    n_cross: Annotated[int, Setting("cross_layers")]

    @classmethod
    def with_head(
        cls,
        config: HeadConfig,
        towers: TowersLearned,
        parameters: Arrays,
        *,
        start: float,
        biased: bool,
    ) -> HeadLearned:
        """Add a trained head to its towers.

        Parameters
        ----------
        config
            The settings.
        towers
            The towers.
        parameters
            Those of :class:`~shortlist.models.towers.two_towers.TwoTowers`, by name; the head is
            that of the task ``ranking``.
        start, biased
            As they were trained.
        """

        def dense(name: str, count: int) -> list[Layer]:
            prefix = f"tasks.ranking.head.{name}"
            return [
                Layer(parameters[f"{prefix}.weights.{n}"], parameters[f"{prefix}.biases.{n}"])
                for n in range(count)
            ]

        widths, within = head_widths(config), cross_widths(config)
        crossing = [
            layer
            for n in range(config.cross_layers)
            for layer in dense(f"cross.{n}.dense", len(within) - 1)
        ]
        return cls(
            **{field.name: getattr(towers, field.name) for field in fields(towers)},
            start=start,
            product=config.product,
            biased=biased,
            head=flat(dense("dense", max(len(widths) - 1, 0))),
            head_widths=widths,
            cross=flat(crossing),
            cross_widths=within,
            n_cross=config.cross_layers,
        )

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
        """What each item adds to the first dense layer."""  # (n_items, h)
        weight, bias = self.head_dense[0]
        half = np.ascontiguousarray(weight[self.depth :])
        return dense_factors(self._factors(self.items), half, np.zeros_like(bias))

    def user_half(self, users: Floats) -> Floats:
        """Return what users add to the first dense layer, its bias included."""  # (B, h)
        weight, bias = self.head_dense[0]
        return dense_factors(self._factors(users), np.ascontiguousarray(weight[: self.depth]), bias)

    def _factors(self, vectors: Floats) -> Floats:
        return np.ascontiguousarray(vectors[:, : self.depth])

    def pair_scores(self, users: Floats, positions: Rows, items: Rows) -> Floats:
        """Score pairs.

        Parameters
        ----------
        users
            Vectors.  # (U, w)
        positions
            The vector of each pair, as a position in ``users``.  # (n,)
        items
            The item row of each pair.  # (n,)
        """  # (n,)
        halves = self.user_half(users) if self._split else users
        out = np.empty(len(items), dtype=np.float32)
        for start in range(0, len(items), SLICE):
            part = slice(start, start + SLICE)
            own = positions[part]
            out[part] = self._scores(users[own], halves[own], items[part])
        return out

    def block(self, users: Floats) -> Floats:
        """Score the whole catalogue for each query."""  # (B, n_items)
        halves = self.user_half(users) if self._split else users
        catalogue = np.arange(len(self.items), dtype=np.int32)
        out = np.empty((len(users), len(catalogue)), dtype=np.float32)
        for query in range(len(users)):
            row = slice(query, query + 1)
            for start in range(0, len(catalogue), SLICE):
                part = slice(start, start + SLICE)
                out[query, part] = self._scores(users[row], halves[row], catalogue[part])
        return out

    def predicted(self, data: Dataset, users: Iterable[Id], items: Iterable[Id]) -> Floats:
        """Predict the ratings of pairs of ids.

        Raises
        ------
        UnknownIdError
            A user or an item is unknown.
        InputError
            The lengths differ.
        """  # (n,)
        user_rows, item_rows = required_pairs(data, users, items)
        distinct, positions = np.unique(user_rows, return_inverse=True)
        profiles = self.profiles(data).take(distinct.astype(np.intp))
        return self.pair_scores(self.users(profiles), positions.astype(np.int32), item_rows)

    @property
    def _split(self) -> bool:
        """Whether the first dense layer is a sum of a user's and an item's half."""
        return bool(self.head_dense) and not self.n_cross

    def _scores(self, users: Floats, halves: Floats, items: Rows) -> Floats:
        """Score n users, or one, with n items."""
        others = self.items[items]
        total = np.full(len(items), self.start, dtype=np.float64)
        if self.biased:
            total += users[:, -1] + others[:, -1]
        if self.product:
            factors = np.broadcast_to(users[:, : self.depth], (len(items), self.depth))
            total += np.einsum("nf,nf->n", factors, others[:, : self.depth], dtype=np.float64)
        if self._split:
            total += scores_of_halves(self.head_dense, halves, self.item_half[items])
        elif self.head_dense:
            both = np.empty((len(items), 2 * self.depth), dtype=np.float32)
            both[:, : self.depth] = users[:, : self.depth]
            both[:, self.depth :] = others[:, : self.depth]
            total += dense_layers(self.head_dense, crossed(both, self.cross_dense))[:, 0]
        return total.astype(np.float32)


def crossed(inputs: Floats, layers: Sequence[Sequence[Layer]]) -> Floats:
    """Apply cross layers: ``x <- x_0 (W x + b) + x``, element by element.

    DCN v2 (Wang et al., WWW 2021); with a low rank W is a product of two matrices.
    """  # (n, d)
    rows = inputs
    for dense in layers:
        step = rows
        for layer in dense:
            step = dense_factors(step, layer.weight, layer.bias)
        rows = inputs * step + rows
    return rows
