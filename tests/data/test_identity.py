from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from shortlist.data.dataset import Dataset
from shortlist.data.identity import OTHER, identity_of

LOG = pa.table({"user_id": [1, 1, 2, 2], "item_id": ["a", "b", "a", "c"], "at": [4, 3, 2, 1]})
ITEMS = pa.table(
    {
        "item_id": ["a", "b", "c"],
        "genre": ["x", None, "y"],
        "year": [1999, 2001, None],
        "tags": [["p", "q"], [], None],
    }
)


def read(log: Any = LOG, items: Any = ITEMS, time: str | None = "at") -> Dataset:
    return Dataset.from_tables(log, items=items, time=time)


def differs(first: Dataset, second: Dataset) -> list[str]:
    found, other = identity_of(first), identity_of(second)
    assert found.keys() == other.keys() == OTHER.keys()
    return [key for key, value in found.items() if other[key] != value]


@pytest.mark.parametrize(
    "other",
    [
        read(LOG.take([3, 1, 0, 2]), ITEMS.take([2, 0, 1])),
        read(pa.concat_tables([LOG[:1], LOG[1:]]), pa.concat_tables([ITEMS[:2], ITEMS[2:]])),
        read(items=ITEMS.set_column(1, "genre", ITEMS["genre"].dictionary_encode())),
        read(items=ITEMS.to_pylist()),
    ],
    ids=["rows in another order", "chunks", "dictionaries", "records"],
)
def test_it_does_not_depend_on_how_tables_are_read(other: Dataset) -> None:
    assert differs(read(), other) == []


def test_chunks_within_a_table_of_features_do_not_count() -> None:
    data = read()
    assert data.item_features is not None
    parts = pa.concat_tables([data.item_features[:1], data.item_features[1:]])
    assert differs(data, replace(data, item_features=parts)) == []


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (read(LOG.set_column(2, "at", pa.array([5, 3, 2, 1]))), ["data"]),
        (read(LOG.set_column(2, "at", pa.array([1, 2, 3, 4]))), ["data", "order"]),
        (read(items=ITEMS.set_column(2, "year", pa.array([1999, 2001, 7]))), ["features"]),
        (read(items=ITEMS.rename_columns(["item_id", "kind", "year", "tags"])), ["features"]),
        (read(items=ITEMS.select(["item_id", "year", "genre", "tags"])), ["features"]),
        (read(items=None), ["features"]),
    ],
)
def test_what_counts(other: Dataset, expected: list[str]) -> None:
    assert differs(read(), other) == expected


def test_without_times_the_order_of_rows_counts() -> None:
    assert differs(read(time=None), read(LOG[:2].take([1, 0]), time=None)) != []
    swapped = read(LOG.take(np.array([1, 0, 2, 3])), time=None)
    assert differs(read(time=None), swapped) == ["order"]
    apart = read(LOG.take(np.array([0, 2, 1, 3])), time=None)  # each user's order is the same
    assert differs(read(time=None), apart) == []
