"""Titles of items: named by the caller, or found by the name of a column."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import shortlist as sl
from shortlist.data.columns.titles import title_column, titles
from shortlist.errors import InputError

LOG = {"user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 9]}


def features(**columns: Any) -> pa.Table | None:
    return sl.Dataset.from_tables(LOG, items={"item_id": [7, 8, 9], **columns}).item_features


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("title", True), ("name", True), ("movie_title", True), ("Product Name", True),
        ("상품명", True), ("공고 제목", True), ("company_name", False), ("aisle", False),
    ],
)  # fmt: skip
def test_a_title_is_found_by_its_name(column: str, found: bool) -> None:
    named = features(corner=["x", "y", "x"], **{column: ["a", "b", None]})
    assert title_column(named) == (column if found else None)
    if found:
        assert titles(named) == pa.array(["a", "b", None])


def test_the_surest_name_wins_and_numbers_are_no_titles() -> None:
    assert title_column(features(product_name=["a", "b", "c"], title=["d", "e", "f"])) == "title"
    assert title_column(features(job_title=[1, 2, 3])) is None
    assert title_column(None) is None


def test_a_column_named_after_the_items_holds_their_titles() -> None:
    assert title_column(features(product=["Tea", "Rye", "Gin"])) == "product"
    assert title_column(features(product=["Tea", "Rye", "Gin"], name=["a", "b", "c"])) == "name"
    assert title_column(features(job=["cook", "clerk", "nurse"])) is None  # a kind of job
    assert title_column(features(product=["food"] * 3)) is None
    log = {"customer": [1, 1, 2, 2], "sku": ["T", "R", "T", "G"]}
    titled = sl.look(log | {"product": ["Tea", "Rye", "Tea", "Gin"]})
    assert (titled.roles.item_id, titled.roles.title) == ("sku", "product")


def test_a_named_title_replaces_the_guess_and_outlives_a_bundle(tmp_path: Path) -> None:
    items = {"item_id": [7, 8, 9], "title": ["a", "b", "c"], "label": ["x", "y", "z"]}
    data = sl.Dataset.from_tables(LOG, items=items, title="label")
    sl.Popularity().fit(data).save(tmp_path / "bundle")
    for kept in (data, data.select(data.item_rows > 0), sl.load(tmp_path / "bundle").data):
        assert title_column(kept.item_features) == "label"
        assert kept.item_features is not None
        assert kept.item_features.column_names == ["title", "label"]


def test_titles_of_the_interactions_are_the_last_of_each_item() -> None:
    log = LOG | {"what": ["a", "b", "c", None], "weight": [1, 1, 1, 1]}
    data = sl.Dataset.from_tables(log, title="what")
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"what": ["c", "b", None]}
    items = {"item_id": [9, 7, 8], "year": [3, 1, 2]}
    data = sl.Dataset.from_tables(log, items=items, title="what")
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"year": [1, 2, 3], "what": ["c", "b", None]}


def test_bytes_that_are_no_text() -> None:
    items = pa.table({"item_id": [7, 8, 9], "title": [b"Heat", b"\xff\xfe", None]})
    with pytest.raises(InputError) as error:
        sl.Dataset.from_tables(LOG, items=items)
    assert str(error.value) == (
        "a title is not text in UTF-8\n"
        "  where: items, column 'title'\n"
        "  to do: decode the bytes to text first (pandas: frame['title'].str.decode('cp1252')), "
        "or leave the column out"
    )


def test_a_column_that_does_not_exist() -> None:
    with pytest.raises(InputError, match="there is no column 'nam'") as error:
        sl.Dataset.from_tables(LOG | {"name": ["a"] * 4}, title="nam")
    assert "title=" in str(error.value)


def test_lists_carry_titles_into_files_and_to_people(tmp_path: Path) -> None:
    items = {"item_id": [7, 8, 9], "name": ["Heat", "괴물", None]}
    model = sl.Popularity().fit(sl.Dataset.from_tables(LOG, items=items))
    lists = model.recommend(k=3, exclude_seen=False)
    columns = ["user_id", "item_id", "rank", "score", "source"]
    assert lists.to_arrow().column_names == columns
    assert lists.titled().column_names == [*columns, "title"]
    expected = ["Heat", "괴물", None] * 2
    assert lists.titled().column("title").to_pylist() == expected
    assert lists.to_polars()["title"].to_list() == expected
    assert lists.to_pandas()["title"].tolist()[:2] == ["Heat", "괴물"]
    assert list(lists.to_pandas()) == [*columns, "title"]
    pq_path, csv_path = tmp_path / "lists.parquet", tmp_path / "lists.csv"
    lists.write(pq_path)
    lists.write(csv_path)
    assert pq.read_table(pq_path).equals(lists.titled())
    with csv_path.open(encoding="utf-8", newline="") as file:
        assert [row["title"] for row in csv.DictReader(file)] == ["Heat", "괴물", ""] * 2
    shown = str(lists).splitlines()
    assert shown[0].split(" | ")[:3] == ["user_id", "item_id", "title"]
    assert "괴물" in shown[3]
    assert shown[-1] == "Recommendations(6 rows, 2 lists by user_id)"
    assert re.findall(r"<th[^>]*>(\w+)", lists._repr_html_())[:3] == ["user_id", "item_id", "title"]


def test_lists_without_titles_are_as_they_were(tmp_path: Path) -> None:
    lists = sl.Popularity().fit(sl.Dataset.from_tables(LOG)).recommend(k=1)
    assert lists.titled() is lists.to_arrow()
    lists.write(tmp_path / "lists.parquet")
    assert pq.read_table(tmp_path / "lists.parquet").equals(lists.to_arrow())


def test_titles_of_similar_items_and_of_an_audience() -> None:
    items = {"item_id": [7, 8, 9], "name": ["Heat", "괴물", "Up"]}
    model = sl.ItemCosine().fit(sl.Dataset.from_tables(LOG, items=items))
    similar = model.similar([8], k=1)
    assert similar.titled().select(["item_id", "title"]).to_pylist() == [
        {"item_id": 7, "title": "Heat"}
    ]
    audience = model.audience([9, 8], k=1)
    assert audience.titled().select(["item_id", "user_id", "title"]).to_pylist() == [
        {"item_id": 9, "user_id": 1, "title": "Up"},
        {"item_id": 8, "user_id": 2, "title": "괴물"},
    ]
