from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from shortlist.errors import InputError
from shortlist.recommend.query import Query
from shortlist.recommend.rules import Rules
from shortlist.text import shown


def refusal(**arguments: Any) -> str:
    with pytest.raises(InputError) as error:
        Query(**arguments)
    return str(error.value)


def test_a_query_for_nobody() -> None:
    assert refusal() == (
        "an empty query\n  to do: give a user, a history, features, or several of them"
    )
    assert refusal(deny=["R01"]).startswith("an empty query")


def test_an_empty_history_is_somebody_new() -> None:
    assert Query(history=[]).weights == {}
    assert Query(features={}).weights == {}
    assert Query(user=0).user == 0


@pytest.mark.parametrize(
    "history",
    [
        ["a", "b", "a"],
        ("a", "b"),
        {"a": 1, "b": 1.0},
        iter(["a", "b"]),
        (item for item in "ab"),
        np.array(["a", "b"]),
        pa.array(["a", "b"]),
        pa.chunked_array([["a"], ["b"]]),
        pd.Series(["a", "b"], index=[5, 9]),
        pl.Series(["a", "b"]),
        dict.fromkeys("ab").keys(),
    ],
)
def test_a_history_of_any_kind(history: Any) -> None:
    query = Query(history=history)
    assert query.weights == {"a": 1.0, "b": 1.0}
    assert query.weights == {"a": 1.0, "b": 1.0}  # an iterator has been kept
    assert [type(item) for item in query.weights] == [str, str]


def test_a_repeated_item_has_its_last_place() -> None:
    assert list(Query(history=iter(["a", "b", "a"])).weights) == ["b", "a"]


def test_weights_may_be_numbers_of_any_kind() -> None:
    history = {1: np.float32(0.5), 2: np.int64(3), 3: 0, 4: True}
    assert Query(history=history).weights == {1: 0.5, 2: 3.0, 3: 0.0, 4: 1.0}


@pytest.mark.parametrize("weight", [math.nan, math.inf, 1e39, -1e39, 10**400, None, "2", [1]])
def test_a_weight_that_is_none(weight: Any) -> None:
    assert refusal(history={"R01": 1, "R02": weight}) == (
        f"weight {shown(weight)} of item 'R02' in the history\n"
        "  to do: weights are finite numbers of at most 3.4e+38 in magnitude; those below 0 are "
        "dislikes"
    )


@pytest.mark.parametrize(
    ("features", "what"),
    [
        ({5: 1}, "5 is not the name of a feature: names are text"),
        ({None: 1}, "None is not the name of a feature: names are text"),
        ([("age", 3)], "features=[('age', 3)] is not a mapping from names to values"),
        ("age", "features='age' is not a mapping from names to values"),
    ],
)
def test_features_without_names(features: Any, what: str) -> None:
    assert refusal(features=features) == (
        f"{what}\n  to do: pass a dictionary such as {{'age': 3}}"
    )


def test_a_history_that_is_no_list() -> None:
    assert refusal(history="R01") == (
        "history='R01' is a text, not a list of item ids\n  to do: pass ['R01'] for one item"
    )
    assert refusal(history=[["R01"]]) == (
        "['R01'] is not an id; an id is a string or an integer\n  to do: pass one flat list of ids"
    )
    assert refusal(history=7) == "ids must be a list, not 7\n  to do: pass [7] for a single id"
    assert refusal(user=1, deny="R01").startswith("ids must be a list, not the string 'R01'")
    assert refusal(user=1, allow=7).startswith("ids must be a list, not 7")


def test_its_rules() -> None:
    query = Query(user=1, allow=iter([1, 2]), deny=np.array([2]), where={"year": 1990})
    for _ in range(2):
        assert query.rules == Rules(allow=[1, 2], deny=[2], where="year = 1990") or (
            query.rules.allow == (1, 2) and query.rules.deny == (2,)
        )
    assert query.rules.rule == Rules(where="year = 1990").rule
    assert not query.rules.empty
    assert Query(user=1).rules.empty
    assert not Query(user=1, allow=[]).rules.empty


@pytest.mark.parametrize("items", [["R01", "R02"], ("R01",), {"R01": 2.0}])
def test_a_list_of_items_is_a_history_and_no_user(items: Any) -> None:
    assert refusal(user=items) == (
        f"user={items!r} is not the id of a user\n"
        "  to do: pass the items that somebody chose as history=[...]"
    )
