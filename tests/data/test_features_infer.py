from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from shortlist.data.features import FeatureEncoder, Spec

KEYWORDS = ["자바", "SQL", "회계", "영업", "설계"]


def kind_of(values: Any, column: str = "x") -> str:
    encoder = FeatureEncoder.fit(pa.table({column: values}))
    return encoder.kinds[column].kind if encoder.parts else encoder.left_out[column]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False, None], "category"),
        (list(range(20)) * 2, "category"),
        (list(range(21)) * 2, "number"),  # more than 20 values
        ([1, 2, 3, 4, 4], "number"),  # too few rows a value
        ([1.0, 2.0, None, 1.0, 2.0], "category"),  # whole, but for the gap
        ([0.5, 1.0, 0.5, 1.0], "number"),
        (pa.array([1, 2, 1, 2], pa.decimal128(5, 0)), "category"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "number"),
        ([["Drama"], ["Crime", "Drama"]], "labels"),
        ([[1], [2, 1]], "labels"),
        ([[0.5, 1.0], [0.0, 1.0]], "vector"),
        (pa.array([[0, 1], [1, 0]], pa.list_(pa.float32(), 2)), "vector"),
        (["M", "F", "F", "M"], "category"),
        (["nurse", "clerk", "pilot"], "category"),  # at most 20 values
        (["자바와 SQL 개발자 모집", "꼼꼼한 회계 담당자 구함", "영업 사원을 모십니다"], "text"),
        (
            ["소프트웨어개발및데이터베이스운영경력자를급히찾고있는중입니다" + c for c in "가나다"],
            "text",
        ),
        (["Action|Crime", "Crime", "Action"], "labels"),
        (["자바;SQL", "SQL;회계", "회계;자바", None], "labels"),
        ([f"{i:05}" for i in range(30)] * 2, "category"),
        ([f"{i:05}" for i in range(30)] + ["00000"] * 40, "category"),
    ],
)
def test_kinds(values: Any, kind: str) -> None:
    assert kind_of(values) == kind


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (pa.nulls(3), "no value in any row"),
        (pa.array([None, None], pa.string()), "no value in any row"),
        (["", "  "], "no value in any row"),
        ([float("nan")] * 2, "no value in any row"),
        (pa.array([[], None], pa.list_(pa.string())), "no value in any row"),
        ([3, 3, 3], "the same value in every row"),
        (["서울", " 서울"], "the same value in every row"),
        ([["a", "b"], ["a", "b"]], "the same value in every row"),
        ([[0.5, 1.5]] * 2, "the same value in every row"),
        (
            [f"U{i:05}" for i in range(30)],
            "30 of 30 rows have a unique value, like an id",
        ),
        ([f"학과{i}" for i in range(30)] + ["학과0"] * 29, "29 of 59 rows"),
        ([[0.5], [0.5, 1.0]], "its lists have 1 to 2 numbers, so they are not vectors"),
        ([{"a": 1}, {"a": 2}], "the type struct<a: int64> cannot be encoded"),
        ([dt.time(9), dt.time(10)], "the type time64[us] cannot be encoded"),
        ([b"a", b"b"], "the type binary cannot be encoded"),
        ([[["a"]], [["b"]]], "the type list<item: list<item: string>> cannot be encoded"),
    ],
)
def test_columns_that_are_left_out(values: Any, reason: str) -> None:
    if reason == "29 of 59 rows":  # just under half
        assert kind_of(values) == "category"
    else:
        assert kind_of(values) == reason


def test_one_value_and_missing_values_distinguish_rows() -> None:
    assert kind_of(["예", None]) == "category"


def test_names_that_contain_the_separator_are_not_split() -> None:
    industries = ["제조;화학", "전기;전자;제어", "건설업", "의료;병원", "무역;상사"] * 4
    assert kind_of(industries) == "category"
    assert FeatureEncoder.fit(pa.table({"x": industries})).names[0] == "x=건설업"


def test_the_inferred_separator_is_stored() -> None:
    encoder = FeatureEncoder.fit(pa.table({"x": ["a|b;c", "b;c", "a|b;c|b;c"] * 3}))
    assert encoder.kinds == {"x": Spec(kind="labels", separator=";")}


def test_labels_between_commas() -> None:
    skills = [
        "Java, Spring",
        "Spring",
        "Java",
        "Java, Spring, SQL",
        "SQL, Java",
        "SQL",
        "SQL,Spring",
    ]
    encoder = FeatureEncoder.fit(pa.table({"x": skills}))
    assert encoder.kinds == {"x": Spec(kind="labels", separator=",")}
    assert set(encoder.names) == {"x=Java", "x=SQL", "x=Spring"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([f"{city}, UK" for city in ("Leeds", "York", "Bath", "Hull")] * 3, "category"),
        (["3,500", "1,200", "900", "3,200", "1,500", "1,900", "3,900"] * 2, "category"),
        (
            [f"We look for a {job}, full time, starting today in {city}, with a good salary"
             for job in ("nurse", "clerk", "pilot") for city in ("Leeds", "York", "Bath")],
            "text",
        ),
    ],
)  # fmt: skip
def test_other_text_with_commas(values: list[str], kind: str) -> None:
    assert kind_of(values) == kind


def test_labels_typed_by_hand_are_text() -> None:
    names = [f"{word}기사" for word in "가나다라마바사아자차카타파하거너더러머버서"]
    tidy = [[name, names[0]] for name in names]
    typed = [[name[:1] + " " + name[1:]] for name in names[:4]]
    assert kind_of(tidy) == "labels"
    assert kind_of(tidy + typed) == "text"
    assert kind_of([";".join(labels) for labels in tidy + typed] * 2) == "text"
    codes = [[f"{i}"] for i in range(10, 40)] + [[f"{i // 10}-{i % 10}"] for i in range(10, 40)]
    assert kind_of(codes) == "labels"


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("title", "a text for display; not a feature"),
        ("valid_from", "the start of a life span, not a feature"),
        ("valid_to", "the end of a life span, not a feature"),
    ],
)
def test_columns_that_are_not_features(column: str, reason: str) -> None:
    table = pa.table({column: ["2024-01-01", "2025-01-01", "2025-01-01"]})
    assert FeatureEncoder.fit(table).left_out == {column: reason}


def test_columns_that_the_caller_leaves_out() -> None:
    table = pa.table({"a": [1, 2, 1, 2], "b": ["x", "y", "x", "y"], "c": ["k", "k", "k", "k"]})
    encoder = FeatureEncoder.fit(table, ["b"])
    assert list(encoder.blocks) == ["a"]
    assert encoder.left_out == {"b": "excluded by the caller", "c": "the same value in every row"}
