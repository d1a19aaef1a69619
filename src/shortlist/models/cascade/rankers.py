"""The second half of a cascade: the order of candidates, learned from what became of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shortlist import extras
from shortlist.errors import BundleError
from shortlist.kernels.threads import thread_count
from shortlist.models.cascade.candidates import LEVELS
from shortlist.models.cascade.columns import OF_A_STAGE
from shortlist.models.cascade.examples import Examples
from shortlist.scoring.scores import Floats

if TYPE_CHECKING:
    from shortlist.models.cascade.config import CascadeConfig

Doubles = NDArray[np.float64]

FEW = 20_000  # rows that one thread is done with before several have agreed who does what
PENALTY = 1e-3  # of the squared weights of the blend, beside the mean loss of a list


@dataclass(frozen=True)
class Ranker:
    """A weighted sum of levels, and boosted trees upon it.

    Attributes
    ----------
    weights
        What each column weighs in the blend; 0 for all that are not levels.  # (d,)
    text
        The trees, as LightGBM writes them; empty: none.
    """

    weights: Doubles
    text: str

    @cached_property
    def booster(self) -> Any:
        """The trees, ready to be asked; None where there are none."""
        if not self.text:
            return None
        extras.require("trees", "a cascade with ranker='trees'")
        from lightgbm import Booster
        from lightgbm.basic import LightGBMError

        try:
            return Booster(model_str=self.text)
        except LightGBMError as error:
            raise BundleError(
                f"the trees of the cascade cannot be read: {error}", remedy="fit and save it again"
            ) from error

    @cached_property
    def floor(self) -> float:
        """A number that no candidate falls below: the least levels, and the least leaves."""
        low, high = LEVELS
        leaves = (line for line in self.text.splitlines() if line.startswith("leaf_value="))
        least = sum(min(map(float, line.partition("=")[2].split())) for line in leaves)
        return float(np.minimum(low * self.weights, high * self.weights).sum()) + least

    def scores(self, rows: Floats) -> Doubles:
        """Give the number that orders each row."""  # (n,)
        numbers: Doubles = self._terms(rows).sum(axis=1)
        if self.booster is not None and len(rows):
            numbers = numbers + self.booster.predict(
                rows, raw_score=True, num_threads=_threads(len(rows))
            )
        return numbers

    def parts(self, rows: Floats) -> Doubles:
        """Take the numbers apart by columns; the last is what every row starts from.

        Of the trees, the SHAP values (Lundberg & Lee, NeurIPS 2017): with the blend's terms they
        add up to :meth:`scores`.
        """  # (n, d + 1)
        amounts = np.zeros((len(rows), len(self.weights) + 1))
        amounts[:, :-1] = self._terms(rows)
        if self.booster is not None and len(rows):
            amounts += self.booster.predict(rows, pred_contrib=True, num_threads=1)
        return amounts

    def _terms(self, rows: Floats) -> Doubles:
        """Weigh the columns; one that does not count may hold what is missing, NaN."""  # (n, d)
        return np.where(self.weights == 0, 0.0, rows * self.weights)


def fitted_ranker(
    examples: Examples | None,
    n_stages: int,
    width: int,
    categorical: list[int],
    config: CascadeConfig,
) -> Ranker:
    """Learn to put what was chosen first.

    Without examples, all stages weigh the same and there are no trees. There are ``width``
    columns, of which ``categorical`` hold categories.
    """
    levels = np.arange(n_stages) * len(OF_A_STAGE) + OF_A_STAGE.index("level")
    if examples is None or not len(examples.lists):
        weights = np.zeros(width)
        weights[levels] = 1.0
        return Ranker(weights, "")
    blend = Ranker(fit_blend(examples, levels), "")
    if config.ranker == "linear":
        return blend
    blended = blend.scores(examples.rows)
    return Ranker(blend.weights, fit_trees(examples, blended, categorical, config))


def fit_blend(examples: Examples, levels: NDArray[np.intp]) -> Doubles:
    """Maximise the likelihood of what was chosen from each list, a softmax over the list.

    ``min over w >= 0 of mean over lists of -log p + c |w|^2``, with p the sum of ``exp(w . row)``
    over what was chosen, divided by that over the list, and the rows cut down to their levels.
    """  # (d,)
    rows = examples.rows[:, levels].astype(np.float64)  # (n, S)
    starts = np.cumsum(examples.lists) - examples.lists
    owner = np.repeat(np.arange(len(starts)), examples.lists)
    chosen = examples.chosen.astype(np.float64)

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        numbers = (rows * weights).sum(axis=1)
        powers = np.exp(numbers - np.maximum.reduceat(numbers, starts)[owner])
        everything = np.add.reduceat(powers, starts)  # (L,)
        right = np.add.reduceat(powers * chosen, starts)
        slack = powers / everything[owner] - powers * chosen / right[owner]  # (n,)
        gradient = (rows * slack[:, np.newaxis]).sum(axis=0) / len(starts)
        value = -np.log(right / everything).mean() + PENALTY * (weights**2).sum()
        return float(value), gradient + 2 * PENALTY * weights

    start = np.ones(len(levels))
    weights = np.zeros(examples.rows.shape[1])
    weights[levels] = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(levels)
    ).x
    return weights


def fit_trees(
    examples: Examples, blended: Doubles, categorical: list[int], config: CascadeConfig
) -> str:
    """Boost trees by the gradients of LambdaRank (Burges 2010), from the blend on."""
    from lightgbm import Dataset, train

    settings: dict[str, Any] = {
        "objective": "lambdarank",
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.least,
        "feature_fraction": 0.8,  # of the columns a tree sees
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": _threads(len(examples.rows)),
        "seed": config.seed,
        "verbose": -1,
    }
    rows = Dataset(
        examples.rows,
        examples.chosen.astype(np.float32),
        group=examples.lists,
        init_score=blended,
        categorical_feature=categorical,
        params=settings,
    )
    return str(train(settings, rows, config.trees).model_to_string())


def _threads(n_rows: int) -> int:
    return 1 if n_rows < FEW else thread_count()
