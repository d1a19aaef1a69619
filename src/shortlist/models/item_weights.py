"""Models with sparse weights from item to item, and the search for the largest of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar

import numpy as np
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.automatic import Step
from shortlist.models.base import Fitted
from shortlist.models.config import ModelConfig
from shortlist.models.neighborhood import first_entries, memory_of_neighbors, product_parts
from shortlist.models.signals import LinearModel, choose_signals
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.scores import Scores, SparseScores

C = TypeVar("C", bound=ModelConfig)
L = TypeVar("L")


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
