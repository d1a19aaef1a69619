"""A fitted network at work, without PyTorch: scores, and rows for people it has not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.kernels import ncf_rows, ncf_serving
from shortlist.kernels.ncf_rows import BLOCK
from shortlist.kernels.sampling import alias_table, draw
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.tiles import stride
from shortlist.kernels.updates import SGD
from shortlist.models.towers.ncf_layout import Layout
from shortlist.models.towers.ncf_network import Network
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import csr_arrays

REFIT_STEPS = 60
REFIT_RATE = 0.3  # in standard deviations of the population
_SETS = 8  # of negatives, which take turns
_FEW = 4  # users a thread takes at a time


class Scorer:
    """What scoring and refitting need of a network, computed once.

    Parameters
    ----------
    network
        Its shape.
    users, items, weights
        What was learned.
    item_weights
        How probable each item is to be drawn as a negative.  # (n_items,)
    """

    def __init__(
        self,
        network: Network,
        users: Floats,
        items: Floats,
        weights: Floats,
        item_weights: NDArray[np.float64],
    ) -> None:
        self.network, self.weights = network, weights
        self.layout = Layout(network)
        self.packed = self.layout.packed(weights)
        self.head = np.ones(network.size, dtype=np.float32)
        if network.weighted:
            self.head = np.ascontiguousarray(weights[1 : 1 + network.size])
        self.items, self.item_halves = self._halves(items, 1)
        active = users[np.any(users != 0, axis=1)].astype(np.float64)
        if not len(active):
            active = np.zeros((1, network.columns))
        self.mean = active.mean(axis=0).astype(np.float32)
        self.spread = active.std(axis=0).astype(np.float32)
        self.item_weights = item_weights
        self.table = None if np.ptp(item_weights) == 0 else alias_table(self.item_weights)

    def _halves(self, rows: Floats, side: int) -> tuple[Floats, Floats]:
        """Copy rows, with room for whole tiles, and compute their half of the first layer."""
        network = self.network
        width = network.widths[0] if network.widths else 0
        count = len(rows)
        copied = np.zeros((count + BLOCK, stride(network.columns)), dtype=np.float32)
        halves = np.zeros((count + BLOCK, stride(width)), dtype=np.float32)
        rows = np.array(rows, dtype=np.float32, order="C")
        nothing = np.zeros((1, 1), dtype=np.float32)
        bias_at = -1 if side or not width else network.parts["bias_0"][0]
        over_rows(
            lambda start, stop: ncf_rows.first_half(
                start, stop, count, np.arange(count, dtype=np.int32), rows, nothing, nothing,
                np.zeros(1, dtype=np.int64), SGD, 0, 0, np.zeros(1), 0.0, copied,
                network.tower_at, network.depth, width, self.packed,
                int(self.layout.halves[side, 0]), self.weights, bias_at, halves,
            ),
            -(-count // BLOCK),
            1,
        )  # fmt: skip
        return copied, halves

    def scores(self, users: Floats) -> Floats:
        """Score all items for these rows of users."""  # (B, n_items)
        network = self.network
        n_items = len(self.item_weights)
        copied, halves = self._halves(users, 0)
        out = np.empty((len(users), n_items), dtype=np.float32)
        tower_head = network.parts["tower_head"][0]
        over_rows(
            lambda start, stop: ncf_serving.catalogue_scores(
                start, stop, copied, halves, self.items, self.item_halves, network.size,
                network.biases, self.head, self.layout.layers, tower_head, self.weights,
                self.packed, out,
            ),
            len(users),
            share(len(users), _FEW),
        )  # fmt: skip
        return out

    def refit(self, history: csr_array, negatives: int, seed: int, rejection: bool) -> Floats:
        """Find the rows of people with these histories: see ``kernels.ncf_serving.refit``.

        Negatives are drawn for each item of a history by its own number, so equal histories get
        equal rows.
        """  # (B, C)
        network, layout = self.network, self.layout
        indptr, indices, _ = csr_arrays(history)
        known = None
        if rejection:
            known = _not_everything(indptr, indices, self.item_weights)
        owners = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)).astype(np.int32)
        drawn = draw(
            indices.astype(np.int64), owners, negatives * _SETS, seed, self.item_weights,
            self.table, known,
        )  # fmt: skip
        out = np.empty((len(indptr) - 1, network.columns), dtype=np.float32)
        bias_at = network.parts["bias_0"][0] if network.widths else 0
        tower_head = network.parts["tower_head"][0]
        over_rows(
            lambda start, stop: ncf_serving.refit(
                start, stop, indptr, indices, drawn, 1 + negatives, self.items, self.item_halves,
                network.size, network.biases, self.head, layout.layers, tower_head, self.weights,
                self.packed, network.tower_at, network.depth, int(layout.halves[0, 0]), bias_at,
                self.mean, self.spread, REFIT_STEPS, REFIT_RATE, out,
            ),
            len(out),
            1,
        )  # fmt: skip
        return out


def _not_everything(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Give sorted rows of what must not be drawn; none of a row that holds all that can be."""
    owners = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    drawable = weights > 0
    held = np.bincount(owners, drawable[indices], minlength=len(indptr) - 1)
    kept = (held < drawable.sum())[owners]
    counts = np.bincount(owners[kept], minlength=len(indptr) - 1)
    order = np.lexsort((indices[kept], owners[kept]))
    return np.concatenate([[0], np.cumsum(counts)]), indices[kept][order]
