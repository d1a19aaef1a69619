"""A trained GMF, MLP or NeuMF at work without PyTorch: scores, and rows for new histories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Array, Checked, Context, Setting, Value, Widths
from shortlist.data.vocabulary import Rows
from shortlist.kernels.sampling import alias_table, draw
from shortlist.kernels.scores import dense_factors, dense_profile
from shortlist.kernels.types import Csr
from shortlist.models.towers.config import NCFConfig
from shortlist.models.towers.layers import (
    LARGEST_WEIGHT,
    SLICE,
    Layer,
    dense_layers,
    halves,
    unflat,
    weights,
)
from shortlist.models.vectors import LearnedVectors
from shortlist.scoring.scores import Floats, ItemFactors
from shortlist.scoring.sparse import csr_arrays

FOLD_IN_STEPS = 30
FOLD_IN_RATE = 0.3  # in standard deviations of the users
_NEGATIVE_SETS = 8  # the steps use them in turn
_WINDOW = 64  # positives per step: a longer history is used window by window
_QUERIES = 64  # folded in together


def _check_widths(widths: Any, context: Context) -> None:
    """Check the tower against the settings, and the columns of the rows against the tower."""
    shape, values = context.config.shape, context.values
    if len(values["product_weights"]) != shape.size:
        raise ValueError(
            f"needs {shape.size} product_weights, not {len(values['product_weights'])}"
        )
    if values["items"].shape[1] != sum(shape.columns.values()):
        raise ValueError(f"needs users and items of {sum(shape.columns.values())} columns")
    expected = [2 * shape.depth, *shape.widths, 1] if shape.widths else []
    Widths("layers", lambda _: expected).check(widths, context)


@dataclass(frozen=True)
class NCFLearned(LearnedVectors):
    """A trained network.

    A row of a user or an item is ``[factors of the product | bias | input of the tower]``.
    """

    users: Annotated[Floats, weights("n_users", "C")]
    items: Annotated[Floats, weights("n_items", "C")]
    bias: Annotated[float, Value(float, ge=-LARGEST_WEIGHT, le=LARGEST_WEIGHT)]  # of all scores
    product_weights: Annotated[Floats, weights("size")]  # of the product's factors
    biases: Annotated[bool, Setting("biases", False)]  # whether rows have a bias
    layers: Annotated[Floats, weights("n_weights")]  # of the tower up to its output, flat; or empty
    widths: Annotated[list[int], Checked("widths of the layers; C follows", _check_widths)]
    negative_weights: Annotated[  # the probability of each item as a negative, up to a factor
        NDArray[np.float64], Array("n_items", dtype=np.float64, low=0, high=2.0**31)
    ]

    @property
    def size(self) -> int:
        """The number of factors of the product."""
        return len(self.product_weights)

    @property
    def dot_width(self) -> int:
        """The columns of a row that enter the score as a dot product: factors and bias."""
        return self.size + self.biases

    @property
    def compared(self) -> Floats:
        """The rows of the items without the bias."""  # (n_items, C - biases)
        return np.delete(self.items, np.s_[self.size : self.dot_width], axis=1)

    @cached_property
    def dense(self) -> list[Layer]:
        """The dense layers of the tower; the last one has the width 1."""
        return unflat(self.layers, self.widths)

    @cached_property
    def item_vectors(self) -> Floats:
        """Vectors whose dot products with :meth:`user_vectors` are the scores without the tower."""
        ones = np.ones((len(self.items), 1), dtype=np.float32)
        return np.concatenate(
            [self.items[:, : self.size], ones, self.items[:, self.size : self.dot_width]], axis=1
        )  # (n_items, size + 1 + biases)

    @cached_property
    def factors(self) -> ItemFactors:
        """The item vectors as the kernels read them."""
        return ItemFactors.from_rows(self.item_vectors)

    def user_vectors(self, rows: Floats) -> Floats:
        """Return ``[factors times weights | bias of the user and of all | 1 with biases]``."""
        bias = np.full((len(rows), 1), self.bias, dtype=np.float32)
        columns = [rows[:, : self.size] * self.product_weights, bias]
        if self.biases:
            columns[1] += rows[:, self.size : self.dot_width]
            columns.append(np.ones_like(bias))
        return np.concatenate(columns, axis=1)  # (B, size + 1 + biases)

    # --- the tower -----------------------------------------------------------------------------

    @cached_property
    def item_half(self) -> Floats:
        """What each item adds to the first layer of the tower."""  # (n_items, h)
        return dense_layers(halves(self.dense[0])[1:], self.items[:, self.dot_width :])

    def user_half(self, rows: Floats) -> Floats:
        """What each user adds to the first layer, its bias included."""  # (B, h)
        return dense_layers(halves(self.dense[0])[:1], rows[:, self.dot_width :])

    @cached_property
    def tower_weights(self) -> Floats:
        """The weights of the last layer's input in the score; its bias is 0."""
        return np.ascontiguousarray(self.dense[-1].weight[:, 0])  # (width of the tower,)

    def scores(self, rows: Floats) -> Floats:
        """Score all items for these rows of users."""  # (B, n_items)
        block = dense_factors(self.user_vectors(rows), self.factors.columns)
        if self.dense:
            for query, half in enumerate(self.user_half(rows)):
                for start in range(0, len(self.items), SLICE):
                    part = slice(start, start + SLICE)
                    outputs = self._tower(half + self.item_half[part])[-1]
                    block[query, part] += np.einsum("nf,f->n", outputs, self.tower_weights)
        return block

    def _tower(self, first: Floats) -> list[Floats]:
        """Return the output of each hidden layer, given the first one before ReLU (changed)."""
        outputs = [np.maximum(first, 0, out=first)]
        for layer in self.dense[1:-1]:
            hidden = dense_factors(outputs[-1], *layer)
            outputs.append(np.maximum(hidden, 0, out=hidden))
        return outputs

    # --- new histories -------------------------------------------------------------------------

    @cached_property
    def population(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the rows of all users that have interactions."""
        active = self.users[np.any(self.users != 0, axis=1)].astype(np.float64)
        if not len(active):
            active = np.zeros((1, self.users.shape[1]))
        return active.mean(axis=0).astype(np.float32), active.std(axis=0).astype(np.float32)

    def fold_in(self, history: csr_array, config: NCFConfig) -> Floats:
        """Return a row for each history, with the rest of the network as it is.

        A row p minimises ``log loss of the history and of drawn negatives
        + 1/2 sum_k ((p_k - mean_k) / std_k)^2``: it is the most probable row of a user from the
        population that training found. It is found by 30 steps of Adam in ``(p - mean) / std``,
        from the mean, with a rate that falls to 0. Equal histories get equal rows.
        """  # (B, C)
        indptr, indices, _ = csr_arrays(history)
        negatives = self._negatives(indptr, indices, config)
        rows = np.empty((len(indptr) - 1, self.users.shape[1]), dtype=np.float32)
        for first in range(0, len(rows), _QUERIES):
            some = indptr[first : first + _QUERIES + 1]
            rows[first : first + _QUERIES] = self._folded(some, indices, negatives)
        return rows

    @cached_property
    def _alias_table(self) -> tuple[NDArray[np.uint32], Rows] | None:
        weights = self.negative_weights
        return None if np.ptp(weights) == 0 else alias_table(weights)

    def _negatives(self, indptr: NDArray[np.int64], indices: Rows, config: NCFConfig) -> Rows:
        """Draw negatives for each item of the histories, by its number; in sets for the steps."""
        owners = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        known = None
        if config.rejection:
            # A history with every item that can be drawn rejects none.
            drawable = self.negative_weights > 0
            held = np.bincount(owners, drawable[indices], minlength=len(indptr) - 1)
            kept = (held < drawable.sum())[owners]
            counts = np.bincount(owners[kept], minlength=len(indptr) - 1)
            order = np.lexsort((indices[kept], owners[kept]))
            known = np.concatenate([[0], np.cumsum(counts)]), indices[kept][order]
        return draw(
            indices.astype(np.int64), owners.astype(np.int32), config.negatives * _NEGATIVE_SETS,
            config.seed, self.negative_weights, self._alias_table, known,
        )  # fmt: skip

    def _folded(self, indptr: NDArray[np.int64], indices: Rows, negatives: Rows) -> Floats:
        """Find the rows of some histories by gradient descent."""
        mean, std = self.population
        lengths = np.diff(indptr)
        counts = np.minimum(lengths, _WINDOW)
        owners = np.repeat(np.arange(len(lengths)), counts)  # the query of each positive
        offsets = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        scale = (lengths / np.maximum(counts, 1))[owners]
        n_drawn = negatives.shape[1] // _NEGATIVE_SETS
        z, m, v = (np.zeros((len(lengths), len(mean))) for _ in range(3))
        for step in range(1, FOLD_IN_STEPS + 1):
            entries = indptr[owners] + (step * counts[owners] + offsets) % lengths[owners]
            first = step % _NEGATIVE_SETS * n_drawn
            items = np.concatenate(
                [indices[entries, np.newaxis], negatives[entries, first : first + n_drawn]], axis=1
            )
            rows = (mean + std * z).astype(np.float32)
            gradient = self._row_gradient(rows, owners, items, scale) * std + z
            m = 0.9 * m + 0.1 * gradient
            v = 0.99 * v + 0.01 * gradient**2
            rate = FOLD_IN_RATE * (1 - (step - 1) / FOLD_IN_STEPS)
            z -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)
        return (mean + std * z).astype(np.float32)

    def _row_gradient(
        self, rows: Floats, owners: NDArray[np.int64], items: Rows, scale: NDArray[np.float64]
    ) -> Floats:
        """Return the gradient of the log loss by the rows of users (B, C).

        ``items`` (P, N) are positives, each followed by its negatives, ``owners`` (P,), ascending,
        their queries, and ``scale`` (P,) their weights.
        """
        n_items, flat = items.shape[1], items.ravel()
        queries = np.repeat(owners, n_items)
        scores = np.einsum("sf,sf->s", self.user_vectors(rows)[queries], self.item_vectors[flat])
        outputs: list[Floats] = []
        if self.dense:
            outputs = self._tower(self.user_half(rows)[queries] + self.item_half[flat])
            scores += np.einsum("sf,f->s", outputs[-1], self.tower_weights)
        errors = 1 / (1 + np.exp(-scores.astype(np.float64)))
        errors[::n_items] -= 1
        errors = (errors * np.repeat(scale, n_items)).astype(np.float32)
        indptr = np.searchsorted(queries, np.arange(len(rows) + 1))
        sums = dense_profile(Csr(indptr, flat, errors), self.item_vectors)
        gradient = np.empty_like(rows)
        gradient[:, : self.size] = sums[:, : self.size] * self.product_weights
        gradient[:, self.size : self.dot_width] = sums[:, [self.size]]
        if self.dense:
            slopes = self.tower_weights * (outputs[-1] > 0)
            for layer, values in zip(self._transposed[:0:-1], outputs[-2::-1], strict=True):
                slopes = dense_factors(slopes, *layer) * (values > 0)
            samples = np.arange(len(slopes), dtype=np.int32)
            sums = dense_profile(Csr(indptr, samples, errors), slopes)
            gradient[:, self.dot_width :] = dense_factors(sums, *self._transposed[0])
        return gradient

    @cached_property
    def _transposed(self) -> list[Layer]:
        """The hidden layers from outputs to inputs, for gradients; the first one to users only."""
        first, _ = halves(self.dense[0])
        kernels = [layer.weight for layer in (first, *self.dense[1:-1])]
        return [
            Layer(np.ascontiguousarray(each.T), np.zeros(len(each), np.float32)) for each in kernels
        ]
