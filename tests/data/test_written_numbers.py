"""Numbers in the ways people write them."""

from __future__ import annotations

from collections import Counter

import pytest

from shortlist.data.written_numbers import (
    form_of_numbers,
    given_number,
    read_number,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12,90 €", 12.9),
        ("€12.90", 12.9),
        ("3,500만원", 35_000_000),
        ("4천만원", 40_000_000),
        ("500만", 5_000_000),
        ("1억 2,000만원", 120_000_000),
        ("1,234,567원", 1_234_567),
        ("300万円", 3_000_000),
        ("$85k", 85_000),
        ("85K", 85_000),
        ("€1.2m", 1_200_000),
        ("12 m", 12),  # metres
        ("US$ 1,200", 1_200),
        ("CHF 1'200.50", 1_200.5),
        ("1 200,50 kr", 1_200.5),
        ("1.234,56", 1_234.56),
        ("1.234.567", 1_234_567),
        ("₹12,00,000", 1_200_000),
        ("0,500", 0.5),
        ("1,200", 1_200),
        ("1.200 €", 1_200),
        ("1.200", 1.2),
        ("-5,00 €", -5),
        ("34 %", 34),
        ("5 years", 5),
        ("경력 3년 이상", 3),
        ("3+", 3),
        ("신입", 0),
        ("$25/hour", 25),
    ],
)
def test_a_number(text: str, number: float) -> None:
    assert read_number(text) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", '{"a": 1}', "[1]", "<b>3</b>",
     "Room 12", "03308", "12.03.2020", "010-1234-5678", "$85k - $105k", "3-5 years",
     "3천5백만원", "AB12", "12:30", "1.2.3", "12,34,5", "negotiable", "$5 €", "9" * 60],
)  # fmt: skip
def test_no_number(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["3,500만원", "2,800만원", "회사내규에 따름", "35,000,000원"], [35e6, 28e6, None, 35e6]),
        (["신입", "3년", "5년", "10년"], [0, 3, 5, 10]),
        (["1,200", "950", "3,400"], [1200, 950, 3400]),
        (["1.200", "950,50"], [1200, 950.5]),
        (["1,250 kg", "0,5 kg"], [1.25, 0.5]),
        (["1 year", "5 years"], [1, 5]),
        (["1.200 €", "2.500 €"], [1200, 2500]),
        (["£3.50", "£1,000"], [3.5, 1000]),
    ],
)
def test_a_column_of_numbers(texts: list[str], values: list[float | None]) -> None:
    form = form_of_numbers(Counter(texts))
    assert form is not None
    assert [read_number(text, form) for text in texts] == values


@pytest.mark.parametrize(
    "texts",
    [
        ["123", "456"],  # digits alone may be codes
        ["007", "1,200"],
        ["12 kg", "500 g"],
        ["3 m", "20 mm"],
        ["$5", "€5"],
        ["$85k", "30"],  # 30 or 30,000?
        ["3 km", "4 km", "5-6 km"],
        ["Lamp 3", "Lamp 4"],
        ["3 kg", "unknown", "none"],  # most are words
        ["negotiable", "see text"],
    ],
)
def test_no_column_of_numbers(texts: list[str]) -> None:
    assert form_of_numbers(Counter(texts)) is None


def test_the_decimal_mark_may_be_given() -> None:
    texts = Counter(["1,200 kg", "3,400 kg"])
    given, guessed = form_of_numbers(texts, ","), form_of_numbers(texts)
    assert given is not None
    assert guessed is not None
    assert (read_number("1,200 kg", given), read_number("1,200 kg", guessed)) == (1.2, 1200)


def test_a_value_of_a_query_needs_more_than_digits() -> None:
    assert [given_number(text) for text in ("$85k", "12,90", "1999", "신입", "old")] == [
        85_000, 12.9, None, 0, None,
    ]  # fmt: skip
