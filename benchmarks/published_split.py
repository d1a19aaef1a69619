"""A published split with sampled negatives, in the text format of He et al. (WWW 2017).

``PREFIX.train.rating`` and ``PREFIX.test.rating`` have one line per interaction: ``user, item,
rating, time``. ``PREFIX.test.negative`` has one line per test interaction: ``(user,item)``, then
the items that it is ranked against. Fields are separated by tabs, ids are integers, and there are
no headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv

from shortlist.data.dataset import Dataset
from shortlist.data.formats import scan
from shortlist.errors import InputError

TRAIN, TEST, NEGATIVE = (".train.rating", ".test.rating", ".test.negative")
_COLUMNS = ("user_id", "item_id", "rating", "time")
_PAIR = re.compile(r"\((-?\d+),\s*(-?\d+)\)$")


class PublishedSplit(NamedTuple):
    """A split and its negatives; the three data sets share their vocabularies."""

    train: Dataset
    test: Dataset
    negatives: Dataset


def read_split(prefix: str | Path) -> PublishedSplit:
    r"""Read the three files of a prefix, such as ``ml-1m`` for ``ml-1m.train.rating``.

    Times are seconds since 1970; ratings become weights. The negatives of a user are those of all
    test interactions of the user.

    Raises
    ------
    InputError
        A file is missing or empty, or a line is malformed; the message names file and line.

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
    train_file, test_file, negative_file = (
        _file(prefix, ending) for ending in (TRAIN, TEST, NEGATIVE)
    )
    with scan.translated(train_file.name, train_file):
        train = _ratings(train_file)
    with scan.translated(test_file.name, test_file):
        test = _ratings(test_file)
    with scan.translated(negative_file.name, negative_file):
        tables = (train, test, _negatives(negative_file, test))
    vocabularies = [
        pa.concat_tables([table.select([name]) for table in tables]).group_by(name).aggregate([])
        for name in _COLUMNS[:2]
    ]
    return PublishedSplit(
        *(
            Dataset.from_tables(
                table,
                *vocabularies,
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
            remedy=f"pass the part of the path before {TRAIN}, {TEST} and {NEGATIVE}",
        )
    return path


def _ratings(path: Path) -> pa.Table:
    with path.open(encoding="utf-8") as file:
        names = _COLUMNS[: len(file.readline().split("\t"))]
    if len(names) < 2:
        _find_malformed(path, len(names))
    types = dict(zip(_COLUMNS, (pa.int64(), pa.int64(), pa.float32(), pa.int64()), strict=True))
    try:
        return csv.read_csv(
            path,
            csv.ReadOptions(column_names=names),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        _find_malformed(path, len(names))
        raise InputError(f"{path} cannot be read: {error}", where=str(path)) from None


def _find_malformed(path: Path, count: int) -> None:
    """Raise an error that names the first malformed line, if there is one."""
    kinds: tuple[Callable[[str], object], ...] = (int, int, float, int)
    for number, line in _lines(path):
        fields = line.split("\t")
        if len(fields) != count or count < 2:
            expected = "at least 2" if count < 2 else count
            raise _malformed(path, number, f"{len(fields)} fields instead of {expected}")
        for name, kind, field in zip(_COLUMNS, kinds, fields, strict=False):
            try:
                kind(field)
            except ValueError:
                reason = f"{name} is {field!r}, not a number"
                raise _malformed(path, number, reason) from None
    if count < 2:
        raise InputError(f"{path} is empty", remedy=_REMEDY)


def _negatives(path: Path, test: pa.Table) -> pa.Table:
    """Return a table with the user and the item of each negative."""
    tested = set(zip(test["user_id"].to_pylist(), test["item_id"].to_pylist(), strict=True))
    users, items = [], []
    for number, line in _lines(path):
        key, *fields = line.split("\t")
        pair = _PAIR.match(key.strip())
        if pair is None:
            raise _malformed(path, number, f"it begins with {key!r}, not with (user,item)")
        user, item = int(pair[1]), int(pair[2])
        if (user, item) not in tested:
            raise _malformed(path, number, f"({user},{item}) is not in {path.stem}.rating")
        if not fields:
            raise _malformed(path, number, "there are no negatives after the pair")
        try:
            negatives = np.array(fields, dtype=np.int64)
        except ValueError:
            wrong = next(field for field in fields if not field.strip().isdigit())
            raise _malformed(path, number, f"the negative {wrong!r} is not a number") from None
        users.append(np.full(len(negatives), user))
        items.append(negatives)
    if not users:
        raise InputError(f"{path} is empty", remedy=_REMEDY)
    return pa.table({"user_id": np.concatenate(users), "item_id": np.concatenate(items)})


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.rstrip("\r\n")


_REMEDY = "separate by tabs: user, item, rating and time; or (user,item) and its negatives"


def _malformed(path: Path, line: int, what: str) -> InputError:
    return InputError(
        f"line {line} is malformed: {what}", where=f"{path}, line {line}", remedy=_REMEDY
    )
