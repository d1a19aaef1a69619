from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Vocabulary, distinct
from shortlist.errors import InputError, UnknownIdError

KEPT = {
    "korean": ["가나다", "김철수", "이력서 7"],
    "zeros": ["007", "07", "7"],
    "spaces": [" ann", "ann", "ann ", "ann\t"],
    "empty": ["", " "],
    "quotes": ['a "b"', "a 'b'", "a,b", "a\nb", "NULL", "nan"],
    "beyond the first plane": ["\uffee", "\U0001f600"],
    "int64": [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1],
    "uint64": [0, 2**53 + 1, 2**63, 2**64 - 1],
}


def vocabulary(ids: list[int] | list[str]) -> Vocabulary:
    return Vocabulary(pa.array(ids), kind="user")


@pytest.mark.parametrize("ids", KEPT.values(), ids=KEPT)
def test_ids_are_kept_exactly_and_sorted(ids: list[int] | list[str]) -> None:
    column = pa.array(ids[::-1], pa.uint64() if 2**63 in ids else None)
    data = Dataset.from_tables(pa.table({"user_id": column, "item_id": column}))
    expected = sorted(ids)
    assert data.users.ids.to_pylist() == expected
    assert data.items.ids.to_pylist() == expected
    assert data.users.rows(ids).tolist() == [expected.index(key) for key in ids]
    assert data.users.take(data.user_rows).to_pylist() == expected


@settings(max_examples=25, deadline=None)
@given(st.sets(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_text_is_sorted_by_code_points(ids: set[str]) -> None:
    table = pa.table({"user_id": list(ids), "item_id": list(ids)})
    assert Dataset.from_tables(table).users.ids.to_pylist() == sorted(ids)


@pytest.mark.parametrize(
    ("given_type", "kept_type"),
    [
        (pa.int8(), pa.int64()),
        (pa.uint8(), pa.int64()),
        (pa.int32(), pa.int64()),
        (pa.uint32(), pa.int64()),
        (pa.int64(), pa.int64()),
        (pa.uint64(), pa.uint64()),
        (pa.string(), pa.string()),
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
    ],
)
def test_ids_are_stored_in_one_of_three_types(
    given_type: pa.DataType, kept_type: pa.DataType
) -> None:
    is_text = kept_type == pa.string()
    ids: list[int] | list[str] = ["7", "9"] if is_text else [7, 9]
    words = Vocabulary(pa.chunked_array([pa.array(ids, given_type)]), kind="user")
    assert words.ids.type == kept_type
    assert words.ids.to_pylist() == ids


@pytest.mark.parametrize("ids", [pa.array([1.0]), pa.array([True]), pa.array([b"x"]), pa.nulls(1)])
def test_other_types_are_refused(ids: pa.Array) -> None:
    with pytest.raises(InputError) as caught:
        Vocabulary(ids, kind="item")
    assert str(caught.value) == (
        f"item ids of type {ids.type} cannot be kept exactly\n"
        "  to do: use 64-bit integers or strings"
    )


@pytest.mark.parametrize(
    "ids",
    [
        [7, 8, 2, 7],
        (7, 8, 2, 7),
        np.array([7, 8, 2, 7]),
        pa.array([7, 8, 2, 7]),
        pa.chunked_array([[7, 8], [2, 7]]),
        pd.Series([7, 8, 2, 7], index=[5, 6, 7, 8]),
        pl.Series([7, 8, 2, 7]),
        (key for key in (7, 8, 2, 7)),
    ],
    ids=["list", "tuple", "numpy", "arrow", "chunked", "pandas", "polars", "generator"],
)
def test_integer_ids_in_any_container(ids: Iterable[int]) -> None:
    rows = vocabulary([2, 7, 9]).rows(ids)
    assert rows.dtype == np.int32
    assert rows.tolist() == [1, -1, 0, 1]


@pytest.mark.parametrize(
    "ids",
    [np.array(["a", "z"]), pd.Series(["a", "z"], dtype="category"), pl.Series(["a", "z"])],
)
def test_text_ids_in_any_container(ids: Iterable[str]) -> None:
    assert vocabulary(["a", "b"]).rows(ids).tolist() == [0, -1]


def test_a_number_differs_from_its_text() -> None:
    assert vocabulary([7]).rows(["7"]).tolist() == [-1]
    assert vocabulary(["7"]).rows([7]).tolist() == [-1]


@pytest.mark.parametrize(("ids", "shown"), [("ann", "the string 'ann'"), (7, "7")])
def test_a_single_id_is_not_a_list(ids: object, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        vocabulary(["ann"]).rows(ids)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"ids must be a list, not {shown}\n  to do: pass [{ids!r}] for a single id"
    )


def test_no_ids_have_no_rows() -> None:
    assert vocabulary([7]).rows([]).tolist() == []
    assert vocabulary([7]).take([]).to_pylist() == []


def test_take_returns_ids_in_the_order_of_the_rows() -> None:
    taken = vocabulary(["a", "b", "c"]).take(np.array([2, 0, 2], dtype=np.int32))
    assert taken.to_pylist() == ["c", "a", "c"]
    assert taken.type == pa.string()


def test_distinct_keeps_the_first_occurrence() -> None:
    assert distinct([9, 1, 9, 4, 1]) == [9, 1, 4]


@pytest.mark.parametrize("ids", [[1, [2]], [{2}], [1, {"a": 2}]])
def test_a_nested_list_is_not_an_id(ids: list[int]) -> None:
    for look_up in (distinct, vocabulary([1]).rows, vocabulary([1]).require):
        with pytest.raises(InputError) as error:
            look_up(ids)
        assert str(error.value) == (
            f"{ids[-1]!r} is not an id; an id is a string or an integer\n"
            "  to do: pass one flat list of ids"
        )


def test_contains() -> None:
    assert 7 in vocabulary([7])
    assert 8 not in vocabulary([7])


def test_require_returns_rows_or_names_unknown_ids() -> None:
    assert vocabulary([7, 9]).require([9, 7]).tolist() == [1, 0]
    with pytest.raises(UnknownIdError) as caught:
        vocabulary([7, 9]).require([9, 1, 2, 3, 4])
    assert str(caught.value) == (
        "4 unknown user ids: 1, 2, 3, ... (2 users are known, 7 to 9)\n"
        "  to do: check the spelling, or pass on_unknown='skip' or 'fallback'"
    )


@pytest.mark.parametrize(
    ("known", "unknown", "remedy"),
    [
        (["a"], 7, "the user ids of this data are strings: convert your ids"),
        ([7], "a", "the user ids of this data are integers: convert your ids"),
    ],
)
def test_the_error_for_unknown_ids_mentions_a_wrong_type(
    known: list[str] | list[int], unknown: str | int, remedy: str
) -> None:
    with pytest.raises(UnknownIdError, match=remedy):
        vocabulary(known).require([unknown])


def test_parse_reads_text_as_the_type_of_the_ids() -> None:
    texts = ["7", " 7 ", "-3", "0", "007", "1.0", "--5", "-0", "1_0", "٣", "x", "", str(2**63)]
    assert vocabulary([7]).parse(texts) == [
        *(7, 7, -3, 0),
        *("007", "1.0", "--5", "-0", "1_0", "٣", "x", ""),
        2**63,
    ]
    assert vocabulary([7]).parse(["9" * 5000]) == ["9" * 5000]  # Python converts no such number
    assert vocabulary(["7"]).parse(["007", " x "]) == ["007", " x "]


def test_equal_ids_in_order_make_equal_vocabularies() -> None:
    assert vocabulary([1, 2]).equals(vocabulary([1, 2]))
    assert not vocabulary([1, 2]).equals(vocabulary([1, 3]))
    assert not vocabulary([1, 2]).equals(vocabulary([1]))
    assert not vocabulary([1]).equals(vocabulary(["1"]))
