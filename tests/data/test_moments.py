from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.data.moments import LifeSpans, When, moment
from shortlist.errors import InputError

SEOUL = dt.timezone(dt.timedelta(hours=9))
NOON = 1_717_156_800_000_000  # 2024-05-31 12:00 UTC, by `date -u -d 2024-05-31T12:00 +%s`


@pytest.mark.parametrize(
    "when",
    [
        "2024-05-31T12:00",
        20240531120000,
        202405311200,
        "2024-05-31 12:00:00",
        "2024-05-31T21:00+09:00",
        "2024-05-31T12:00Z",
        dt.datetime(2024, 5, 31, 12),
        dt.datetime(2024, 5, 31, 21, tzinfo=SEOUL),
        pd.Timestamp("2024-05-31 12:00"),
        pd.Timestamp("2024-05-31 21:00", tz="Asia/Seoul"),
        np.datetime64("2024-05-31T12:00"),
        np.datetime64("2024-05-31T12:00:00.000000000"),
        1_717_156_800,
        1_717_156_800.0,
        np.int32(1_717_156_800),
        np.int64(1_717_156_800),
        np.float64(1_717_156_800),
    ],
    ids=repr,
)
def test_a_moment_in_every_form(when: When) -> None:
    result = moment(when)
    assert result == NOON
    assert type(result) is int


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (dt.date(1970, 1, 2), 86_400_000_000),
        ("1969-12-31", -86_400_000_000),
        (np.datetime64("1970-01-02"), 86_400_000_000),
        (-1, -1_000_000),
        (0.000001, 1),
        (1.5, 1_500_000),
        (dt.datetime(9999, 12, 31, 23, 59, 59, 999_999), 253_402_300_799_999_999),
        (dt.datetime(1, 1, 1), -62_135_596_800_000_000),
        (253_402_300_799, 253_402_300_799_000_000),
    ],
)
def test_moments_are_exact_microseconds(when: When, expected: int) -> None:
    assert moment(when) == expected


@given(st.datetimes())
def test_arrow_and_duckdb_agree_with_moment(when: dt.datetime) -> None:
    assert moment(when) == pa.array([when], pa.timestamp("us")).cast(pa.int64())[0].as_py()


def test_now_is_now() -> None:
    before = dt.datetime.now(dt.UTC)
    assert moment(before) <= moment("now") <= moment(dt.datetime.now(dt.UTC))


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (
            "yesterday",
            "'yesterday' is not a date or time\n"
            "  to do: use the form 2024-05-31 or 2024-05-31T18:00",
        ),
        (
            1_717_156_800_000.5,
            "1717156800000.5 seconds since 1970 is beyond the year 9999\n"
            "  to do: divide milliseconds by 1,000, microseconds by 1,000,000",
        ),
        (2**63, "9223372036854775808 seconds since 1970 is beyond the year 9999"),
        (float("inf"), "inf seconds since 1970 is beyond the year 9999"),
        (float("nan"), "the time is missing (NaT or NaN)\n  to do: pass a time, or omit it"),
        (np.datetime64("NaT", "us"), "the time is missing (NaT or NaN)"),
        (pd.NaT, "the time is missing (NaT or NaN)"),
        (
            [2024],
            "[2024] is not a point in time\n"
            "  to do: pass a date, a time, ISO text or seconds since 1970",
        ),
        (None, "None is not a point in time"),
    ],
    ids=repr,
)
def test_other_values_are_refused(when: When, message: str) -> None:
    with pytest.raises(InputError) as caught:
        moment(when)
    assert str(caught.value).startswith(message)


def live(items: pa.Table, when: str) -> list[bool]:
    spans = LifeSpans.of(items)
    assert spans is not None
    mask: list[bool] = spans.live(moment(when)).tolist()
    return mask


def test_a_life_span_includes_its_start_and_excludes_its_end() -> None:
    items = pa.table(
        {"valid_from": [dt.datetime(2024, 5, 1)], "valid_to": [dt.datetime(2024, 6, 1)]}
    )
    assert live(items, "2024-04-30T23:59:59.999999") == [False]
    assert live(items, "2024-05-01") == [True]
    assert live(items, "2024-05-31T23:59:59.999999") == [True]
    assert live(items, "2024-06-01") == [False]


def test_a_missing_end_is_open() -> None:
    start, end = dt.date(2024, 5, 1), dt.date(2024, 6, 1)
    both = pa.table({"valid_from": [start, None, None], "valid_to": [None, end, None]})
    assert live(both, "0001-01-01") == [False, True, True]
    assert live(both, "9999-12-31") == [True, False, True]
    assert live(both.select(["valid_from"]), "2024-04-30") == [False, True, True]
    assert live(both.select(["valid_to"]), "2024-06-01") == [True, False, True]


@pytest.mark.parametrize(
    "starts",
    [
        pa.array([dt.datetime(2024, 5, 1)], pa.timestamp("ns")),
        pa.array([1_714_521_600_000_000_001], pa.timestamp("ns")),  # finer than a microsecond
        pa.array([dt.datetime(2024, 5, 1)], pa.timestamp("s")),
        pa.array([dt.datetime(2024, 5, 1, 9, tzinfo=SEOUL)], pa.timestamp("us", tz="Asia/Seoul")),
        pa.array([dt.date(2024, 5, 1)], pa.date32()),
        pa.array([dt.date(2024, 5, 1)], pa.date64()),
    ],
    ids=lambda array: str(array.type),
)
def test_life_spans_of_every_temporal_type(starts: pa.Array) -> None:
    items = pa.table({"valid_from": starts})
    assert live(items, "2024-04-30T23:59:59.999999") == [False]
    assert live(items, "2024-05-01") == [True]


def test_items_without_life_spans_have_none() -> None:
    assert LifeSpans.of(None) is None
    assert LifeSpans.of(pa.table({"year": [1999]})) is None
    assert live(pa.table({"valid_to": pa.nulls(2)}), "2024-05-01") == [True, True]


@pytest.mark.parametrize("ends", [["soon"], [1_714_521_600], [dt.time(12)], [dt.timedelta(1)]])
def test_life_spans_of_another_type_are_refused_at_once(ends: list[object]) -> None:
    items = pa.table({"item_id": [1], "valid_to": ends})
    log = pa.table({"user_id": [1], "item_id": [1]})
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, items=items)
    assert str(caught.value).startswith("life spans must be dates or times, not ")
    assert str(caught.value).endswith(
        "\n  where: items, column 'valid_to'\n  to do: cast the column to a timestamp"
    )


@pytest.mark.parametrize(
    "number",
    [20240531, 1_717_113_600, 1_717_113_600_000, 1_717_113_600_000_000, 1_717_113_600_000_000_000],
)
def test_the_form_of_an_integer_is_recognised(number: int) -> None:
    assert moment(number) == moment("2024-05-31")
    as_numpy: Any = np.int64(number)
    assert moment(as_numpy) == moment("2024-05-31")
    assert moment(2024) == moment("2024-01-01")
