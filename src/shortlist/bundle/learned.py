"""What a model learned as arrays, JSON values and tables, and back."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.models.base import Model
from shortlist.models.registry import model_class

SPARSE = ("data", "indices", "indptr")


class Parts(NamedTuple):
    """What a model learned, by name; the fields of models within it are named ``field.0.name``.

    Attributes
    ----------
    arrays
        Arrays; a sparse matrix is three.
    scalars
        What JSON can hold.
    tables
        Tables.
    """

    arrays: dict[str, NDArray[Any]]
    scalars: dict[str, Any]
    tables: dict[str, pa.Table]


def take_apart(learned: Any) -> Parts:
    """Take a dataclass apart, with the models that it holds."""
    parts = Parts({}, {}, {})
    for field in dataclasses.fields(learned):
        _take_apart_value(parts, field.name, getattr(learned, field.name))
    return parts


def _take_apart_value(parts: Parts, name: str, value: Any) -> None:
    if isinstance(value, csr_array):
        for part in SPARSE:
            parts.arrays[f"{name}.{part}"] = np.ascontiguousarray(getattr(value, part))
        parts.scalars[f"{name}.shape"] = list(value.shape)
    elif isinstance(value, np.ndarray):
        parts.arrays[name] = np.ascontiguousarray(value)
    elif isinstance(value, pa.Table):
        parts.tables[name] = value
    elif isinstance(value, Model):
        _take_apart_models(parts, name, (value,))
        parts.scalars[f"{name}.single"] = True
    elif isinstance(value, tuple) and value and all(isinstance(one, Model) for one in value):
        _take_apart_models(parts, name, value)
    else:
        parts.scalars[name] = value


def _take_apart_models(parts: Parts, name: str, models: tuple[Model[Any, Any], ...]) -> None:
    parts.scalars[f"{name}.models"] = [
        {"model": model.name, "config": model.config.model_dump(mode="json")} for model in models
    ]
    for place, model in enumerate(models):
        prefix = f"{name}.{place}."
        inner = take_apart(model.learned)
        for mine, its in zip(parts, inner, strict=True):
            mine.update({prefix + key: value for key, value in its.items()})
        parts.tables[f"{prefix}history"] = model.history


def put_together(kind: type[Model[Any, Any]], parts: Parts, data: Dataset, prefix: str = "") -> Any:
    """Make the dataclass of a model again; models within it are fitted on the same data.

    Raises
    ------
    KeyError
        A part is missing.
    ValueError
        The indices of a sparse matrix are out of range.
    ConfigError
        A model within it, or a setting of one, does not exist here.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind.Learned):
        name = prefix + field.name
        if f"{name}.shape" in parts.scalars:
            sparse = tuple(parts.arrays[f"{name}.{part}"] for part in SPARSE)
            value: Any = csr_array(sparse, shape=tuple(parts.scalars[f"{name}.shape"]))
            value.check_format(full_check=True)  # compiled code trusts the indices
        elif f"{name}.models" in parts.scalars:
            models = _models(parts, name, data)
            value = models[0] if parts.scalars.get(f"{name}.single") else models
        elif name in parts.tables:
            value = parts.tables[name]
        else:
            value = parts.arrays[name] if name in parts.arrays else parts.scalars[name]
        values[field.name] = value
    return kind.Learned(**values)


def _models(parts: Parts, name: str, data: Dataset) -> tuple[Model[Any, Any], ...]:
    made = []
    for place, spec in enumerate(parts.scalars[f"{name}.models"]):
        model = model_class(spec["model"])(**spec["config"])
        learned = put_together(type(model), parts, data, f"{name}.{place}.")
        made.append(model.restore(data, learned, parts.tables[f"{name}.{place}.history"]))
    return tuple(made)
