"""A fitted model on disk: arrays, tables and a manifest in one folder, none of which can run code.

::

    bundle/
      manifest.json          format, versions, model, settings, data, metrics, a hash of each file
      arrays.safetensors     what the model learned
      learned.NAME.parquet   a table that the model learned, one a field, if there are any
      users.parquet          ids and features, in the order of the rows
      items.parquet
      interactions.parquet   who chose what in training, coded as rows: it is what "seen" means
      history.parquet        training metrics, one row an epoch
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array

from shortlist._version import __version__
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import BundleError, ConfigError, InputError
from shortlist.files import atomic_directory
from shortlist.models import model_class
from shortlist.models.base import Model

FORMAT = 1
MANIFEST, ARRAYS = "manifest.json", "arrays.safetensors"
_ID, _NO_FEATURES = "id", b"shortlist.no_features"
_LEARNED = "learned."  # how the names of learned tables start


class Manifest(BaseModel):
    """What ``manifest.json`` says."""

    model_config = ConfigDict(frozen=True)

    format: int
    shortlist: str
    created: str
    model: str
    config: dict[str, Any]
    learned: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    files: dict[str, str]


def save(
    model: Model[Any, Any], path: str | Path, *, metrics: Mapping[str, Any] | None = None
) -> Path:
    """Write a fitted model; :meth:`Model.save` calls this.

    Parameters
    ----------
    model
        What to write.
    path
        The folder. An older bundle there is replaced in one step; anything else is left alone.
    metrics
        What to note in the manifest about how good the model is: what JSON can hold. A number that
        is not finite becomes null.

    Raises
    ------
    InputError
        There is something at ``path`` that is not a bundle, its parent folder does not exist, or
        the metrics are not JSON.
    """
    path = Path(path)
    if path.exists() and not _may_be_replaced(path):
        raise InputError(
            f"{path} is not a bundle, and is not replaced by one", remedy="name another folder"
        )
    data = model.data
    arrays, scalars, learned_tables = _flatten(model.learned)
    noted = _plain_json(metrics or {})
    with atomic_directory(path) as folder:
        save_file(arrays, folder / ARRAYS)
        tables = {
            "users": _side(data.users, data.user_features),
            "items": _side(data.items, data.item_features),
            "interactions": _interactions(data),
            "history": model.history,
            **learned_tables,
        }
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
        manifest = Manifest(
            format=FORMAT,
            shortlist=__version__,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            model=model.name,
            config=model.config.model_dump(mode="json"),
            learned=scalars,
            data={
                "fingerprint": data.fingerprint,
                "users": data.n_users,
                "items": data.n_items,
                "interactions": data.n_interactions,
            },
            metrics=noted,
            files={file.name: _hash(file) for file in sorted(folder.iterdir())},
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return path


def _may_be_replaced(path: Path) -> bool:
    """Whether there is a bundle at the path, of whatever version, or an empty folder."""
    if not path.is_dir():
        return False
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # other programs call a file manifest.json, too
        return not any(path.iterdir())
    return isinstance(content, dict) and {"shortlist", "format", "model"} <= content.keys()


def _plain_json(metrics: Mapping[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(dict(metrics))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the metrics cannot be written as JSON: {error}",
            remedy="give texts, Python numbers, lists and mappings of them",
        ) from None
    return dict(metrics)


def read_manifest(path: str | Path) -> Manifest:
    """Read what a bundle says of itself.

    Raises
    ------
    BundleError
        The folder is missing, not a bundle, damaged, or of another format.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        what = "is not a bundle (it has no manifest.json)" if path.exists() else "does not exist"
        raise BundleError(f"{path} {what}", remedy="name a folder that model.save(...) wrote")
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise _damaged(path, str(error)) from error
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise BundleError(
            f"{path} has bundle format {found}; this version reads format {FORMAT}",
            remedy="fit and save the model again with this version"
            if found < FORMAT
            else "upgrade shortlist",
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise _damaged(path, f"{key}: {first['msg']}") from error


def _damaged(path: Path, why: str) -> BundleError:
    return BundleError(
        f"{MANIFEST} is damaged: {why}",
        where=str(path),
        remedy="save the model again, or copy the bundle again",
    )


def load(path: str | Path) -> Model[Any, Any]:
    """Read a model that ``model.save`` wrote; the training data is not needed.

    Parameters
    ----------
    path
        The bundle's folder.

    Raises
    ------
    BundleError
        The folder is missing, not a bundle, damaged, or of another format.

    Examples
    --------
    >>> import tempfile
    >>> from shortlist.models.popularity import Popularity
    >>> log = pa.table({"user_id": ["ann", "bob"], "item_id": ["tea", "tea"]})
    >>> folder = Path(tempfile.mkdtemp()) / "bundle"
    >>> _ = Popularity().fit(Dataset.from_tables(log)).save(folder)
    >>> load(folder)
    Popularity()
    """
    path = Path(path)
    manifest = read_manifest(path)
    for name, expected in manifest.files.items():
        if Path(name).name != name or not (path / name).is_file():
            raise BundleError(f"{name} is missing", where=str(path), remedy="save the model again")
        if _hash(path / name) != expected:
            raise BundleError(
                f"{name} is damaged: it is not what the manifest's hash says",
                where=str(path),
                remedy="save the model again, or copy the bundle again",
            )
    try:
        model = model_class(manifest.model)(**manifest.config)
        tables = {
            name: pq.read_table(path / f"{name}.parquet")
            for name in ("users", "items", "interactions", "history")
        }
        learned_tables = {
            name.removesuffix(".parquet"): pq.read_table(path / name)
            for name in manifest.files
            if name.startswith(_LEARNED) and name.endswith(".parquet")
        }
        arrays = load_file(path / ARRAYS)
        learned = _unflatten(type(model), arrays, manifest.learned, learned_tables)
        data = _dataset(tables["users"], tables["items"], tables["interactions"])
    except ConfigError as error:
        raise BundleError(
            f"the manifest asks for what this version does not have: {error.what}",
            where=str(path),
            remedy="upgrade shortlist, or fit and save the model again",
        ) from error
    except (KeyError, TypeError, ValueError, OSError, SafetensorError, pa.ArrowException) as error:
        raise BundleError(
            f"the bundle's files do not fit together: {error}",
            where=str(path),
            remedy="save the model again",
        ) from error
    return model.restore(data, learned, tables["history"])


def _flatten(
    learned: Any,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any], dict[str, pa.Table]]:
    """Take a dataclass apart: arrays (a sparse matrix is three), JSON scalars, and tables."""
    arrays: dict[str, NDArray[Any]] = {}
    scalars: dict[str, Any] = {}
    tables: dict[str, pa.Table] = {}
    for field in dataclasses.fields(learned):
        value = getattr(learned, field.name)
        if isinstance(value, csr_array):
            for part in ("data", "indices", "indptr"):
                arrays[f"{field.name}.{part}"] = np.ascontiguousarray(getattr(value, part))
            scalars[f"{field.name}.shape"] = list(value.shape)
        elif isinstance(value, np.ndarray):
            arrays[field.name] = np.ascontiguousarray(value)
        elif isinstance(value, pa.Table):
            tables[_LEARNED + field.name] = value
        else:
            scalars[field.name] = value
    return arrays, scalars, tables


def _unflatten(
    kind: type[Model[Any, Any]],
    arrays: dict[str, NDArray[Any]],
    scalars: dict[str, Any],
    tables: dict[str, pa.Table],
) -> Any:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind.Learned):
        name = field.name
        if f"{name}.shape" in scalars:
            parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
            values[name] = csr_array(parts, shape=tuple(scalars[f"{name}.shape"]))
            values[name].check_format(full_check=True)  # compiled code trusts the indices
        elif _LEARNED + name in tables:
            values[name] = tables[_LEARNED + name]
        else:
            values[name] = arrays[name] if name in arrays else scalars[name]
    return kind.Learned(**values)


def _side(vocabulary: Vocabulary, features: pa.Table | None) -> pa.Table:
    """One column ``id``, then the features, in the order of the rows."""
    if features is None:
        return pa.table({_ID: vocabulary.ids}).replace_schema_metadata({_NO_FEATURES: b"1"})
    return features.rename_columns(
        [f"feature.{name}" for name in features.column_names]
    ).add_column(0, _ID, vocabulary.ids)


def _vocabulary(table: pa.Table, kind: str) -> tuple[Vocabulary, pa.Table | None]:
    vocabulary = Vocabulary(table.column(_ID), kind=kind)
    if _NO_FEATURES in (table.schema.metadata or {}):
        return vocabulary, None
    features = table.drop_columns([_ID])
    names = [name.removeprefix("feature.") for name in features.column_names]
    return vocabulary, features.rename_columns(names)


def _interactions(data: Dataset) -> pa.Table:
    columns = {
        "user_row": data.user_rows,
        "item_row": data.item_rows,
        "weight": data.weights,
        "position": data.positions,
    }
    if data.times is not None:
        columns["time"] = data.times
    return pa.table(columns)


def _dataset(users: pa.Table, items: pa.Table, interactions: pa.Table) -> Dataset:
    (user_vocabulary, user_features) = _vocabulary(users, "user")
    (item_vocabulary, item_features) = _vocabulary(items, "item")
    column = {name: interactions.column(name).to_numpy() for name in interactions.column_names}
    for name, vocabulary in (("user_row", user_vocabulary), ("item_row", item_vocabulary)):
        rows = column[name]
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(vocabulary)):
            raise ValueError(f"{name} runs to {rows.max()}, and there are {len(vocabulary)} ids")
    return Dataset(
        user_vocabulary,
        item_vocabulary,
        column["user_row"],
        column["item_row"],
        column["weight"],
        column.get("time"),
        column["position"],
        user_features,
        item_features,
    )


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
