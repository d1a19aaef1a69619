"""Interactions as matrices, histories and rows; and ids that pandas made floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

import shortlist as sl
from shortlist.errors import InputError


def test_histories_are_lists_or_weights() -> None:
    data = sl.Dataset.from_histories(
        {"ann": ["tea", "rye"], "bob": {"tea": 2.5, "oats": -1}, "cid": iter(["oats"])},
        items={"id": ["oats", "rye", "tea"], "price": [1, 2, 3]},
    )
    assert data.to_arrow().to_pydict() == {
        "user_id": ["ann", "ann", "bob", "cid"],
        "item_id": ["rye", "tea", "tea", "oats"],
        "weight": [1, 1, 2.5, 1],
    }
    assert data.dislikes is not None
    assert data.dislikes.to_arrow().column("item_id").to_pylist() == ["oats"]
    assert data.item_table().to_pydict() == {"item_id": ["oats", "rye", "tea"], "price": [1, 2, 3]}


def test_the_last_of_a_history_is_held_out() -> None:
    data = sl.Dataset.from_histories({1: [30, 10, 20], 2: [20, 30]})
    _, test = sl.split.leave_last_out(data, order="row")
    assert test.to_arrow().column("item_id").to_pylist() == [20, 30]


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ([["a"]], "histories must be a mapping from user id to item ids, not a list"),
        ({"ann": "tea"}, "the history 'tea' is not a list of item ids\n  where: user 'ann'"),
        ({"ann": 3}, "the history 3 is not a list of item ids\n  where: user 'ann'"),
        ({"ann": [], "bob": []}, "no history holds an item"),
        ({"ann": ["tea", 3]}, "the histories cannot be read: "),
        ({"ann": {"tea": "much"}}, "'much' is not a number"),
        ({"ann": ["tea", None]}, "the item id is missing"),
    ],
)
def test_histories_that_cannot_be_read(histories: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sl.Dataset.from_histories(histories)


def test_rows_are_dictionaries() -> None:
    rows = [{"user_id": 1, "item_id": "a"}, {"user_id": 2, "item_id": "b", "stars": 4.0}]
    data = sl.Dataset.from_tables([*rows, {"item_id": "b", "user_id": 1, "stars": 2.0}])
    pairs = data.to_arrow().select(["user_id", "item_id"]).to_pydict()
    assert pairs == {"user_id": [1, 1, 2], "item_id": ["a", "b", "b"]}
    with pytest.raises(InputError, match="the weight is missing\n  where: interactions, row 1"):
        sl.Dataset.from_tables(rows, weight="stars")


@pytest.mark.parametrize("matrix", [sparse.eye(3), sparse.eye_array(3).tocsr(), np.eye(3)])
def test_the_call_for_matrices_is_named(matrix: Any) -> None:
    with pytest.raises(InputError, match=r"for a matrix of users and items, call .*from_matrix"):
        sl.Dataset.from_tables(matrix)
    assert sl.Dataset.from_matrix(matrix).n_interactions == 3


@pytest.mark.parametrize("histories", [{"a": [1, 2], "b": [3]}, {"a": [1, 2], "b": [1, 3]}])
def test_the_call_for_histories_is_named(histories: Any) -> None:
    with pytest.raises(InputError, match=r"for \{user: \[item, ...\], ...\} call .*from_histories"):
        sl.Dataset.from_tables(histories)
    with pytest.raises(InputError, match="for a list of items for each user, call"):
        sl.Dataset.from_matrix(histories)


def test_a_matrix_of_text_is_refused() -> None:
    with pytest.raises(InputError, match=r"for rows of ids, call Dataset\.from_tables"):
        sl.Dataset.from_matrix([["ann", "a"], ["bob", "b"]])


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_ids_that_pandas_made_floats_are_integers(kind: str) -> None:
    frame = pd.DataFrame({"user_id": [17850, None, 12], "item_id": ["a", "b", "a"]})
    frame = frame.astype({"user_id": kind})
    data = sl.Dataset.from_tables(frame, on_bad_row="skip")
    assert data.users.ids.to_pylist() == [12, 17850]
    assert [rows.count for rows in data.skipped] == [1]
    nan = pa.table({"user_id": [float("nan"), 3.0], "item_id": [1, 2]})
    assert sl.Dataset.from_tables(nan, on_bad_row="skip").users.ids.to_pylist() == [3]


def test_floats_that_skip_integers_are_no_ids() -> None:
    column = pa.array([1.0, 2.0**24 + 2], pa.float32())
    with pytest.raises(InputError, match="ids of type FLOAT cannot be kept exactly"):
        sl.Dataset.from_tables(pa.table({"user_id": column, "item_id": [1, 2]}))


def test_the_labels_of_a_frame_are_its_ids() -> None:
    frame = pd.DataFrame([[1, 0], [0, 2]], index=[7, 3], columns=["tea", "rye"])
    assert sl.Dataset.from_matrix(frame).to_arrow().to_pydict() == {
        "user_id": [3, 7], "item_id": ["rye", "tea"], "weight": [2.0, 1.0]
    }  # fmt: skip
    data = sl.Dataset.from_matrix(frame, user_ids=["a", "b"])
    assert data.users.ids.to_pylist() == ["a", "b"]
