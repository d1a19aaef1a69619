"""Writing a bundle and reading it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shortlist._version import __version__
from shortlist.bundle.folder import Folder, damaged, opened
from shortlist.bundle.manifest import FORMAT, MANIFEST, Manifest, manifest_of, require_replaceable
from shortlist.bundle.parts import FindClass, Parts, Storable, join, require_declared, split
from shortlist.bundle.tables import dataset_of, interactions_table, side_table
from shortlist.data.rules.counting import Counting
from shortlist.errors import BundleError, ConfigError, InputError, ShortlistError
from shortlist.files import atomic_directory, require_folder

ARRAYS = "arrays.safetensors"
_TABLES = ("users", "items", "interactions", "history")
_UNFIT = (
    KeyError, TypeError, ValueError, OSError, OverflowError, AttributeError, IndexError,
    MemoryError, RecursionError, SafetensorError, pa.ArrowException, InputError,
)  # fmt: skip
"""The errors of reading contents that do not fit together."""
_DISLIKES = "dislikes"  # the table of dislikes, where there are any
_COUNTING = "counting"  # the rules by which rows became interactions, where there are any
_LEARNED = "learned."  # prefix of the files of learned tables


def require_target(path: str | Path) -> None:
    """Raise an InputError now unless a bundle may be written to a path."""
    path = Path(path)
    if path.exists():
        require_replaceable(path)
    require_folder(path)


def save(
    model: Storable,
    path: str | Path,
    *,
    metrics: Mapping[str, Any] | None = None,
    mark: Mapping[str, Any] | None = None,
) -> Path:
    """Write a fitted model; :meth:`Model.save` documents the arguments.

    An InputError if ``path`` exists and is not a bundle or holds other files, its parent folder
    does not exist, or the metrics or the mark are not JSON.
    """
    path = Path(path)
    require_target(path)
    data = model.data
    require_declared(model.learned)
    learned = split(model.learned)
    notes = _json_mapping("metrics", metrics or {})
    read_up_to = None if mark is None else _json_mapping("mark", mark)
    with atomic_directory(path) as folder:
        save_file(learned.arrays, folder / ARRAYS)
        tables = {
            "users": side_table(data.users, data.user_features),
            "items": side_table(data.items, data.item_features),
            "interactions": interactions_table(data),
            "history": model.history,
            **({} if data.dislikes is None else {_DISLIKES: interactions_table(data.dislikes)}),
            **{_LEARNED + name: table for name, table in learned.tables.items()},
        }
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
        with opened(folder) as written:
            hashes = {file.name: written.hash_of(file.name) for file in sorted(folder.iterdir())}
        manifest = Manifest(
            format=FORMAT,
            shortlist=__version__,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            model=model.name,
            config=model.settings,
            learned=learned.scalars,
            data={
                "fingerprint": data.fingerprint,
                "users": data.n_users,
                "items": data.n_items,
                "interactions": data.n_interactions,
                **({} if data.counting is None else {_COUNTING: data.counting.to_json()}),
            },
            metrics=notes,
            mark=read_up_to,
            files=hashes,
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return path


def _json_mapping(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(dict(values))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the {name} cannot be written as JSON: {error}",
            remedy="give texts, Python numbers, lists and mappings of them",
        ) from None
    return dict(values)


def read(path: str | Path, find_class: FindClass) -> tuple[Any, Manifest]:
    """Read a model and the manifest of the same bundle; the training data is not needed.

    ``find_class`` leads from the name of a model to its class. A bundle that is replaced in the
    meantime is read either before or after, never in between. A BundleError if the folder is
    missing, not a bundle, damaged, or of another format.
    """
    path = Path(path)
    with opened(path) as folder:
        manifest = manifest_of(folder)
        _check_files(folder, manifest)
        try:
            return _model_of(folder, manifest, find_class), manifest
        except BundleError as error:
            raise BundleError(error.what, where=str(path), remedy=error.remedy) from error
        except ConfigError as error:
            what = "the manifest names a model or setting that this version does not have"
            remedy = "upgrade shortlist, or fit and save the model again"
            raise BundleError(f"{what}: {error.what}", where=str(path), remedy=remedy) from error
        except _UNFIT as error:
            what = error.what if isinstance(error, ShortlistError) else str(error)
            raise damaged(f"the bundle's files do not fit together: {what}", path) from error


def _check_files(folder: Folder, manifest: Manifest) -> None:
    """Check that the files every bundle has are listed, and the hashes of all listed files."""
    for name in (ARRAYS, *(f"{table}.parquet" for table in _TABLES)):
        if name not in manifest.files:
            raise damaged(f"{MANIFEST} has no hash of {name}", folder.path)
    for name, expected in manifest.files.items():
        if folder.hash_of(name) != expected:
            why = "its hash differs from the one in the manifest"
            raise damaged(f"{name} is damaged: {why}", folder.path)


def _model_of(folder: Folder, manifest: Manifest, find_class: FindClass) -> Any:
    model = find_class(manifest.model)(**manifest.config)
    tables = {name: _table(folder, f"{name}.parquet") for name in _TABLES}
    learned_tables = {
        name.removeprefix(_LEARNED).removesuffix(".parquet"): _table(folder, name)
        for name in manifest.files
        if name.startswith(_LEARNED) and name.endswith(".parquet")
    }
    dislikes = f"{_DISLIKES}.parquet"
    rejected = _table(folder, dislikes) if dislikes in manifest.files else None
    data = dataset_of(tables["users"], tables["items"], tables["interactions"], rejected)
    if _COUNTING in manifest.data:
        counting = TypeAdapter(Counting).validate_python(manifest.data[_COUNTING])
        data = replace(data, counting=counting)
    counts = {"users": data.n_users, "items": data.n_items, "interactions": data.n_interactions}
    for name, count in counts.items():
        if manifest.data.get(name) != count:
            raise ValueError(f"{name}.parquet has {count} rows, not {manifest.data.get(name)!r}")
    parts = Parts(load_file(folder.path_of(ARRAYS)), manifest.learned, learned_tables)
    learned = join(model, parts, data, find_class)
    return model.restore(data, learned, tables["history"])


def _table(folder: Folder, name: str) -> pa.Table:
    with pq.ParquetFile(folder.file(name)) as file:  # read_table would import Arrow's data sets
        table = file.read()
    table.validate(full=True)
    if len(set(table.column_names)) < len(table.column_names):
        raise ValueError(f"{name} has two columns of the same name")
    return table
