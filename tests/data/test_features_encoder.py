from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.features import FeatureEncoder
from shortlist.errors import InputError

RESUMES = pa.table(
    {
        "degree": [4, 3, 4, 3, 4, 3],
        "hope_salary": [3200.0, None, 2800.0, 5000.5, None, 2600.0],
        "remote": [True, False, None, True, True, False],
        "reg_date": [dt.date(2019, 3, day) for day in (1, 2, 3, 4, 5, 6)],
        "text_keyword": ["자바;SQL", "회계;SQL", "자바", "회계", "SQL;자바", None],
        "about": [
            "백엔드 개발자를 꿈꾸는 사람",
            "꼼꼼한 회계 담당자",
            "신입 개발자 지원합니다",
            None,
            "",
            "영업 담당자",
        ],
        "certificates": [["SQLD"], [], ["정보처리기사", "SQLD"], None, ["전산회계 1급"], []],
        "embedding": [[0.5, 0.0], [0.0, 2.5], None, [1.0, 1.0], [0.1, 0.2], [3.0, 0.5]],
        "name": pa.nulls(6),
    }
)
ENCODER = FeatureEncoder.fit(RESUMES)


def error(call: Any, *arguments: Any, kind: type[InputError] = InputError) -> str:
    with pytest.raises(kind) as raised:
        call(*arguments)
    return str(raised.value)


def test_blocks_are_adjacent_and_features_have_names() -> None:
    rows = ENCODER.transform(RESUMES)
    assert rows.dtype == np.float32
    assert rows.shape == (6, ENCODER.n_features) == (6, len(ENCODER.names))
    assert list(ENCODER.blocks) == RESUMES.column_names[:-1]
    assert ENCODER.blocks["degree"] == slice(0, 3)
    assert ENCODER.names[:6] == (
        "degree=3", "degree=4", "degree is other",
        "hope_salary", "hope_salary is known",
        "remote=false",
    )  # fmt: skip
    assert ENCODER.names[ENCODER.blocks["text_keyword"]] == (
        "text_keyword=SQL", "text_keyword=자바", "text_keyword=회계",
    )  # fmt: skip
    assert "about~개발자를" in ENCODER.names[ENCODER.blocks["about"]]
    assert ENCODER.names[-2:] == ("embedding[0]", "embedding[1]")
    assert len(set(ENCODER.names)) == len(ENCODER.names)
    assert ENCODER.left_out == {"name": "no value in any row"}
    assert (
        repr(ENCODER)
        == f"FeatureEncoder(8 columns, {len(ENCODER.names)} features, 1 columns left out)"
    )


def test_every_block_has_length_one_or_zero() -> None:
    rows = ENCODER.transform(RESUMES, dtype=np.float64).toarray()
    for name, block in ENCODER.blocks.items():
        length = np.linalg.norm(rows[:, block], axis=1)
        assert ((np.abs(length - 1) < 1e-12) | (length == 0)).all(), name


def test_rows_are_independent() -> None:
    rows = ENCODER.transform(RESUMES)
    for part in (slice(2, 5), slice(0, 1), slice(5, 6)):
        table = RESUMES.slice(part.start, part.stop - part.start)
        np.testing.assert_array_equal(ENCODER.transform(table).toarray(), rows[part].toarray())
    chunked = pa.concat_tables([RESUMES.slice(0, 2), RESUMES.slice(2)])
    np.testing.assert_array_equal(ENCODER.transform(chunked).toarray(), rows.toarray())
    assert FeatureEncoder.fit(chunked).to_table().equals(ENCODER.to_table())


def test_vectors_keep_their_cosines() -> None:
    block = ENCODER.transform(RESUMES).toarray()[:, ENCODER.blocks["embedding"]]
    np.testing.assert_allclose(block[3], [math.sqrt(0.5)] * 2, rtol=1e-6)
    assert block[2].tolist() == [0, 0]


def test_the_order_of_columns_and_further_columns_do_not_matter() -> None:
    shuffled = RESUMES.select(RESUMES.column_names[::-1]).append_column("more", pa.nulls(6))
    rows = ENCODER.transform(shuffled)
    np.testing.assert_array_equal(rows.toarray(), ENCODER.transform(RESUMES).toarray())


def test_tables_without_features() -> None:
    for table in (RESUMES.select([]), RESUMES.select(["name"])):
        encoder = FeatureEncoder.fit(table)
        assert encoder.transform(table).shape == (6, 0)
        assert len(encoder.blocks) == len(encoder.names) == 0
        assert FeatureEncoder.from_table(encoder.to_table()).left_out == encoder.left_out


def test_no_rows_to_transform() -> None:
    assert ENCODER.transform(RESUMES.slice(0, 0)).shape == (0, ENCODER.n_features)


# --- storage -------------------------------------------------------------------------------------


def test_parquet_keeps_an_encoder(tmp_path: Path) -> None:
    pq.write_table(ENCODER.to_table(), tmp_path / "features.parquet")
    restored = FeatureEncoder.from_table(pq.read_table(tmp_path / "features.parquet"))
    assert restored.names == ENCODER.names
    assert restored.blocks == ENCODER.blocks
    assert restored.kinds == ENCODER.kinds
    assert restored.left_out == ENCODER.left_out
    assert restored.to_table().equals(ENCODER.to_table(), check_metadata=True)
    before, after = (each.transform(RESUMES, dtype=np.float64) for each in (ENCODER, restored))
    np.testing.assert_array_equal(after.toarray(), before.toarray())


def test_saved_encoders_may_have_settings_of_earlier_versions() -> None:
    table = ENCODER.to_table()
    ((key, header),) = table.schema.metadata.items()
    earlier = header.replace(b'"kind":"text"', b'"kind":"text","words":1,"letters":[2,3]')
    assert earlier != header
    restored = FeatureEncoder.from_table(table.replace_schema_metadata({key: earlier}))
    assert restored.kinds == ENCODER.kinds


CELLS = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(-1e90, 1e90),
    "text": st.text(max_size=8),
    "date": st.dates(),
    "labels": st.lists(st.text(max_size=4), max_size=3),
}
TYPES = [pa.int64(), pa.float64(), pa.string(), pa.date32(), pa.list_(pa.string())]
ROWS = st.lists(st.tuples(*(st.none() | cells for cells in CELLS.values())), min_size=1, max_size=9)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_any_table_is_encoded_and_restored(rows: list[tuple[Any, ...]]) -> None:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, TYPES, strict=True)]
    table = pa.Table.from_arrays(arrays, names=list(CELLS))
    encoder = FeatureEncoder.fit(table)
    assert set(encoder.blocks) | set(encoder.left_out) == set(CELLS)
    matrix = encoder.transform(table)
    assert np.isfinite(matrix.data).all()
    assert matrix.has_sorted_indices
    restored = FeatureEncoder.from_table(encoder.to_table())
    np.testing.assert_array_equal(restored.transform(table).toarray(), matrix.toarray())
    assert restored.names == encoder.names


def test_tables_that_are_not_saved_encoders() -> None:
    assert error(FeatureEncoder.from_table, RESUMES).startswith(
        "the table is not a saved feature encoder: KeyError"
    )
    bare = ENCODER.to_table().select(["name"])
    assert "pass a result of FeatureEncoder.to_table()" in error(FeatureEncoder.from_table, bare)
    newer = ENCODER.to_table()
    ((key, header),) = newer.schema.metadata.items()
    newer = newer.replace_schema_metadata({key: header.replace(b'"format":2', b'"format":3')})
    assert error(FeatureEncoder.from_table, newer) == (
        "the features have format 3; this version reads 2\n"
        "  to do: fit and save the model again with this version"
    )


# --- columns that changed ------------------------------------------------------------------------


def test_a_missing_column() -> None:
    assert error(ENCODER.transform, RESUMES.select(["degree", "remote"])) == (
        "the column 'hope_salary' is missing\n"
        "  where: columns degree, remote\n"
        "  to do: the encoder was fitted with it: add it (it may be empty), or fit again"
    )


@pytest.mark.parametrize(
    ("name", "values", "holds", "held", "kind"),
    [
        ("degree", ["4"], "text", "integers", "int64"),
        ("hope_salary", ["3200"], "text", "numbers", "double"),
        ("remote", [1], "integers", "true and false", "bool"),
        ("reg_date", ["2019-03-01"], "text", "dates", "timestamp[us]"),
        ("about", [["신입"]], "lists of labels", "text", "string"),
        ("text_keyword", [7], "integers", "text", "string"),
        ("certificates", ["SQLD"], "text", "lists of labels", "list<item: string>"),
        ("embedding", [["a"]], "lists of labels", "lists of numbers", "list<item: double>"),
        ("embedding", [{"a": 1}], "struct<a: int64>", "lists of numbers", "list<item: double>"),
    ],
)
def test_a_column_with_other_content(
    name: str, values: Any, holds: str, held: str, kind: str
) -> None:
    index = RESUMES.column_names.index(name)
    table = RESUMES.slice(0, 1).set_column(index, name, pa.array(values))
    assert error(ENCODER.transform, table) == (
        f"column {name!r} holds {holds}; it held {held} when the encoder was fitted\n"
        f"  where: column {name!r}\n"
        f"  to do: cast it to {kind}, or fit again"
    )


def test_a_fraction_is_another_category_than_the_integers() -> None:
    codes = [4, 4, 123_456_789_012, 123_456_789_012]
    encoder = FeatureEncoder.fit(pa.table({"code": codes}))
    given = pa.table({"code": [4.0, 4.5, 123_456_789_012.0, None]})
    assert encoder.transform(given).toarray().tolist() == [
        [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0],
    ]  # fmt: skip
    assert encoder.unused(given) == {"code": "not among the values of the training data: '4.5'"}


def test_a_column_without_values_is_accepted_as_any_family() -> None:
    for kind in (pa.null(), pa.string(), pa.float64(), pa.list_(pa.string())):
        table = RESUMES.slice(0, 2)
        for index, name in enumerate(ENCODER.blocks):
            table = table.set_column(index, name, pa.nulls(2, kind))
        assert ENCODER.transform(table).nnz == 0


def test_vectors_of_another_length_or_with_gaps() -> None:
    encoder = FeatureEncoder.fit(pa.table({"v": [[1.5, 2.0, 3.0], [0.0, 1.0, 2.0]]}))
    longer = pa.table({"v": [None, [1.5, 2.0]]})
    assert error(encoder.transform, longer) == (
        "the vector has 2 numbers instead of 3\n  where: column 'v', row 1 (counted from 0)"
    )
    gap = pa.table({"v": [[1.5, 2.0, 3.0], [1.5, None, 1.0]]})
    assert error(encoder.transform, gap) == (
        "the vector has an empty component\n"
        "  where: column 'v', row 1 (counted from 0)\n"
        "  to do: fill it in, or leave the whole cell empty"
    )


def test_two_columns_of_the_same_name() -> None:
    repeated = pa.Table.from_arrays([pa.array([1.5, 2]), pa.array([1, 2])], names=["a", "a"])
    expected = "two columns are named 'a'\n  to do: rename one of them"
    assert error(FeatureEncoder.fit, repeated) == expected
    assert error(FeatureEncoder.fit(repeated.select([0])).transform, repeated) == expected


def test_a_table_without_rows() -> None:
    assert error(FeatureEncoder.fit, RESUMES.slice(0, 0)) == (
        "the table of features has no rows\n  to do: pass at least one row"
    )
