from __future__ import annotations

import pytest

from shortlist.text import figure, folded, html_table, shown, span, text_table


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.1235"), (-9.99994, "-9.9999"), (10, "10.0"), (123.45, "123.5")]
)
def test_figures(value: float, text: str) -> None:
    assert figure(value) == text


def test_intervals() -> None:
    assert span(-0.25, 0.5) == "[-0.2500, 0.5000]"


def test_values_of_any_length_are_shown() -> None:
    assert shown("abc") == "'abc'"
    assert shown("a" * 50, limit=8) == "'aaaaaaa..."
    assert shown(10**5000) == "a value of type int that is too large to show"


def test_tables() -> None:
    assert text_table(["model", "recall"], [["A", "0.5"], ["Best", "0.75"]]).splitlines() == [
        "model | recall",
        "------+-------",
        "A     |    0.5",
        "Best  |   0.75",
    ]


def test_html_is_escaped_and_cut() -> None:
    table = html_table("a & b", {"<id>": ["x<y", "z"], "score": [0.5, 12.0]}, limit=1)
    assert table == (
        "<table><caption>a &amp; b</caption><tr><th>&lt;id&gt;</th><th>score</th></tr>"
        "<tr><td>x&lt;y</td><td>0.5000</td></tr></table>"
    )


def test_a_wide_table_is_folded_where_the_terminal_ends() -> None:
    table = text_table(
        ["이름", "city", "pay", "날짜"], [["영희", "York", "7", "오늘"], ["a", "", "12", ""]]
    )
    whole = f"before\n{table}\nafter | all"
    assert folded(whole, 100) == whole
    assert folded(whole, 18).splitlines() == [
        "before",
        "이름 | city | pay",
        "-----+------+-----",
        "영희 | York |   7",
        "a    |      |  12",
        "",
        "이름 | 날짜",
        "-----+-----",
        "영희 | 오늘",
        "a    |",
        "after | all",
    ]
