"""Numbers in the ways people write them."""

from __future__ import annotations

from collections import Counter
from time import perf_counter

import pytest

from shortlist.data.written.numbers import (
    clashing_numbers,
    form_of_numbers,
    given_number,
    read_number,
    read_range,
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
        ("3천5백만원", 35_000_000),
        ("1억 2천만원", 120_000_000),
        ("연봉 1억2천5백만 원", 125_000_000),
        ("2억5000만", 250_000_000),
        ("1조 3천억원", 1_300_000_000_000),
        ("3만 5백원", 30_500),
        ("1만5천", 15_000),
        ("3千5百万円", 35_000_000),
        ("3년 6개월", 42),
        ("3년6개월 이상", 42),
        ("3 years and 6 months", 42),
        ("2 Jahre, 3 Monate", 27),
        ("1h 30m", 90),
        ("1 h 0 min 20 s", 3_620),
        ("5 ft 11 in", 71),
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
        ("12.90-", -12.9),
        ("12,90- EUR", -12.9),
        ("(1,234.50)", -1_234.5),
        ("€ (12.90)", -12.9),
        ("($85k)", -85_000),
        ("(5 kg)", 5),
        ("5,- €", 5),
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
     "3-", "(12)", "12.90 -", "-12.90-", "(-3.5)", "12345678901234567890 €",
     "Room 12", "03308", "12.03.2020", "010-1234-5678", "$85k - $105k", "3-5 years",
     "3천5백", "1억 5천", "1억 5000", "1만 2억", "3년 15개월", "3월 5일", "3 kg 2 m",
     "AB12", "12:30", "1.2.3", "12,34,5", "negotiable", "$5 €", "9" * 60],
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
        (["3년 6개월", "1년", "신입", "11개월", "무관"], [42, 12, 0, 11, None]),
        (["3년", "5년 이상", "신입"], [3, 5, 0]),
        (["12 kg", "500 g"], [12_000, 500]),
        (["3 m", "20 mm"], [3_000, 20]),
        (["2 hours", "45 min", "1h 15m"], [120, 45, 75]),
        (["3천5백만원", "1억 2천만원", "4천만원"], [35e6, 120e6, 40e6]),
        (["12.90-", "5.00"], [-12.9, 5]),
        (["12.90-", "5.00-"], [-12.9, -5]),
        (["(12.90)", "5.00"], [-12.9, 5]),
        (["5 kg", "NA", "n/a", "-"], [5, None, None, None]),
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
        ["12 kg", "500 ml"],
        ["3 days", "2 months"],
        ["3년", "5년 이상", "7년 이하"],  # at least and at most
        ["연봉 3,500만원", "월급 280만원"],
        ["4천", "3천만"],  # 4천 may be 4천만
        ["$5", "€5"],
        ["$85k", "30"],  # 30 or 30,000?
        ["3 km", "4 km", "5-6 km"],
        ["Lamp 3", "Lamp 4"],
        ["3 kg", "unknown", "none"],  # most are words
        ["negotiable", "see text"],
        ["1990", "NA"],  # text of digits may be codes
        ["(4.5)", "(3.2)"],  # negative numbers, or ratings
    ],
)
def test_no_column_of_numbers(texts: list[str]) -> None:
    assert form_of_numbers(Counter(texts)) is None


@pytest.mark.parametrize(
    "text",
    ["1" + " " * 100_000 + "x", "1-" + "2 " * 50_000 + "x", "(" * 50_000 + "1" + ")" * 50_000],
)
def test_a_long_text_is_no_number_at_once(text: str) -> None:
    start = perf_counter()
    assert (read_number(text), read_range(text)) == (None, None)
    assert perf_counter() - start < 1


def test_blanks_between_words_take_no_longer() -> None:
    start = perf_counter()
    assert not any(read_number(f"a{' ' * 37}{letter}") for letter in "bcdefghijk" * 100)
    assert perf_counter() - start < 1  # 20 seconds where every division of the blanks is tried


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


def test_a_value_of_a_query_has_the_unit_of_its_column() -> None:
    assert [given_number(text, "months") for text in ("3년", "1년 6개월", "6개월", "3 days")] == [
        36, 18, 6, None,
    ]  # fmt: skip
    assert given_number("18 months", "years") == 1.5
    assert given_number("$85k", currency="KRW") is None
    assert given_number("3,500만", currency="KRW") == 35_000_000


@pytest.mark.parametrize(
    ("texts", "clashing"),
    [
        (["연봉 3,500만원", "월급 280만원"], ("연봉 3,500만원", "월급 280만원")),
        (["$5", "$7", "€5"], ("$5", "€5")),
        (["3천만원", "4천만원", "5천만원", "1억 2천"], ("3천만원", "1억 2천")),
        (["12 Main", "3 Elm"], ()),
        (["A4", "B5"], ()),
        ([], ()),
    ],
)
def test_numbers_that_clash(texts: list[str], clashing: tuple[str, ...]) -> None:
    assert clashing_numbers(texts) == clashing
