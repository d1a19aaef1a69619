"""The contract of a model: learn from a Dataset, score the catalogue for a block of queries.

Everything around the scores (candidates, seen items, rules, ranking, fallback) lives in
``shortlist.recommend``; storing a model lives in ``shortlist.bundle``. A new model writes a config,
a dataclass of what it learns, and two methods.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.data.moments import When
from shortlist.data.vocabulary import Id
from shortlist.errors import InputError, NotFittedError
from shortlist.models.config import ModelConfig
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores

if TYPE_CHECKING:
    from shortlist.recommend.explain import Explanation
    from shortlist.recommend.query import OnUnknown, OnUnknownItem, Query
    from shortlist.recommend.result import Recommendations
    from shortlist.recommend.where import Where

C = TypeVar("C", bound=ModelConfig)
L = TypeVar("L")


class Model(ABC, Generic[C, L]):
    """A scorer with settings ``C`` that learns ``L``, a frozen dataclass of arrays.

    Subclass as ``class EASE(Model[EASEConfig, EASELearned])`` and write :meth:`learn` and
    :meth:`score`. The constructor, its signature and its documentation come from the config.
    """

    Config: ClassVar[type[ModelConfig]]
    Learned: ClassVar[type[Any]]
    needs_history: ClassVar[bool] = True  # whether a query without a history has no scores
    uses_features: ClassVar[bool] = False  # whether user features can stand in for a history
    uses_order: ClassVar[bool] = False  # whether it matters what was chosen last
    needs_item_features: ClassVar[bool] = False  # whether it cannot learn without any
    extra: ClassVar[str | None] = None  # the optional part of the library that learning needs

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        parameters = [get_args(base) for base in getattr(cls, "__orig_bases__", ())]
        types = next((given for given in parameters if len(given) == 2), None)
        if types is None or isinstance(types[0], TypeVar):
            return
        cls.Config, cls.Learned = types
        fields = cls.Config.model_fields
        keyword = inspect.Parameter.KEYWORD_ONLY
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, keyword, default=field.default, annotation=field.annotation)
                for name, field in fields.items()
            ]
        )
        if cls.__doc__ and fields:
            listed = [f"{name}\n    {field.description}" for name, field in fields.items()]
            text = "\n".join(listed).replace("\n", "\n    ")
            cls.__doc__ += f"\n    Parameters\n    ----------\n    {text}\n"

    def __init__(self, **parameters: Any) -> None:
        self.config: C = self.Config.checked(self.name, parameters)  # type: ignore[assignment]
        self.history = pa.table({"epoch": pa.array([], pa.int64())})
        self._data: Dataset | None = None
        self._learned: L | None = None

    # --- what a model writes -------------------------------------------------------------------

    @abstractmethod
    def learn(self, data: Dataset) -> L:
        """Learn from the data and return the arrays that :meth:`score` needs."""

    @abstractmethod
    def score(self, profiles: Profiles) -> Scores:
        """Score the whole catalogue for a block of queries."""  # (B, n_items)

    def knows(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Say of which queries there is something to score by; the others get what is popular.

        Here: who has a history, or everybody if none is needed. A model that uses features adds
        those whose features tell it something.
        """  # (B,)
        known: NDArray[np.bool_] = np.diff(profiles.history.indptr) > 0
        return known if self.needs_history else np.ones_like(known)

    # --- what every model has ------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the model's class, as the registry and the command line know it."""
        return type(self).__name__

    def __repr__(self) -> str:
        changed = self.config.model_dump(exclude_defaults=True)
        given = ", ".join(f"{name}={getattr(self.config, name)!r}" for name in changed)
        return f"{self.name}({given})"

    def fit(self, data: Dataset) -> Self:
        """Learn from the data; a second call starts afresh.

        Returns the model itself, so that ``EASE().fit(train).recommend(k=5)`` reads in one line.
        """
        if not isinstance(data, Dataset):
            raise InputError(
                f"{self.name} learns from a Dataset, not from a {type(data).__name__}",
                remedy="make one: Dataset.from_tables(...), or Store(...).dataset()",
            )
        if self.extra is not None:
            extras.require(self.extra, f"fitting {self.name}")
        self._learned = self.learn(data)
        self._data = data
        return self

    def restore(self, data: Dataset, learned: L, history: pa.Table) -> Self:
        """Take over what an earlier :meth:`fit` learned (used by loading)."""
        self._data, self._learned, self.history = data, learned, history
        return self

    @property
    def is_fitted(self) -> bool:
        """Whether there is something to recommend from."""
        return self._data is not None

    @property
    def data(self) -> Dataset:
        """The data the model was fitted on."""
        if self._data is None:
            raise self._not_fitted()
        return self._data

    @property
    def learned(self) -> L:
        """What the model learned from it."""
        if self._learned is None:
            raise self._not_fitted()
        return self._learned

    @property
    def bytes_per_query(self) -> int:
        """How much memory scoring one query takes, by which blocks of queries are cut.

        A row of scores, one of a mask, and as much again. A model that needs more on the way adds
        it.
        """
        return 16 * self.data.n_items

    @property
    def data_fingerprint(self) -> str:
        """The fingerprint of the data the model was fitted on."""
        return self.data.fingerprint

    def _not_fitted(self) -> NotFittedError:
        return NotFittedError(f"{self.name} is not fitted", remedy="call fit(data) first")

    # --- what people call ----------------------------------------------------------------------

    def recommend(
        self,
        users: Iterable[Id] | None = None,
        *,
        queries: Iterable[Query] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        where: Where | None = None,
        as_of: When | None = None,
        on_unknown: OnUnknown = "raise",
    ) -> Recommendations:
        """List the ``k`` best eligible items for each user or query.

        Parameters
        ----------
        users
            Ids of users in the training data. With neither users nor queries: every user.
        queries
            Instead of users: known users, histories, or both at once (:class:`Query`).
        k
            How many; fewer come back only where fewer items are eligible.
        exclude_seen
            Leave out what is in the user's training interactions or the query's history.
        allow, deny
            Item ids: only these, or none of these.
        where
            A rule over item features, ``{"year": {"gte": 1990}}`` or ``"year >= 1990"``.
        as_of
            Only items live at this moment, where items have a life span. None: all items.
        on_unknown
            Unknown user and item ids ``"raise"`` an error, are ``"skip"``-ped, or ``"fallback"`` to
            what is left of the query, and to popularity where nothing is.

        Raises
        ------
        UnknownIdError
            An id is unknown and ``on_unknown`` is ``"raise"``.
        InputError
            An argument is out of its range; the message names the bound.
        """
        from shortlist.recommend.recommender import recommend
        from shortlist.recommend.rules import Rules

        rules = Rules(allow=allow, deny=deny, where=where, as_of=as_of)
        return recommend(self, users, queries, k, exclude_seen, rules, on_unknown)

    def similar(
        self,
        items: Iterable[Id],
        k: int = 10,
        *,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        where: Where | None = None,
        as_of: When | None = None,
        on_unknown: OnUnknownItem = "raise",
    ) -> Recommendations:
        """List the ``k`` items most like each of these items, without the item itself."""
        from shortlist.recommend.items import similar
        from shortlist.recommend.rules import Rules

        rules = Rules(allow=allow, deny=deny, where=where, as_of=as_of)
        return similar(self, items, k, rules, on_unknown)

    def audience(
        self,
        items: Iterable[Id],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        on_unknown: OnUnknownItem = "raise",
    ) -> Recommendations:
        """List the ``k`` users each of these items suits best.

        ``exclude_seen`` leaves out the users who chose the item in training.
        """
        from shortlist.recommend.items import audience

        return audience(self, items, k, exclude_seen, on_unknown)

    def explain(self, user: Id | None, item: Id, *, query: Query | None = None) -> Explanation:
        """Say what the score of an item for a user, or for a query, is made of.

        Raises
        ------
        UnknownIdError
            The user or the item is unknown.
        CapabilityError
            The model cannot explain itself.
        """
        from shortlist.recommend.explain import explain

        return explain(self, user, item, query)

    def save(self, path: str | Path, *, metrics: Mapping[str, Any] | None = None) -> Path:
        """Write a bundle: a folder of arrays, tables and a manifest, put in place in one step."""
        from shortlist.bundle import save

        return save(self, path, metrics=metrics)
