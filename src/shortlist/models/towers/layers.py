"""Dense layers without PyTorch: how they are stored, and how they are applied to rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.bundle.declarations import Array
from shortlist.kernels.scores import dense_factors
from shortlist.models.config import Arrays
from shortlist.scoring.scores import Floats

SLICE = 4096  # items of one query that are scored together: their layers stay in the cache
LARGEST_WEIGHT = 1e6  # of a stored network: layers multiply, and scores must be finite

Doubles = NDArray[np.float64]


def weights(*dimensions: str) -> Array:
    """Declare the weights of a network."""
    return Array(*dimensions, low=-LARGEST_WEIGHT, high=LARGEST_WEIGHT)


class Layer(NamedTuple):
    """A dense layer: ``x -> x weight + bias``."""

    weight: Floats  # (n_in, n_out)
    bias: Floats  # (n_out,)


def trained_layers(parameters: Arrays, name: str, widths: Sequence[int]) -> list[Layer]:
    """Return the layers that training knows as ``name.weights.n`` and ``name.biases.n``."""
    return [
        Layer(parameters[f"{name}.weights.{n}"], parameters[f"{name}.biases.{n}"])
        for n in range(len(widths) - 1)
    ]


def flat(layers: Sequence[Layer]) -> Floats:
    """Concatenate the layers, each its weight and then its bias, to one vector."""
    arrays = [array.ravel() for layer in layers for array in layer]
    return np.concatenate([np.empty(0, dtype=np.float32), *arrays]).astype(np.float32)


def unflat(values: Floats, widths: Sequence[int]) -> list[Layer]:
    """Split what :func:`flat` concatenated."""
    layers, start = [], 0
    for n_in, n_out in pairwise(widths):
        middle = start + n_in * n_out
        weight = np.ascontiguousarray(values[start:middle].reshape(n_in, n_out))
        start = middle + n_out
        layers.append(Layer(weight, values[middle:start].copy()))
    return layers


def dense_layers(layers: Sequence[Layer], rows: Floats) -> Floats:
    """Apply layers to each row independently, with ReLU between layers."""
    for n, layer in enumerate(layers):
        if n:
            rows = np.maximum(rows, 0)
        rows = dense_factors(np.ascontiguousarray(rows), *layer)
    return rows


def halves(layer: Layer) -> tuple[Layer, Layer]:
    """Split a layer over the vectors of a user and an item: the user's half gets the bias."""
    of_user, of_item = np.split(layer.weight, 2)
    return Layer(of_user, layer.bias), Layer(of_item, np.zeros_like(layer.bias))


def linearized(layers: Sequence[Layer], inputs: Doubles) -> tuple[Doubles, Doubles]:
    """Return the linear map ``x -> x jacobian + offset`` that the layers are around an input.

    It is exact at the input itself: ReLU lets a unit through or does not.
    """
    jacobian, offset = np.eye(len(inputs)), np.zeros(len(inputs))
    for n, layer in enumerate(layers):
        if n:
            active = (inputs @ jacobian + offset > 0).astype(np.float64)
            jacobian, offset = jacobian * active, offset * active
        weight = layer.weight.astype(np.float64)
        jacobian, offset = jacobian @ weight, offset @ weight + layer.bias
    return jacobian, offset
