"""How a cascade learns: it chooses stages and fits the ranker on rounds of held-out choices."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.errors import ShortlistError
from shortlist.models.base import Model
from shortlist.models.cascade.choice import alone, choose_ranker, choose_stages, pool
from shortlist.models.cascade.config import CascadeConfig
from shortlist.models.cascade.examples import (
    Examples,
    HeldOut,
    Lists,
    Round,
    chunks,
    examples,
    splits,
)
from shortlist.models.cascade.features import CandidateFeatures, RankerInputs
from shortlist.models.cascade.rankers import Columns, Ranker, fit_ranker
from shortlist.models.composite import ModelSpec
from shortlist.progress import track

ENOUGH = 20_000  # held-out items among the candidates; more would change little
ENOUGH_OF_LARGE = 8_000  # the same where fitting and scoring cost more; loses up to 1% of the NDCG
LARGE = 100_000  # interactions

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
        enough = ENOUGH if self.data.n_interactions < LARGE else ENOUGH_OF_LARGE
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
    """Fit all models that can be fitted."""
    fitted: list[tuple[ModelSpec, Model[Any, Any]]] = []
    for spec in track(specs, "comparing stages", alike=False):
        with suppress(ShortlistError):  # too large for the memory, or numbers that are not finite
            fitted.append((spec, spec.make().fit(train)))
    if not fitted:
        raise ShortlistError("no stage could be fitted", remedy="name the stages")
    return [spec for spec, _ in fitted], [model for _, model in fitted]
