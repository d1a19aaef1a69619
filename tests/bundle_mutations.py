"""Mutated bundles with right hashes: a worker that makes, loads and uses them, one per seed.

``python tests/bundle_mutations.py BUNDLES FIRST LAST`` prints two lines per seed, ``begin SEED``
and ``end SEED OUTCOME``. A process that dies leaves a ``begin`` without an ``end``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

from shortlist.errors import BundleError, CapabilityError, ShortlistError
from shortlist.models.registry import load
from shortlist.recommend.query import Query

NUMBERS = [0, -1, 1, 2**31 - 1, -(2**31), 2**63 - 1, 1e38, -1e38, 1e-45, np.nan, np.inf, -np.inf]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**40,
    1e300,
    "x",
    [],
    [1],
    [-1, -1],
    {},
    {"a": 1},
]
DTYPES = ["f4", "f8", "i4", "i8", "u1", "i1", "f2", "?"]


def mutate(folder: Path, rng: np.random.Generator) -> str:
    """Change one thing about a bundle, make its hashes right, and describe the change."""
    changes = [arrays, arrays, arrays, manifest, manifest, table, table, raw_bytes]
    described = changes[rng.integers(len(changes))](folder, rng)
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        for name in content["files"]:
            if (folder / name).is_file():
                digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
                content["files"][name] = digest
        path.write_text(json.dumps(content), "utf-8")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # the manifest itself is damaged
    return described


def arrays(folder: Path, rng: np.random.Generator) -> str:
    """Change an array: elements, dtype, shape, or its presence."""
    path = folder / "arrays.safetensors"
    content = {name: array.copy() for name, array in load_file(path).items()}
    name = str(rng.choice(sorted(content)))
    array = content[name]
    kind = rng.choice(["element", "element", "bytes", "dtype", "rows", "columns", "flat", "more",
                       "swap", "gone", "shuffle", "scale"])  # fmt: skip
    match kind:
        case "element" if array.size:
            with np.errstate(all="ignore"):
                value = np.array(rng.choice(NUMBERS)).astype(array.dtype)
            array.reshape(-1)[rng.integers(array.size, size=rng.integers(1, 4))] = value
        case "bytes" if array.size:
            view = array.reshape(-1).view(np.uint8)
            view[rng.integers(len(view), size=rng.integers(1, 9))] = rng.integers(256)
        case "dtype":
            with np.errstate(all="ignore"):
                array = array.astype(rng.choice(DTYPES))
        case "rows" if array.ndim:
            array = array[: rng.integers(len(array) + 1)]
        case "columns" if array.ndim == 2:
            array = array[:, : rng.integers(array.shape[1] + 1)]
        case "flat":
            array = array.reshape(-1) if array.ndim > 1 else array.reshape(1, -1)
        case "more":
            array = np.concatenate([array, array])
        case "swap":
            array = content[str(rng.choice(sorted(content)))]
        case "gone":
            del content[name]
        case "shuffle":
            rng.shuffle(array)
        case "scale":
            with np.errstate(all="ignore"):
                array = (array * rng.choice([-1, 1e10, 1e20, 1e30, 0])).astype(array.dtype)
    if name in content:
        content[name] = np.ascontiguousarray(array)
    save_file(content, path)
    return f"array {name}: {kind}"


def manifest(folder: Path, rng: np.random.Generator) -> str:
    """Change a value somewhere in the manifest."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text("utf-8"))
    if rng.random() < 0.05:
        depth = int(rng.choice([10, 1000, 100_000]))
        path.write_text('{"a":' * depth + "1" + "}" * depth)
        return f"a manifest nested {depth} times"
    parent: Any = content
    key: Any = rng.choice(["learned", "learned", "config", *content])
    while isinstance(parent[key], dict | list) and parent[key] and rng.random() < 0.8:
        parent = parent[key]
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        key = keys[rng.integers(len(keys))]
    kind = rng.choice(["value", "value", "gone", "number"])
    if kind == "gone":
        del parent[key]
    elif kind == "number" and isinstance(parent[key], int | float):
        parent[key] = parent[key] * int(rng.choice([-1, 2, 1000])) + int(rng.integers(-1, 2))
    else:
        parent[key] = VALUES[rng.integers(len(VALUES))]
    path.write_text(json.dumps(content), "utf-8")
    return f"manifest {key}: {kind}"


def table(folder: Path, rng: np.random.Generator) -> str:
    """Change a column, the rows or the metadata of a table."""
    path = Path(str(rng.choice(sorted(map(str, folder.glob("*.parquet"))))))
    content = pq.read_table(path)
    kind = rng.choice(["element", "element", "null", "drop", "rename", "cast", "rows", "shuffle",
                       "twice", "metadata"])  # fmt: skip
    position = int(rng.integers(max(content.num_columns, 1)))
    if not content.num_columns or not content.num_rows:
        kind = "metadata"
    name = content.column_names[position] if content.num_columns else ""
    match kind:
        case "element" | "null":
            values = content.column(name).to_pylist()
            row = int(rng.integers(len(values)))
            other = NUMBERS[rng.integers(len(NUMBERS))] if rng.random() < 0.7 else "other"
            values[row] = None if kind == "null" else other
            try:
                column = pa.array(values, content.schema.field(name).type)
            except (pa.ArrowException, OverflowError, TypeError, ValueError):
                column = pa.array([str(value) for value in values])
            content = content.set_column(position, name, column)
        case "drop":
            content = content.drop_columns([name])
        case "rename":
            names = list(content.column_names)
            names[position] = str(rng.choice(["id", "feature.x", "x", *names]))
            content = content.rename_columns(names)
        case "cast":
            column = content.column(name)
            target = rng.choice(["string", "float64", "int8", "int64", "float32"])
            try:
                column = column.cast(pa.type_for_alias(target), safe=False)
            except pa.ArrowException:
                column = pa.nulls(len(column))
            content = content.set_column(position, name, column)
        case "rows":
            content = content.slice(0, int(rng.integers(content.num_rows + 1)))
        case "shuffle":
            content = content.take(pa.array(rng.permutation(content.num_rows)))
        case "twice":
            content = pa.concat_tables([content, content])
        case "metadata":
            metadata = dict(content.schema.metadata or {})
            for key in list(metadata):
                text = bytearray(metadata[key])
                if text:
                    text[int(rng.integers(len(text)))] = int(rng.integers(32, 127))
                metadata[key] = bytes(text)
            content = content.replace_schema_metadata(metadata)
    pq.write_table(content, path)
    return f"table {path.name}, {name}: {kind}"


def raw_bytes(folder: Path, rng: np.random.Generator) -> str:
    """Change, cut or repeat the bytes of a file."""
    path = Path(str(rng.choice(sorted(map(str, folder.iterdir())))))
    content = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        content = content[: rng.integers(len(content) + 1)]
    for _ in range(rng.integers(1, 5)):
        if content:
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
    path.write_bytes(bytes(content))
    return f"bytes of {path.name}"


def use(folder: Path) -> str:
    """Load a bundle and ask for all that a service asks for; return the outcome."""
    try:
        model = load(folder)
    except BundleError:
        return "refused"
    users, items = model.data.users.ids.to_pylist(), model.data.items.ids.to_pylist()
    calls: list[Callable[[], Any]] = [
        lambda: model.recommend(users[:8], k=5, on_unknown="skip"),
        lambda: model.recommend(queries=[Query(history=items[:2])], k=5),
        lambda: model.similar(items[:2], k=3),
        lambda: model.explain(users[0], items[0]),
    ]
    outcome = "served"
    for call in calls:
        try:
            lists = call()
        except CapabilityError:
            continue
        except ShortlistError as error:
            outcome = f"answered by an error: {error.what:.100}"
            continue
        scores = lists.column("score") if hasattr(lists, "column") else [lists.score]
        if not np.isfinite(np.array(scores, dtype=np.float64)).all():
            return f"NOT FINITE: {np.array(scores)[:5]}"
    return outcome


def report(line: str) -> None:
    """Write a line at once, before anything can end the process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(bundles: Path, first: int, last: int) -> None:
    """Make and use the bundles of some seeds."""
    originals = sorted(path for path in bundles.iterdir() if path.is_dir())
    for seed in range(first, last):
        original = originals[seed % len(originals)]
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            shutil.copytree(original, folder)
            described = mutate(folder, np.random.default_rng([12, seed]))
            report(f"begin {seed} {original.name}, {described}")
            try:
                outcome = use(folder)
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                outcome = f"TRACEBACK: {error!r:.150} at {where.filename}:{where.lineno}"
                outcome = outcome.replace("\n", " ")
        report(f"end {seed} {outcome}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
