"""A model of vectors behind an index: a list without comparing a query with every item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import CapabilityError
from shortlist.models.base import Fitted, Model
from shortlist.models.cascade.candidates import known_users
from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.models.indexed_search import Items, built, items_of, nearest, restored, search
from shortlist.models.spec import ModelSpec
from shortlist.scoring.capabilities import ComparesItems, Explains, Parts, cannot
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Scores
from shortlist.scoring.selection import Best, Eligible, top_k

SAMPLED = 500  # users whose exact lists the graph is measured against
MEASURED = 10  # the length of these lists
FIRST = np.zeros(1, dtype=np.int32)  # any query shows the items


class IndexedConfig(ModelConfig):
    """Settings of :class:`Indexed`."""

    model: ModelSpec = hyper(
        ModelSpec(model="IALS"), "The model whose vectors are searched: not fitted, or a name."
    )
    connectivity: int = hyper(
        16, "Neighbours that an item keeps in the graph.", ge=2, le=256, search=Search(8, 64, "log")
    )
    expansion_add: int = hyper(
        128, "Candidates looked at when an item is put into the graph.", ge=1
    )
    expansion_search: int = hyper(
        128,
        "Candidates looked at when the graph is searched: more find more, and take longer.",
        ge=1,
        search=Search(32, 1024, "log"),
    )


@dataclass(frozen=True)
class IndexedLearned:
    """The fitted model, and the graph over its items."""

    model: Model[Any, Any]
    graph: NDArray[np.uint8]  # as usearch writes it
    expansion_search: int

    @cached_property
    def items(self) -> Items:
        """The items, one a row."""
        return items_of(_factors(self.model, known_users(self.model.data, FIRST, [self.model])))

    @cached_property
    def index(self) -> Any:
        """The graph, ready to be searched."""
        extras.require("index", "searching an index")
        return restored(self.graph, self.model.data.n_items, self.expansion_search)


class Indexed(Model[IndexedConfig, IndexedLearned]):
    """Search the vectors of a model in an HNSW graph (Malkov & Yashunin 2018, by usearch).

    Scores are inner products ``(q, 1) . (x, b)``, and so is what the edges of the graph go by
    (Morozov & Babenko, NeurIPS 2018). What the graph proposes is scored exactly and ordered, so an
    index may miss an item, but never gives one a wrong score. Exact search is what every other
    model does; ``benchmarks/index.py`` shows from how many items on this one pays.

    A list holds exactly k items wherever so many are eligible. For each query, what is not eligible
    is counted first: the graph is asked for as many as k eligible ones should lie among, then for
    twice as many, and so on. Where that comes to more than one item in 2,000 of the catalogue, the
    query is answered exactly: that is faster then, and misses nothing. So with fewer than some ten
    thousand items every list is exact. ``score`` always is.

    The graph is built by one thread in the order of the items, so the same data gives the same
    graph; it is searched by all threads. ``history`` holds the share of the exact 10 best that it
    finds, measured on up to 500 users.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from shortlist.models.ials import IALS
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Indexed(model=IALS(embedding_size=4)).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    extra = "index"

    @property
    def needs_history(self) -> bool:  # type: ignore[override]
        """As the model's."""
        return self._inner.needs_history

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """As the model's."""
        return self._inner.uses_features

    @property
    def uses_order(self) -> bool:  # type: ignore[override]
        """As the model's."""
        return self._inner.uses_order

    @property
    def needs_item_features(self) -> bool:  # type: ignore[override]
        """As the model's."""
        return self._inner.needs_item_features

    @property
    def bytes_per_query(self) -> int:
        """As the model's."""
        return self._inner.bytes_per_query

    def learn(self, data: Dataset) -> Fitted[IndexedLearned]:
        """Fit the model, build the graph over its items, and measure it."""
        config = self.config
        model = config.model.make().fit(data)
        active = np.flatnonzero(data.user_counts).astype(np.int32)
        drawn = np.random.default_rng(0).permutation(active)[:SAMPLED]
        scores = _factors(model, known_users(data, np.sort(drawn), [model]))
        graph = built(items_of(scores), config.connectivity, config.expansion_add)
        learned = IndexedLearned(model, graph, config.expansion_search)
        recall = _recall(learned, scores, data)
        return Fitted(learned, pa.table({"epoch": [1], f"recall@{MEASURED}": [recall]}))

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """As the model does."""
        return self.learned.model.can_score(profiles)

    def score(self, profiles: Profiles) -> Scores:
        """Score exactly, as the model does."""
        return self.learned.model.score(profiles)

    def best(self, profiles: Profiles, eligible: Eligible, k: int) -> Best:
        """Search the graph; answer exactly where too few of what it finds are eligible."""
        learned = self.learned
        scores = _factors(learned.model, profiles)
        return search(learned.index, learned.items, scores, eligible, k)

    def similar_scores(self, items: Rows) -> Scores:
        """Compare items as the model does, exactly."""
        model = self.learned.model
        if not isinstance(model, ComparesItems):
            raise cannot(model, ComparesItems)
        return model.similar_scores(items)

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Take a score apart as the model does."""
        model = self.learned.model
        if not isinstance(model, Explains):
            raise cannot(model, Explains)
        return model.parts(profiles, item)

    @property
    def _inner(self) -> Model[Any, Any]:
        return self.config.model.make() if self._learned is None else self._learned.model


def _factors(model: Model[Any, Any], profiles: Profiles) -> FactorScores:
    scores = model.score(profiles)
    if not isinstance(scores, FactorScores):
        raise CapabilityError(
            f"{model.name} does not score by vectors: there is nothing to index",
            where="Indexed(model=...)",
            remedy="choose IALS, MatrixFactorization or Retrieval, or use the model as it is",
        )
    return scores


def _recall(learned: IndexedLearned, scores: FactorScores, data: Dataset) -> float:
    """Measure which share of the exact best the graph finds."""
    k, count = min(MEASURED, data.n_items), len(scores.queries)
    exact = top_k(scores, Eligible.everything(count, data.popularity_order), k).rows
    index = restored(learned.graph, data.n_items, learned.expansion_search)
    found = nearest(index, scores.queries, k)
    return float(
        np.mean([np.isin(one, other).mean() for one, other in zip(exact, found, strict=True)])
    )
