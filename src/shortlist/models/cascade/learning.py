"""How a cascade learns: it chooses stages and fits the ranker on rounds of held-out choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.errors import ShortlistError
from shortlist.metrics.ranking import discounted_gain
from shortlist.models.base import Model
from shortlist.models.cascade.config import CascadeConfig
from shortlist.models.cascade.examples import (
    DEPTH,
    Examples,
    HeldOut,
    Lists,
    Round,
    RowsOf,
    chunks,
    examples,
    splits,
)
from shortlist.models.cascade.features import (
    STAGE_COLUMNS,
    CandidateFeatures,
    Columns,
    RankerInputs,
)
from shortlist.models.cascade.pool import log, pool
from shortlist.models.cascade.rankers import Ranker, fit_ranker
from shortlist.models.composite import ModelSpec
from shortlist.progress import track

ENOUGH = 20_000  # held-out items among the candidates; more would change little
ENOUGH_FOR_LARGE = 8_000  # the same where fitting and scoring cost more; see docs/models/cascade.md
LARGE = 100_000  # interactions

CUTOFF = 20  # of the NDCG that choices are made by
CONTRIBUTIONS = 2_000  # candidates whose scores are split to see what each stage contributes
TOLERANCE = 0.005  # of the best value; a larger set of stages within it is preferred
STOPPING_GAP = 0.02  # a set worse than the best by this share ends the search

Doubles = NDArray[np.float64]


class Learned(NamedTuple):
    """What a cascade learned before its stages are fitted on all data."""

    stages: tuple[ModelSpec, ...]
    ranker: Ranker
    recalls: list[Doubles]
    validation: dict[str, float]  # the NDCG of stages alone and of orders, on held-out items


class Learner:
    """Learns the stages (None: chosen in the first round) and the ranker on held-out choices."""

    def __init__(self, data: Dataset, config: CascadeConfig) -> None:
        self.data, self.config, self.stages = data, config, config.stages
        self._settled: tuple[ModelSpec, ...] = ()
        self._examples: tuple[list[Examples], list[Examples]] = ([], [])  # of half the users each
        self._lists: list[Examples] = []  # of the first round, of half the users each
        self._n_measured = 0
        self._first_lists: list[Lists] = []  # of the first chunks, from choosing the stages
        self._recalls: list[Doubles] = []
        self._validation: dict[str, float] = {}

    def learn(self) -> Learned:
        """Run the rounds, then fit the ranker, or take the order of the best stage."""
        for split in splits(self.data, self.config.rounds, self.config.seed):
            inputs = RankerInputs.of(split.train)
            self._add_round(self._fitted(split, inputs), inputs)
            if self._has_enough:
                break
        stages = self.stages
        if stages is None:  # nothing can be held out
            stages = tuple(_fit_all(pool(self.data), self.data)[0])
        ranker = self._ranker(stages)
        if isinstance(ranker, int):
            position = ranker
            if self.config.stages is None:
                stages, position = (stages[ranker],), 0
            columns = Columns.of(len(stages))
            weights = np.zeros(columns.width)
            weights[columns.levels[position]] = 1.0
            ranker = Ranker(weights, "")
        return Learned(stages, ranker, self._recalls, self._validation)

    def _fitted(self, split: HeldOut, inputs: RankerInputs) -> Round:
        """Fit the stages on a split, after choosing them in the first."""
        if self.stages is not None:
            fold = split.fitted([stage.make() for stage in self._settled or self.stages])
            self._settled = tuple(map(_settled, fold.stages))  # later folds need not choose again
            return fold
        specs, models = _fit_all(pool(self.data), split.train)
        fold = split.fitted(())._replace(stages=models)
        choice = choose_stages(fold, inputs.rows, self.config)
        for name, value in zip(stage_names(specs), choice.alone, strict=True):
            self._validation[alone(name)] = float(value)
        chosen = [models[position] for position in choice.chosen]
        self._first_lists = choice.lists
        self.stages = tuple(map(_settled, chosen))
        return fold._replace(stages=chosen)

    def _add_round(self, fold: Round, inputs: RankerInputs) -> None:
        """Collect examples and recalls; in the first round also the lists to choose by."""
        features = self._features(fold.train)
        rows_of = replace(inputs, features=features).rows
        hits, n_users = np.zeros(len(fold.stages) + 1), 0
        must_choose = not self._recalls and len(self._options(len(fold.stages), features)) > 1
        for half, users in chunks(fold.users, self.config.seed):
            is_measured = must_choose and len(self._lists) < 2
            if self._first_lists and features is None:
                lists = self._first_lists.pop(0)
            else:
                part = fold._replace(users=users)
                lists = examples(part, rows_of, self.config, top=is_measured)
            self._examples[half].append(lists.sampled)
            if is_measured:
                self._lists.append(lists.top)
                self._n_measured += len(users)
            hits += lists.hits
            n_users += len(users)
            if half == 1 and self._has_enough:
                break
        self._recalls.append(hits / n_users)

    @property
    def _has_enough(self) -> bool:
        """Whether further examples would change little."""
        enough = ENOUGH if self.data.n_interactions < LARGE else ENOUGH_FOR_LARGE
        return sum(len(part.lists) for half in self._examples for part in half) >= enough

    def _ranker(self, stages: tuple[ModelSpec, ...]) -> Ranker | int:
        """Fit the best ranker, or return the position of the stage that is better."""
        options = self._options(len(stages), self._features(self.data))
        parts = [Examples.concatenated(half) for half in self._examples if half]
        if len(self._lists) == 2 and all(len(part.lists) for part in (*parts, *self._lists)):
            names = stage_names(stages) if self.config.ranker == "auto" else []
            choice = choose_ranker(parts, self._lists, self._n_measured, names, options)
            self._validation |= choice.values
            if choice.name not in options:
                return [alone(name) for name in names].index(choice.name)
            options = {choice.name: options[choice.name]}
        columns, trees = next(iter(options.values()))
        if not parts:
            return fit_ranker(None, columns, trees)
        joined = Examples.concatenated(parts)
        return fit_ranker(joined._replace(rows=joined.rows[:, : columns.width]), columns, trees)

    def _features(self, data: Dataset) -> CandidateFeatures | None:
        """Return the features of a data set if trees may use them."""
        if not self.config.features or self.config.ranker == "linear":
            return None
        features = CandidateFeatures(data, self.config.seed)
        return features if features.names or self.config.features is True else None

    def _options(
        self, n_stages: int, features: CandidateFeatures | None
    ) -> dict[str, tuple[Columns, CascadeConfig | None]]:
        """Return the orders to choose from, the simplest first."""
        config, columns = self.config, Columns.of(n_stages)
        options: dict[str, tuple[Columns, CascadeConfig | None]] = {}
        if config.ranker in ("auto", "linear"):
            options["linear"] = columns, None
        if config.ranker in ("auto", "trees") and (config.features is not True or not features):
            options["trees"] = columns, config
        if features:
            options["trees with features"] = Columns.of(n_stages, features), config
        return options


def stage_names(stages: Sequence[ModelSpec]) -> list[str]:
    """Return the names of stages, numbered where a name repeats."""
    names = [stage.model for stage in stages]
    return [
        f"{name} {names[: position + 1].count(name)}" if names.count(name) > 1 else name
        for position, name in enumerate(names)
    ]


def _settled(model: Model[Any, Any]) -> ModelSpec:
    """Return the model with the settings that it chose, so that it does not choose them again."""
    return ModelSpec(model=model.name, config=model.settings | model.chosen)


def _fit_all(
    specs: Sequence[ModelSpec], train: Dataset
) -> tuple[list[ModelSpec], list[Model[Any, Any]]]:
    """Fit all models that can be fitted; log the others."""
    fitted: list[tuple[ModelSpec, Model[Any, Any]]] = []
    for spec in track(specs, "comparing stages", alike=False):
        try:
            fitted.append((spec, spec.make().fit(train)))
        except ShortlistError as error:  # too large for the memory, or numbers that are not finite
            log.warning("%s is left out of the stages to choose from: %s", spec.model, error.what)
    if not fitted:
        raise ShortlistError("no stage could be fitted", remedy="name the stages")
    return [spec for spec, _ in fitted], [model for _, model in fitted]


# --- choices by validation ------------------------------------------------------------------------


class StageChoice(NamedTuple):
    """The chosen stages, and how every candidate does alone."""

    chosen: list[int]  # positions in the pool, ascending
    alone: Doubles  # (S,): the NDCG of each stage of the pool on held-out items
    # Those of the chosen stages, of the first chunk of each half of the users.
    lists: list[Lists]


def choose_stages(fold: Round, rows_of: RowsOf, config: CascadeConfig) -> StageChoice:
    """Choose stages by the NDCG of their ranker on held-out items.

    Starting from all, the stages that contribute least to the scores leave, until one is left. The
    ranker is fitted on one half of the users and measured on the other. Of the sets on the way and
    the best single stage the largest within half a percent of the best is chosen: measured on half
    of the examples, large sets look slightly worse than they are with all.
    """
    subset = list(range(len(fold.stages)))
    parts = list(islice(chunks(fold.users, config.seed), 2))
    lists = [examples(fold._replace(users=users), rows_of, config, top=True) for _, users in parts]
    if len(lists) < 2 or not all(len(part.top.lists) for part in lists):
        return StageChoice(subset, np.zeros(len(subset)), lists)
    n_users = sum(len(users) for _, users in parts)
    alone = _alone(lists, n_users, config)
    tried: list[tuple[float, list[int]]] = [(float(alone.max()), [int(alone.argmax())])]
    while len(subset) > 1:
        total, amounts = _together(lists, subset, config)
        tried.append((total / n_users, subset))
        if total / n_users < (1 - STOPPING_GAP) * max(value for value, _ in tried[1:]):
            break
        weakest = np.lexsort((alone[subset], amounts))[: max(1, len(subset) // 5)]
        subset = [stage for position, stage in enumerate(subset) if position not in weakest]
    threshold = max(together for together, _ in tried) * (1 - TOLERANCE)
    chosen = max((stages for value, stages in tried if value >= threshold), key=len)
    kept = [only_stages(part, chosen, config.candidates) for part in lists]
    return StageChoice(chosen, alone, kept)


def _alone(lists: Sequence[Lists], n_users: int, config: CascadeConfig) -> Doubles:
    """Return the NDCG of each stage's own order."""  # (S,)
    columns, depth = _columns(lists[0]), min(DEPTH, config.candidates)
    means = np.zeros(columns.n_stages)
    for part in lists:
        rows = part.top.rows
        for stage, (level, rank) in enumerate(zip(columns.levels, columns.ranks, strict=True)):
            scores = np.where(rows[:, rank] > depth, -np.inf, rows[:, level])
            means[stage] += gains(part.top, scores).sum() / n_users
    return means


def _together(
    lists: Sequence[Lists], subset: list[int], config: CascadeConfig
) -> tuple[float, Doubles]:
    """Return the sum of the gains of a set of stages, and how much each of them contributes."""
    columns, depth = _columns(lists[0]), min(DEPTH, config.candidates)
    own, ranks = columns.of_stages(subset), columns.ranks[subset]
    trees = None if config.ranker == "linear" else _quicker(config)
    total, amounts = 0.0, np.zeros(len(subset))
    for fitted, measured in ((0, 1), (1, 0)):
        fit_on, top = lists[fitted].sampled, lists[measured].top
        part = fit_on._replace(rows=fit_on.rows[:, own])
        ranker = fit_ranker(part, Columns.of(len(subset)), trees)
        rows = top.rows[:, own]
        outside = (top.rows[:, ranks] > depth).all(axis=1)
        total += gains(top, np.where(outside, -np.inf, ranker.scores(rows))).sum()
        some = ranker.parts(rows[:: max(1, len(rows) // CONTRIBUTIONS)])
        width = len(STAGE_COLUMNS)
        by_stage = some[:, : width * len(subset)].reshape(len(some), len(subset), width)
        amounts += by_stage.sum(axis=2).std(axis=0)
    return total, amounts


def _columns(lists: Lists) -> Columns:
    return Columns.of(len(lists.hits) - 1)


def _quicker(config: CascadeConfig) -> CascadeConfig:
    """Return settings of half as many trees that learn twice as fast, to compare stages by."""
    rate = min(1.0, 2 * config.learning_rate)
    return config.model_copy(update={"trees": -(-config.trees // 2), "learning_rate": rate})


def only_stages(lists: Lists, stages: Sequence[int], count: int) -> Lists:
    """Return the lists of some stages, of the best ``count`` items of each."""
    columns, ranks = _columns(lists).of_stages(stages), Columns.of(len(stages)).ranks

    def part(examples: Examples, depth: int) -> Examples:
        rows = examples.rows[:, columns]
        return examples.only(np.asarray((rows[:, ranks] <= depth).any(axis=1)), rows)

    sampled = part(lists.sampled, count)
    hits = np.append(lists.hits[stages], len(sampled.lists))
    return Lists(sampled, part(lists.top, min(DEPTH, count)), hits)


class RankerChoice(NamedTuple):
    """The chosen order of the candidates, and how every order did."""

    name: str  # ``"linear"``, ``"trees"``, ``"trees with features"``, or :func:`alone` of a stage
    values: dict[str, float]  # the NDCG of each order on held-out items


def choose_ranker(
    examples: Sequence[Examples],
    lists: Sequence[Examples],
    n_users: int,
    stages: Sequence[str],
    options: Mapping[str, tuple[Columns, CascadeConfig | None]],
) -> RankerChoice:
    """Choose an order by its NDCG on held-out items of users that it was not fitted on.

    ``examples`` to fit on and ``lists`` to measure on are those of each half of the ``n_users``.
    The own orders of ``stages`` may be chosen, and the learned ones in ``options``, which has the
    columns and trees of each, the simplest first.
    """
    columns = next(iter(options.values()))[0]
    names = [alone(stage) for stage in stages]
    scores: list[dict[str, Doubles]] = []
    for fitted, measured in ((0, 1), (1, 0)):
        rows = lists[measured].rows
        scores_of = {
            name: rows[:, level].astype(np.float64)
            for name, level in zip(names, columns.levels, strict=False)
        }
        for name, (used, trees) in options.items():
            part = examples[fitted]
            part = part._replace(rows=part.rows[:, : used.width])
            scores_of[name] = fit_ranker(part, used, trees).scores(rows[:, : used.width])
        scores.append({name: gains(lists[measured], each) for name, each in scores_of.items()})
    values = {name: float(sum(half[name].sum() for half in scores)) / n_users for name in scores[0]}
    return RankerChoice(max(values, key=lambda name: values[name]), values)


def alone(stage: str) -> str:
    """Return the name of the order of a single stage."""
    return f"{stage} alone"


def gains(lists: Examples, scores: Doubles) -> Doubles:
    """Return the discounted gain of the chosen item of each list; ties have mid-ranks."""  # (L,)
    if not len(lists.lists):
        return np.zeros(0)
    starts = lists.starts
    own = np.maximum.reduceat(np.where(lists.chosen, scores, -np.inf), starts)[lists.owners]
    ranks = np.add.reduceat((scores > own) + 0.5 * (scores == own), starts) + 0.5
    return discounted_gain(ranks, CUTOFF)
