"""Items without titles are labelled with their ids and a few features."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.explore.items import labels


def labels_of(**columns: Any) -> list[str]:
    log = pa.table({"user_id": [1, 1, 1], "item_id": [7, 8, 9]})
    items = pa.table({"item_id": [7, 8, 9]} | columns) if columns else None
    return labels(sl.Dataset.from_tables(log, items=items))


@pytest.mark.parametrize("column", ["title", "name"])
def test_titles_are_used_as_labels(column: str) -> None:
    assert labels_of(**{column: ["Heat", None, "괴물"]}, year=[1995, 1996, 2006]) == [
        "Heat",
        "8",
        "괴물",
    ]


def test_the_first_three_values() -> None:
    assert labels_of(
        valid_from=[dt.datetime(2024, 1, 1)] * 3,
        town=["Busan", None, ""],
        key_words=[["night", "van", "pay"], [], ["day"]],
        remote=[True, None, False],
        salary=[1000.5, None, 3e6],
    ) == [
        "7 (town Busan, key words night and van, remote yes)",
        "8",
        "9 (key words day, remote no, salary 3e+06)",
    ]


def test_columns_with_a_dominant_value_are_left_out() -> None:
    log = pa.table({"user_id": [1] * 12, "item_id": range(12)})
    items = {"item_id": range(12), "town": ["Busan"] * 7 + ["Jeju"] * 5, "degree": [1, 2, 3] * 4}
    data = sl.Dataset.from_tables(log, items=pa.table(items))
    assert labels(data)[:2] == ["0 (degree 1)", "1 (degree 2)"]
    common = {name: items[name] for name in ("item_id", "town")}
    data = sl.Dataset.from_tables(log, items=pa.table(common))
    assert labels(data)[0] == "0 (town Busan)"


def test_ids_alone_without_features() -> None:
    assert labels_of() == ["7", "8", "9"]


def test_long_texts_are_shortened() -> None:
    [label, *_] = labels_of(about=["many\n words " * 20, "x", "y"])
    assert label.startswith("7 (about many words many words")
    assert label.endswith("…)")
    assert len(label) <= 7 + 60


def test_words_come_before_codes() -> None:
    assert labels_of(region=["3", "4", "5"], asked=[["tax", "pay"], ["care"], None]) == [
        "7 (asked tax and pay, region 3)",
        "8 (asked care, region 4)",
        "9 (region 5)",
    ]
