from __future__ import annotations

import datetime as dt
import decimal
import operator
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.data.rules.text import Combination, Condition
from shortlist.data.rules.where import matches, parse_where
from shortlist.errors import InputError, UnknownIdError
from shortlist.recommend.rules import Rules
from shortlist.testing import of_matrix, small_world, tiny

ITEMS = pa.table(
    {
        "item_id": [1, 2, 3, 4],
        "year": [1990, 1999, None, 2005],
        "small": pa.array([1, 2, None, 100], pa.int8()),
        "big": pa.array([1, 2**63 + 5, None, 7], pa.uint64()),
        "score": pa.array([1.5, 2.3, None, 4.0], pa.float32()),
        "price": pa.array(
            [decimal.Decimal("1.50"), None, decimal.Decimal("3.25"), decimal.Decimal("9.00")],
            pa.decimal128(9, 2),
        ),
        "country": ["FR", "KR", None, "US or CA"],
        "kind": pa.array(["x", "y", "x", None]).dictionary_encode(),
        "title": ["Dead or Alive", "A and B", "O'Neil", 'the "new"'],
        "genres": [["Drama", "War"], ["Comedy"], None, ["Drama", None]],
        "sizes": [[1, 2], [], [2], None],
        "live": [True, False, None, True],
        "day": [dt.date(2024, 1, 1), dt.date(2024, 5, 1), None, dt.date(2024, 6, 1)],
        "seen": pa.array(
            [dt.datetime(2024, 1, 1), dt.datetime(2024, 5, 1, 12), None, dt.datetime(2024, 6, 1)],
            pa.timestamp("us", tz="UTC"),
        ),
        "a name": ["p", "q", "r", "s"],
        "국가": ["한국", "미국", None, "한국"],
    }
)
DATA = Dataset.from_tables(
    pa.table({"user_id": ["ann", "bob"], "item_id": [1, 2]}), items=ITEMS
)  # ids 1 to 4 are rows 0 to 3


def meeting(where: Any) -> list[int]:
    """The ids of the items that a rule lets pass."""
    return [int(row) + 1 for row in np.flatnonzero(Rules(where=where).mask(DATA))]


def refusal(where: Any) -> str:
    with pytest.raises(InputError) as error:
        Rules(where=where).mask(DATA)
    return str(error.value)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # numbers
        ("year = 1999", [2]),
        ("year == 1999", [2]),
        ("year != 1999", [1, 4]),  # a missing value meets nothing, not even this
        ("year < 1999", [1]),
        ("year <= 1999", [1, 2]),
        ("year > 1999", [4]),
        ("year >= 1999", [2, 4]),
        ("year>=1999", [2, 4]),
        ("year > 1998.5", [2, 4]),
        ("year = 1999.5", []),
        ("year = 1999.0", [2]),
        ("year > -5", [1, 2, 4]),
        ("year in [1990, 2005]", [1, 4]),
        ("year in [1990.5, 2005]", [4]),
        ("year in [1990, , 2005 ,]", [1, 4]),
        ("year not_in [1990, 2005]", [2]),
        ("year NOT_IN [1990] AND year < 2000", [2]),
        ("small < 200", [1, 2, 4]),  # more than an 8-bit number holds
        ("small in [200, 2]", [2]),
        ("small in [200, 2.5]", []),
        ("small not_in [200, 2]", [1, 4]),
        (f"big = {2**63 + 5}", [2]),
        ("big > 6", [2, 4]),
        ("small > 1.5", [2, 4]),
        ("score >= 2.3", [2, 4]),
        ("score in [1.5, 4]", [1, 4]),
        ("price >= 1.5", [1, 3, 4]),
        ("price = 9", [4]),
        ("price = 3.25", [3]),
        ("live = true", [1, 4]),
        ("live != true", [2]),
        # texts
        ("country = FR", [1]),
        ("country = 'FR'", [1]),
        ('country = "FR"', [1]),
        ("country != FR", [2, 4]),
        ("country > FR", [2, 4]),
        ("country in [FR, KR]", [1, 2]),
        ("country in ['FR', 'US or CA']", [1, 4]),
        ('country in ["FR","KR"]', [1, 2]),
        ("country not_in ['FR']", [2, 4]),
        ("country = 'US or CA'", [4]),
        ("kind = x", [1, 3]),
        ("kind in [y, z]", [2]),
        ("title contains and", [2]),
        ("title contains 'A and'", [2]),
        ('title = "O\'Neil"', [3]),
        ("title = O'Neil", [3]),
        ("title contains 'the \"new'", [4]),
        ("title contains O", [3]),
        ("국가 = 한국", [1, 4]),
        # lists
        ("genres contains Drama", [1, 4]),
        ("genres contains War and genres contains Drama", [1]),
        ("genres contains Drama and genres contains War", [1]),
        ("sizes contains 2", [1, 3]),
        ("sizes contains 9", []),
        # dates and times
        ("day >= 2024-05-01", [2, 4]),
        ("day = 2024-05-01", [2]),
        ("day in [2024-01-01, 2024-06-01]", [1, 4]),
        ("seen > 2024-05-01", [2, 4]),
        ("seen < 2024-05-01T12:00:00", [1]),
        ("seen <= 2024-05-01T21:00:00+09:00", [1, 2]),
        # what is missing
        ("year is_null true", [3]),
        ("year is_null false and country is_null false", [1, 2, 4]),
        ("genres is_null true", [3]),
        # several conditions, and none
        ("year >= 1990 and year < 2000 and genres contains Comedy", [2]),
        ("", [1, 2, 3, 4]),
        # or, brackets, quoted names, ranges
        ("year < 1995 or year > 2000", [1, 4]),
        ("country = FR or country = KR and year = 1", [1]),
        ("(country = FR or country = KR) and year = 1999", [2]),
        ("genres contains Comedy and (year = 1999 or (country = FR and year = 1990))", [2]),
        ("((year = 1990))", [1]),
        ("year between 1990 and 1999", [1, 2]),
        ("year between 1990 and 1999 and country = KR", [2]),
        ("year BETWEEN 1999 AND 2005 OR year IS NULL", [2, 3, 4]),
        ("year is not null", [1, 2, 4]),
        ("year is  null", [3]),
        ("year not in [1990]", [2, 4]),
        ("year <> 1990", [2, 4]),
        ("'a name' = q", [2]),
        ('"a name" = q and (country = KR)', [2]),
        ("day between 2024-05-01 and 2024-05-31", [2]),
        ("(title contains 'A and')", [2]),
    ],
)
def test_rules_in_words(where: str, expected: list[int]) -> None:
    assert meeting(where) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"year": 1999}, [2]),
        ({"year": [1990, 2005]}, [1, 4]),
        ({"year": {1990, 2005}}, [1, 4]),
        ({"year": (1990, 2005)}, [1, 4]),
        ({"year": np.array([1990, 2005])}, [1, 4]),
        ({"year": pd.Series([1990, 2005])}, [1, 4]),
        ({"year": range(1985, 1995)}, [1]),
        ({"year": []}, []),
        ({"year": {"not_in": []}}, [1, 2, 4]),
        ({"year": {"gte": 1990, "lt": 2000}}, [1, 2]),
        ({"year": np.int64(1999)}, [2]),
        ({"year": {"gte": np.float64(1998.5)}}, [2, 4]),
        ({"year": {"in": [1990.0]}}, [1]),
        ({"score": np.float32(2.3)}, [2]),
        ({"price": decimal.Decimal("3.25")}, [3]),
        ({"country": np.str_("FR")}, [1]),
        ({"live": False}, [2]),
        ({"genres": {"contains": "Comedy"}}, [2]),
        ({"day": dt.date(2024, 5, 1)}, [2]),
        ({"day": {"gt": dt.datetime(2024, 5, 1)}}, [4]),
        ({"day": pd.Timestamp("2024-05-01")}, [2]),
        ({"day": np.datetime64("2024-05-01")}, [2]),
        ({"day": {"in": [dt.date(2024, 1, 1), "2024-06-01"]}}, [1, 4]),
        ({"seen": {"lt": dt.datetime(2024, 5, 1, 21, tzinfo=dt.timezone(dt.timedelta(hours=10)))}},
         [1]),
        ({"a name": "q"}, [2]),
        ({"year": {"is_null": True}}, [3]),
    ],
)  # fmt: skip
def test_rules_as_mappings(where: dict[str, Any], expected: list[int]) -> None:
    assert meeting(where) == expected


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("year >= old", "'gte' cannot compare 'old' with feature 'year', which is int64"),
        ("year = '1999'", "'eq' cannot compare '1999' with feature 'year', which is int64"),
        ({"year": None}, "'eq' cannot compare None with feature 'year', which is int64"),
        ("year = null", "'eq' cannot compare None with feature 'year', which is int64"),
        ({"year": True}, "'eq' cannot compare True with feature 'year', which is int64"),
        ({"year": {"ne": float("nan")}}, "'ne' cannot compare nan with feature 'year'"),
        ({"day": True}, "'eq' cannot compare True with feature 'day', which is date32[day]"),
        ("live = 1", "'eq' cannot compare 1 with feature 'live', which is bool"),
        ("live = yes", "'eq' cannot compare 'yes' with feature 'live', which is bool"),
        ("country = 7", "'eq' cannot compare 7 with feature 'country', which is string"),
        ("genres = Drama", "'eq' cannot compare 'Drama' with feature 'genres', which is a list"),
        ("day < soon", "'lt' cannot compare 'soon' with feature 'day', which is date32[day]"),
        ({"day": dt.time(9)}, "'eq' cannot compare datetime.time(9, 0) with feature 'day'"),
        ("year in 1999", "'in' cannot compare 1999 with feature 'year', which is int64"),
        ("country in FR", "'in' cannot compare 'FR' with feature 'country', which is string"),
        ({"country": {"in": "FR"}}, "'in' cannot compare 'FR' with feature 'country'"),
        ({"year": {"in": [None]}}, "'in' cannot compare [None] with feature 'year'"),
        ("year contains 9", "'contains' cannot compare 9 with feature 'year', which is int64"),
        ({"genres": {"contains": ["War"]}}, "'contains' cannot compare ['War'] with feature"),
        ({"title": {"contains": None}}, "'contains' cannot compare None with feature 'title'"),
        ("year is_null 1", "'is_null' cannot compare 1 with feature 'year', which is int64"),
        ({"year": {"is_null": "false"}}, "'is_null' cannot compare 'false' with feature 'year'"),
    ],
)
def test_a_value_of_another_type(where: Any, what: str) -> None:
    first, second, third = refusal(where).split("\n")
    assert first.startswith(what)
    assert second == f"  where: where={where!r}"
    assert third.startswith("  to do: ")


def test_the_remedy_fits_the_operator() -> None:
    assert "to do: give a value of type int64; is_null finds what is missing" in refusal("year > x")
    assert "to do: give a list of values of type int64" in refusal("year in 3")
    assert "to do: give true or false" in refusal("year is_null maybe")
    assert "to do: use contains only with a feature of lists or of texts" in refusal(
        "year contains 3"
    )


@pytest.mark.parametrize(
    ("where", "kind", "remedy"),
    [
        ("genres contains 5", "string", 'give a text: contains "5"'),
        ({"genres": {"contains": 5.5}}, "string", 'give a text: contains "5.5"'),
        ("genres contains true", "string", "give a value of type string; is_null finds what"),
        ("sizes contains x", "int64", "give a value of type int64; is_null finds what"),
        ("genres in [Drama]", "string", "use contains, with a value of type string"),
        ("genres = Drama", "string", "use contains, with a value of type string"),
        ("sizes > 1", "int64", "use contains, with a value of type int64"),
    ],
)
def test_the_remedy_for_lists_names_their_elements(where: Any, kind: str, remedy: str) -> None:
    message = refusal(where)
    assert f", which is a list of {kind}\n" in message
    assert f"to do: {remedy}" in message


def test_a_text_contains_no_missing_value() -> None:
    assert "to do: give a value of type string" in refusal("title contains null")


def test_a_repeated_value_of_a_list_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = list[Any]()

    def placed(value: Any, kind: pa.DataType) -> tuple[pa.Scalar, int]:
        compared.append(value)
        return pa.scalar(value, kind), 0

    monkeypatch.setattr("shortlist.data.rules.where._placed", placed)
    assert meeting({"year": [1999, 1990, 1999, 1999]}) == [1, 2]
    assert compared == [1999, 1990]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("pay >= 4,000만원", [1, 3]),
        ("pay >= 40000000", [1, 3]),
        ("pay = 3,500만원", [2]),
        ({"pay": {"in": ["3,500만원", "5,200만원"]}}, [1, 2]),
        ("pay between 3,000만원 and 4,500만원", [2, 3]),
        ("firm.size >= 20", [2, 3]),
        ("firm.at.city = Leeds and pay > 1만원", [1, 3]),
        ("posted >= 2023.05.02", [2, 3]),
        ("posted > 01.05.2023", [2, 3]),
        ("posted <= 2023/5/1", [1]),
    ],
)
def test_rules_over_numbers_dates_and_records_in_text(where: Any, expected: list[int]) -> None:
    items = {
        "item_id": [1, 2, 3, 4],
        "pay": ["5,200만원", "3,500만원", "4,100만원", "협의"],
        "posted": ["2023.05.01", "2023.05.02", "2023.06.03", None],
        "firm": [
            {"size": 10, "at": {"city": "Leeds"}},
            {"size": 20, "at": {"city": "York"}},
            {"size": 30, "at": {"city": "Leeds"}},
            None,
        ],
    }
    data = Dataset.from_tables({"user_id": ["ann"], "item_id": [1]}, items=items)
    assert [int(row) + 1 for row in np.flatnonzero(Rules(where=where).mask(data))] == expected


def test_a_feature_that_does_not_exist() -> None:
    first, second, third = refusal("yeer > 3").split("\n")
    assert first == "items have no feature 'yeer'"
    assert second == "  where: where='yeer > 3'"
    assert third.startswith("  to do: did you mean 'year'? Known: a name, big, ")
    assert refusal({1990: "year"}).startswith("items have no feature 1990")


def test_an_operator_that_does_not_exist() -> None:
    assert refusal({"year": {"ge": 1990}}) == (
        "no operator 'ge'\n"
        "  where: where={'year': {'ge': 1990}}\n"
        "  to do: did you mean 'gte'? "
        "Known: contains, eq, gt, gte, in, is_null, lt, lte, ne, not_in"
    )


@pytest.mark.parametrize(
    ("where", "rest"),
    [
        ("year 1990", "year 1990"),
        ("and year > 3", "and year > 3"),
        ("or year < 2", "or year < 2"),
        ("year > 3 and country = FR or KR", "KR"),
        ("year > 3 and year", "year"),
        ("year > 3 or", ""),
        ("(year > 3", ""),
        ("year > 3)", "year > 3)"),
        ("year between 1990", "year between 1990"),
        ("(" * 60 + "year > 3", "(" * 9 + "year > 3"),
        ("a name = q", "a name = q"),
        ("  ", ""),
    ],
)
def test_words_that_are_no_rule(where: str, rest: str) -> None:
    assert refusal(where) == (
        f"cannot read the rule {where!r} from {rest!r} on\n"
        "  to do: write it like: year >= 1990 and (genres contains 'Film-Noir' or country in "
        "[FR, KR])"
    )


@pytest.mark.parametrize("where", [7, ["year > 3"], True])
def test_what_is_no_rule_at_all(where: Any) -> None:
    assert refusal(where) == (
        f"where={where!r} is not a rule\n"
        "  to do: pass a text, or a mapping from feature to value, list or {operator: value}"
    )


def test_items_without_features() -> None:
    with pytest.raises(InputError) as error:
        Rules(where="year > 3").mask(tiny(("ann", "tea")))
    assert str(error.value) == (
        "the items have no features, and there is a rule: where='year > 3'\n"
        "  to do: give Dataset.from_tables an items table, or leave where out"
    )


def test_both_forms_say_the_same() -> None:
    words = parse_where("year >= 1990 and country in [FR, KR] and title contains 'a and b'")
    mapping = {"year": {"gte": 1990}, "country": ["FR", "KR"], "title": {"contains": "a and b"}}
    assert words == parse_where(mapping)
    assert isinstance(words, Combination)
    assert words.rules[0] == Condition("year", "gte", 1990)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda one, some: one in some,
    "not_in": lambda one, some: one not in some,
}


D = decimal.Decimal
DAYS = (dt.datetime(1677, 10, 1), dt.datetime(2024, 5, 31), dt.datetime(2262, 1, 1))


@pytest.mark.parametrize("name", sorted(COMPARISONS))
@pytest.mark.parametrize(
    ("values", "kind", "given"),
    [
        ([D("1.50"), D("2.00"), D("3.25"), D("12.90")], pa.decimal128(6, 2),
         [D("1.504"), D("3.2549"), D("1.5"), D("99999.5"), D(-99999), D("1e-999"), D("1e999999")]),
        ([10**38 - 1, 1 - 10**38], pa.decimal128(38, 0), [10**38 - 1, 10**38, 1 - 10**38, 10**400]),
        ([-128, 0, 127], pa.int8(), [-129, -128, 127, 128, D("0.5"), -(10**30)]),
        ([0, 5, 2**64 - 1], pa.uint64(), [-1, 0, 2**64 - 1, 2**64, D("1.5")]),
        ([-(2**63), 0, 2**53 + 1, 2**63 - 1], pa.int64(),
         [D("1.5"), 2**53, 2**53 + 1, D("9007199254740993.5"), 2**63, 10**20, -(10**20)]),
        ([-2.5, -0.0, 2.5, float("inf")], pa.float32(), [0, -0.0, 2.5, 10**39, float("inf")]),
        ([-2.5, 0.0, float("inf")], pa.float64(), [10**400, -(10**400), float("-inf")]),
        *((DAYS, kind, [dt.datetime(1600, 1, 1), *DAYS, dt.datetime(2024, 5, 31, 12),
                        dt.datetime(9999, 12, 31)])
          for kind in (pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"),
                       pa.timestamp("ns"), pa.date32())),
    ],
)  # fmt: skip
def test_values_that_the_type_of_a_column_cannot_hold(
    name: str, values: Any, kind: pa.DataType, given: list[Any]
) -> None:
    items = pa.table({"x": pa.array([*values, None], kind)})
    for value in [[one, values[0]] for one in given] if name in ("in", "not_in") else given:
        rule = parse_where({"x": {name: value}})
        expected = [COMPARISONS[name](x, value) for x in values]
        assert matches(items, rule, None).tolist() == [*expected, False], value


def test_lists_of_numbers_and_a_number_beyond_their_type() -> None:
    items = pa.table({"x": pa.array([[1, 2], [300 - 256], None], pa.list_(pa.uint8()))})
    for value, expected in ((2, [True, False, False]), (300, [False] * 3), (1.5, [False] * 3)):
        assert matches(items, Condition("x", "contains", value), None).tolist() == expected


@pytest.mark.parametrize(
    "rule",
    ["x = 1{blanks}!", "(x = 1{blanks}!)", "x in [a{blanks}b]", "x in [a,{blanks}]"],
)
def test_long_runs_of_blanks_are_read_in_linear_time(rule: str) -> None:
    start = time.perf_counter()
    parse_where(rule.format(blanks=" " * 10_000))
    assert time.perf_counter() - start < 1  # a thousandth of that; quadratic: 5


@given(
    st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=12),
    st.sampled_from(sorted(COMPARISONS)),
    st.integers(-4, 4),
    st.lists(st.integers(-4, 4), max_size=4),
    st.sampled_from([pa.int64(), pa.int8(), pa.float64(), pa.decimal128(5, 1)]),
)
@settings(max_examples=150, deadline=None)
def test_comparisons_are_those_of_python(
    values: list[int | None], name: str, one: int, some: list[int], kind: pa.DataType
) -> None:
    column = pa.array(values, pa.int64()).cast(pa.float64()).cast(kind)
    data = replace(of_matrix(np.ones((1, len(values)))), item_features=pa.table({"x": column}))
    value: Any = some if name in ("in", "not_in") else one
    expected = [x is not None and COMPARISONS[name](x, value) for x in values]
    assert Rules(where={"x": {name: value}}).mask(data).tolist() == expected


def test_nan_is_a_missing_value() -> None:
    column = pa.array([1.0, float("nan"), None, 3.0])
    data = replace(of_matrix(np.ones((1, 4))), item_features=pa.table({"x": column}))
    for where, expected in (
        ("x != 1", [False, False, False, True]),
        ("x not in [1]", [False, False, False, True]),
        ("x is null", [False, True, True, False]),
        ("x is not null", [True, False, False, True]),
    ):
        assert Rules(where=where).mask(data).tolist() == expected


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("s"), pa.timestamp("ms", "UTC")])
def test_days_and_seconds_are_compared_with_finer_times(kind: pa.DataType) -> None:
    days = [dt.date(2024, 1, 1), dt.date(2024, 1, 2), None]
    table = pa.table({"x": pa.array(days, pa.date32()).cast(kind), "many": [[d] for d in days]})
    data = replace(of_matrix(np.ones((1, 3))), item_features=table)
    for where, expected in (
        ("x >= 2024-01-01T00:00:00.000001", [False, True, False]),
        ("x < 2024-01-01T12:00", [True, False, False]),
        ("x = 2024-01-01T12:00", [False, False, False]),
        ("x in [2024-01-01, 2024-01-02T12:00]", [True, False, False]),
        ("many contains 2024-01-01T12:00", [False, False, False]),
        ("many contains 2024-01-01", [True, False, False]),
    ):
        assert Rules(where=where).mask(data).tolist() == expected


class TestLists:
    def test_allow_and_deny(self) -> None:
        assert Rules().mask(DATA).tolist() == [True, True, True, True]
        assert Rules(allow=[2, 3]).mask(DATA).tolist() == [False, True, True, False]
        assert Rules(deny=[2, 3]).mask(DATA).tolist() == [True, False, False, True]
        assert Rules(allow=[1, 2], deny=[2, 4]).mask(DATA).tolist() == [True, False, False, False]
        assert Rules(allow=[]).mask(DATA).tolist() == [False] * 4
        assert Rules(allow=[1, 2], where="year > 1990").mask(DATA).tolist() == [
            False, True, False, False,
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "ids", [iter([2, 3]), np.array([2, 3]), pa.array([3, 2]), pd.Series([2, 3, 3]), {2, 3}]
    )
    def test_ids_of_any_kind_are_read_once(self, ids: Any) -> None:
        rules = Rules(deny=ids)
        for _ in range(2):
            assert rules.mask(DATA).tolist() == [True, False, False, True]

    def test_unknown_ids(self) -> None:
        for rules in (Rules(allow=[1, 9]), Rules(deny=[9])):
            with pytest.raises(UnknownIdError, match=r"1 unknown item id: 9 \(4 items are known"):
                rules.mask(DATA)
        assert Rules(allow=[1, 9]).mask(DATA, strict=False).tolist() == [True, False, False, False]
        assert Rules(allow=[9]).mask(DATA, strict=False).tolist() == [False] * 4
        assert Rules(deny=[9]).mask(DATA, strict=False).tolist() == [True] * 4

    def test_a_text_is_no_list(self) -> None:
        with pytest.raises(InputError) as error:
            Rules(deny="tea")
        assert str(error.value) == (
            "ids must be a list, not the string 'tea'\n  to do: pass ['tea'] for a single id"
        )

    def test_equal_rules_look_equal(self) -> None:
        """The recommender makes one mask of rules that look the same, so all must be shown."""
        one, other = np.arange(5000), np.arange(5000)
        other[2500] = 7
        assert repr(Rules(allow=one)) != repr(Rules(allow=other))
        assert repr(Rules(where={"year": one})) != repr(Rules(where={"year": other}))
        assert repr(Rules(allow=one)) == repr(Rules(allow=one.tolist()))


class TestLifeSpans:
    def live(self, at: Any) -> list[str]:
        """Items of the small world: item n lives from day n (not if n % 4 == 0: always) for nine
        days (not if n % 3 == 0: for ever)."""
        data = small_world().data
        ids: list[str] = data.items.ids.filter(pa.array(Rules(as_of=at).mask(data))).to_pylist()
        return ids

    def test_the_first_moment_is_in_and_the_last_is_out(self) -> None:
        day = dt.datetime(2024, 1, 6)  # i05 lives from the 6th to the 15th
        blink = dt.timedelta(microseconds=1)
        for at, expected in (
            (day - blink, False),
            (day, True),
            (day + dt.timedelta(days=9) - blink, True),
            (day + dt.timedelta(days=9), False),
        ):
            assert ("i05" in self.live(at)) is expected

    def test_open_ends(self) -> None:
        assert self.live("1900-01-01") == [f"i{n:02}" for n in range(30) if n % 4 == 0]
        assert self.live("2999-01-01") == [f"i{n:02}" for n in range(30) if n % 3 == 0]

    @pytest.mark.parametrize(
        "at",
        [
            "2024-01-12",
            dt.date(2024, 1, 12),
            dt.datetime(2024, 1, 12, 9, tzinfo=dt.timezone(dt.timedelta(hours=9))),
            np.datetime64("2024-01-12"),
            pd.Timestamp("2024-01-12"),
            1_705_017_600,
        ],
    )
    def test_a_moment_of_any_kind(self, at: Any) -> None:
        assert self.live(at) == self.live(dt.datetime(2024, 1, 12))
        assert 0 < len(self.live(at)) < 30

    def test_items_without_a_life_span(self) -> None:
        with pytest.raises(InputError) as error:
            Rules(as_of="2024-01-12").mask(tiny(("ann", "tea")))
        assert str(error.value) == (
            "as_of='2024-01-12', and the items have no life span\n"
            "  to do: add valid_from or valid_to to the item table, or leave as_of out"
        )

    def test_a_moment_that_is_none(self) -> None:
        with pytest.raises(InputError, match="'soon' is not a date or time"):
            self.live("soon")


@pytest.mark.parametrize(
    ("texts", "rule", "kept"),
    [
        (["2024-12-31", "2025-01-01 09:30", None], "until > 2024-12-31", [1]),
        (["2024-12-31", "2024-02-01"], {"until": {"lt": "2024-07"}}, [1]),
        (["A1", "B7", "9"], "until >= B", [1]),
        (["A1", "B7", "9"], {"until": {"gte": "8"}}, "A1"),
        (["1990", "NA", None], {"until": {"gte": "1990"}}, "NA"),
        (["-7", "5"], {"until": {"gte": "5"}}, "-7"),
        (["-7", "-9"], {"until": {"gte": "-8"}}, "-7"),
        (["", "2024-12-31"], "until < 2025-01-01", ""),
        (["0012", "0100"], {"until": {"gt": "0099"}}, [1]),
        (["soon", "open"], "until > 31.12.2024", "soon"),
        (["2024-05-31T09:00:00Z", "2024-05-31T11:00:00Z"], "until > 2024-05-31T10:00:00", [1]),
        (["2024-05-31 09:00+09:00", "2024-05-31 11:00+09:00"], "until > 2024-05-31 10:00+09:00",
         [1]),
        (["2024-05-31T12:00:00+09:00"], "until > 2024-05-31T10:00:00", "2024-05-31T12:00:00+09:00"),
        (["2024-05-31 12:00-0300", None], "until > 2024-05-31", "2024-05-31 12:00-0300"),
        (["2024-05-31 12:00+01", "2024-05-31 12:00+02"], "until > 2024-05-31 12:00+01",
         "2024-05-31 12:00+02"),
        (["2024-05-31 11:00 AM", "2024-05-31 01:00 PM"], "until > 2024-05-31 10:00 AM",
         "2024-05-31 01:00 PM"),
        (["31.12.2024", "01.01.2025"], "until > 31.12.2024", "31.12.2024"),
        (["2024-12-31", "2024-1-5"], "until > 2024-12-31", "2024-1-5"),
        (["2024-12-31", "31/12/2024"], "until > 2024-12-31", "31/12/2024"),
        (["3,500만원", "10,000만원"], "until >= 3,500만원", "3,500만원"),
        (["99", "100"], {"until": {"gt": "50"}}, "100"),
    ],
)  # fmt: skip
def test_texts_are_compared_only_where_letters_give_the_order(
    texts: list[str | None], rule: Any, kept: list[int] | str
) -> None:
    items = pa.table({"until": texts})
    if isinstance(kept, str):
        with pytest.raises(InputError, match="letter by letter") as error:
            matches(items, parse_where(rule), rule)
        assert f"{kept!r} of feature 'until'" in str(error.value)
        assert "write all dates like 2024-12-31" in str(error.value)
    else:
        assert np.flatnonzero(matches(items, parse_where(rule), rule)).tolist() == kept
