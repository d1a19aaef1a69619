"""A fitted model on disk: arrays, tables and a manifest in one folder, none of which can run code.

::

    bundle/
      manifest.json          format, versions, model, settings, data, metrics, a hash of each file
      arrays.safetensors     what the model learned
      learned.NAME.parquet   a table that the model learned, one a field, if there are any;
                             a model within a model has its fields under NAME.0, NAME.1, ...
      users.parquet          ids and features, in the order of the rows
      items.parquet
      interactions.parquet   who chose what in training, coded as rows: it is what "seen" means
      history.parquet        training metrics, one row an epoch
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shortlist._version import __version__
from shortlist.bundle.learned import Parts, put_together, take_apart
from shortlist.bundle.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    hash_of,
    may_be_replaced,
    read_manifest,
)
from shortlist.bundle.tables import dataset_of, interactions_table, side_table
from shortlist.errors import BundleError, ConfigError, InputError
from shortlist.files import atomic_directory
from shortlist.models.base import Model
from shortlist.models.registry import model_class

ARRAYS = "arrays.safetensors"
_LEARNED = "learned."  # how the names of learned tables start

__all__ = ["ARRAYS", "FORMAT", "MANIFEST", "Manifest", "load", "read_manifest", "save"]


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
    if path.exists() and not may_be_replaced(path):
        raise InputError(
            f"{path} is not a bundle, and is not replaced by one", remedy="name another folder"
        )
    data = model.data
    learned = take_apart(model.learned)
    noted = _plain_json(metrics or {})
    with atomic_directory(path) as folder:
        save_file(learned.arrays, folder / ARRAYS)
        tables = {
            "users": side_table(data.users, data.user_features),
            "items": side_table(data.items, data.item_features),
            "interactions": interactions_table(data),
            "history": model.history,
            **{_LEARNED + name: table for name, table in learned.tables.items()},
        }
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
        manifest = Manifest(
            format=FORMAT,
            shortlist=__version__,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            model=model.name,
            config=model.config.model_dump(mode="json"),
            learned=learned.scalars,
            data={
                "fingerprint": data.fingerprint,
                "users": data.n_users,
                "items": data.n_items,
                "interactions": data.n_interactions,
            },
            metrics=noted,
            files={file.name: hash_of(file) for file in sorted(folder.iterdir())},
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return path


def _plain_json(metrics: Mapping[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(dict(metrics))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the metrics cannot be written as JSON: {error}",
            remedy="give texts, Python numbers, lists and mappings of them",
        ) from None
    return dict(metrics)


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
    >>> from shortlist.data.dataset import Dataset
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
        if hash_of(path / name) != expected:
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
            name.removeprefix(_LEARNED).removesuffix(".parquet"): pq.read_table(path / name)
            for name in manifest.files
            if name.startswith(_LEARNED) and name.endswith(".parquet")
        }
        data = dataset_of(tables["users"], tables["items"], tables["interactions"])
        parts = Parts(load_file(path / ARRAYS), manifest.learned, learned_tables)
        learned = put_together(type(model), parts, data)
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
