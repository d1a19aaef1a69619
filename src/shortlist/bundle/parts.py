"""A learned dataclass split into arrays, JSON values and tables, put together again, and hashed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Context, Dimensions, declarations
from shortlist.bundle.folder import damaged
from shortlist.data.dataset import Dataset
from shortlist.errors import BundleError, ConfigError, ShortlistError
from shortlist.scoring.scorer import FittedModel

SPARSE = ("data", "indices", "indptr")
_ROWS = 1 << 16  # of a table at a time


@runtime_checkable
class Storable(FittedModel, Protocol):
    """A fitted model, as far as a bundle is concerned."""

    history: pa.Table

    @property
    def learned(self) -> Any:
        """A dataclass of arrays, sparse matrices, tables, JSON values and fitted models."""
        ...

    def restore(self, data: Dataset, learned: Any, history: pa.Table) -> Self:
        """Set the fitted state."""
        ...


FindClass: TypeAlias = Callable[[str], Any]
"""From the name of a model to its class; raises ConfigError for an unknown name."""


class Parts(NamedTuple):
    """A learned dataclass by field name; fields of inner models are named ``field.0.name``.

    A sparse matrix is stored as three arrays; ``scalars`` are JSON values.
    """

    arrays: dict[str, NDArray[Any]]
    scalars: dict[str, Any]
    tables: dict[str, pa.Table]


def require_declared(learned: Any) -> None:
    """Raise a TypeError unless all fields are declared, also of the models in it.

    A model that lacks a declaration could be saved, but not loaded.
    """
    for field in declarations(type(learned)):
        value = getattr(learned, field)
        for model in value if isinstance(value, tuple) else (value,):
            if isinstance(model, Storable):
                require_declared(model.learned)


def split(learned: Any) -> Parts:
    """Split a dataclass into parts, including those of the models in it."""
    parts = Parts({}, {}, {})
    for field in dataclasses.fields(learned):
        _split_value(parts, field.name, getattr(learned, field.name))
    return parts


def _split_value(parts: Parts, name: str, value: Any) -> None:
    if isinstance(value, csr_array):
        for part in SPARSE:
            parts.arrays[f"{name}.{part}"] = np.ascontiguousarray(getattr(value, part))
        parts.scalars[f"{name}.shape"] = list(value.shape)
    elif isinstance(value, np.ndarray):
        parts.arrays[name] = np.ascontiguousarray(value)
    elif isinstance(value, pa.Table):
        parts.tables[name] = value
    elif isinstance(value, Storable):
        _split_models(parts, name, (value,))
        parts.scalars[f"{name}.single"] = True
    elif isinstance(value, tuple) and value and all(isinstance(part, Storable) for part in value):
        _split_models(parts, name, value)
    else:
        parts.scalars[name] = value


def _split_models(parts: Parts, name: str, models: tuple[Storable, ...]) -> None:
    specs = [{"model": model.name, "config": model.settings} for model in models]
    parts.scalars[f"{name}.models"] = specs
    for position, model in enumerate(models):
        prefix = f"{name}.{position}."
        for outer, inner in zip(parts, split(model.learned), strict=True):
            outer.update({prefix + key: value for key, value in inner.items()})
        parts.tables[f"{prefix}history"] = model.history


def join(model: Any, parts: Parts, data: Dataset, find_class: FindClass, prefix: str = "") -> Any:
    """Build the learned dataclass of a model, and check each field against its declaration.

    Models in it are restored on the same data. A field that is missing or not as declared is a
    BundleError that names it; an inner model or setting that does not exist, a ConfigError.
    """
    values: dict[str, Any] = {}
    context = Context(Dimensions.of(data, model.config), data, model.config, values)
    for field, declaration in declarations(model.Learned).items():
        name = prefix + field
        try:
            value = _join_value(parts, name, data, find_class)
            declaration.check(value, context)
        except (BundleError, ConfigError):  # of an inner model
            raise
        except ShortlistError as error:
            raise damaged(f"the learned field {name} {error.what}") from error
        except KeyError as error:
            why = f"is missing, expected a {declaration!r}"
            raise damaged(f"the learned field {name} {why}") from error
        except (TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
            raise damaged(f"the learned field {name} {error}") from error
        values[field] = value
    return model.Learned(**values)


def _join_value(parts: Parts, name: str, data: Dataset, find_class: FindClass) -> Any:
    if f"{name}.shape" in parts.scalars:
        sparse = tuple(parts.arrays[f"{name}.{part}"] for part in SPARSE)
        return csr_array(sparse, shape=tuple(parts.scalars[f"{name}.shape"]))
    if f"{name}.models" in parts.scalars:
        models = _join_models(parts, name, data, find_class)
        return models[0] if parts.scalars.get(f"{name}.single") else models
    if name in parts.tables:
        return parts.tables[name]
    return parts.arrays[name] if name in parts.arrays else parts.scalars[name]


def _join_models(
    parts: Parts, name: str, data: Dataset, find_class: FindClass
) -> tuple[Storable, ...]:
    models = []
    for position, spec in enumerate(parts.scalars[f"{name}.models"]):
        model = find_class(spec["model"])(**spec["config"])
        prefix = f"{name}.{position}."
        learned = join(model, parts, data, find_class, prefix)
        models.append(model.restore(data, learned, parts.tables[f"{prefix}history"]))
    return tuple(models)


def identity(model: Storable) -> str:
    """Return the SHA-256 of settings, data, features and learned parts; equal after a reload."""
    data, parts = model.data, split(model.learned)
    digest = hashlib.sha256()
    texts = [model.name, model.settings, data.fingerprint, parts.scalars, sorted(parts.arrays)]
    digest.update(json.dumps(texts, sort_keys=True, default=str).encode())
    for _, array in sorted(parts.arrays.items()):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    features = {"user features": data.user_features, "item features": data.item_features}
    for name, table in sorted((parts.tables | features).items()):
        if table is not None:
            digest.update(name.encode())
            for text in _rows(table):
                digest.update(text)
    return digest.hexdigest()


def _rows(table: pa.Table) -> Iterator[bytes]:
    """Yield the values of a table as text: its bytes differ under missing values."""
    yield repr(table.column_names).encode()
    for batch in table.to_batches(max_chunksize=_ROWS):
        yield "\n".join(map(str, batch.to_pylist())).encode() + b"\n"
