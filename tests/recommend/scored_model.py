"""A model whose scores a test can compute in its head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig, hyper
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, FactorScores, ItemFactors, Scores, SparseScores


class ScoredConfig(ModelConfig):
    """Settings of :class:`Scored`."""

    shape: Literal["dense", "sparse", "factors"] = hyper("dense", "In what shape scores come.")


@dataclass(frozen=True)
class ScoredLearned:
    affinity: NDArray[np.float32]  # (n_items, n_items)


class Scored(Model[ScoredConfig, ScoredLearned]):
    """score = sum of the weights of the history, times the affinity of its items."""

    affinity: NDArray[Any]

    def learn(self, data: Dataset) -> Fitted[ScoredLearned]:
        return Fitted(ScoredLearned(np.array(self.affinity, dtype=np.float32)))

    def score(self, profiles: Profiles) -> Scores:
        affinity = self.learned.affinity
        match self.config.shape:
            case "dense":
                return DenseScores(profiles.history.toarray() @ affinity)
            case "sparse":
                return SparseScores(profiles.history, csr_array(affinity))
            case "factors":
                return FactorScores(profiles.history.toarray(), ItemFactors(affinity))

    def similar_scores(self, items: Rows) -> Scores:
        return DenseScores(self.learned.affinity[items])


class Listener(Scored):
    """Keeps what it is told about the people it scores."""

    needs_history = False
    uses_features = True
    uses_order = True
    heard: Profiles

    def score(self, profiles: Profiles) -> Scores:
        self.heard = profiles
        return super().score(profiles)

    @property
    def features(self) -> list[dict[str, Any]]:
        assert isinstance(self.heard.features, pa.Table)
        rows: list[dict[str, Any]] = self.heard.features.to_pylist()
        return rows

    @property
    def places(self) -> NDArray[Any]:
        assert self.heard.recency is not None
        return self.heard.recency.toarray()


def scored(
    data: Dataset, affinity: Any, *, shape: str = "dense", kind: type[Scored] = Scored
) -> Any:
    """A fitted model with this affinity."""
    model = kind(shape=shape)
    model.affinity = np.asarray(affinity)
    return model.fit(data)
