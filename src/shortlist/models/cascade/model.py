"""Candidates from several models, re-ranked by a learned ranker or by another model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from shortlist import engine
from shortlist.bundle.declarations import LARGEST, Checked, Context, check_range
from shortlist.bundle.declarations import Fitted as FittedModel
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.base import Fitted, Model
from shortlist.models.cascade.candidates import (
    Candidates,
    lowest,
    retrieve,
    stage_mean,
    unseen,
)
from shortlist.models.cascade.config import CascadeConfig, checked_stages
from shortlist.models.cascade.examples import are_held_out, round_history
from shortlist.models.cascade.features import (
    NEAREST,
    CandidateFeatures,
    Columns,
    RankerInputs,
)
from shortlist.models.cascade.learning import Learner, stage_names
from shortlist.models.cascade.pool import memory_of, pool
from shortlist.models.cascade.rankers import (
    Ranker,
    model_catalogue_scores,
    model_scores,
)
from shortlist.models.cascade.stage_recall import (
    StageRecall,
    measured_users,
    stage_recall,
    user_values,
)
from shortlist.models.composite import CompositeModel, ModelSpec, known_users
from shortlist.models.config import AUTO
from shortlist.models.foreign_formats import checked_trees
from shortlist.models.neighborhood import memory_of_neighbors
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores
from shortlist.scoring.selection import Best, Eligible, top_k


def _check_stages(stages: Any, context: Context) -> None:
    """Check the fitted stages: those of the setting, or any if they were chosen."""
    if context.config.stages is not None:
        FittedModel("stages").check(stages, context)
        return
    is_several = isinstance(stages, tuple) and all(hasattr(each, "settings") for each in stages)
    if not is_several or not stages:
        raise ValueError("is not several fitted models")
    try:
        checked_stages(tuple(map(ModelSpec.model_validate, stages)))
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from None


def _check_weights(weights: Any, context: Context) -> None:
    """Check the weights of the blend: one for each input column of a learned ranker."""
    config = context.config
    if not isinstance(weights, np.ndarray) or weights.dtype != np.float64 or weights.ndim != 1:
        raise ValueError("is not a float64 array with one dimension")
    n_columns = Columns.of(len(context.values["stages"])).width
    if isinstance(config.ranker, ModelSpec):
        n_columns = 0
    # Their number depends on the data.
    has_features = config.features and config.ranker in ("auto", "trees")
    if len(weights) < n_columns or (len(weights) > n_columns and not has_features):
        raise ValueError(f"has shape {weights.shape}, expected ({n_columns},)")
    check_range(weights, -LARGEST, LARGEST)


def _check_trees(trees: Any, context: Context) -> None:
    """Check LightGBM's text."""
    if not isinstance(trees, np.ndarray) or trees.dtype != np.uint8 or trees.ndim != 1:
        raise ValueError("is not an array of bytes")
    if not len(trees):
        return
    if context.config.ranker not in ("auto", "trees"):
        raise ValueError(f"holds trees, and the ranker is {context.config.ranker!r}")
    n_columns = len(context.values["weights"])
    checked_trees(trees.tobytes().decode(), n_columns, context.config.trees)


@dataclass(frozen=True)
class CascadeLearned:
    """The fitted stages, and the ranker: weights and trees, or a fitted model."""

    stages: Annotated[tuple[Model[Any, Any], ...], Checked("fitted models", _check_stages)]
    weights: Annotated[NDArray[np.float64], Checked("float64 array of (d,)", _check_weights)]
    trees: Annotated[NDArray[np.uint8], Checked("LightGBM's text, or empty", _check_trees)]
    model_ranker: Annotated[Model[Any, Any] | None, FittedModel("ranker")]

    @cached_property
    def ranker(self) -> Ranker:
        """The learned ranker."""
        return Ranker(self.weights, self.trees.tobytes().decode())


class Cascade(CompositeModel[CascadeConfig, CascadeLearned]):
    """Retrieve candidates by several models, and re-rank them.

    Each stage returns its best ``candidates`` eligible items. Their union is re-ranked by ``blend +
    trees``. The blend is a weighted sum of the stages' scores, each scaled to 0 for the last and 1
    for the first item of the stage's own list. The boosted trees use the score and the rank of
    every stage, the number of users of the item, the length of the history, the users that the item
    has in common with the items of the history and, with ``features``, the features of users and
    items, how a user compares with the users of the item, and the item with the history. Both learn
    from up to ``rounds`` rounds: one choice of every user is held out, the stages are fitted on the
    rest, and the held-out items among their candidates are the positives. Then the stages are
    fitted on all data. If nothing can be held out (every user has a single choice), all stages get
    the same weight.

    Without ``stages``, all models that can be fitted on the data are fitted in the first round.
    Starting from all of them, those that contribute least to the ranker's scores leave. The largest
    set within half a percent of the best NDCG is kept, or the best single stage if it is better
    than all of them. With ``ranker="auto"`` the best of the single stages, the blend, and the trees
    with and without features orders the candidates. All this is measured on users that the weights
    and trees were not fitted on, at most 8,000 of them. Users and rounds are added until
    20,000 held-out items were found among the candidates; 8,000 for 100,000 interactions or more.

    With a model as the ranker, such as ``ranker=Ranking()``, candidates have its scores. It is
    fitted on all data, and nothing is held out. Queries that it cannot score keep the mean of the
    stages. For queries that no stage can score, it ranks the whole catalogue.

    The score of a candidate is the ranker's score, which depends on the query and the item only.
    All other items follow below the candidates outside the history, ordered by the mean of the
    stages, so that lists reach the requested length. ``score`` retrieves candidates among the items
    outside the history, as for a list without rules.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Cascade(stages=["UserCosine", "ItemCosine"], ranker="linear")
    >>> model.fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    @property
    def extra(self) -> str | None:  # type: ignore[override]
        """The extra ``trees`` for trees; the stages check for their own extras."""
        return "trees" if self.config.ranker in ("auto", "trees") else None

    @property
    def chosen(self) -> dict[str, Any]:
        """The stages, the ranker and whether it uses features, where :meth:`fit` chose them.

        A single stage that is better alone counts as ``"linear"``: its weight is the only one.
        """
        config = self.config
        is_open = {
            "stages": config.stages is None,
            "ranker": config.ranker == AUTO,
            "features": config.features == AUTO,
        }
        if not any(is_open.values()):
            return {}
        learned = self.learned
        values: dict[str, Any] = {
            "stages": [
                ModelSpec.model_validate(stage).model_dump(mode="json") for stage in learned.stages
            ],
            "ranker": "trees" if len(learned.trees) else "linear",
            "features": self._features is not None,
        }
        return {name: value for name, value in values.items() if is_open[name]}

    @property
    def bytes_per_query(self) -> int:
        """The memory for one query: the largest need of an inner model, and all stages' scores."""
        return super().bytes_per_query + 4 * self.data.n_items * (len(self.learned.stages) + 4)

    with_less_memory = "name fewer or smaller stages, or keep fewer users and items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of all stages, chosen or to choose from, and of the ranker."""
        ranker = self.config.ranker
        specs = pool(data) if self.config.stages is None else self.config.stages
        if isinstance(ranker, ModelSpec):
            return memory_of([*specs, ranker], data)
        return memory_of(specs, data) + memory_of_neighbors(data, NEAREST)

    def learn(self, data: Dataset) -> Fitted[CascadeLearned]:
        """Choose and learn on held-out items; then fit the stages on all data."""
        config, model_ranker = self.config, None
        if isinstance(config.ranker, ModelSpec):
            model_ranker = config.ranker.make().fit(data)
            only_stages = {"ranker": "linear", "rounds": 1 if config.stages is None else 0}
            config = config.model_copy(update=only_stages)
        chosen = Learner(data, config).learn()
        stages = tuple(stage.make().fit(data) for stage in chosen.stages)
        ranker = Ranker(np.zeros(0), "") if model_ranker is not None else chosen.ranker
        trees = np.frombuffer(ranker.text.encode(), dtype=np.uint8)
        learned = CascadeLearned(stages, ranker.weights, trees, model_ranker)
        history = round_history(stage_names(chosen.stages), chosen.recalls, chosen.validation)
        return Fitted(learned, history)

    def handover(self, test: Dataset) -> StageRecall:
        """Measure the recall of each stage on held-out items, and the gain from re-ranking.

        Parameters
        ----------
        test
            The test side of the split whose training side the cascade was fitted on. Users without
            training interactions are left out.

        Raises
        ------
        InputError
            The test data has other ids, contains interactions that the cascade was fitted on, or
            has no user with training interactions.
        """
        data, order = self.data, self.data.popularity_order
        users = measured_users(data, test)
        values = []
        blocks = engine.current().map_rows(list, len(users), self.bytes_per_query, "stage recall")
        for block in blocks:
            block_users = users[block]
            profiles = known_users(data, block_users, self.inner_models)
            candidates = self._candidates(profiles, unseen(profiles, order))
            scores = self._candidate_scores(candidates, profiles)
            held_out = are_held_out(candidates, block_users, test)
            values.append(user_values(candidates, held_out, test.user_counts[block_users], scores))
        names, cut = self._stage_names, self.config.candidates
        return stage_recall(np.concatenate(values), names, cut, self.config.seed)

    def score(self, profiles: Profiles) -> Scores:
        """Score all items, with candidates from outside the history."""
        return DenseScores(self._scores(profiles, None))

    def best(self, profiles: Profiles, eligible: Eligible, k: int) -> Best:
        """Return the best items of each query, with candidates among the eligible items."""
        return top_k(DenseScores(self._scores(profiles, eligible, k)), eligible, k)

    def ranked_scores(self, profiles: Profiles, eligible: Eligible, k: int) -> Scores:
        """Score all items, with candidates among the eligible items."""
        return DenseScores(self._scores(profiles, eligible))

    def _scores(
        self, profiles: Profiles, eligible: Eligible | None, k: int | None = None
    ) -> Floats:
        candidates = self._candidates(profiles, eligible)
        return self._block(profiles, candidates, self._candidate_scores(candidates, profiles), k)

    def _block(
        self,
        profiles: Profiles,
        candidates: Candidates,
        scores: NDArray[np.float64],
        k: int | None = None,
    ) -> Floats:
        """Score all items: re-ranked candidates on top, all others below them.

        Where every query has k candidates outside its history, the others need no order.
        """  # (B, n_items)
        start, width = (part[:, np.newaxis] for part in self._below(candidates, scores))
        scorable, owners = candidates.can_score.any(axis=0), candidates.owners
        lengths = np.bincount(owners[candidates.unseen], minlength=len(profiles))
        if k is not None and scorable.all() and (lengths >= k).all():
            block = np.broadcast_to(start, candidates.blocks[0].shape).copy()
        else:
            block = stage_mean(candidates)
            block *= width
            block += start
        block[owners, candidates.items] = scores
        model = self.learned.model_ranker
        if model is not None and not scorable.all():
            others = np.flatnonzero(~scorable)
            block[others] = model_catalogue_scores(model, profiles.take(others))
        return block

    def _below(self, candidates: Candidates, scores: NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Return where the scores of all other items begin for each query, and their width.

        Their score is the start, plus the width times the mean of the stages. The mean lies between
        -1 and 1; the start is two widths below the candidates. The width grows with the scores, so
        that float32 tells the others apart.
        """  # (B,), (B,)
        if self.learned.model_ranker is None:
            low = np.full(len(candidates.indptr) - 1, self.learned.ranker.floor)
            width = np.ones_like(low)
        else:
            low = lowest(candidates, scores)
            width = np.maximum(1, np.abs(low))
        return (low - 2 * width).astype(np.float32), width.astype(np.float32)

    def _candidates(self, profiles: Profiles, eligible: Eligible | None) -> Candidates:
        order = self.data.popularity_order
        stages = self.learned.stages
        return retrieve(stages, profiles, eligible, self.config.candidates, order)

    def _candidate_scores(self, candidates: Candidates, profiles: Profiles) -> NDArray[np.float64]:
        """Score the candidates by the ranker."""  # (n,)
        model = self.learned.model_ranker
        if model is not None:
            return model_scores(model, candidates, profiles)
        return self.learned.ranker.scores(self._ranker_rows(candidates, profiles))

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the parts of the scores that the items have without rules."""
        return self.explained(profiles, None, items)[1]

    def explained(
        self, profiles: Profiles, eligible: Eligible | None, items: Rows
    ) -> tuple[Floats, Iterator[list[Parts]]]:
        """Return the scores of items, with candidates among the eligible items, and their parts.

        The parts are the contribution of each input of the ranker; of the stages for other items.
        The contributions of trees are SHAP values.
        """
        candidates = self._candidates(profiles, eligible)
        scores = self._candidate_scores(candidates, profiles)
        listed = self._block(profiles, candidates, scores)[0, items]
        below = self._below(candidates, scores)
        return listed, self._parts(profiles, candidates, below, items, listed)

    def _parts(
        self,
        profiles: Profiles,
        candidates: Candidates,
        below: tuple[Floats, Floats],
        items: Rows,
        listed: Floats,
    ) -> Iterator[list[Parts]]:
        """Split the scores of items for one query."""
        model, stages = self.learned.model_ranker, stage_mean(candidates)[0]
        ranked = ("stage", "mean of the stages")
        if model is not None and model.can_score(profiles)[0]:
            ranked = ("ranker", model.name)
        explained = candidates.only(np.isin(candidates.items, items))
        rows: NDArray[Any] = np.empty((0, 0))  # not needed if no item is a candidate
        if model is None and len(explained.items):
            rows = self._ranker_rows(explained, profiles)
        [start], [width] = (part.astype(np.float64) for part in below)
        for item, score in zip(items.tolist(), listed.astype(np.float64), strict=True):
            position = np.flatnonzero(explained.items == item)
            if not len(position) and candidates.can_score.any():
                yield [
                    Parts("not a candidate", pa.array(["below all candidates"]), np.array([start])),
                    Parts("stage", pa.array(["mean of the stages"]), width * stages[[item]]),
                ]
            elif model is not None:
                yield [Parts(ranked[0], pa.array([ranked[1]]), np.array([score]))]
            else:
                yield self._parts_of_inputs(rows[position])

    def _parts_of_inputs(self, rows: NDArray[Any]) -> list[Parts]:
        """Split the score of a learned ranker by the inputs of a candidate."""
        amounts = self.learned.ranker.parts(rows)[0]
        kinds, names = (np.array(labels) for labels in zip(*self._labels, strict=True))
        return [
            Parts(kind, pa.array(names[kept]), amounts[kept])
            for kind in dict.fromkeys(kinds.tolist())
            if (kept := (kinds == kind) & (amounts != 0)).any()
        ]

    def _ranker_rows(self, candidates: Candidates, profiles: Profiles) -> Floats:
        """Return the ranker's inputs, one row per candidate."""  # (n, d)
        return self._inputs.rows(candidates, profiles)

    @cached_property
    def _inputs(self) -> RankerInputs:
        return RankerInputs.of(self.data, self._features)

    @cached_property
    def _features(self) -> CandidateFeatures | None:
        """The features of the training data, if the ranker uses them."""
        has_features = len(self.learned.weights) > Columns.of(len(self.learned.stages)).width
        return CandidateFeatures(self.data, self.config.seed) if has_features else None

    @property
    def _labels(self) -> list[tuple[str, str]]:
        """The kind and the name of each part of a learned ranker's score."""  # (d + 1,)
        features = [] if self._features is None else self._features.names
        return [
            *(("stage", name) for name in Columns.names(self._stage_names)),
            *(("feature", name) for name in features),
            ("constant", "start of the trees"),
        ]

    @property
    def _stage_names(self) -> list[str]:
        """The names of the stages, numbered where a name repeats."""
        return stage_names([ModelSpec.model_validate(stage) for stage in self.learned.stages])

    @property
    def inner_models(self) -> tuple[Model[Any, Any], ...]:
        """The stages, and the ranker if it is a model."""
        ranker = self.config.ranker
        if self._learned is not None:
            stages, model_ranker = self._learned.stages, self._learned.model_ranker
            return stages if model_ranker is None else (*stages, model_ranker)
        stages = tuple(stage.make() for stage in self.config.stages or ())
        return (*stages, ranker.make()) if isinstance(ranker, ModelSpec) else stages
