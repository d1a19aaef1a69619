"""GraphFilter: low-pass filters on the graph of items, without training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Array
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.kernels.scores import dense_factors, dense_profile, dense_sparse
from shortlist.models.automatic import Step, most_popular
from shortlist.models.base import Fitted
from shortlist.models.config import Auto, Search, chosen_settings, hyper
from shortlist.models.decompositions import leading_vectors
from shortlist.models.linear import LinearModel
from shortlist.models.signals import SignalConfig, Strength, choose_signals, strengths
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores
from shortlist.scoring.sparse import csr_arrays, inverse, one_hot, row_sums, transposed

STEPS: tuple[Step, ...] = (
    ("sharpening", (0.5,)),
    ("ideal_weight", (0.3,)),
    ("popularity", (0.0, 0.15, 0.3, 0.45)),
    ("sharpening", (0.5, 0.0, 1.0)),
    ("ideal_weight", (0.3, 0.1, 1.0)),
    ("popularity", (0.0, 0.15, 0.3, 0.45)),
)
_CHOSEN_WITH = 65_536  # the most popular items; each setting scores all of them for 2,000 users


class GraphFilterConfig(SignalConfig):
    """Settings of :class:`GraphFilter`; ``"auto"`` settings are chosen on a validation fold."""

    embedding_size: int = hyper(
        256,
        "Number of singular vectors that the ideal filter keeps.",
        ge=1,
        le=2048,
        search=Search(32, 512, "log"),
    )
    ideal_weight: Annotated[float, Field(ge=0)] | Auto = hyper(
        "auto",
        "Weight of the ideal filter beside the linear one; auto: chosen on a validation fold.",
        search=Search(0.0, 1.0),
    )
    sharpening: Annotated[float, Field(ge=0, le=4)] | Auto = hyper(
        "auto",
        "Length of the sharpening step, which weakens what the whole catalogue shares, 0: none; "
        "auto: chosen on a validation fold.",
        search=Search(0.0, 1.0),
    )
    popularity: Annotated[float, Field(ge=0, le=1)] | Auto = hyper(
        "auto",
        "Exponent of an item's interactions, by which the linear scores are multiplied, larger "
        "favours popular items; auto: chosen on a validation fold.",
        search=Search(0.0, 0.6),
    )
    seed: int = hyper(0, "Seeds the singular vectors.", ge=0)


@dataclass(frozen=True)
class GraphFilterLearned:
    """The singular vectors of the normalised matrix, those of the largest values first."""

    vectors: Annotated[Floats, Array("n_items", "f")]
    settings: Annotated[Mapping[str, Any], chosen_settings(GraphFilterConfig)]


class GraphFilter(LinearModel[GraphFilterConfig, GraphFilterLearned]):
    """Low-pass graph filters: GF-CF (Shen et al., CIKM 2021) and a sharpening step of BSPM.

    With R the binary matrix (or that of the weights), d the sums of its rows and columns, and
    ``N = D_u^-1/2 R D_i^-1/2``, the graph of items is ``P = N'N``. The score of a history h is
    ``h (P - t P^2) D_i^p + w h D_i^-1/2 V V' D_i^1/2``, where V are the first singular vectors of
    N, t is ``sharpening``, p ``popularity`` and w ``ideal_weight``. The first term is the linear
    filter, the second the ideal one. GF-CF is ``sharpening=0, popularity=0``; ``P - t P^2`` is one
    Euler step of the sharpening equation of Choi et al. (SIGIR 2023). No matrix of items x items is
    built: P is applied to each history through N. Settings are chosen with the 65,536 most popular
    items.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> GraphFilter().fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    learns_quickly = True

    with_less_memory = "choose a smaller embedding_size, or keep fewer users and items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the vectors that the singular vectors are found with."""
        longer, shorter = sorted((data.n_users, data.n_items), reverse=True)
        width = min(self.config.embedding_size, shorter)
        return 4 * width * (2 * longer + 3 * shorter) + 24 * data.n_interactions

    def learn(self, data: Dataset) -> Fitted[GraphFilterLearned]:
        """Find the leading singular vectors of the normalised matrix."""
        vectors_of = cache(self._vectors)  # the vectors of the fold serve all of its filters

        def learn(fold: Dataset, settings: Mapping[str, Any]) -> GraphFilterLearned:
            return GraphFilterLearned(vectors_of(fold, settings.get("weighting")), settings)

        settings = choose_signals(self, most_popular(data, _CHOSEN_WITH), STEPS, learn)
        vectors = self._vectors(data, settings["weighting"])
        return Fitted(GraphFilterLearned(vectors, settings))

    def _vectors(self, data: Dataset, weighting: Strength | None) -> Floats:
        matrix = normalized(strengths(data, weighting))
        return leading_vectors(matrix, self.config.embedding_size, self.config.seed)

    def of_histories(self, history: csr_array) -> Scores:
        """Filter each history."""
        near_users = csr_array(history @ self._by_item)  # (B, n_users)
        scores = dense_sparse(csr_arrays(near_users), csr_arrays(self._by_user), self.data.n_items)
        if self.used.sharpening:
            scores -= np.float32(self.used.sharpening) * self._filtered(scores.T).T
        scores *= self._boost
        if self.used.ideal_weight:
            scaled = history.copy()
            scaled.data = scaled.data * self._damping[history.indices]
            spectrum = dense_profile(csr_arrays(scaled), self.learned.vectors)  # (B, f)
            scores += dense_factors(spectrum, self._ideal)
        return DenseScores(scores)

    def similar_scores(self, items: Rows) -> Scores:
        """Score for new users whose history is one of these items."""
        return self.score(Profiles.new(one_hot(items, self.data.n_items)))

    def terms(self, kind: str, history: csr_array, items: Rows) -> Iterator[Parts]:
        """Yield the contribution of each item of the history, for each of these items."""
        ends = np.zeros((self.data.n_items, len(items)), dtype=np.float32)
        ends[items, np.arange(len(items))] = 1
        walks = self._filtered(ends)  # (n_items, k)
        if self.used.sharpening:
            walks -= np.float32(self.used.sharpening) * self._filtered(walks)
        chosen = history.indices
        linear = walks[chosen].astype(np.float64) * self._boost[items]
        left = self.learned.vectors[chosen].astype(np.float64)
        ideal = (self._damping[chosen, np.newaxis] * left) @ self._ideal[:, items]
        names = self.data.items.take(chosen)
        for amounts in (linear + ideal).T:
            yield Parts(kind, names, amounts * history.data)

    @property
    def bytes_per_query(self) -> int:
        """The memory for one query: the default, and its users."""
        return super().bytes_per_query + 8 * self.data.n_items + 20 * self.data.n_users

    def _filtered(self, columns: Floats) -> Floats:
        """Multiply columns by P."""  # (n_items, B)
        columns = np.ascontiguousarray(columns)
        return dense_profile(
            csr_arrays(self._by_item), dense_profile(csr_arrays(self._by_user), columns)
        )

    @cached_property
    def _strengths(self) -> csr_array:
        return strengths(self.data, self.used.weighting)  # (n_users, n_items)

    @cached_property
    def _item_sums(self) -> NDArray[np.float64]:
        """The d of the items."""  # (n_items,)
        return row_sums(transposed(self._strengths))

    @cached_property
    def _by_user(self) -> csr_array:
        return normalized(self._strengths)  # (n_users, n_items)

    @cached_property
    def _by_item(self) -> csr_array:
        return transposed(self._by_user)  # (n_items, n_users)

    @cached_property
    def _boost(self) -> Floats:
        """``d_i^p``."""  # (n_items,)
        exponent: float = self.used.popularity
        return (self._item_sums**exponent).astype(np.float32)

    @cached_property
    def _damping(self) -> Floats:
        """``d_i^-1/2``."""  # (n_items,)
        return np.sqrt(inverse(self._item_sums)).astype(np.float32)

    @cached_property
    def _ideal(self) -> Floats:
        """``w V' D_i^1/2``, laid out for the kernels."""  # (f, n_items)
        scale = self.used.ideal_weight * np.sqrt(self._item_sums)
        return np.ascontiguousarray((self.learned.vectors * scale[:, np.newaxis]).T, np.float32)


def normalized(matrix: csr_array) -> csr_array:
    """Return ``N = D_u^-1/2 R D_i^-1/2`` of the matrix R."""  # (n_users, n_items)
    of_users, of_items = row_sums(matrix), row_sums(transposed(matrix))
    products = np.repeat(of_users, np.diff(matrix.indptr)) * of_items[matrix.indices]
    roots = np.sqrt(products)
    entries = np.divide(matrix.data, roots, out=np.zeros_like(roots), where=roots > 0)
    entries = entries.astype(np.float32)
    return csr_array((entries, matrix.indices, matrix.indptr), shape=matrix.shape)
