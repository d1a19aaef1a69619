"""What a collaborative filtering network consists of, and where each part lies in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Network:
    """The shape of a network; ``h . [p o q ; phi] + b + b_u + b_i`` is the score.

    A row of a user or an item is ``[size factors | bias | depth factors of the tower]``. All other
    weights are one vector, ``[b | h | W_p | W_q | b_1 | W_2 | b_2 | ...]``.

    Parameters
    ----------
    size
        Factors of the product; 0: it has none.
    widths
        Of the layers of the tower, from the bottom; none: there is no tower.
    weighted
        Whether the factors of the product have weights h, or count alike.
    biases
        Whether users and items have biases.

    Examples
    --------
    >>> network = Network(size=2, widths=(4, 2))
    >>> network.depth, network.columns, network.n_weights
    (2, 4, 35)
    """

    size: int
    widths: tuple[int, ...] = ()
    weighted: bool = True
    biases: bool = False

    @property
    def depth(self) -> int:
        """Factors that the tower has of a user, and of an item: half its first layer."""
        return self.widths[0] // 2 if self.widths else 0

    @property
    def tower_at(self) -> int:
        """Where they start in a row."""
        return self.size + self.biases

    @property
    def columns(self) -> int:
        """The length of a row."""
        return self.tower_at + self.depth

    @property
    def top(self) -> int:
        """The width of the last layer."""
        return self.widths[-1] if self.widths else 0

    @cached_property
    def parts(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Where each part of the weights starts, and its shape."""
        shapes: dict[str, tuple[int, ...]] = {
            "bias": (1,),
            "product_head": (self.size if self.weighted else 0,),
            "tower_head": (self.top,),
        }
        for layer, width in enumerate(self.widths):
            if layer == 0:
                shapes["of_user"] = shapes["of_item"] = (self.depth, width)
            else:
                shapes[f"layer_{layer}"] = (self.widths[layer - 1], width)
            shapes[f"bias_{layer}"] = (width,)
        starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes.values())]).tolist()
        return {
            name: (at, shape) for at, (name, shape) in zip(starts, shapes.items(), strict=False)
        }

    @property
    def n_weights(self) -> int:
        """How many weights there are beside the rows."""
        at, shape = list(self.parts.values())[-1]
        return at + int(np.prod(shape))

    def named(self, weights: T) -> Iterator[tuple[str, T]]:
        """Cut the vector of weights (an array or a tensor) into its parts."""
        for name, (at, shape) in self.parts.items():
            piece = weights[at : at + int(np.prod(shape))]  # type: ignore[index]
            yield name, piece.reshape(shape)
