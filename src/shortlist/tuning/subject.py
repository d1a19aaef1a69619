"""What a study is about: which model, which settings are given, which data."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError
from shortlist.models.base import Model
from shortlist.models.registry import model_class
from shortlist.tuning.goal import Goal
from shortlist.tuning.space import Space


def subject_of(
    model: str | type[Model[Any, Any]] | Model[Any, Any],
) -> tuple[type[Model[Any, Any]], dict[str, Any]]:
    """Give the class of a model, and the settings that came with it."""
    if isinstance(model, str):
        return model_class(model), {}
    if isinstance(model, Model):
        config = model.config
        return type(model), {
            name: getattr(config, name) for name in sorted(config.model_fields_set)
        }
    if isinstance(model, type) and issubclass(model, Model):
        return model, {}
    raise ConfigError(
        f"{model!r} is no model", remedy="pass a name like 'EASE', a class, or a model"
    )


def require_fittable(model: Model[Any, Any], data: Dataset) -> None:
    """Refuse what would fail in every trial.

    Raises
    ------
    InputError
        The data is none, or has no item features where the model needs some.
    ConfigError
        The model's extra is not installed.
    """
    name = model.name
    if not isinstance(data, Dataset):
        raise InputError(
            f"{name} is tuned on a Dataset, not on a {type(data).__name__}",
            remedy="make one: Dataset.from_tables(...), or Store(...).dataset()",
        )
    if model.extra is not None:
        extras.require(model.extra, f"fitting {name}")
    if model.needs_item_features and data.item_features is None:
        raise InputError(
            f"{name} needs item features, and the data has none", remedy="pass an items table"
        )


def described(space: Space, data: Dataset, goal: Goal, folds: int, seed: int) -> dict[str, Any]:
    """Give all that the outcome of a search depends on, as plain data."""
    return {
        "model": space.model.__name__,
        "data": data.fingerprint,
        "features": _hash_of_features(data),
        "metric": goal.metric,
        "folds": folds,
        "seed": seed,
        "given": space.make({}).config.model_dump(mode="json", include=set(space.given)),
        "ranges": space.described(),
    }


def _hash_of_features(data: Dataset) -> str:
    """Hash what is known of users and items; a dataset's fingerprint does not count it."""
    digest = hashlib.sha256()
    for table in (data.user_features, data.item_features):
        for batch in () if table is None else table.to_batches():
            for row in batch.to_pylist():
                digest.update(json.dumps(row, default=str, ensure_ascii=False).encode())
        digest.update(b"-")
    return digest.hexdigest()
