"""Everything tabular is an Arrow stream, and every Arrow stream is a table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist import explore

LOG = {
    "user_id": ["a", "a", "b", "b", "c", "c", "d", "d"],
    "item_id": [1, 2, 1, 3, 2, 3, 1, 2],
}
ITEMS = {"item_id": [1, 2, 3, 4], "title": ["Tea", "Rye", "Oats", "Salt"]}


class Stream:
    """An object that has nothing but the stream of a table."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.table = pa.table(columns)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.fixture(scope="module")
def data() -> sl.Dataset:
    return sl.Dataset.from_tables(Stream(LOG), items=Stream(ITEMS))


def read(result: Any) -> pa.Table:
    return pa.RecordBatchReader.from_stream(result).read_all()


def test_a_stream_is_a_table(data: sl.Dataset) -> None:
    assert data.n_interactions == 8
    assert list(data.users) == ["a", "b", "c", "d"]
    assert list(data.items) == [1, 2, 3, 4]
    assert data.item_table().to_pydict() == ITEMS


def test_results_are_streams(data: sl.Dataset) -> None:
    model = sl.ItemCosine(weighting="binary").fit(data)
    train, test = sl.split.leave_last_out(data, order="random")
    fitted = sl.Popularity().fit(train)
    lists = model.recommend(["a"], k=1)
    assert read(lists).to_pydict() == lists.to_arrow().to_pydict()
    assert read(model.similar([1], k=1)).num_rows == 1
    assert read(data).to_pydict() == {**LOG, "weight": [1.0] * 8}
    assert read(sl.evaluate(fitted, train, test)).num_rows > 3
    assert read(sl.compare([fitted, sl.ItemCosine()], train, test)).num_rows > 6


def test_reasons_and_looks_are_streams(data: sl.Dataset) -> None:
    model = sl.ItemCosine(weighting="binary").fit(data)
    explanation = model.explain("a", 3)
    parts = read(explanation)
    assert parts.column("label").to_pylist() == list(explanation.labels)
    assert parts.column("amount").to_pylist() == explanation.parts.column("amount").to_pylist()
    looked = read(sl.look(LOG))
    assert looked.column("column").to_pylist() == ["user_id", "item_id"]
    assert looked.column("role").to_pylist() == ["user_id", "item_id"]
    assert looked.column("different").to_pylist() == [4, 3]
    near = explore.neighbors(sl.IALS(embedding_size=2, epochs=2).fit(data), "tea", k=2)
    assert read(near).to_pydict() == near.table.to_pydict()
    shown = near._repr_html_()
    assert shown.startswith("<p>Tea</p><table>")
    assert all(f">{score:.4f}</td>" in shown for score in near.table.column("score").to_pylist())
