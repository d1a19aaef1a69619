"""What is made as good as it can be: one figure of an evaluation, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shortlist.data.dataset import Dataset
from shortlist.errors import CapabilityError, ConfigError, suggestion
from shortlist.evaluation import Report, evaluate
from shortlist.metrics.ranking import AT_K
from shortlist.models.base import Model
from shortlist.scoring.capabilities import PredictsRatings

_ERRORS = ("rmse", "mae")
_DEFAULT_K = 10  # lists are made at some length, whatever the figure asked for


@dataclass(frozen=True)
class Goal:
    """A metric, as its name says.

    Attributes
    ----------
    metric
        As reports call it.
    k
        The length of list it looks at.
    larger_is_better
        Whether it is a quality; otherwise it is an error.

    Examples
    --------
    >>> Goal.named("recall@20")
    Goal(metric='recall@20', k=20, larger_is_better=True)
    """

    metric: str
    k: int
    larger_is_better: bool

    @classmethod
    def named(cls, metric: str) -> Goal:
        """Read a metric's name: ``"ndcg@10"``, ``"mrr"``, ``"rmse"``, ...

        Raises
        ------
        ConfigError
            There is no such metric, or it does not say how good lists are.
        """
        if metric in _ERRORS:
            return cls(metric, _DEFAULT_K, larger_is_better=False)
        if metric == "mrr":
            return cls(metric, _DEFAULT_K, larger_is_better=True)
        name, _, length = metric.partition("@")
        if name not in AT_K or not length.isdecimal() or int(length) < 1:
            known = [*(f"{one}@{_DEFAULT_K}" for one in AT_K), "mrr", *_ERRORS]
            raise ConfigError(
                f"metric={metric!r} cannot be aimed at", remedy=suggestion(metric, known)
            )
        return cls(f"{name}@{int(length)}", int(length), larger_is_better=True)

    def require_for(self, model: type[Model[Any, Any]]) -> None:
        """Refuse a model that has no such figure."""
        if self.metric in _ERRORS and not issubclass(model, PredictsRatings):
            raise CapabilityError(
                f"{model.__name__} does not predict ratings, so it has no {self.metric}",
                remedy="choose a metric of lists, like ndcg@10",
            )

    def report(self, model: Model[Any, Any], train: Dataset, held: Dataset) -> Report:
        """Evaluate a model at the length of list that is asked for."""
        return evaluate(model, train, held, self.k)

    def better(self, one: float, other: float) -> bool:
        """Whether one figure is better than another."""
        return one > other if self.larger_is_better else one < other
