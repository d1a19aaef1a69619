"""The dense layers of a tower or a head, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.scores import dense_factors
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import inverse

SLICE = 4096  # pairs of one query that are scored together: their layers stay in the cache

Doubles = NDArray[np.float64]


class Layer(NamedTuple):
    """What a dense layer multiplies by and adds."""

    weight: Floats  # (n_in, n_out)
    bias: Floats  # (n_out,)


def widths_of(embedding_size: int, layers: Sequence[int]) -> list[int]:
    """Give the widths of a tower's dense layers: hidden ones, then one to the vector, or none.

    Examples
    --------
    >>> widths_of(32, [64]), widths_of(32, [])
    ([32, 64, 32], [32])
    """
    return [embedding_size, *layers, embedding_size] if layers else [embedding_size]


def flat(layers: Sequence[Layer]) -> Floats:
    """Put layers one after another, each its weight and then its bias."""
    each = [part.ravel() for layer in layers for part in layer]
    return np.concatenate([np.empty(0, dtype=np.float32), *each]).astype(np.float32)


def unflat(values: Floats, widths: Sequence[int]) -> list[Layer]:
    """Take apart what :func:`flat` put together.

    Examples
    --------
    >>> layer = Layer(np.ones((2, 1), np.float32), np.zeros(1, np.float32))
    >>> unflat(flat([layer]), [2, 1])[0].weight.shape
    (2, 1)
    """
    layers, at = [], 0
    for n_in, n_out in pairwise(widths):
        weight = values[at : at + n_in * n_out].reshape(n_in, n_out)
        at += n_in * n_out
        layers.append(Layer(np.ascontiguousarray(weight), values[at : at + n_out].copy()))
        at += n_out
    return layers


def dense_layers(layers: Sequence[Layer], rows: Floats) -> Floats:
    """Send rows through layers, with ReLU between them; a row's result is its own affair."""
    for place, layer in enumerate(layers):
        if place:
            rows = np.maximum(rows, 0)
        rows = dense_factors(np.ascontiguousarray(rows), layer.weight, layer.bias)
    return rows


def linear_at(layers: Sequence[Layer], inputs: Doubles, depth: int) -> tuple[Doubles, Doubles]:
    """Give the linear map that the layers are at these inputs: ``x -> x J + rest``."""
    jacobian, rest = np.eye(depth), np.zeros(depth)
    for place, layer in enumerate(layers):
        if place:
            through = (inputs @ jacobian + rest > 0).astype(np.float64)
            jacobian, rest = jacobian * through, rest * through
        weight = layer.weight.astype(np.float64)
        jacobian, rest = jacobian @ weight, rest @ weight + layer.bias
    return jacobian, rest


def vectors_of(inputs: Floats, layers: Sequence[Layer], depth: int, normalize: bool) -> Floats:
    """Give the vectors that a tower makes of its inputs; biases go past the layers."""  # (n, w)
    vectors = inputs[:, :depth]
    if layers:
        vectors = dense_layers(layers, vectors)
    if normalize:
        vectors = unit(vectors)
    return np.concatenate([vectors, inputs[:, depth:]], axis=1)


def unit(rows: Floats) -> Floats:
    """Bring rows to length 1; zeros stay zeros."""
    lengths = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1))
    return (rows * inverse(lengths)[:, np.newaxis]).astype(np.float32)
