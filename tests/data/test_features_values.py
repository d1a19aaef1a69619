from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.features import FeatureEncoder, Spec

from .one_column import encoder_of

WORDS = st.sampled_from(
    ["자바", "SQL", "sql", "C++", "성실한 인재", "ＳＱＬ", "a", " a ", "", "😀"]
)


def fit(values: object, spec: Spec | None = None) -> tuple[FeatureEncoder, pa.Table]:
    table = pa.table({"x": values})
    return FeatureEncoder.fit(table) if spec is None else encoder_of(table, spec), table


def test_one_feature_per_value() -> None:
    encoder, table = fit(pa.array(["나", "가", None, "가"]))
    assert encoder.names == ("x=가", "x=나", "x is other")
    assert encoder.transform(table).toarray().tolist() == [
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 0],
        [1, 0, 0],
    ]


def test_integers_as_a_category_are_in_order() -> None:
    encoder, _ = fit([10, 9, 9, 10, 2, 2])
    assert encoder.names == ("x=2", "x=9", "x=10", "x is other")


def test_floats_with_missing_values_are_integers() -> None:
    encoder, _ = fit([4.0, math.nan, 4.0, 3.0, 3.0])
    assert encoder.names == ("x=3", "x=4", "x is other")


def test_true_and_false() -> None:
    encoder, table = fit([True, False, None])
    assert encoder.names == ("x=false", "x=true", "x is other")
    assert encoder.transform(table).indices.tolist() == [1, 0]


def test_rare_values_are_pooled_and_new_ones_join_them() -> None:
    values = ["a"] * 60 + ["b"] * 40 + ["c"]
    encoder, table = fit(values)
    assert encoder.names == ("x=a", "x=b", "x is other")
    assert encoder.transform(table)[[100]].toarray().tolist() == [[0, 0, 1]]
    query = pa.table({"x": ["z", "c", "a", "z", None]})
    assert encoder.transform(query).toarray().tolist() == [
        [0, 0, 1],
        [0, 0, 1],
        [1, 0, 0],
        [0, 0, 1],
        [0, 0, 0],
    ]
    assert encoder.unused(query) == {"x": "not among the values of the training data: 'z', 'c'"}


def test_a_value_named_other_has_a_feature_of_its_own() -> None:
    encoder, _ = fit(["other", "b", "other", "c"] * 25 + ["d"])
    assert encoder.names == ("x=b", "x=c", "x=other", "x is other")


def test_small_tables_pool_nothing() -> None:
    encoder, _ = fit(["a", "b", "b", "c"])
    assert encoder.names == ("x=a", "x=b", "x=c", "x is other")


def test_every_value_is_rare() -> None:
    encoder, _ = fit([f"{n}" for n in range(100)], Spec(kind="category"))
    assert encoder.left_out == {"x": "no value occurs in 2 or more rows"}
    assert encoder.n_features == 0


def test_decomposed_hangul_and_blanks_are_the_same_value() -> None:
    encoder, _ = fit(["개발", "개발", "영업", "영업"])
    decomposed = "\u1100\u1162\u1107\u1161\u11af"
    query = pa.table({"x": [decomposed, " 개발\n", "  "]})
    assert encoder.transform(query).toarray().tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_dictionaries_and_other_text_types_are_equivalent() -> None:
    encoder, table = fit(["a", "b", "a", None])
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        other = pa.table({"x": pa.array(["a", "b", "a", None], kind)})
        same = encoder.transform(other).toarray() == encoder.transform(table).toarray()
        assert same.all()
        assert FeatureEncoder.fit(other).names == encoder.names


def test_labels_share_the_length_of_their_row() -> None:
    encoder, table = fit([["a", "b"], ["a", "b"], ["b", "a"], [], None])
    root = 1 / math.sqrt(2)
    rows = encoder.transform(table, dtype=np.float64).toarray()
    np.testing.assert_allclose(rows, np.array([[root, root]] * 3 + [[0, 0], [0, 0]]))
    assert encoder.names == ("x=a", "x=b")


def test_a_label_counts_once_per_row() -> None:
    encoder, table = fit([["a", "a", "b"], ["b", "a"], []])
    rows = encoder.transform(table, dtype=np.float64)
    np.testing.assert_allclose(rows.toarray()[0], [math.sqrt(0.5), math.sqrt(0.5)])


def test_rare_labels_weigh_more() -> None:
    encoder, table = fit([["a", "b"], ["b"], ["b"], [], None])  # empty rows do not count
    rarer, usual = math.log(4 / 2) + 1, math.log(4 / 4) + 1
    length = math.hypot(rarer, usual)
    rows = encoder.transform(table, dtype=np.float64).toarray()
    np.testing.assert_allclose(rows[0], [rarer / length, usual / length])


def test_spelling_variants_of_a_label_are_merged() -> None:
    encoder, table = fit(
        [["SQL", "Java"], ["sql"], ["SQL "], ["ＳＱＬ", "java  script"], ["java script"]]
    )
    assert encoder.names == ("x=Java", "x=java  script", "x=SQL")
    rows = encoder.transform(table)
    assert rows[[1]].indices.tolist() == rows[[2]].indices.tolist() == [2]


def test_lists_of_integers_are_labels() -> None:
    encoder, _ = fit([[7, 8], [8]])
    assert encoder.names == ("x=7", "x=8")


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["자바;SQL", "자바", ";SQL;;자바; "], None),
        (["자바|SQL", "자바", "SQL|자바"], "|"),
        (["자바, SQL", "자바", "SQL,자바"], ","),
    ],
)
def test_texts_with_separators(values: list[str], separator: str | None) -> None:
    encoder, table = fit(values, Spec(kind="labels", separator=separator))
    assert encoder.names == ("x=SQL", "x=자바")
    assert np.diff(encoder.transform(table).indptr).tolist() == [2, 1, 2]


def test_rare_and_new_labels_are_left_out() -> None:
    encoder, _ = fit([["a", "b"]] * 99 + [["b", "once"]])
    query = pa.table({"x": [["a", "once", "新"], ["新"], None]})
    assert encoder.names == ("x=a", "x=b")
    assert encoder.transform(query).toarray().tolist() == [[1, 0], [0, 0], [0, 0]]
    assert encoder.unused(query) == {"x": "not among the values of the training data: '新', 'once'"}


def test_no_label_is_frequent_enough() -> None:
    encoder, _ = fit([[f"{n}"] for n in range(100)])
    assert encoder.left_out == {"x": "no label occurs in 2 or more rows"}
    blank, _ = fit([["", None], [" "]], Spec(kind="labels"))
    assert blank.left_out == {"x": "no label occurs in 1 or more rows"}


def folded(label: str) -> str:
    return {"sql": "sql", "SQL": "sql", "ＳＱＬ": "sql", "C++": "c++"}.get(label, label.strip())


@settings(deadline=None)
@given(st.lists(st.none() | st.lists(WORDS), min_size=2, max_size=12))
def test_labels_equal_those_of_a_loop(lists: list[list[str] | None]) -> None:
    table = pa.table({"x": pa.array(lists, pa.list_(pa.string()))})
    encoder = encoder_of(table, Spec(kind="labels"))
    sets = [{folded(label) for label in labels or []} - {""} for labels in lists]
    if not any(sets) or encoder.left_out:
        assert encoder.n_features == 0
        return
    df = Counter(label for labels in sets for label in labels)
    keys = sorted(df)
    assert [folded(name.removeprefix("x=")) for name in encoder.names] == keys
    expected = np.zeros((len(lists), len(keys)))
    for row, labels in enumerate(sets):
        for label in labels:
            n_labelled = sum(map(bool, sets))
            expected[row, keys.index(label)] = math.log((1 + n_labelled) / (1 + df[label])) + 1
    length = np.sqrt((expected**2).sum(axis=1, keepdims=True))
    expected = np.divide(expected, length, out=expected, where=length > 0)
    rows = encoder.transform(table, dtype=np.float64).toarray()
    np.testing.assert_allclose(rows, expected, rtol=1e-14)
