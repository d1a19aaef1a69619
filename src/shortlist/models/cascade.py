"""Several models find candidates, and a ranker that learned from their mistakes orders them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import InputError
from shortlist.models.base import Model
from shortlist.models.capabilities import Parts
from shortlist.models.cascade_candidates import Candidates, blend, known_users, retrieve, unseen
from shortlist.models.cascade_columns import column_names, columns_of
from shortlist.models.cascade_features import Features
from shortlist.models.cascade_handover import ALL, Counting, Handover
from shortlist.models.cascade_rankers import Ranker, fitted_ranker
from shortlist.models.cascade_training import Examples, examples, joined, labels, rounds
from shortlist.models.composite import ModelSpec, listed
from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.models.profiles import Profiles
from shortlist.models.scores import DenseScores, Floats, Scores
from shortlist.models.selection import Best, Eligible, top_k


def _distinct(stages: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    if not stages:
        raise ValueError("there is no stage")
    for place, stage in enumerate(stages):
        if stage.model == "Cascade":
            raise ValueError("a cascade cannot be a stage")
        if stage in stages[:place]:
            raise ValueError(f"{stage!r} is there twice")
    return stages


class CascadeConfig(ModelConfig):
    """Settings of :class:`Cascade`."""

    stages: Annotated[tuple[ModelSpec, ...], BeforeValidator(listed), AfterValidator(_distinct)] = (
        hyper(
            tuple(ModelSpec(model=name) for name in ("UserCosine", "ItemCosine", "EASE")),
            "The models that find candidates: not fitted, or names.",
        )
    )
    ranker: Literal["trees", "linear"] = hyper(
        "trees",
        "What orders the candidates: a weighted sum of the stages (linear), or that and "
        "gradient-boosted trees upon it (trees: needs LightGBM, the extra 'trees').",
    )
    features: bool = hyper(
        False,
        "Let the trees see the features of users and items, and how alike the two are; what a "
        "query says of somebody reaches them where a stage uses features, too.",
        search=Search(choices=(False, True)),
    )
    candidates: int = hyper(
        200, "How many each stage returns.", ge=1, search=Search(50, 500, "log")
    )
    rounds: int = hyper(
        5,
        "How many times a choice of every user is held out, and the stages fitted, to learn from.",
        ge=1,
    )
    negatives: int = hyper(
        30, "Candidates that were not chosen, kept of each list to learn from.", ge=1
    )
    trees: int = hyper(100, "How many trees.", ge=1, search=Search(30, 300, "log"))
    leaves: int = hyper(7, "Leaves of a tree.", ge=2, le=1024, search=Search(4, 31, "log"))
    least: int = hyper(100, "Candidates that a leaf must hold, to learn from.", ge=1)
    learning_rate: float = hyper(
        0.05, "How much a tree adds.", gt=0, le=1, search=Search(0.02, 0.3, "log")
    )
    seed: int = hyper(0, "Seeds what is held out, the negatives and the trees.", ge=0)


@dataclass(frozen=True)
class CascadeLearned:
    """The fitted stages, and the ranker."""

    stages: tuple[Model[Any, Any], ...]
    weights: NDArray[np.float64]  # (d,), of the linear blend
    trees: NDArray[np.uint8]  # LightGBM's text, empty without trees

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
        """Trees need LightGBM."""
        return "trees" if self.config.ranker == "trees" else None

    @property
    def needs_history(self) -> bool:  # type: ignore[override]
        """Whether no stage knows anything of somebody without a history."""
        return all(stage.needs_history for stage in self._stages)

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether they can stand in for a history, in a stage."""
        return any(stage.uses_features for stage in self._stages)

    @property
    def uses_order(self) -> bool:  # type: ignore[override]
        """Whether it matters to a stage what was chosen last."""
        return any(stage.uses_order for stage in self._stages)

    @property
    def needs_item_features(self) -> bool:  # type: ignore[override]
        """Whether a stage needs them."""
        return any(stage.needs_item_features for stage in self._stages)

    @property
    def bytes_per_query(self) -> int:
        """Add what each stage needs, and its scores."""
        own = 4 * self.data.n_items * (len(self._stages) + 4)
        return own + max(stage.bytes_per_query for stage in self._stages)

    def learn(self, data: Dataset) -> CascadeLearned:
        """Train the ranker on what is held out; then fit the stages on everything."""
        config = self.config
        lists: list[Examples] = []
        shares: list[NDArray[np.float64]] = []
        for held in rounds(self._made, data, config.rounds, config.seed):
            columns = partial(columns_of, features=self._features(held.train))
            found, share = examples(held, columns, config.candidates, config.negatives, config.seed)
            lists.append(found)
            shares.append(share)
        self.history = _told(self._names, shares)
        features = self._features(data)
        width = len(column_names(self._names))
        categorical = [] if features is None else [width + one for one in features.categorical]
        width += 0 if features is None else len(features.names)
        some = joined(lists) if lists else None
        ranker = fitted_ranker(some, len(config.stages), width, categorical, config)
        stages = tuple(stage.fit(data) for stage in self._made())
        text = np.frombuffer(ranker.text.encode(), dtype=np.uint8)
        return CascadeLearned(stages, ranker.weights, text)

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
        data, stages = self.data, self.learned.stages
        users = _asked(data, test)
        counting = Counting(self._names, self.config.candidates)
        order = data.popularity_order
        blocks = engine.current().map_rows(list, len(users), self.bytes_per_query, "hand-over")
        for block in blocks:
            some = users[block]
            profiles = known_users(data, some, stages)
            candidates = self._candidates(profiles, unseen(profiles, order))
            numbers = self.learned.ranker.scores(self._rows(candidates, profiles))
            held = labels(candidates, some, test)
            counting.add(candidates, held, test.user_counts[some], numbers)
        return counting.result(self.config.seed)

    def knows(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Say of whom any stage knows something."""
        known = np.stack([stage.knows(profiles) for stage in self.learned.stages])
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
        ranker = self.learned.ranker
        block = blend(candidates)
        block += np.float32(ranker.floor - 2)  # the blend lies between -1 and 1
        rows = self._rows(candidates, profiles)
        block[candidates.owners, candidates.items] = ranker.scores(rows)
        return block

    def _candidates(self, profiles: Profiles, eligible: Eligible | None) -> Candidates:
        order = self.data.popularity_order
        stages = self.learned.stages
        return retrieve(stages, profiles, eligible, self.config.candidates, order)

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what each column adds to the score; of what was not re-ranked, what each stage adds.

        The amounts of trees are SHAP values.
        """
        candidates = self._candidates(profiles, None)
        ranker = self.learned.ranker
        place = np.flatnonzero(candidates.items == item)
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
            Parts("not a candidate", pa.array(["below all of them"]), np.array([ranker.floor - 2])),
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

    def _made(self) -> tuple[Model[Any, Any], ...]:
        return tuple(stage.make() for stage in self.config.stages)


def _told(names: list[str], shares: list[NDArray[np.float64]]) -> pa.Table:
    """Give a row a round: the share of what was held out that was returned."""
    table: dict[str, Any] = {"epoch": pa.array(range(1, len(shares) + 1), pa.int64())}
    for place, name in enumerate([*names, ALL]):
        table[f"recall: {name}"] = pa.array([float(one[place]) for one in shares], pa.float64())
    return pa.table(table)


def _asked(data: Dataset, test: Dataset) -> Rows:
    """Give the users to measure on, once it is sure that they can be."""
    if not (data.users.equals(test.users) and data.items.equals(test.items)):
        raise InputError(
            "the test data has other ids than the data the cascade was fitted on",
            remedy="make both with shortlist.split, or join them: split.given(train, test)",
        )
    keys = [one.user_rows.astype(np.int64) * one.n_items + one.item_rows for one in (data, test)]
    if np.isin(keys[1], keys[0]).any():
        raise InputError(
            "the cascade was fitted on interactions of the test data",
            remedy="fit it on the training side of the split alone",
        )
    users = np.flatnonzero((test.user_counts > 0) & (data.user_counts > 0)).astype(np.int32)
    if not len(users):
        raise InputError(
            "nobody in the test data has a training interaction",
            remedy="hold out a part of each user's interactions: split.leave_last_out(data)",
        )
    return users
