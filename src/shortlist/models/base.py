"""The base class of all models: learn from a Dataset, score the catalogue for blocks of queries.

A new model is a config, a dataclass of learned arrays, and two methods. Lists are made from the
scores in ``shortlist.recommend`` (candidates, seen items, rules, ranking, fallback), and models are
saved in ``shortlist.bundle``. This file joins them.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist import bundle, extras
from shortlist import engine as engines
from shortlist.bundle.parts import split
from shortlist.data.dataset import Dataset, require_dataset
from shortlist.errors import InputError, NotFittedError, NumericalError
from shortlist.machine import require_memory
from shortlist.models.config import AUTO, ModelConfig
from shortlist.models.lists import MakesLists
from shortlist.models.partial import PartialFit
from shortlist.scoring.finite import count_not_finite
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores

C = TypeVar("C", bound=ModelConfig)
L = TypeVar("L")
S = TypeVar("S")

_STABILIZING = {
    "weighting": "use weighting='binary'",
    "regularization": "choose a larger regularization",
    "learning_rate": "choose a smaller learning_rate",
}

LIST_BYTES = 4_096  # of a query's list, its vector and what else does not grow with the data

NO_HISTORY = pa.table({"epoch": pa.array([], pa.int64())})


class Fitted(NamedTuple, Generic[L]):
    """What was learned, and training metrics, one row per epoch; none without epochs."""

    learned: L
    history: pa.Table = NO_HISTORY


class Model(PartialFit, MakesLists, ABC, Generic[C, L]):
    """A scorer with settings ``C`` that learns ``L``, a frozen dataclass of arrays.

    Subclass as ``class EASE(Model[EASEConfig, EASELearned])`` and write :meth:`learn` and
    :meth:`score`. The constructor, its signature and its documentation come from the config.
    """

    Config: ClassVar[type[ModelConfig]]
    Learned: ClassVar[type[Any]]
    needs_history: ClassVar[bool] = True  # whether a query without a history cannot be scored
    uses_features: ClassVar[bool] = False  # whether user features can replace a history
    uses_order: ClassVar[bool] = False  # whether the order of the history matters
    needs_item_features: ClassVar[bool] = False  # whether learning requires item features
    dense_scores: ClassVar[bool] = True  # whether scores are written out for the whole catalogue
    extra: ClassVar[str | None] = None  # the optional dependency that learning needs
    with_less_memory: ClassVar[str] = "keep fewer users and items"  # what to do

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        arguments = [get_args(base) for base in getattr(cls, "__orig_bases__", ())]
        types = next((pair for pair in arguments if len(pair) == 2), None)
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
            entries = [f"{name}\n    {field.description}" for name, field in fields.items()]
            text = "\n".join(entries).replace("\n", "\n    ")
            cls.__doc__ += f"\n    Parameters\n    ----------\n    {text}\n"

    def __init__(self, **parameters: Any) -> None:
        self.config: C = self.Config.checked(self.name, parameters)  # type: ignore[assignment]
        self.history = NO_HISTORY
        self._data: Dataset | None = None
        self._learned: L | None = None

    # --- to be written for a new model -----------------------------------------------------------

    @abstractmethod
    def learn(self, data: Dataset) -> Fitted[L]:
        """Learn from the data, without changing the model itself."""

    @abstractmethod
    def score(self, profiles: Profiles) -> Scores:
        """Score the whole catalogue for a block of queries."""  # (B, n_items)

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries the model can score; popularity scores the others.

        By default: queries with a history, or all queries if the model needs no history. A model
        that uses features also accepts queries with features that it has learned.
        """  # (B,)
        return profiles.has_history | (not self.needs_history)

    # --- the same for every model ----------------------------------------------------------------

    @property
    def name(self) -> str:
        """The class name, which is also the name in the registry and on the command line."""
        return type(self).__name__

    @property
    def settings(self) -> dict[str, Any]:
        """The hyper-parameters, as plain JSON values."""
        return self.config.model_dump(mode="json")

    @property
    def chosen(self) -> dict[str, Any]:
        """The values that :meth:`fit` chose for the settings that are ``"auto"``.

        A setting is left out where the data gave nothing to choose from: ``weighting`` where all
        weights are equal, ``dislikes`` where there are none.

        Examples
        --------
        >>> from shortlist.models.ease import EASE
        >>> from shortlist.testing import checkerboard
        >>> list(EASE().fit(checkerboard().data).chosen), EASE(regularization=5).chosen
        (['regularization', 'dropout'], {})
        """
        automatic = [
            name for name in type(self.config).model_fields if getattr(self.config, name) == AUTO
        ]
        is_fitted = self._learned is not None
        if not is_fitted and self.config.conditional.issuperset(automatic):
            return {}
        learned: Any = self.learned if automatic else None
        values = {name: learned.settings.get(name) for name in automatic}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def used(self) -> Any:
        """The settings ``C``, with the chosen values in place of ``"auto"``."""
        return self.config.model_copy(update=self.chosen)

    @property
    def uses_weights(self) -> bool:
        """Whether an interaction counts with its weight."""
        return getattr(self.used, "weighting", None) == "weighted"

    @property
    def uses_item_features(self) -> bool:
        """Whether the features of items matter."""
        return self.needs_item_features

    @property
    def uses(self) -> tuple[str, ...]:
        """The parts of the training data that the fitted model uses.

        ``"choices"``, and of what the data has: ``"weights"`` (that differ), ``"dislikes"`` (every
        model leaves them out of lists), ``"times"``, ``"user features"``, ``"item features"``.

        Examples
        --------
        >>> from shortlist.models.ease import EASE
        >>> from shortlist.testing import checkerboard
        >>> model = EASE().fit(checkerboard().data)
        >>> model.uses, model.ignores
        (('choices',), ('times', 'user features', 'item features'))
        """
        return tuple(name for name, used in self._parts_of_data().items() if used)

    @property
    def ignores(self) -> tuple[str, ...]:
        """The parts of the training data that the fitted model does not use."""
        return tuple(name for name, used in self._parts_of_data().items() if not used)

    def _parts_of_data(self) -> dict[str, bool]:
        """Return what the training data has, and whether the model uses it."""
        data = self.data
        parts = {
            "choices": (True, True),
            "weights": (data.weights_differ, self.uses_weights),
            "dislikes": (data.dislikes is not None, True),
            "times": (data.times is not None, self.uses_order),
            "user features": (data.user_features is not None, self.uses_features),
            "item features": (data.item_features is not None, self.uses_item_features),
        }
        return {name: used for name, (present, used) in parts.items() if present}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyper-parameters by name, as scikit-learn's tools ask for them.

        ``deep`` has no effect: models within models are values of their own.
        """
        return {name: getattr(self.config, name) for name in type(self.config).model_fields}

    def set_params(self, **parameters: Any) -> Self:
        """Change hyper-parameters and forget what was learned with others; ``fit`` learns again.

        Raises
        ------
        ConfigError
            A name does not exist, or a value has the wrong type or is out of its range.
        """
        self.__init__(**self.get_params() | parameters)  # type: ignore[misc]
        return self

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted model with the same hyper-parameters: ``sklearn.base.clone``."""
        return type(self)(**self.get_params())

    def __repr__(self) -> str:
        changed = self.config.changed
        arguments = ", ".join(f"{name}={getattr(self.config, name)!r}" for name in changed)
        return f"{self.name}({arguments})"

    def fit(self, data: Dataset, *, engine: engines.Engine | str | None = None) -> Self:
        """Learn from the data; a second call starts from scratch.

        Returns the model itself, so that ``EASE().fit(train).recommend(k=5)`` works in one line.

        Parameters
        ----------
        data
            The training data.
        engine
            Where the parts that work row by row are computed (vectors of IALS, neighbours,
            candidates): ``"local"``, ``"ray"``, ``"ray://host:port"`` or an engine; the result is
            bit-identical. None: the one in use, by default local.

        Raises
        ------
        NumericalError
            Something learned is not finite, because of the weights or the settings. The model
            keeps the state it had.
        """
        return self._fit_by(self.learn, data, engine)

    def _fit_by(
        self,
        learn: Callable[[Dataset], Fitted[L]],
        data: Dataset,
        engine: engines.Engine | str | None,
    ) -> Self:
        """Check the data, learn by a function, and keep what it learned if that is finite."""
        self.require_fittable(data)
        try:
            with (
                engines.use(engine),
                np.errstate(over="ignore", invalid="ignore", divide="ignore"),  # checked below
            ):
                fitted = learn(data)
        except np.linalg.LinAlgError as error:
            raise self._not_finite(
                data, f"a system of equations has no solution ({error})"
            ) from error
        self.require_finite(data, fitted.learned)
        return self.restore(data, *fitted)

    def restore(self, data: Dataset, learned: L, history: pa.Table) -> Self:
        """Set the state that an earlier :meth:`fit` reached; a bundle is loaded with it.

        Cached properties of the model are computed from that state, so they are dropped.
        """
        self._data, self._learned, self.history = data, learned, history
        self.not_updated = ()
        for name in list(self.__dict__):
            if isinstance(getattr(type(self), name, None), cached_property):
                del self.__dict__[name]
        return self

    @property
    def is_fitted(self) -> bool:
        """Whether the model is fitted or loaded."""
        return self._data is not None

    @property
    def data(self) -> Dataset:
        """The training data."""
        return self._present(self._data)

    @property
    def learned(self) -> L:
        """The learned arrays."""
        return self._present(self._learned)

    def _present(self, state: S | None) -> S:
        if state is None:
            raise NotFittedError(f"{self.name} is not fitted", remedy="call fit(data) first")
        return state

    @property
    def bytes_per_query(self) -> int:
        """The memory that scoring one query takes; used to size query blocks.

        By default a row of scores, a row of a mask, and as much again; where scores are not
        ``dense_scores``, a history and a list. A model that needs more adds it.
        """
        rows = 16 * self.data.n_items
        history = 64 * (self.data.n_interactions // max(self.data.n_users, 1))
        return rows if self.dense_scores else min(rows, LIST_BYTES + history)

    def memory_to_fit(self, data: Dataset) -> int:
        """Return about how many bytes :meth:`fit` takes at its peak, beside the data; 0: few."""
        return 0

    @property
    def data_fingerprint(self) -> str:
        """The fingerprint of the training data."""
        return self.data.fingerprint

    def require_fittable(self, data: Dataset) -> None:
        """Refuse what cannot be fitted here, before any work.

        Raises
        ------
        InputError
            It is not a Dataset, it lacks the item features that the model needs, or an extra is not
            installed.
        ShortlistError
            Fitting needs more memory than is free.
        """
        require_dataset(data, self.name)
        if self.extra is not None:
            extras.require(self.extra, f"fitting {self.name}")
        # By the settings alone: what an earlier fit has chosen does not count.
        if data.item_features is None and self.__sklearn_clone__().needs_item_features:
            raise InputError(
                f"{self.name} needs features of the items, and there are none it can use",
                remedy="give Dataset.from_tables an items table with columns besides the id",
            )
        who = f"{self.name} on {data.n_users:,} users and {data.n_items:,} items"
        require_memory(who, self.memory_to_fit(data), self.with_less_memory)

    def require_finite(self, data: Dataset, learned: L) -> None:
        """Raise a NumericalError if anything learned is NaN or infinite."""
        parts = split(learned)
        for name, array in parts.arrays.items():
            wrong = count_not_finite(array)
            if wrong:
                raise self._not_finite(
                    data, f"{wrong:,} of {array.size:,} numbers in learned.{name} are not finite"
                )
        for name, value in parts.scalars.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise self._not_finite(data, f"learned.{name} is {value}")

    def _not_finite(self, data: Dataset, problem: str) -> NumericalError:
        weights = data.weights
        extremes = f"{weights.min():g} to {weights.max():g}" if len(weights) else "none"
        names = [name for name in type(self.config).model_fields if name in _STABILIZING]
        steps = ["scale the weights to about 1", *(_STABILIZING[name] for name in names)]
        return NumericalError(
            f"{self.name} could not be fitted: {problem} (weights of the interactions: {extremes})",
            remedy=", or ".join(steps),
        )

    # --- bundles; lists are in MakesLists ---------------------------------------------------------

    def save(
        self,
        path: str | Path,
        *,
        metrics: Mapping[str, Any] | None = None,
        mark: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a bundle: a folder of arrays, tables and a manifest, put in place in one step.

        Parameters
        ----------
        path
            The folder. An existing bundle is replaced; anything else is refused.
        metrics
            Notes for the manifest on how good the model is: JSON values.
        mark
            For incremental reading, the position in the source up to which interactions were
            read: JSON values.
        """
        return bundle.save(self, path, metrics=metrics, mark=mark)
