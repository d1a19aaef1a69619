"""Lists in a folder, for more users than fit in memory: each worker writes its own files.

A file holds the lists of a fixed number of consecutive requests, so the files do not depend on the
engine. ``_run.json``, written first, says which run they belong to; ``_manifest.json``, written
last, says that all of them are there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shortlist import engine
from shortlist.data.vocabulary import Id
from shortlist.engine.base import BLOCK_BYTES, FEWEST_QUERIES
from shortlist.errors import InputError, ShortlistError
from shortlist.progress import track
from shortlist.recommend.places import Place
from shortlist.recommend.recommender import Block, ListOptions, ListTask
from shortlist.recommend.result import Recommendations
from shortlist.scoring.scorer import Scorer

FORMAT = 1
RUN, MANIFEST = "_run.json", "_manifest.json"


@dataclass(frozen=True)
class ListFolder:
    """A folder of lists that is complete.

    Attributes
    ----------
    place
        Its absolute path or address.
    files, rows
        The number of Parquet files, and of rows in all of them.
    found
        How many of the files an earlier, unfinished run had written.
    """

    place: str
    files: int
    rows: int
    found: int


@dataclass(frozen=True)
class _Run:
    """What the workers need to write any of the files."""

    task: ListTask
    lists_per_file: int
    place: Place

    @property
    def names(self) -> list[str]:
        """The name of each file."""
        count = -(-len(self.task.requests) // self.lists_per_file)
        return [f"part-{number:05}.parquet" for number in range(count)]

    def write(self, number: int) -> None:
        """Write the file with this number."""
        requests, model = self.task.requests, self.task.model
        start = number * self.lists_per_file
        length = min(self.lists_per_file, len(requests) - start)
        task, memory = partial(_shifted, self.task, start), model.bytes_per_query
        blocks = engine.current().map_rows(task, length, memory, "", FEWEST_QUERIES)
        labels = requests.label, requests.labels.slice(start, length)
        lists = Recommendations.assemble(blocks, labels, model, self.task.options.k)
        sink = pa.BufferOutputStream()
        pq.write_table(lists.titled().combine_chunks(), sink, compression="zstd")
        self.place.write(self.names[number], sink.getvalue())


def recommend_to(
    model: Scorer,
    place: Place,
    identity: str,
    users: Iterable[Id] | None,
    options: ListOptions,
    lists_per_file: int,
) -> ListFolder:
    """Write lists of users; :meth:`Model.recommend_to` documents the arguments.

    ``identity`` stands for the fitted model: a run goes on only with the same one.
    """
    is_whole = isinstance(lists_per_file, int | np.integer) and not isinstance(lists_per_file, bool)
    if not is_whole or lists_per_file < 1:
        raise InputError(
            f"lists_per_file={lists_per_file!r} is out of range",
            remedy="pass a whole number of 1 or more",
        )
    task = ListTask.of(model, users, None, options)
    run = _Run(task, int(lists_per_file), place)
    described = {
        "format": FORMAT,
        "model": model.name,
        "config": dict(model.settings),
        "k": int(options.k),
        "diversity": float(options.diversity),
        "lists": len(task.requests),
        "lists_per_file": run.lists_per_file,
        "hash": _hash(task, identity),
    }
    present = _begin(place, json.loads(json.dumps(described)))
    missing = [number for number, name in enumerate(run.names) if name not in present]
    if MANIFEST not in present:
        written = engine.current().map(run.write, missing, BLOCK_BYTES, "recommending")
        for _ in track(written, "recommending", len(missing)):
            pass
        _finish(run, described)
    rows = json.loads(place.read(MANIFEST))["files"].values()
    found = len(run.names) - len(missing)
    return ListFolder(place.url, len(run.names), sum(rows), found)


def _shifted(task: ListTask, start: int, block: range) -> Block:
    return task(range(start + block.start, start + block.stop))


def _hash(task: ListTask, identity: str) -> str:
    """Return the SHA-256 of everything that the lists depend on."""
    requests = task.requests
    text = f"{identity} {requests.label} {task.options.exclude_seen} "
    digest = hashlib.sha256(text.encode())
    digest.update(np.ascontiguousarray(requests.users).data)
    for start in range(0, len(requests), 1 << 16):
        digest.update(json.dumps(requests.labels.slice(start, 1 << 16).to_pylist()).encode())
    if task.common is not None:
        digest.update(task.common.data)
    return digest.hexdigest()


def _begin(place: Place, described: dict[str, Any]) -> set[str]:
    """Mark the folder as one of this run, unless it is; return the names of its files."""
    present = place.names()
    if RUN not in present:
        if present:
            raise InputError(
                f"the folder has {len(present)} files and was not made for lists",
                where=place.url,
                remedy="name a new folder",
            )
        place.create()
        place.write(RUN, json.dumps(described, indent=2).encode())
        return present
    try:
        before = dict(json.loads(place.read(RUN)))
    except ValueError:
        before = {}
    if before == described:
        return present
    keys = [key for key in described if before.get(key) != described[key] and key != "hash"]
    shown = keys or ["the model, its data, the users or the rules"]
    raise InputError(
        f"the folder holds the lists of another run; these differ: {', '.join(shown)}",
        where=place.url,
        remedy="name a new folder, or delete this one",
    )


def _finish(run: _Run, described: dict[str, Any]) -> None:
    """Write the manifest, if the files of all workers have arrived."""
    absent = sorted(set(run.names) - run.place.names())
    if absent:
        raise ShortlistError(
            f"{len(absent)} of {len(run.names)} files did not arrive, first {absent[0]}",
            where=run.place.url,
            remedy="name a folder that all nodes share, or an address like s3://bucket/folder",
        )
    files = {name: _rows(run.place.read(name)) for name in run.names}
    content = described | {"files": files, "rows": sum(files.values())}
    run.place.write(MANIFEST, json.dumps(content, indent=2).encode())


def _rows(content: bytes) -> int:
    return int(pq.read_metadata(pa.BufferReader(content)).num_rows)
