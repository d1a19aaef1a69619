from __future__ import annotations

import pytest

from shortlist.text import TextTable, as_html, as_text, figure, shown, span, text_table


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


def test_a_notebook_shows_the_same_tables_escaped() -> None:
    rows = [["x<y", "1 | 2 & 3", "0.5 "], ["7", "", "best"], ["z", "괴물", "[-0.1, 0.2]"]]
    table = TextTable(["<id>", "title", "score"], rows)
    shown = as_html(["a < b", "", table, "* real", "more", "a | b", "--+--"])
    left, right = 'style="text-align:left"', 'style="text-align:right"'
    assert shown == (
        f"<p>a &lt; b</p><table><tr><th {left}>&lt;id&gt;</th><th {left}>title</th>"
        f"<th {right}>score</th></tr>"
        f"<tr><td {left}>x&lt;y</td><td {left}>1 | 2 &amp; 3</td><td {right}>0.5</td></tr>"
        f"<tr><td {left}>7</td><td {left}></td><td {right}>best</td></tr>"
        f"<tr><td {left}>z</td><td {left}>괴물</td><td {right}>[-0.1, 0.2]</td></tr></table>"
        "<p>* real<br>more<br>a | b<br>--+--</p>"
    )
    assert as_html([""]) == ""


def test_a_wide_table_is_folded_where_the_terminal_ends() -> None:
    rows = [["영희", "York", "7", "오늘"], ["a", "", "12", ""]]
    table = TextTable(["이름", "city", "pay", "날짜"], rows)
    content: list[str | TextTable] = ["before", table, "after | all"]
    assert as_text(content, 24) == as_text(content) == f"before\n{table.text()}\nafter | all"
    assert as_text(content, 17).splitlines() == [
        "before",
        "이름 | city | pay",
        "-----+------+----",
        "영희 | York |   7",
        "a    |      |  12",
        "",
        "이름 | 날짜",
        "-----+-----",
        "영희 | 오늘",
        "a    |",
        "after | all",
    ]


def test_titles_are_shortened_before_a_table_is_folded() -> None:
    header = ["user", "title", "score"]
    rows = [
        ["ann", "The Curse of the Black Pearl, Part One", "0.5"],
        ["bo", "아주 긴 이름의 " * 4, "7"],
    ]
    assert TextTable(header, rows).text(40).splitlines() == [
        "user |                     title | score",
        "-----+---------------------------+------",
        "ann  | The Curse of the Black P… |   0.5",
        "bo   |   아주 긴 이름의 아주 긴… |     7",
    ]
    kept = TextTable(["id of a user", "item"], [["a long id of a user", "0b9f3e2c-77a1-4d0e-b7a2"]])
    assert kept.text(30).splitlines()[-1] == "a long id of a user | 0b9f3e2c-77a1-4d0e-b7a2"


def test_titles_are_printed_as_they_are() -> None:
    assert text_table(["title"], [["Sing :cat: [b]Street[/b]"]]).splitlines()[-1] == (
        "Sing :cat: [b]Street[/b]"
    )
