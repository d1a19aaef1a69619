"""RP3beta: random walks from item to user to item, with a penalty for popular items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Csr
from shortlist.data.dataset import Dataset
from shortlist.models.automatic import Step
from shortlist.models.config import Auto, Search, chosen_settings, hyper
from shortlist.models.linear import NearestItems, SharedSearch
from shortlist.models.neighborhood import Neighborhood
from shortlist.models.signals import SignalConfig, Strength, strengths
from shortlist.scoring.scores import Floats
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


class RP3beta(NearestItems[RP3betaConfig, RP3betaLearned]):
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

    steps = STEPS

    def search(self, data: Dataset) -> Callable[[Mapping[str, Any]], csr_array]:
        """Return the search for the most probable walks from every item."""
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

        return search

    def learned_from(self, search: SharedSearch, settings: Mapping[str, Any]) -> RP3betaLearned:
        """Return the weights, divided by their sums if the settings say so."""
        names = ("neighbors", "alpha", "beta", "weighting")
        # Twice: the order of later sums must not depend on the weights.
        weights = transposed(transposed(search({name: settings.get(name) for name in names})))
        if settings["normalized"]:
            weights = row_scaled(weights, inverse(row_sums(weights)))
        return RP3betaLearned(weights, settings)


def _power(sums: NDArray[np.float64], exponent: float) -> Floats:
    """Return ``1 / sums^exponent``, 0 where the sum is 0."""  # (n,)
    return (inverse(sums**exponent) * (sums > 0)).astype(np.float32)
