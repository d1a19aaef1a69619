"""The vector of a user whom training has not seen, from a history and the items' vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.kernels.factorization import solve_ridge
from shortlist.kernels.types import Csr
from shortlist.models.factorization.bags import bag_vectors
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import parts

if TYPE_CHECKING:
    from shortlist.models.factorization.model import FactorizationConfig, FactorizationLearned

RIDGE_FLOOR = 1e-6  # of the mean squared length of the items: the shortest of all exact solutions

Doubles = NDArray[np.float64]


def global_bias(config: FactorizationConfig, data: Dataset) -> float:
    """Give the constant that alone fits the data best; 0 without biases.

    It minimises ``mean over cells of (x - c)^2 + gravity * c^2``.
    """
    if not config.biases or config.loss == "softmax":
        return 0.0
    pulled = config.gravity if config.loss == "regularized" else 0.0
    return float(data.weights.mean(dtype=np.float64)) / (1 + pulled)


def folded(
    config: FactorizationConfig, learned: FactorizationLearned, history: csr_array
) -> Floats:
    """Give the vectors of people with these histories, items as they are.

    For ``softmax`` that is the forward pass: the mean of what the items contribute. Otherwise it
    is the exact minimiser of what training minimises over the user's own row. With n cells in
    training, N users, M items, x the weights of the history and q the items' vectors:

    ``sum over the history of (p.q - x)^2 + (n / N) regularization |p|^2
    + (n / (N M)) gravity sum over all items of (p.q)^2``

    (with biases ``p.q + b + mean + b_i`` takes the place of ``p.q``, and ``b^2`` is added to
    ``|p|^2``). ``observed`` has no gravity; it keeps the regularization, which training does not
    use for it, because a short history has no unique answer without.

    A full fit would differ in that the items would move too, and in that gradient steps may not
    have arrived at the minimum for a user.
    """  # (B, F)
    if config.loss == "softmax":
        vectors = bag_vectors(history, learned.inputs)
        if not config.biases:
            return vectors
        ends = np.broadcast_to(np.array([0, 1], dtype=np.float32), (len(vectors), 2))
        return np.concatenate([vectors, ends], axis=1)
    design = _design(config, learned)
    prior, pull = system(config, learned)
    targets = (history.data - _known(config, learned)[history.indices]).astype(np.float32)
    indptr, indices, _ = parts(history)
    vectors = solve_ridge(
        Csr(indptr, indices, targets), design, prior.astype(np.float32), pull.astype(np.float32)
    )
    if not config.biases:
        return vectors
    vectors[:, -1] += learned.mean
    return np.concatenate([vectors, np.ones((len(vectors), 1), dtype=np.float32)], axis=1)


def reasons(
    config: FactorizationConfig, learned: FactorizationLearned, history: csr_array, item: int
) -> tuple[Doubles, float]:
    """Take a folded user's score for an item apart.

    Returns
    -------
    What each entry of the history adds (n,), and what is left: biases and the pull to 0.
    """
    target = learned.items[item].astype(np.float64)
    if config.loss == "softmax":
        shares = learned.inputs[history.indices] @ target[: config.embedding_size]
        return shares / max(len(shares), 1), float(target[-1]) if config.biases else 0.0
    design = _design(config, learned).astype(np.float64)
    prior, pull = system(config, learned)
    chosen = design[history.indices]  # (n, d)
    solved = np.linalg.solve(prior + chosen.T @ chosen, design[item])
    known = _known(config, learned)
    amounts = (history.data - known[history.indices]) * (chosen @ solved)
    return amounts, float(pull @ solved + known[item])


def system(config: FactorizationConfig, learned: FactorizationLearned) -> tuple[Doubles, Doubles]:
    """Give what the quadratic has of everybody: its matrix and its linear part."""  # (d, d), (d,)
    n_users, n_items, gram = len(learned.users), len(learned.items), learned.gram
    depth = config.embedding_size + config.biases
    squares = gram[:depth, :depth]
    ridge = learned.n_cells / n_users * config.regularization
    floor = RIDGE_FLOOR * np.trace(squares) / n_items + np.finfo(np.float32).tiny
    prior = max(ridge, floor) * np.eye(depth)
    pull = np.zeros(depth)
    if config.loss == "regularized":
        weight = learned.n_cells / (n_users * n_items) * config.gravity
        prior += weight * squares
        if config.biases:  # what is known beforehand of every product: mean + b_i
            pull -= weight * (learned.mean * gram[:depth, -2] + gram[:depth, -1])
    return prior, pull


def _design(config: FactorizationConfig, learned: FactorizationLearned) -> Floats:
    """Give the items' columns that a user's unknowns multiply: factors and, with biases, ones."""
    depth = config.embedding_size + config.biases
    return np.ascontiguousarray(learned.items[:, :depth])  # (n_items, d)


def _known(config: FactorizationConfig, learned: FactorizationLearned) -> Doubles:
    """Give what a product has before anything is known of the user: mean + b_i."""  # (n_items,)
    if not config.biases:
        return np.zeros(len(learned.items))
    return learned.mean + learned.items[:, -1].astype(np.float64)
