"""A trained SASRec without PyTorch: from histories to vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Array, Setting
from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors
from shortlist.machine import one_blas_thread
from shortlist.models.towers.layers import weights
from shortlist.models.vectors import LearnedVectors
from shortlist.scoring.scores import Floats

EPSILON = 1e-5  # added to variances
_NUMBERS = 1 << 22  # of the largest array: queries of one length are worked on in parts

_D = "embedding_size"


@dataclass(frozen=True)
class SASRecLearned(LearnedVectors):
    """Embeddings, and the layers of each block: weights, and their biases as the last row."""

    items: Annotated[Floats, Array("n_items", _D)]
    positions: Annotated[Floats, weights("max_length", _D)]  # counted back from the last item
    norms: Annotated[Floats, weights("blocks + blocks + 1", "2", _D)]  # gain, bias; two a block
    inputs: Annotated[Floats, weights("blocks", f"{_D} + 1", f"{_D} + {_D} + {_D}")]  # q, k, v
    outputs: Annotated[Floats, weights("blocks", f"{_D} + 1", _D)]
    hidden: Annotated[Floats, weights("blocks", f"{_D} + 1", _D)]
    back: Annotated[Floats, weights("blocks", f"{_D} + 1", _D)]
    heads: Annotated[int, Setting("heads")]

    def query_vectors(self, history: csr_array, recency: csr_array | None) -> Floats:
        """Return the vectors of histories (B, n_items); that of an empty one is zero.

        ``recency`` is 1 where an item is the latest; None: the last column is.
        """  # (B, d)
        vectors = np.zeros((history.shape[0], self.items.shape[1]), dtype=np.float32)
        lengths = np.diff(history.indptr)
        most = len(self.positions)
        with one_blas_thread():
            for length in np.unique(lengths[lengths > 0]).tolist():
                rows = np.flatnonzero(lengths == length)
                part = max(1, _NUMBERS // (min(length, most) * 3 * self.items.shape[1]))
                for start in range(0, len(rows), part):
                    some = rows[start : start + part]
                    items = _ordered(history, recency, some, length)[:, -most:]
                    vectors[some] = self._last(items)
        return vectors

    def _last(self, items: Rows) -> Floats:
        """Return the vectors of histories of one length, from the first item to the last."""
        length = items.shape[1]
        size = np.float32(np.sqrt(self.items.shape[1]))
        states = self.items[items] * size + self.positions[:length][::-1]  # (g, n, d)
        for n in range(len(self.inputs)):
            states = self._block(n, states, only_last=n == len(self.inputs) - 1)
        return normalized(states[:, -1], self.norms[-1])

    def _block(self, n: int, states: Floats, only_last: bool) -> Floats:
        """Apply a block to the states (g, n, d), to the last alone where no other is needed."""
        count, length, depth = states.shape
        seen = _layer(normalized(states, self.norms[2 * n]), self.inputs[n])
        split = seen.reshape(count, length, 3, self.heads, depth // self.heads)
        query, key, value = split.transpose(2, 0, 3, 1, 4)  # (g, heads, n, d / heads) each
        if only_last:
            states, query = states[:, -1:], query[:, :, -1:]
        products = query @ key.swapaxes(2, 3)  # (g, heads, n or 1, n)
        products *= np.float32((depth // self.heads) ** -0.5)
        if not only_last:
            products += np.triu(np.full((length, length), -np.inf, np.float32), 1)
        products -= products.max(axis=-1, keepdims=True)
        np.exp(products, out=products)
        products /= products.sum(axis=-1, keepdims=True)
        mixed = (products @ value).swapaxes(1, 2).reshape(states.shape)
        states = states + _layer(mixed, self.outputs[n])
        inner = _layer(normalized(states, self.norms[2 * n + 1]), self.hidden[n])
        result: Floats = states + _layer(np.maximum(inner, 0), self.back[n])
        return result


def normalized(states: Floats, norm: Floats) -> Floats:
    """Shift and scale each vector to mean 0 and variance 1, then by the gain and the bias."""
    centred = states - states.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    result: Floats = centred / np.sqrt(variance + np.float32(EPSILON)) * norm[0] + norm[1]
    return result


def _layer(states: Floats, weight: Floats) -> Floats:
    """Multiply vectors by a weight whose last row is the bias, each vector by itself."""
    rows = np.ascontiguousarray(states.reshape(-1, states.shape[-1]))
    return dense_factors(rows, weight[:-1], weight[-1]).reshape(*states.shape[:-1], -1)


def _ordered(
    history: csr_array, recency: csr_array | None, rows: NDArray[np.intp], length: int
) -> Rows:
    """Return the items of histories of one length, from the first to the last."""  # (g, n)
    positions = history.indptr[rows][:, np.newaxis] + np.arange(length)
    items: Rows = history.indices[positions]
    if recency is None:
        return items
    return np.take_along_axis(items, np.argsort(-recency.data[positions], axis=1), axis=1)
