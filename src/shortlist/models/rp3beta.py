"""RP3beta: random walks from item to user to item, with a penalty for popular items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Csr
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.automatic import Step
from shortlist.models.base import Fitted
from shortlist.models.config import Auto, Search, chosen_settings, hyper
from shortlist.models.neighborhood import (
    Neighborhood,
    SharedSearch,
    memory_of_neighbors,
    product_parts,
)
from shortlist.models.signals import LinearModel, SignalConfig, Strength, choose_signals, strengths
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.scores import Floats, Scores, SparseScores
from shortlist.scoring.sparse import inverse, row_scaled, row_sums, transposed

Exponent: TypeAlias = Annotated[float, Field(ge=0, le=2)]
STEPS: tuple[Step, ...] = (
    ("normalized", (True,)),
    ("alpha", (0.5,)),
    ("neighbors", (200,)),
    ("beta", (0.5, 0.0, 0.15, 0.3, 0.7)),
    ("normalized", (True, False)),
    ("beta", (0.5, 0.0, 0.15, 0.3, 0.7)),
    ("neighbors", (200, 50, 100, 500, 1000)),
    ("alpha", (0.5, 0.3, 0.8)),
)


class RP3betaConfig(SignalConfig):
    """Settings of :class:`RP3beta`; ``"auto"`` settings are chosen on a validation fold."""

    neighbors: Annotated[int, Field(ge=1)] | Auto | None = hyper(
        "auto",
        "Number of items that each item leads to, the most probable ones; None: all; auto: chosen "
        "on a validation fold.",
        search=Search(20, 1000, "log"),
    )
    alpha: Exponent | Auto = hyper(
        "auto",
        "Exponent of the probabilities of both steps, below 1: long histories count more; auto: "
        "chosen on a validation fold.",
        search=Search(0.2, 1.6),
    )
    beta: Exponent | Auto = hyper(
        "auto",
        "Exponent of an item's interactions, by which its scores are divided, 0: no penalty; auto: "
        "chosen on a validation fold.",
        search=Search(0.0, 1.0),
    )
    normalized: bool | Auto = hyper(
        "auto",
        "Divide the weights from an item by their sum, so that every item of a history counts the "
        "same; auto: chosen on a validation fold.",
        search=Search(choices=(True, False)),
    )


@dataclass(frozen=True)
class RP3betaLearned:
    """The weights: what an item of the history (row) adds to other items (columns)."""

    weights: Annotated[csr_array, Csr("n_items", "n_items", low=0)]
    settings: Annotated[Mapping[str, Any], chosen_settings(RP3betaConfig)]


class RP3beta(LinearModel[RP3betaConfig, RP3betaLearned]):
    """Random walks item-user-item with a popularity penalty (Paudel et al., ACM TiiS 2017).

    With R the binary matrix (or that of the weights), and d the sums of its rows and columns, a
    walk steps from item to user with ``P_iu = (R_ui / d_i)^alpha`` and from user to item with
    ``P_uj = (R_uj / d_u)^alpha``. Then ``W_ij = sum over u of P_iu P_uj / d_j^beta`` for i != j, of
    which the ``neighbors`` largest of each row are kept and divided by their sum. The score of an
    item is the sum of the weights from the items of the history, ``score = R W``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> RP3beta().fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    learns_quickly = True
    dense_scores = False

    with_less_memory = "choose fewer neighbors, or keep fewer items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the neighbours: of all that are tried, where they are chosen."""
        return memory_of_neighbors(data, self.config.neighbors, dict(STEPS)["neighbors"])

    def learn(self, data: Dataset) -> Fitted[RP3betaLearned]:
        """Find the most probable walks from every item, in blocks."""
        search_of = cache(_search)  # all settings that are tried on the fold share searches

        def learn(fold: Dataset, settings: Mapping[str, Any]) -> RP3betaLearned:
            return _learned_from(search_of(fold), settings)

        settings = choose_signals(self, data, STEPS, learn)
        return Fitted(_learned_from(_search(data), settings))

    def of_histories(self, history: csr_array) -> Scores:
        """Sum the weights from the items of each history."""
        return SparseScores(history, self.learned.weights)

    def terms(self, kind: str, history: csr_array, items: Rows) -> Iterator[Parts]:
        """Yield the weights from the items of the history to each of these items."""
        return product_parts(kind, history, self.learned.weights, self.data.items, items)


def _search(data: Dataset) -> SharedSearch:
    """Return the search for the most probable walks from every item of some data."""
    choices = data.choices
    itself = np.arange(data.n_items, dtype=np.int32)

    @cache  # the other settings do not change them
    def matrices(weighting: Strength | None) -> tuple[csr_array, csr_array]:
        matrix = strengths(data, weighting)
        return matrix, transposed(matrix)

    def search(settings: Mapping[str, Any]) -> csr_array:
        weighting, alpha = settings["weighting"], settings["alpha"]
        matrix, rows = matrices(weighting)  # (n_users, n_items) and (n_items, n_users)
        of_users, of_items = row_sums(matrix), row_sums(rows)
        to_users = np.repeat(_power(of_items, alpha), data.item_counts)
        steps = to_users * _power(of_users, alpha)[rows.indices]
        penalty = _power(of_items, settings["beta"])[data.item_rows]
        if weighting == "weighted":
            steps *= rows.data ** np.float32(alpha)
            penalty *= matrix.data ** np.float32(alpha)
        walks = csr_array((steps, rows.indices, rows.indptr), shape=rows.shape)
        ends = csr_array((penalty, choices.indices, choices.indptr), shape=choices.shape)
        return Neighborhood(ends, None).best_in_blocks(walks, itself, settings["neighbors"])

    return SharedSearch(search, most=max(dict(STEPS)["neighbors"]))


def _learned_from(search: SharedSearch, settings: Mapping[str, Any]) -> RP3betaLearned:
    searched = {name: settings.get(name) for name in ("neighbors", "alpha", "beta", "weighting")}
    # Twice: the order of later sums must not depend on the weights.
    weights = transposed(transposed(search(searched)))
    if settings["normalized"]:
        weights = row_scaled(weights, inverse(row_sums(weights)))
    return RP3betaLearned(weights, settings)


def _power(sums: NDArray[np.float64], exponent: float) -> Floats:
    """Return ``1 / sums^exponent``, 0 where the sum is 0."""  # (n,)
    return (inverse(sums**exponent) * (sums > 0)).astype(np.float32)
