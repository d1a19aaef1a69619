"""EASE: a linear item-to-item model with a closed form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from shortlist.bundle.declarations import Array, Record
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ShortlistError
from shortlist.kernels.scores import dense_profile
from shortlist.machine import available_memory
from shortlist.models.automatic import Step, most_popular
from shortlist.models.base import Fitted, Model
from shortlist.models.config import Auto, Search, hyper
from shortlist.models.signals import (
    Push,
    SignalConfig,
    Strength,
    choose_signals,
    histories,
    parts_by_sign,
    strengths,
)
from shortlist.progress import track
from shortlist.scoring.capabilities import ExplainsLists, Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores
from shortlist.scoring.sparse import csr_arrays, transposed

_WIDE = 8  # with this many times more items than users, inverting XX' is faster and no larger
_BLOCK = 256  # rows worked on at a time: after each, the bar moves and Ctrl-C is noticed


_FEW = 3_000  # the penalty is chosen on no more items than these, the most popular ones
STEPS: tuple[Step, ...] = (("regularization", (150.0, 15.0, 50.0, 300.0, 500.0, 1000.0, 3000.0)),)


class EASEConfig(SignalConfig):
    """Settings of :class:`EASE`."""

    regularization: Annotated[float, Field(gt=0)] | Auto = hyper(
        "auto",
        "Weight of the squared item-to-item weights (lambda), larger favours popular items; auto: "
        "chosen on a validation fold, with the 3,000 most popular items.",
        search=Search(10, 3000, "log"),
    )


class EASESettings(NamedTuple):
    """The settings in use."""

    regularization: Annotated[float, Field(gt=0)]
    weighting: Strength | None
    dislikes: Push | None


@dataclass(frozen=True)
class EASELearned:
    """The weights: what an item of the history (row) adds to other items (columns)."""

    weights: Annotated[Floats, Array("n_items", "n_items")]  # zero diagonal
    settings: Annotated[Mapping[str, Any], Record(EASESettings)]


class EASE(Model[EASEConfig, EASELearned], ExplainsLists):
    """Embarrassingly shallow autoencoder (Steck, WWW 2019).

    Minimises ``|X - X B|^2 + lambda |B|^2`` subject to ``diag(B) = 0`` for the binary matrix X, or
    that of the weights over their mean:
    with ``P = (X'X + lambda I)^-1``, ``B_ij = -P_ij / P_jj`` off the diagonal. The score of an item
    is the sum of the weights from the items of the history. Time is cubic and memory quadratic in
    the number of items.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> EASE(regularization=1).fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    def learn(self, data: Dataset) -> Fitted[EASELearned]:
        """Solve for the weights."""
        _require_memory(data.n_items)
        settings = choose_signals(self, most_popular(data, _FEW), STEPS)
        matrix = strengths(data, settings["weighting"])[data.user_counts > 0]
        # One BLAS thread: with more, the last bits depend on their number, and so could a list.
        with threadpool_limits(1, user_api="blas"):
            wide = matrix.shape[0] * _WIDE < data.n_items
            invert = _precision_by_users if wide else _precision_by_items
            weights = invert(matrix, settings["regularization"])
        weights /= -np.diag(weights)  # column j divided by P_jj
        weights[np.diag_indices_from(weights)] = 0
        return Fitted(EASELearned(weights, settings))

    def score(self, profiles: Profiles) -> Scores:
        """Sum the weights from the items of each history."""
        return DenseScores(
            dense_profile(csr_arrays(histories(self, profiles)), self.learned.weights)
        )

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the weights from each item."""
        return DenseScores(self.learned.weights[items])

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the weights from the items of the history to each of these items."""

        def parts(kind: str, history: csr_array) -> Iterator[Parts]:
            chosen = history.indices
            names = self.data.items.take(chosen)
            for item in items:
                amounts = self.learned.weights[chosen, item].astype(np.float64)
                yield Parts(kind, names, amounts * history.data)

        yield from parts_by_sign(histories(self, profiles), parts)


def _precision_by_items(matrix: csr_array, regularization: float) -> Floats:
    """Invert ``X'X + lambda I``."""  # (n_items, n_items)
    items = transposed(matrix)
    gram = np.empty((items.shape[0], items.shape[0]), np.float32)
    for rows in track(_blocks(len(gram)), "EASE: counting"):
        gram[rows] = (items[rows] @ matrix).toarray()  # exact below 2^24
    return _inverted(gram, regularization)


def _precision_by_users(matrix: csr_array, regularization: float) -> Floats:
    """Invert ``X'X + lambda I`` through the smaller ``XX' + lambda I``.

    Woodbury: ``(X'X + lambda I)^-1 = (I - X' (XX' + lambda I)^-1 X) / lambda``.
    """  # (n_items, n_items)
    kernel = _inverted((matrix @ matrix.T).toarray().astype(np.float64), regularization)
    items = transposed(matrix)
    precision = np.empty((items.shape[0], items.shape[0]), np.float32)
    for columns in track(_blocks(len(precision)), "EASE: weights"):
        solved = (items[columns] @ kernel).T  # (n_users, block)
        precision[:, columns] = dense_profile(
            csr_arrays(items), np.ascontiguousarray(solved, dtype=np.float32)
        )
    precision /= np.float32(-regularization)
    precision[np.diag_indices_from(precision)] += np.float32(1 / regularization)
    return precision


def _inverted(matrix: NDArray[Any], regularization: float) -> NDArray[Any]:
    """Replace a symmetric matrix A by ``(A + lambda I)^-1``, through its Cholesky factor.

    Block by block, because LAPACK does not notice Ctrl-C: ``A + lambda I = LL'``, then ``L^-1``,
    then ``L^-1' L^-1``, all below the diagonal of the same array.
    """
    matrix[np.diag_indices_from(matrix)] += matrix.dtype.type(regularization)
    lapack: Any = get_lapack_funcs(("potrf", "trtri"), (matrix,))
    cholesky, invert = lapack
    blocks = _blocks(len(matrix))
    for k in track(blocks, "EASE: Cholesky factor"):
        matrix[k.start :, k] -= matrix[k.start :, : k.start] @ matrix[k, : k.start].T
        factor, failed = cholesky(matrix[k, k], lower=True)
        if failed:
            raise ShortlistError(
                f"EASE: X'X + {regularization} I could not be inverted in {matrix.dtype}",
                remedy="choose a larger regularization",
            )
        matrix[k, k], _ = invert(factor, lower=True)
        matrix[k.stop :, k] = matrix[k.stop :, k] @ matrix[k, k].T
    for row, k in enumerate(track(blocks, "EASE: inverse factor")):
        for j in blocks[:row]:
            added = matrix[k, j.start : k.start] @ matrix[j.start : k.start, j]
            matrix[k, j] = -(matrix[k, k] @ added)
    for k in track(blocks, "EASE: inverse"):
        matrix[k, : k.stop] = matrix[k.start :, k].T @ matrix[k.start :, : k.stop]
    for k in blocks:
        matrix[k, k.stop :] = matrix[k.stop :, k].T
        matrix[k, k] = np.tril(matrix[k, k]) + np.tril(matrix[k, k], -1).T
    return matrix


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]


def _require_memory(n_items: int) -> None:
    """Refuse a catalogue that does not fit into memory, before any work."""
    needed = 3 * 4 * n_items**2
    available = available_memory()
    if available is not None and needed > available:
        raise ShortlistError(
            f"EASE on {n_items} items needs {needed / 2**30:.0f} GB of memory; "
            f"{available / 2**30:.0f} GB are free",
            remedy="use ItemCosine or IALS, or keep fewer items",
        )
