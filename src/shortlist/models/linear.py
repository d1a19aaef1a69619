"""Models whose scores are linear in the history, and those with sparse weights between items."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.automatic import Step
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig
from shortlist.models.neighborhood import first_entries, memory_of_neighbors, product_parts
from shortlist.models.signals import choose_signals, histories
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores, SparseScores
from shortlist.scoring.sparse import one_hot

C = TypeVar("C", bound=ModelConfig)
L = TypeVar("L")


class LinearModel(Model[C, L]):
    """The base of models whose scores are linear in the history.

    Write :meth:`of_histories` and :meth:`terms`, and ``learn`` as for every model.
    """

    @abstractmethod
    def of_histories(self, history: csr_array) -> Scores:
        """Score the whole catalogue for weighted histories (B, n_items)."""

    @abstractmethod
    def terms(self, kind: str, history: csr_array, items: Rows) -> Iterator[Parts]:
        """Yield what each item of one history adds to the score of each of these items."""

    def weighted_history(self, profiles: Profiles) -> csr_array:
        """Return the weight of each item of the histories."""  # (B, n_items)
        return histories(self, profiles)

    def score(self, profiles: Profiles) -> Scores:
        """Sum the weights from the items of each history."""
        return self.of_histories(self.weighted_history(profiles))

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the weights from each item."""
        return self.of_histories(one_hot(items, self.data.n_items))

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield what each item of the history adds, chosen and disliked ones apart."""
        history = self.weighted_history(profiles)
        kinds = [("chosen item", history.data >= 0)]
        if (history.data < 0).any():
            kinds.append(("disliked item", history.data < 0))
        of_kinds = [self.terms(kind, _entries(history, kept), items) for kind, kept in kinds]
        for parts in zip(*of_kinds, strict=True):
            yield list(parts)


class ItemWeights(LinearModel[C, L]):
    """A model with a sparse matrix of weights, ``learned.weights``, from item to item."""

    @property
    def weights(self) -> csr_array:
        """What an item of the history (row) adds to other items (columns)."""
        weights: csr_array = self.learned.weights  # type: ignore[attr-defined]
        return weights

    def of_histories(self, history: csr_array) -> Scores:
        """Sum the weights from the items of each history."""
        return SparseScores(history, self.weights)

    def terms(self, kind: str, history: csr_array, items: Rows) -> Iterator[Parts]:
        """Yield the weights from the items of the history to each of these items."""
        return product_parts(kind, history, self.weights, self.data.items, items)


class NearestItems(ItemWeights[C, L]):
    """The base of models that keep the ``neighbors`` largest weights of each item.

    Write :meth:`search` and :meth:`learned_from`, and name the steps in which settings are chosen.
    """

    steps: ClassVar[tuple[Step, ...]]
    learns_quickly = True
    dense_scores = False
    with_less_memory = "choose fewer neighbors, or keep fewer items"

    @abstractmethod
    def search(self, data: Dataset) -> Callable[[Mapping[str, Any]], csr_array]:
        """Return the search, by settings, for the neighbours of every item, best first."""

    @abstractmethod
    def learned_from(self, search: SharedSearch, settings: Mapping[str, Any]) -> L:
        """Return the weights for these settings, from the neighbours that a search returns."""

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the neighbours: of all that are tried, where they are chosen."""
        return memory_of_neighbors(data, self.settings["neighbors"], self._tried)

    def learn(self, data: Dataset) -> Fitted[L]:
        """Find the neighbours of every item, in blocks."""
        search_of = cache(self._search)  # all settings that are tried on the fold share searches

        def learn(fold: Dataset, settings: Mapping[str, Any]) -> L:
            return self.learned_from(search_of(fold), settings)

        settings = choose_signals(self, data, self.steps, learn)
        return Fitted(self.learned_from(self._search(data), settings))

    def _search(self, data: Dataset) -> SharedSearch:
        return SharedSearch(self.search(data), most=max(self._tried))

    @property
    def _tried(self) -> tuple[int, ...]:
        """The numbers of neighbours to choose from."""
        return tuple(dict(self.steps)["neighbors"])


class SharedSearch:
    """Searches for neighbours, best first, on one data set; a longer list holds the shorter ones.

    So that several numbers of ``neighbors`` share a search, the second search with the same other
    settings finds ``most``. Only the latest result is held.
    """

    def __init__(self, search: Callable[[Mapping[str, Any]], csr_array], most: int) -> None:
        self._search = search
        self._most = most
        self._others: dict[str, Any] = {}
        self._count = 0
        self._latest: csr_array | None = None

    def __call__(self, settings: Mapping[str, Any]) -> csr_array:
        """Return the first ``settings["neighbors"]`` neighbours of each row; None: all."""
        others = {name: value for name, value in settings.items() if name != "neighbors"}
        wanted, same = settings["neighbors"], others == self._others
        count = np.iinfo(np.int64).max if wanted is None else wanted
        if self._latest is None or not same or count > self._count:
            self._count = max(count, self._most) if same else count
            searched = None if wanted is None else self._count
            self._latest = self._search(dict(settings) | {"neighbors": searched})
            self._others = others
        return first_entries(self._latest, count)


def _entries(history: csr_array, kept: NDArray[np.bool_]) -> csr_array:
    """Return some entries of a single row."""
    indptr = np.array([0, np.count_nonzero(kept)])
    return csr_array((history.data[kept], history.indices[kept], indptr), shape=history.shape)
