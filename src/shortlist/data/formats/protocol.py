"""A split with published negatives, in the three text files that He et al. (WWW 2017) released.

``PREFIX.train.rating`` and ``PREFIX.test.rating`` hold a line an interaction, ``user, item, rating,
time``; ``PREFIX.test.negative`` holds a line a test interaction, ``(user,item)`` and the items that
it is ranked among. Fields are separated by tabs; ids are whole numbers; there are no headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError

TRAIN, TEST, NEGATIVE = (".train.rating", ".test.rating", ".test.negative")
_COLUMNS = ("user_id", "item_id", "rating", "time")
_PAIR = re.compile(r"\((-?\d+),\s*(-?\d+)\)$")


class PublishedSplit(NamedTuple):
    """A split and its negatives; all three have the same vocabularies."""

    train: Dataset
    test: Dataset
    negatives: Dataset


def read_split(prefix: str | Path) -> PublishedSplit:
    r"""Read the three files that begin with ``prefix``, as ``ml-1m`` for ``ml-1m.train.rating``.

    Times are seconds since 1970; ratings become weights. A user's negatives are those of all their
    test interactions.

    Raises
    ------
    InputError
        A file is missing, or a line is not what it should be; the message names file and line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     prefix = Path(folder) / "toy"
    ...     _ = Path(f"{prefix}.train.rating").write_text("0\t5\t4\t100\n1\t7\t3\t90\n")
    ...     _ = Path(f"{prefix}.test.rating").write_text("0\t7\t5\t200\n")
    ...     _ = Path(f"{prefix}.test.negative").write_text("(0,7)\t8\t9\n")
    ...     read_split(prefix)[0]
    Dataset(2 users, 4 items, 2 interactions)
    """
    train, test = (_ratings(_file(prefix, ending)) for ending in (TRAIN, TEST))
    path = _file(prefix, NEGATIVE)
    users, items = _negatives(path, test)
    negatives = pa.table({"user_id": users, "item_id": items})
    tables = (train, test, negatives)
    known = [
        pa.table({name: pa.concat_arrays([t[name].combine_chunks() for t in tables]).unique()})
        for name in _COLUMNS[:2]
    ]
    return PublishedSplit(
        *(
            Dataset.from_tables(
                table,
                *known,
                weight="rating" if "rating" in table.column_names else None,
                time="time" if "time" in table.column_names else None,
            )
            for table in tables
        )
    )


def _file(prefix: str | Path, ending: str) -> Path:
    path = Path(f"{prefix}{ending}")
    if not path.is_file():
        raise InputError(
            f"there is no file {path}",
            remedy=f"name what comes before {TRAIN}, {TEST} and {NEGATIVE}",
        )
    return path


def _ratings(path: Path) -> pa.Table:
    with path.open(encoding="utf-8") as file:
        names = _COLUMNS[: len(file.readline().split("\t"))]
    types = dict(zip(_COLUMNS, (pa.int64(), pa.int64(), pa.float32(), pa.int64()), strict=True))
    try:
        return csv.read_csv(
            path,
            csv.ReadOptions(column_names=names),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        _explain(path, len(names))
        raise InputError(f"{path} cannot be read: {error}", where=str(path)) from None


def _explain(path: Path, count: int) -> None:
    """Raise an error that names the first line that is not as it should be, if one is not."""
    kinds: tuple[Callable[[str], object], ...] = (int, int, float, int)
    for number, line in _lines(path):
        fields = line.split("\t")
        if len(fields) != count or count < 2:
            raise _malformed(path, number, f"{len(fields)} fields, where there should be {count}")
        for name, kind, field in zip(_COLUMNS, kinds, fields, strict=False):
            try:
                kind(field)
            except ValueError:
                raise _malformed(path, number, f"{name} is {field!r}, not a number") from None
    if count < 2:
        raise InputError(f"{path} is empty", remedy=_REMEDY)


def _negatives(path: Path, test: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read whose negatives there are, and which."""
    tested = set(zip(test["user_id"].to_pylist(), test["item_id"].to_pylist(), strict=True))
    users, items = [], []
    for number, line in _lines(path):
        first, *fields = line.split("\t")
        pair = _PAIR.match(first.strip())
        if pair is None:
            raise _malformed(path, number, f"it begins with {first!r}, not with (user,item)")
        user, item = int(pair[1]), int(pair[2])
        if (user, item) not in tested:
            raise _malformed(path, number, f"({user},{item}) is not in {path.stem}.rating")
        if not fields:
            raise _malformed(path, number, "no negatives after the pair")
        try:
            found = np.array(fields, dtype=np.int64)
        except ValueError:
            wrong = next(field for field in fields if not field.strip().isdigit())
            raise _malformed(path, number, f"the negative {wrong!r} is not a number") from None
        users.append(np.full(len(found), user))
        items.append(found)
    if not users:
        raise InputError(f"{path} is empty", remedy=_REMEDY)
    return np.concatenate(users), np.concatenate(items)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.rstrip("\r\n")


_REMEDY = "the format is tab separated: user, item, rating, time; (user,item) and negatives"


def _malformed(path: Path, line: int, what: str) -> InputError:
    return InputError(
        f"line {line} is malformed: {what}", where=f"{path}, line {line}", remedy=_REMEDY
    )
