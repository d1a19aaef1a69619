"""Cosine neighbourhoods by definition, in plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset

Doubles = NDArray[np.float64]


def dense(data: Dataset) -> tuple[Doubles, NDArray[np.bool_]]:
    """Weights, and which pairs are interactions (a weight may be 0)."""
    weights = np.zeros((data.n_users, data.n_items))
    weights[data.user_rows, data.item_rows] = data.weights
    chosen = np.zeros(weights.shape, dtype=bool)
    chosen[data.user_rows, data.item_rows] = True
    return weights, chosen


def documents(weights: Doubles, chosen: NDArray[np.bool_], weighting: str) -> Doubles:
    """Rows as documents, columns as terms."""
    if weighting == "weighted":
        return weights
    rows = chosen.astype(np.float64)
    if weighting == "binary":
        return rows
    n_rows, n_columns = rows.shape
    lengths = chosen.sum(axis=1)
    n_documents = np.count_nonzero(lengths)
    for column in range(n_columns):
        present = chosen[:, column].sum()
        rows[:, column] *= np.log(n_documents / present) if present else 0.0
    if weighting == "bm25":
        average = lengths.sum() / n_documents
        for row in range(n_rows):
            rows[row] *= 2.2 / (1 + 1.2 * (1 - 0.75 + 0.75 * lengths[row] / average))
    return rows


def candidates_of(
    rows: Doubles, chosen: NDArray[np.bool_], config: Any
) -> list[list[tuple[float, int]]]:
    """For each row, (-similarity, row) of all rows that share a column, sorted."""
    n_rows = len(rows)
    single = np.float32  # lengths are kept in single precision, and so are similarities
    lengths = np.sqrt((rows**2).sum(axis=1))
    ranked = []
    for one in range(n_rows):
        candidates: list[tuple[float, int]] = []
        for other in range(n_rows):
            if not (chosen[one] & chosen[other]).any():
                continue  # no shared column
            if one == other and not config.self_similarity:
                continue
            dot, similarity = rows[one] @ rows[other], 0.0
            if lengths[one] > 0 and lengths[other] > 0:
                scale = np.float64(single(1 / lengths[one])) * np.float64(
                    single(1 / lengths[other])
                )
                similarity = dot / (1 / scale + config.shrinkage)
            candidates.append((-float(single(similarity)), other))
        ranked.append(sorted(candidates))
    return ranked


def clear_cut(rows: Doubles, chosen: NDArray[np.bool_], config: Any) -> bool:
    """Whether the last neighbour of each row is nearer than the next row by more than rounding.

    Similarities that are equal in exact arithmetic may differ in their last bits.
    """
    if config.neighbors is None:
        return True
    for ranked in candidates_of(rows, chosen, config):
        if len(ranked) > config.neighbors:
            last, following = ranked[config.neighbors - 1][0], ranked[config.neighbors][0]
            if abs(last - following) <= 1e-5 * abs(last):
                return False
    return True


def neighbourhoods(rows: Doubles, chosen: NDArray[np.bool_], config: Any) -> Doubles:
    """The similarities of each row to its nearest rows; 0 to all others."""
    near = np.zeros((len(rows), len(rows)))
    for one, ranked in enumerate(candidates_of(rows, chosen, config)):
        for negative, other in ranked[: config.neighbors]:
            near[one, other] = -negative
        if config.normalized and near[one].sum() > 0:
            near[one] /= near[one].sum()
    return near


def user_scores(data: Dataset, config: Any) -> Doubles:
    """S R: the interactions of the nearest users."""
    weights, chosen = dense(data)
    near = neighbourhoods(documents(weights, chosen, config.weighting), chosen, config)
    return near @ (weights if config.weighting == "weighted" else chosen.astype(np.float64))


def item_scores(data: Dataset, config: Any) -> Doubles:
    """R S': the similarities of each item to its nearest items in the history."""
    weights, chosen = dense(data)
    near = neighbourhoods(documents(weights.T, chosen.T, config.weighting), chosen.T, config)
    return (weights if config.weighting == "weighted" else chosen.astype(np.float64)) @ near.T
