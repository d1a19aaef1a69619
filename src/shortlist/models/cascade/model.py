"""Several models find candidates, and a ranker that learned from their mistakes orders them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.models.base import Fitted, Model
from shortlist.models.cascade.candidates import Candidates, blend, known_users, retrieve, unseen
from shortlist.models.cascade.columns import column_names, columns_of
from shortlist.models.cascade.config import CascadeConfig
from shortlist.models.cascade.examples import Examples, examples, joined, labels, rounds, told
from shortlist.models.cascade.features import Features
from shortlist.models.cascade.handover import Counting, Handover, asked_users
from shortlist.models.cascade.judge import judged, judged_alone
from shortlist.models.cascade.rankers import Ranker, fitted_ranker
from shortlist.models.spec import ModelSpec
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores
from shortlist.scoring.selection import Best, Eligible, top_k


@dataclass(frozen=True)
class CascadeLearned:
    """The fitted stages, and the ranker: learned weights and trees, or a fitted model."""

    stages: tuple[Model[Any, Any], ...]
    weights: NDArray[np.float64]  # (d,), of the linear blend
    trees: NDArray[np.uint8]  # LightGBM's text, empty without trees
    judge: Model[Any, Any] | None  # a model as the ranker

    @cached_property
    def ranker(self) -> Ranker:
        """The blend and the trees, ready to be asked."""
        return Ranker(self.weights, self.trees.tobytes().decode())


class Cascade(Model[CascadeConfig, CascadeLearned]):
    """Candidates from several models, ordered by what the models say of them together.

    Each stage returns its best ``candidates`` eligible items; their union is re-ranked by
    ``blend + trees``: a weighted sum of the stages' scores, each stretched between the first and
    the last of its own list, and boosted trees that see every stage's score and place, how often
    the item was chosen, how long the history is and, with ``features``, what is known of both. Both
    learn from ``rounds`` rounds in which a random choice of every user is held out, the stages are
    fitted on the rest, and what they return is compared with what was held out; then the stages are
    fitted on everything. Where nothing can be held out (every user has one choice), all stages
    weigh the same.

    With a model as the ranker, such as ``ranker=Ranking()``, candidates come in the order of its
    scores, where it knows somebody; it is fitted on all the data, and nothing is held out. Of whom
    no stage knows anything, it orders the whole catalogue.

    The score of a candidate is the ranker's, and depends on the query and the item alone. All
    items that are not candidates follow below them, by the mean of the stages, so that a list is
    as long as it was asked to be. ``score`` takes the candidates among what the user has not
    chosen, as a list without rules does.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Cascade(stages=["UserCosine", "ItemCosine"], ranker="linear")
    >>> model.fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._prepared: Features | None = None

    @property
    def extra(self) -> str | None:  # type: ignore[override]
        """Trees need LightGBM; models need what they need."""
        return "trees" if self.config.ranker == "trees" else None

    @property
    def needs_history(self) -> bool:  # type: ignore[override]
        """Whether no stage knows anything of somebody without a history."""
        return all(stage.needs_history for stage in self._stages)

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether they can stand in for a history, in a stage."""
        return any(model.uses_features for model in self._models)

    @property
    def uses_order(self) -> bool:  # type: ignore[override]
        """Whether it matters to a stage what was chosen last."""
        return any(model.uses_order for model in self._models)

    @property
    def needs_item_features(self) -> bool:  # type: ignore[override]
        """Whether a stage needs them."""
        return any(model.needs_item_features for model in self._models)

    @property
    def bytes_per_query(self) -> int:
        """Add what each stage needs, and its scores."""
        own = 4 * self.data.n_items * (len(self._stages) + 4)
        return own + max(model.bytes_per_query for model in self._models)

    def learn(self, data: Dataset) -> Fitted[CascadeLearned]:
        """Train the ranker on what is held out; then fit the stages on everything."""
        ranker, judge = Ranker(np.zeros(0), ""), None
        shares: list[NDArray[np.float64]] = []
        if isinstance(self.config.ranker, ModelSpec):
            judge = self.config.ranker.make().fit(data)
        else:
            ranker, shares = self._trained(data)
        stages = tuple(stage.fit(data) for stage in self._made())
        text = np.frombuffer(ranker.text.encode(), dtype=np.uint8)
        learned = CascadeLearned(stages, ranker.weights, text, judge)
        return Fitted(learned, told(self._names, shares))

    def _trained(self, data: Dataset) -> tuple[Ranker, list[NDArray[np.float64]]]:
        """Train the ranker on rounds of held-out items; return it and what each stage found."""
        config = self.config
        lists: list[Examples] = []
        shares: list[NDArray[np.float64]] = []
        for held in rounds(self._made, data, config.rounds, config.seed):
            columns = partial(columns_of, features=self._features(held.train))
            found, share = examples(held, columns, config.candidates, config.negatives, config.seed)
            lists.append(found)
            shares.append(share)
        features = self._features(data)
        width = len(column_names(self._names))
        categorical = [] if features is None else [width + one for one in features.categorical]
        width += 0 if features is None else len(features.names)
        some = joined(lists) if lists else None
        return fitted_ranker(some, len(config.stages), width, categorical, config), shares

    def handover(self, test: Dataset) -> Handover:
        """Measure what each stage finds of held-out choices, and what re-ranking gains on it.

        Parameters
        ----------
        test
            The other side of the split whose training side the cascade was fitted on. Users
            without training interactions are left out.

        Raises
        ------
        InputError
            The test data has other ids, or holds what the cascade was fitted on, or nobody in it
            is known.
        """
        data = self.data
        users = asked_users(data, test)
        counting = Counting(self._names, self.config.candidates)
        order = data.popularity_order
        blocks = engine.current().map_rows(list, len(users), self.bytes_per_query, "hand-over")
        for block in blocks:
            some = users[block]
            profiles = known_users(data, some, self._models)
            candidates = self._candidates(profiles, unseen(profiles, order))
            numbers = self._numbers(candidates, profiles)
            held = labels(candidates, some, test)
            counting.add(candidates, held, test.user_counts[some], numbers)
        return counting.result(self.config.seed)

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Say of whom any stage, or a model as the ranker, knows something."""
        known = np.stack([model.can_score(profiles) for model in self._models])
        return np.asarray(known.any(axis=0))

    def score(self, profiles: Profiles) -> Scores:
        """Rank what has not been chosen, and what has been beside it."""
        return DenseScores(self._block(profiles, None))

    def best(self, profiles: Profiles, eligible: Eligible, k: int) -> Best:
        """Give the best items of each query, candidates chosen among the eligible ones."""
        return top_k(DenseScores(self._block(profiles, eligible)), eligible, k)

    def _block(self, profiles: Profiles, eligible: Eligible | None) -> Floats:
        """Give the scores of all items: re-ranked candidates above, the others below."""
        candidates = self._candidates(profiles, eligible)
        block = blend(candidates)
        block += np.float32(self._floor - 2)  # the blend lies between -1 and 1
        block[candidates.owners, candidates.items] = self._numbers(candidates, profiles)
        alone = ~candidates.known.any(axis=0)
        if self.learned.judge is not None and alone.any():
            some = np.flatnonzero(alone)
            block[some] = judged_alone(self.learned.judge, profiles.take(some))
        return block

    def _numbers(self, candidates: Candidates, profiles: Profiles) -> NDArray[np.float64]:
        """Give what orders the candidates."""  # (n,)
        judge = self.learned.judge
        if judge is not None:
            return judged(judge, candidates, profiles)
        return self.learned.ranker.scores(self._rows(candidates, profiles))

    @property
    def _floor(self) -> float:
        """A number that no candidate falls below."""
        return -1.0 if self.learned.judge is not None else self.learned.ranker.floor

    def _candidates(self, profiles: Profiles, eligible: Eligible | None) -> Candidates:
        order = self.data.popularity_order
        stages = self.learned.stages
        return retrieve(stages, profiles, eligible, self.config.candidates, order)

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what each column adds to the score; of what was not re-ranked, what each stage adds.

        The amounts of trees are SHAP values.
        """
        candidates = self._candidates(profiles, None)
        ranker, judge = self.learned.ranker, self.learned.judge
        place = np.flatnonzero(candidates.items == item)
        if len(place) and judge is not None:
            number = self._numbers(candidates, profiles)[place]
            return [Parts("ranker", pa.array([judge.name]), number)]
        if len(place):
            row = self._rows(candidates, profiles)[place]
            amounts = ranker.parts(row)[0]
            kinds, labelled = zip(*self._columns, strict=True)
            return [
                Parts(kind, pa.array(np.array(labelled)[kept]), amounts[kept])
                for kind in dict.fromkeys(kinds)
                if (kept := (np.array(kinds) == kind) & (amounts != 0)).any()
            ]
        behind = blend(candidates)[0, item]
        return [
            Parts("not a candidate", pa.array(["below all of them"]), np.array([self._floor - 2])),
            Parts("stage", pa.array(["mean of the stages"]), np.array([behind], dtype=np.float64)),
        ]

    def _rows(self, candidates: Candidates, profiles: Profiles) -> Floats:
        """Write out what the ranker sees of each candidate."""  # (n, d)
        return columns_of(candidates, profiles, self.data, self._known)

    def _features(self, data: Dataset) -> Features | None:
        """Give the features of a data set, if the ranker is to see them."""
        if self.config.features and self.config.ranker == "trees":
            return Features(data, self.config.seed)
        return None

    @property
    def _known(self) -> Features | None:
        """The features of the data, prepared once."""
        if self._prepared is None or self._prepared.data is not self.data:
            self._prepared = self._features(self.data)
        return self._prepared

    @property
    def _columns(self) -> list[tuple[str, str]]:
        """The kind and the name of each of a ranker's parts."""  # (d + 1,)
        known = [] if self._known is None else self._known.names
        return [
            *(("stage", name) for name in column_names(self._names)),
            *(("feature", name) for name in known),
            ("every candidate", "where the trees start"),
        ]

    @property
    def _names(self) -> list[str]:
        """What to call the stages: their names, numbered where one comes again."""
        names = [stage.model for stage in self.config.stages]
        return [
            f"{name} {names[: place + 1].count(name)}" if names.count(name) > 1 else name
            for place, name in enumerate(names)
        ]

    @property
    def _stages(self) -> tuple[Model[Any, Any], ...]:
        """The fitted stages, or those to fit."""
        return self._made() if self._learned is None else self._learned.stages

    @property
    def _models(self) -> tuple[Model[Any, Any], ...]:
        """The stages, and the ranker if it is a model."""
        spec = self.config.ranker
        if not isinstance(spec, ModelSpec):
            return self._stages
        judge = None if self._learned is None else self._learned.judge
        return (*self._stages, spec.make() if judge is None else judge)

    def _made(self) -> tuple[Model[Any, Any], ...]:
        return tuple(stage.make() for stage in self.config.stages)
