from __future__ import annotations

import datetime as dt
import math
import statistics
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.features import FeatureEncoder, Spec
from shortlist.errors import InputError

from .one_column import encoder_of

VALUES = st.lists(
    st.none() | st.integers(-(10**6), 10**6) | st.floats(-1e99, 1e99), min_size=2, max_size=30
).filter(lambda values: len({v for v in values if v is not None}) >= 2)


def column(values: object) -> tuple[FeatureEncoder, np.ndarray]:
    table = pa.table({"x": pa.array(values) if isinstance(values, list) else values})
    encoder = encoder_of(table, Spec(kind="number"))
    return encoder, encoder.transform(table, dtype=np.float64).toarray()


def test_a_number_is_an_angle() -> None:
    encoder, rows = column([0, 1, 2, 3, 4, None])
    assert encoder.names == ("x", "x is known")
    z = [(value - 2) * 1.3489795003921634 / 2 for value in range(5)]
    expected = [[value / math.hypot(1, value), 1 / math.hypot(1, value)] for value in z]
    np.testing.assert_allclose(rows, np.array([*expected, [0, 0]]), atol=1e-15)


def test_the_robust_scale_is_the_interquartile_range() -> None:
    values = [1, 2, 3, 4, 1000]
    encoder, rows = column(values)
    low, centre, high = statistics.quantiles(values, n=4, method="inclusive")
    z = (1000 - centre) / ((high - low) / 1.3489795)
    np.testing.assert_allclose(rows[4], [z / math.hypot(1, z), 1 / math.hypot(1, z)], rtol=1e-7)
    assert encoder.kinds["x"] == Spec(kind="number")


def test_similarity_falls_with_the_distance() -> None:
    _, rows = column([100, 110, 150, 400, 5000, 90_000])
    similarity = rows @ rows[0]
    assert similarity[0] == pytest.approx(1)
    assert (np.diff(similarity) < 0).all()


def test_half_of_the_rows_share_one_value() -> None:
    _, rows = column([7, 7, 7, 7, 7, 7, 9, 11])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(8))
    assert rows[0] @ rows[6] > rows[0] @ rows[7]


@settings(deadline=None)
@given(VALUES)
def test_any_numbers_have_length_one_and_keep_their_order(values: list[float | None]) -> None:
    plain = [None if value is None else float(value) for value in values]
    _, rows = column(pa.array(plain, pa.float64()))
    lengths = [float(value is not None) for value in plain]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), lengths, rtol=1e-12)
    known = sorted((v, r) for v, r in zip(plain, rows[:, 0].tolist(), strict=True) if v is not None)
    assert [sine for _, sine in known] == sorted(sine for _, sine in known)


@settings(deadline=None)
@given(VALUES, st.randoms())
def test_the_order_of_the_rows_does_not_matter(values: list[float | None], random: Random) -> None:
    plain = [None if value is None else float(value) for value in values]
    shuffled = plain.copy()
    random.shuffle(shuffled)
    first, second = (
        column(pa.array(given, pa.float64()))[0].to_table() for given in (plain, shuffled)
    )
    assert first.equals(second, check_metadata=True)


def test_missing_numbers_are_zeros() -> None:
    table = pa.table({"x": [1.5, 2.5, None, math.nan]})
    assert FeatureEncoder.fit(table).transform(table).toarray()[2:].tolist() == [[0, 0]] * 2


def test_missing_only_in_a_query_is_zero() -> None:
    encoder = FeatureEncoder.fit(pa.table({"x": [1.5, 2.5]}))
    assert encoder.names == ("x", "x is known")
    assert encoder.transform(pa.table({"x": pa.nulls(1)})).toarray().tolist() == [[0, 0]]


def test_integers_and_fractions_are_interchangeable() -> None:
    whole = FeatureEncoder.fit(pa.table({"x": [1, 2, 4]}))
    fractions = FeatureEncoder.fit(pa.table({"x": [1.0, 2.5, 4.0]}))
    assert whole.transform(pa.table({"x": [2.5]})).nnz == 2
    assert fractions.transform(pa.table({"x": pa.array([2], pa.int8())})).nnz == 2


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1.1e100])
def test_numbers_out_of_range(value: float) -> None:
    table = pa.table({"pay": [1.0, value]})
    with pytest.raises(InputError) as raised:
        FeatureEncoder.fit(table)
    assert str(raised.value) == (
        f"the number {value} is out of range: at most 1e+100 in magnitude\n"
        "  where: column 'pay', row 1 (counted from 0)\n"
        "  to do: correct it, or leave the cell empty"
    )
    with pytest.raises(InputError, match="is out of range: at most"):
        FeatureEncoder.fit(pa.table({"pay": [1.0, 2.0]})).transform(table)


def test_integers_beyond_64_bits() -> None:
    table = pa.table({"code": pa.array([1, 2**63], pa.uint64())})
    with pytest.raises(InputError) as raised:
        FeatureEncoder.fit(table)
    assert str(raised.value) == (
        "column 'code' holds integers beyond 9223372036854775807\n"
        "  where: column 'code'\n"
        "  to do: cast it to text"
    )


def test_dates_are_numbers_on_a_scale() -> None:
    days = [dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 7, 1), None]
    encoder, rows = column(pa.array(days))
    assert encoder.names == ("x", "x is known")
    assert rows[0] @ rows[1] > 0.99 > rows[0] @ rows[2]
    times = pa.array(
        [None if day is None else dt.datetime(day.year, day.month, day.day) for day in days]
    )
    for other in (times, times.cast(pa.timestamp("ns", "UTC")), times.cast(pa.date64())):
        same = encoder.transform(pa.table({"x": other}), dtype=np.float64)
        np.testing.assert_array_equal(same.toarray(), rows)


def test_times_with_a_time_zone_are_converted_to_utc() -> None:
    noon = pa.array(
        [dt.datetime(2024, 5, 1, 3), dt.datetime(2024, 5, 2)], pa.timestamp("us", "UTC")
    )
    encoder = FeatureEncoder.fit(pa.table({"at": noon}))
    seoul = noon.cast(pa.timestamp("s", "Asia/Seoul"))
    rows = encoder.transform(pa.table({"at": noon})).toarray()
    assert rows[0].tolist() != rows[1].tolist()
    assert encoder.transform(pa.table({"at": seoul})).toarray().tolist() == rows.tolist()
