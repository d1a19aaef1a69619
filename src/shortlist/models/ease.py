"""EASE: a linear item-to-item model with a closed form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Array
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ShortlistError
from shortlist.kernels.scores import dense_factors, dense_profile, dense_sparse
from shortlist.machine import require_memory
from shortlist.models.automatic import Step, most_popular
from shortlist.models.base import Fitted
from shortlist.models.config import AUTO, Auto, Search, chosen_settings, hyper
from shortlist.models.decompositions import in_parallel, invert, pieces
from shortlist.models.linear import LinearModel
from shortlist.models.partial import Growth, relearned, unchanged_items
from shortlist.models.signals import SignalConfig, choose_signals, strengths
from shortlist.progress import track
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.scores import DenseScores, Floats, Scores
from shortlist.scoring.sparse import csr_arrays, row_norms, row_scaled, transposed

_WIDE = 4  # with this many times more items than users, weights from users are smaller and faster
_BLOCK = 256  # rows worked on at a time: after each, the bar moves and Ctrl-C is noticed
CHOSEN_WITH = 3_000  # the penalty is chosen on no more items than these, the most popular ones
STEPS: tuple[Step, ...] = (("regularization", (150.0, 15.0, 50.0, 300.0, 500.0, 1000.0, 3000.0)),)
_DROPOUT: tuple[Step, ...] = (
    ("dropout", (0.0, 0.25, 0.5, 0.7)),
    ("regularization", (15.0, 50.0, 150.0, 500.0)),  # again: less where dropout does its part
)

Dropout: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
Regularization: TypeAlias = Annotated[float, Field(gt=0)]


def regularization_setting() -> Any:
    """Declare the penalty of EASE and SparseEASE."""
    return hyper(
        "auto",
        "Weight of the squared item-to-item weights (lambda), larger favours popular items; auto: "
        "chosen on a validation fold, with the 3,000 most popular items.",
        search=Search(10, 3000, "log"),
    )


class EASEConfig(SignalConfig):
    """Settings of :class:`EASE`."""

    regularization: Regularization | Auto = regularization_setting()
    dropout: Dropout | Auto = hyper(
        "auto",
        "Share p of a history that is left out at random while learning (EDLAE): it adds p / (1 - "
        "p) times the interactions of an item to its penalty; auto: chosen together with the "
        "regularization, 0 where that is given.",
        search=Search(0, 0.8),
    )

    conditional: ClassVar = SignalConfig.conditional | {"dropout"}


@dataclass(frozen=True)
class EASELearned:
    """The weights B from items, or where users are few the smaller F: ``B = X'F - diag(own)``."""

    weights: Annotated[Floats, Array("n_items | n_users", "n_items")]  # B, zero diagonal, or F
    own: Annotated[Floats, Array("0 | n_items")]  # (n_items,) beside F, (0,) beside B
    settings: Annotated[Mapping[str, Any], chosen_settings(EASEConfig)]


class EASE(LinearModel[EASEConfig, EASELearned]):
    """Embarrassingly shallow autoencoder (Steck, WWW 2019).

    Minimises ``|X - X B|^2 + lambda |B|^2`` subject to ``diag(B) = 0`` for the binary matrix X (or
    that of the weights over their mean): with ``P = (X'X + lambda I)^-1``, ``B_ij = -P_ij / P_jj``
    off the diagonal. The score of an item
    is the sum of the weights from the items of the history. Time is cubic and memory quadratic in
    the number of items. With more than four times as many items as users, the same weights are held
    as factors, ``B = X'F - diag``, which is cubic and quadratic in the number of users: with
    ``K = (XX' + lambda I)^-1`` and ``g_j = x_j'K x_j`` for the columns x_j of X,
    ``F = K X diag(1 / (1 - g))``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> EASE(regularization=1).fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    with_less_memory = "use SparseEASE, which approximates it, or IALS; or keep fewer items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the weights, and of the inverse that they are made of."""
        n_users, n_items = data.n_users, data.n_items
        if _from_few_users(data):
            return 5 * n_items * n_users + 24 * n_users**2
        return 5 * n_items**2

    def learn(self, data: Dataset) -> Fitted[EASELearned]:
        """Solve for the weights."""
        settings = self._settings_for(data)
        solve = _from_users if _from_few_users(data) else _from_items
        matrix = strengths(data, settings["weighting"])
        weights = solve(matrix, settings["regularization"], settings["dropout"] or 0.0)
        return Fitted(EASELearned(*weights, settings))

    def _settings_for(self, data: Dataset) -> dict[str, Any]:
        """Return the settings, chosen where "auto"; dropout is None if that is not chosen."""
        config = self.config
        steps = (*STEPS, *_DROPOUT) if config.regularization == AUTO else STEPS
        settings = choose_signals(self, most_popular(data, CHOSEN_WITH), steps)
        settings.setdefault("dropout", None if config.dropout == AUTO else config.dropout)
        return settings

    def grow(self, growth: Growth) -> tuple[EASELearned, tuple[str, ...]]:
        """Keep the weights: histories grow, and new items have no weights yet.

        Where they are held as factors, users are few, and the weights are learned again.
        """
        if self._by_user:
            return relearned(self, growth)
        n_items = growth.data.n_items
        require_memory(f"EASE on {n_items:,} items", 5 * n_items**2, self.with_less_memory)
        weights = np.zeros((n_items, n_items), dtype=np.float32)
        weights[np.ix_(growth.items, growth.items)] = self.learned.weights
        kept = unchanged_items("the weights", growth)
        if count := len(growth.new_items):
            kept += (f"{count:,} new items have no weights, and score 0",)
        return EASELearned(weights, self.learned.own, self.learned.settings), kept

    def terms(self, kind: str, history: csr_array, items: Rows) -> Iterator[Parts]:
        """Yield the weights from the items of the history to each of these items."""
        names = self.data.items.take(history.indices)
        for column in self._weights_between(history.indices, items).T:
            yield Parts(kind, names, column * history.data)

    @property
    def bytes_per_query(self) -> int:
        """The memory for one query: the default, and the users that share its items."""
        return super().bytes_per_query + (16 * self.data.n_users if self._by_user else 0)

    @property
    def _by_user(self) -> bool:
        return len(self.learned.own) > 0

    @cached_property
    def _by_item(self) -> csr_array:
        used = self.used
        matrix = strengths(self.data, used.weighting)
        dropout = 0.0 if used.dropout == AUTO else used.dropout
        return _shrunk(transposed(matrix), used.regularization, dropout)

    def of_histories(self, history: csr_array) -> Scores:
        """Multiply histories by B."""
        weights, own = self.learned.weights, self.learned.own
        if not self._by_user:
            return DenseScores(dense_profile(csr_arrays(history), weights))
        shared = (history @ self._by_item).toarray()  # (B, n_users), how much
        block = dense_factors(shared, weights)
        rows = np.repeat(np.arange(len(block)), np.diff(history.indptr))
        block[rows, history.indices] -= own[history.indices] * history.data
        return DenseScores(block)

    def _weights_between(self, chosen: Rows, items: Rows) -> NDArray[np.float64]:
        """Return B from some items to others."""  # (len(chosen), len(items))
        weights = self.learned.weights
        if not self._by_user:
            return weights[np.ix_(chosen, items)].astype(np.float64)
        between: NDArray[np.float64] = self._by_item[chosen] @ weights[:, items].astype(np.float64)
        same = chosen[:, np.newaxis] == items
        return between - np.where(same, self.learned.own[items], 0)


def _from_few_users(data: Dataset) -> bool:
    """Return whether weights from users are smaller, and faster to find."""
    return data.n_users * _WIDE < data.n_items


def _dropped(items: csr_array, dropout: float) -> NDArray[np.float64]:
    """Return the penalty of dropout for each item: ``p / (1 - p) x_j'x_j``."""  # (n_items,)
    return dropout / (1 - dropout) * row_norms(items) ** 2


def _shrunk(items: csr_array, regularization: float, dropout: float) -> csr_array:
    """Multiply each item by lambda over its whole penalty."""  # (n_items, n_users)
    return row_scaled(items, regularization / (regularization + _dropped(items, dropout)))


def _from_items(matrix: csr_array, regularization: float, dropout: float) -> tuple[Floats, Floats]:
    """Return B, from the inverse of ``X'X + D``, and an empty array."""
    items = transposed(matrix)
    users, n_items = csr_arrays(matrix), items.shape[0]
    weights = np.empty((n_items, n_items), np.float32)
    blocks = pieces(0, n_items, _BLOCK)
    for rows in track(blocks, "EASE: counting"):
        weights[rows] = dense_sparse(csr_arrays(items[rows]), users, n_items)  # exact below 2^24
    weights[np.diag_indices_from(weights)] += _dropped(items, dropout)
    _invert(weights, regularization)
    diagonal = -np.diag(weights)
    in_parallel(_divide, blocks, weights, diagonal)  # column j divided by P_jj
    weights[np.diag_indices_from(weights)] = 0
    return weights, np.empty(0, np.float32)


def _divide(rows: slice, weights: Floats, diagonal: Floats) -> None:
    weights[rows] /= diagonal


def _from_users(matrix: csr_array, regularization: float, dropout: float) -> tuple[Floats, Floats]:
    """Return F, from the inverse of ``XSX' + lambda I``, and the diagonal of ``SX'F``."""
    items = transposed(matrix)
    shrunk = _shrunk(items, regularization, dropout)
    kernel = (matrix @ shrunk).toarray().astype(np.float64)
    _invert(kernel, regularization)
    weights = np.empty(matrix.shape, np.float32)
    own = np.empty(matrix.shape[1], np.float32)
    for columns in track(pieces(0, len(own), _BLOCK), "EASE: weights"):
        block = items[columns]
        solved = block @ kernel  # (block, n_users)
        diagonal = np.asarray((shrunk[columns] * solved).sum(axis=1))
        weights[:, columns] = (solved / (1 - diagonal)[:, np.newaxis]).T
        own[columns] = diagonal / (1 - diagonal)
    return weights, own


def _invert(matrix: NDArray[Any], regularization: float) -> None:
    if not invert(matrix, regularization, "EASE"):
        raise ShortlistError(
            f"EASE: X'X + {regularization} I could not be inverted in {matrix.dtype}",
            remedy="choose a larger regularization",
        )
