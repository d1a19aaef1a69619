"""Ranking in a cascade: the order of the candidates, by a learned ranker or by a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shortlist import extras
from shortlist.errors import BundleError
from shortlist.kernels.threads import thread_count
from shortlist.models.base import Model
from shortlist.models.cascade.candidates import LEVEL_RANGE, Candidates, stage_mean
from shortlist.models.cascade.config import CascadeConfig
from shortlist.models.cascade.examples import Examples
from shortlist.models.cascade.features import Columns
from shortlist.models.foreign_formats import checked_trees, lowest_leaves
from shortlist.progress import track
from shortlist.scoring.capabilities import ScoresPairs
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.selection import dense

Doubles = NDArray[np.float64]

SERIAL_ROWS = 20_000  # with fewer rows, starting threads takes longer than the work
PENALTY = 1e-3  # weight of the squared blend weights, relative to the mean loss of a list


@dataclass(frozen=True)
class Ranker:
    """A learned ranker: the blend (a weighted sum of levels), plus boosted trees."""

    weights: Doubles  # (d,): the weights of the blend; 0 for columns that are not levels
    text: str  # the trees in LightGBM's text format; empty: no trees

    @cached_property
    def booster(self) -> Any:
        """The trees as a LightGBM booster; None without trees."""
        if not self.text:
            return None
        extras.require("trees", "a cascade with ranker='trees'")
        from lightgbm import Booster
        from lightgbm.basic import LightGBMError

        try:
            return Booster(model_str=checked_trees(self.text, len(self.weights)))
        except (ValueError, LightGBMError) as error:
            raise BundleError(
                f"the trees of the cascade cannot be read: {error}", remedy="fit and save it again"
            ) from error

    @cached_property
    def floor(self) -> float:
        """A lower bound of all scores: the lowest levels, and the lowest leaf of each tree."""
        low, high = LEVEL_RANGE
        lowest = sum(lowest_leaves(self.text))
        return float(np.minimum(low * self.weights, high * self.weights).sum()) + lowest

    def scores(self, rows: Floats) -> Doubles:
        """Score the candidates by their input rows."""  # (n,)
        scores: Doubles = self._terms(rows).sum(axis=1)
        if self.booster is not None and len(rows):
            scores = scores + self.booster.predict(
                rows, raw_score=True, num_threads=_threads(len(rows))
            )
        return scores

    def parts(self, rows: Floats) -> Doubles:
        """Split the scores by column; the last column is the constant of all rows.

        For trees these are SHAP values (Lundberg & Lee, NeurIPS 2017). Together with the terms of
        the blend they add up to :meth:`scores`.
        """  # (n, d + 1)
        amounts = np.zeros((len(rows), len(self.weights) + 1))
        amounts[:, :-1] = self._terms(rows)
        if self.booster is not None and len(rows):
            amounts += self.booster.predict(rows, pred_contrib=True, num_threads=1)
        return amounts

    def _terms(self, rows: Floats) -> Doubles:
        """Multiply by the weights; a column of weight 0 may hold NaN."""  # (n, d)
        if rows.shape[1] != len(self.weights):
            raise BundleError(
                f"the ranker of the cascade has {len(self.weights)} weights, and its candidates "
                f"{rows.shape[1]} columns",
                remedy="fit and save it again",
            )
        return np.where(self.weights == 0, 0.0, rows * self.weights)


def fit_ranker(examples: Examples | None, columns: Columns, trees: CascadeConfig | None) -> Ranker:
    """Fit the blend, and then trees with these settings, which start from it; None: no trees.

    Without examples all stages get the same weight, without trees.
    """
    if examples is None or not len(examples.lists):
        weights = np.zeros(columns.width)
        weights[columns.levels] = 1.0
        return Ranker(weights, "")
    blend = Ranker(fit_blend(examples, columns.levels), "")
    if trees is None:
        return blend
    blend_scores = blend.scores(examples.rows)
    return Ranker(blend.weights, fit_trees(examples, blend_scores, columns.categorical, trees))


def fit_blend(examples: Examples, levels: NDArray[np.intp]) -> Doubles:
    """Maximise the likelihood of the chosen items, with a softmax over each list.

    ``min over w >= 0 of mean over lists of -log p + c |w|^2``, where p is the sum of
    ``exp(w . row)`` over the chosen items divided by the sum over the list, and rows hold the
    columns ``levels`` only.
    """  # (d,)
    rows = examples.rows[:, levels].astype(np.float64)  # (n, S)
    starts, owner = examples.starts, examples.owners
    chosen = examples.chosen.astype(np.float64)

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        logits = (rows * weights).sum(axis=1)
        powers = np.exp(logits - np.maximum.reduceat(logits, starts)[owner])
        all_sums = np.add.reduceat(powers, starts)  # (L,)
        chosen_sums = np.add.reduceat(powers * chosen, starts)
        errors = powers / all_sums[owner] - powers * chosen / chosen_sums[owner]  # (n,)
        gradient = (rows * errors[:, np.newaxis]).sum(axis=0) / len(starts)
        value = -np.log(chosen_sums / all_sums).mean() + PENALTY * (weights**2).sum()
        return float(value), gradient + 2 * PENALTY * weights

    start = np.ones(len(levels))
    weights = np.zeros(examples.rows.shape[1])
    weights[levels] = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(levels)
    ).x
    return weights


def fit_trees(
    examples: Examples, blend_scores: Doubles, categorical: Sequence[int], trees: CascadeConfig
) -> str:
    """Boost trees for the probability that a candidate is chosen, starting from the blend.

    Each candidate counts by itself (log-loss). Objectives over pairs, such as LambdaRank, fit noise
    on data with few choices per user, and take four times as long.
    """
    from lightgbm import Dataset, train

    settings: dict[str, Any] = {
        "objective": "binary",
        "num_leaves": trees.leaves,
        "learning_rate": trees.learning_rate,
        "min_data_in_leaf": trees.least,
        "feature_fraction": 0.8,  # share of the columns that a tree may use
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": _threads(len(examples.rows)),
        "seed": trees.seed,
        "verbose": -1,
    }
    rows = Dataset(
        examples.rows,
        examples.chosen.astype(np.float32),
        init_score=_log_odds(examples, blend_scores),
        categorical_feature=list(categorical),
        params=settings,
    )
    done = track(range(trees.trees), "fitting trees")
    booster = train(settings, rows, trees.trees, callbacks=[lambda _: next(done)])
    list(done)
    return str(booster.model_to_string())


def _log_odds(examples: Examples, scores: Doubles) -> Doubles:
    """Return the log-odds of the softmax over each list."""  # (n,)
    starts, owner = examples.starts, examples.owners
    largest = np.maximum.reduceat(scores, starts)
    sums = np.add.reduceat(np.exp(scores - largest[owner]), starts)
    log_p = np.minimum(scores - (largest + np.log(sums))[owner], -1e-6)
    odds: Doubles = log_p - np.log1p(-np.exp(log_p))
    return odds


def _threads(n_rows: int) -> int:
    return 1 if n_rows < SERIAL_ROWS else thread_count()


def model_scores(model: Model[Any, Any], candidates: Candidates, profiles: Profiles) -> Doubles:
    """Score candidates by a model ranker, as it would score them alone.

    Queries that the model cannot score get the mean of the stages.
    """  # (n,)
    owners, items = candidates.owners, candidates.items
    scores = stage_mean(candidates)[owners, items].astype(np.float64)
    scorable = model.can_score(profiles)
    ranked = scorable[owners]
    if not ranked.any():
        return scores
    queries = profiles if scorable.all() else profiles.take(np.flatnonzero(scorable))
    query_of = (np.cumsum(scorable) - 1)[owners[ranked]].astype(np.int32)
    if isinstance(model, ScoresPairs):
        scores[ranked] = model.pair_scores(queries, query_of, items[ranked])
    else:
        scores[ranked] = dense(model.score(queries))[query_of, items[ranked]]
    return scores


def model_catalogue_scores(model: Model[Any, Any], profiles: Profiles) -> Floats:
    """Score all items by a model ranker; 0 for queries that it cannot score."""  # (B, n_items)
    scorable = model.can_score(profiles)
    scores = np.zeros((len(profiles), profiles.history.shape[1]), dtype=np.float32)
    if scorable.any():
        scores[scorable] = dense(model.score(profiles.take(np.flatnonzero(scorable))))
    return scores
