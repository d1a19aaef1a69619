"""Where the kernels find the weights of a network, and where they leave their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.ncf_tower import BIAS, D_BIAS, D_WEIGHT, PACKED, TURNED, WIDTH
from shortlist.kernels.tiles import padded, stride
from shortlist.models.towers.ncf_network import Network
from shortlist.scoring.scores import Floats

COLUMNS = 8
"""How many numbers describe a row of the weights."""


class Layout:
    """Places of the parts of a network.

    Matrices of the tower are kept beside the weights a second time, as they are and transposed,
    with rows :func:`~shortlist.kernels.tiles.stride` apart.

    Attributes
    ----------
    layers
        Of each layer of the tower, what :mod:`shortlist.kernels.ncf_examples` names.  # (n, 6)
    halves
        Where the weights of users, and of items, to the first layer are packed, and transposed.
    rows
        :data:`COLUMNS` numbers for every row of all weights, for ``ncf_rows.sum_up``.
    n_packed, n_sums
        The lengths of the packed weights, and of the partial sums of some examples.
    """

    def __init__(self, network: Network) -> None:
        parts, widths = network.parts, network.widths
        weighted = network.size if network.weighted else 0
        rows: list[Any] = [[1, 0, 0, 0, -1, 0, 0, 0]]
        if weighted:
            rows.append([weighted, 1, 0, 1, -1, 0, 0, 1])
        if network.top:
            rows.append([network.top, 1 + weighted, 0, 1 + network.size, -1, 0, 0, 0])
        self.layers = np.zeros((len(widths), 6), dtype=np.int64)
        self.halves = np.zeros((2, 2), dtype=np.int64)
        at, sums = 0, 1 + network.size + stride(network.top)
        for layer, width in enumerate(widths):
            below = network.depth if layer == 0 else widths[layer - 1]
            row, lower_row = stride(width), stride(below)
            bias, place = parts[f"bias_{layer}"][0], self.layers[layer]
            place[[WIDTH, BIAS]] = width, bias
            if layer:
                place[[D_BIAS, D_WEIGHT]] = sums, sums + row
                sums += (1 + padded(below)) * row
            rows.append([width, bias, 0 if layer else 1, place[D_BIAS], -1, 0, 0, 0])
            names = (f"layer_{layer}",) if layer else ("of_user", "of_item")
            for which, name in enumerate(names):
                straight, turned = at, at + below * row
                at = turned + width * lower_row
                if layer:
                    place[[PACKED, TURNED]] = straight, turned
                else:
                    self.halves[which] = straight, turned
                source, there = (0, place[D_WEIGHT]) if layer else (1 + which, row)
                start = parts[name][0]
                rows += [
                    [width, start + r * width, source, there + r * row, straight + r * row,
                     turned + r, lower_row, 0]
                    for r in range(below)
                ]  # fmt: skip
        self.rows: NDArray[np.int64] = np.array(rows, dtype=np.int64).reshape(-1)
        self.n_packed, self.n_sums = at + stride(0), sums

    def packed(self, weights: Floats) -> Floats:
        """Lay the weights out for the kernels."""  # (n_packed,)
        packed = np.zeros(self.n_packed, dtype=np.float32)
        rows = self.rows.reshape(-1, COLUMNS).tolist()
        for length, start, _, _, straight, turned, apart, _ in rows:
            if straight >= 0:
                own = weights[start : start + length]
                packed[straight : straight + length] = own
                packed[turned : turned + length * apart : apart] = own
        return packed
