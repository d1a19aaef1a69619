"""The roles of columns are guessed from names and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.errors import InputError

PEOPLE, ITEMS = [7, 7, 8, 8, 9, 9], ["a", "b", "a", "b", "a", "c"]


def table(**columns: Any) -> pa.Table:
    return pa.table(columns)


@pytest.mark.parametrize(
    ("user", "item"),
    [
        ("user_id", "item_id"), ("userId", "movieId"), ("CustomerID", "StockCode"),
        ("customer", "sku"), ("member_no", "product_code"), ("resume_seq", "recruitment_seq"),
        ("회원", "상품"), ("Client", "ISBN"), ("viewerID", "filmId"), ("buyer", "article"),
    ],
)  # fmt: skip
def test_names_of_many_tables(user: str, item: str) -> None:
    columns = {"row": list(range(6)), user: PEOPLE, "title": ITEMS, item: ITEMS}
    roles = sl.look(pa.table(columns)).roles
    assert (roles.user_id, roles.item_id) == (user, item)


def test_an_id_is_preferred_to_a_name_of_the_same_thing() -> None:
    names = ["Ann", "Ann", "Bob", "Bob", "Cid", "Cid"]
    roles = sl.look(table(customer_name=names, customer_id=PEOPLE, product=ITEMS)).roles
    assert roles.user_id == "customer_id"


def test_names_that_say_nothing_are_guessed_with_a_note() -> None:
    roles = sl.look(table(row=list(range(6)), a=PEOPLE, b=ITEMS)).roles
    assert (roles.user_id, roles.item_id) == ("a", "b")
    assert len(roles.notes) == 2
    assert "'a' is the first column of ids that repeat" in roles.notes[0]


@pytest.mark.parametrize(
    ("name", "repeats"), [("rating", "last"), ("stars", "last"), ("qty", "sum"), ("plays", "sum")]
)
def test_counts_are_added_and_ratings_are_not(name: str, repeats: str) -> None:
    roles = sl.look(table(user=PEOPLE, item=ITEMS, **{name: [1, 2, 3, 1, 2, 3]})).roles
    assert (roles.weight, roles.repeats) == (name, repeats)


def test_times_are_found_by_their_values_also_after_empty_rows() -> None:
    """Two numbers alone are no time, and a column may be empty in its first thousand rows."""
    empty = 1_100
    rows = {
        "user": [*range(empty), *PEOPLE], "item": [*range(empty), *range(6)],
        "size": ["12 x 3"] * (empty + 6),
        "first": [None] * empty + ["3 May 2024"] * 6,
        "second": ["2024.06.07"] * (empty + 6),
    }  # fmt: skip
    roles = sl.look(table(**rows)).roles
    assert (roles.time, roles.time_format) == ("first", "%d %b %Y")


STARS = [5, 1, 4, 2, 3, 4]


def test_low_ratings_are_pointed_out_with_the_rule_that_makes_them_dislikes() -> None:
    seen = sl.look(table(user=PEOPLE, item=ITEMS, stars=STARS))
    assert (
        "stars: ratings from 1 to 5, and low ones are choices too; to make only high ones choices "
        "and the others dislikes, add --positive 'stars >= 4'"
    ) in str(seen)
    halves = [0.5, 1.5, 5.0, 4.5, 3.5, 4.0]
    spaced = sl.look(table(user=PEOPLE, item=ITEMS, **{"Star Rating": halves}))
    assert """add --positive '"Star Rating" >= 4'""" in str(spaced)


def test_counts_and_equal_ratings_suggest_no_rule() -> None:
    assert "--positive" not in str(sl.look(table(user=PEOPLE, item=ITEMS, plays=STARS)))
    assert "--positive" not in str(sl.look(table(user=PEOPLE, item=ITEMS, stars=[5] * 6)))
    many = list(range(100, 700, 100))
    assert "--positive" in str(sl.look(table(user=PEOPLE, item=ITEMS, score=many)))
    users, scores = [n // 10 for n in range(60)], [n + 0.5 for n in range(60)]
    of_many = table(user=users, item=[f"i{n % 20}" for n in range(60)], score=scores)
    assert "--positive" not in str(sl.look(of_many))


def test_a_rule_that_is_given_is_reported() -> None:
    seen = sl.look(table(user=PEOPLE, item=ITEMS, stars=STARS), positive="stars >= 4")
    assert "dislikes: 3 pairs not meeting the rule" in str(seen)
    assert "repeat" not in str(seen)
    assert seen.roles.options["positive"] == "stars >= 4"
    negative = sl.look(table(user=PEOPLE, item=ITEMS, qty=[1, -1, 2, 1, 1, 1]))
    assert "dislikes: 1 pairs with a weight below 0" in str(negative)


@pytest.mark.parametrize(
    ("first", "form"),
    [
        ("31/01/2024", "%d/%m/%Y"), ("01/31/2024", "%m/%d/%Y"), ("31.01.2024", "%d.%m.%Y"),
        ("31/01/2024 18:30", "%d/%m/%Y %H:%M"), ("2024.01.31", "%Y.%m.%d"),
        ("2024-01-31", None), ("2024/01/31", None), ("1700000000", None),
    ],
)  # fmt: skip
def test_the_form_of_times(first: str, form: str | None) -> None:
    seen = sl.look(table(user=PEOPLE, item=ITEMS, date=[first] * 6))
    assert (seen.roles.time, seen.roles.time_format) == ("date", form)
    assert seen.data.times is not None


def test_times_that_could_be_read_in_two_ways_are_left_to_the_caller() -> None:
    both = table(user=PEOPLE, item=ITEMS, date=["01/02/2024"] * 6)
    roles = sl.look(both).roles
    assert roles.time is None
    assert "%d/%m/%Y or %m/%d/%Y" in roles.notes[0]
    given = sl.look(both, time="date", time_format="%m/%d/%Y")
    assert given.data.times is not None
    assert given.data.times[0] == 1704153600000000  # 2 January 2024


def test_decimal_commas() -> None:
    roles = sl.look(table(user=PEOPLE, item=ITEMS, rating=["3,5"] * 6)).roles
    assert roles.options == {
        "user_id": "user", "item_id": "item", "weight": "rating", "decimal": ",",
    }  # fmt: skip


def test_given_roles_win() -> None:
    roles = sl.look(table(user=PEOPLE, item=ITEMS, price=[1.5] * 6), weight="price").roles
    assert roles.weight == "price"
    with pytest.raises(InputError, match="there is no column 'cost' for weight"):
        sl.look(table(user=PEOPLE, item=ITEMS), weight="cost")


def test_a_table_without_ids_is_refused() -> None:
    with pytest.raises(InputError, match="no column looks like the ids of users"):
        sl.look(table(price=[1.5, 2.5], done=[True, False]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("8/24/22", "%m/%d/%y"), ("24-08-2022 7:05", "%d-%m-%Y %H:%M"), ("24-Aug-2022", "%d-%b-%Y"),
        ("8/24/2022 3:05 PM", "%m/%d/%Y %I:%M %p"), ("2022. 8. 24.", "%Y. %m. %d."),
        ("2022년 8월 24일", "%Y년 %m월 %d일"), ("Aug 24, 2022", "%b %d, %Y"),
    ],
)  # fmt: skip
def test_dates_of_many_countries_under_any_name(text: str, form: str) -> None:
    looked = sl.look(table(user=PEOPLE, item=ITEMS, **{"seen on": [text] * 6}))
    assert (looked.roles.time, looked.roles.time_format) == ("seen on", form)
    assert "time: no name says so; 'seen on' is the first column of times" in looked.roles.notes
    assert "from 2022-08-24 to 2022-08-24" in str(looked)


def test_a_birthday_is_no_time_of_an_interaction() -> None:
    roles = sl.look(table(user=PEOPLE, item=ITEMS, birthday=["24.08.1980"] * 6)).roles
    assert roles.time is None


def test_a_time_in_no_known_form_is_said() -> None:
    roles = sl.look(table(user=PEOPLE, item=ITEMS, time=["half past ten"] * 6)).roles
    assert roles.time is None
    assert "time: 'half past ten' is in no known form" in roles.notes[0]


def test_the_title_is_a_text_that_goes_with_the_item() -> None:
    columns = {"user": PEOPLE, "item": ITEMS, "comment": list("uvwxyz")}
    description = [{"a": "Ant", "b": "Bee", "c": "Cow"}[item] for item in ITEMS]
    assert sl.look(table(**columns, description=description)).roles.title == "description"
    assert sl.look(table(**columns, description=list("uvwxyz"))).roles.title is None
    assert sl.look(table(**columns, description=["Animal"] * 6)).roles.title is None
    items = {"item": ["a", "b", "c"], "name": ["Ant", "Bee", "Cow"]}
    looked = sl.look(table(**columns, description=description), items=items)
    assert looked.roles.title is None
    assert looked.data.item_features is not None


def test_what_users_and_items_lack_is_seen() -> None:
    log = table(user=PEOPLE, item=ITEMS)
    looked = sl.look(log, users={"user": [7, 8]}, items={"item": ["a", "b", "b"]})
    assert [str(skipped) for skipped in looked.data.skipped] == [
        "interactions: left out 2 rows (5, ...), column 'user': user 9 is not listed in users",
        "items: left out 1 row (3), column 'item': the item id is listed before",
        "interactions: left out 1 row (6), column 'item': item 'c' is not listed in items",
    ]
    assert "repeat" not in str(looked)


def test_dates_in_three_forms_in_one_column() -> None:
    dates = ["2024-03-30", "31/03/2024", "01 Apr 2024"] * 2
    looked = sl.look(table(user=PEOPLE, item=ITEMS, date=dates))
    assert looked.roles.time_format == "%Y-%m-%d|%d/%m/%Y|%d %b %Y"
    assert "from 2024-03-30 to 2024-04-01" in str(looked)
    assert looked.data.times is not None
    days = (looked.data.times.astype("datetime64[us]").astype("datetime64[D]")).astype(str)
    assert sorted(days) == ["2024-03-30"] * 2 + ["2024-03-31"] * 2 + ["2024-04-01"] * 2


def test_a_column_with_days_before_months_and_months_before_days_has_one_form() -> None:
    """03/04/2024 could be either, so the rows of the rarer form are errors, not other dates."""
    dates = ["30/03/2024", "29/03/2024", "28/03/2024", "27/03/2024", "03/04/2024", "03/31/2024"]
    looked = sl.look(table(user=PEOPLE, item=ITEMS, date=dates))
    assert looked.roles.time_format == "%d/%m/%Y"
    assert [(row.column, row.count, row.rows) for row in looked.data.skipped] == [("date", 1, (6,))]
    mixed = ["2024-03-30"] * 3 + ["03/04/2024"] * 3  # and no value tells how these are meant
    roles = sl.look(table(user=PEOPLE, item=ITEMS, date=mixed)).roles
    assert roles.time is None
    assert "may be written as %d/%m/%Y or %m/%d/%Y, and no value tells which" in roles.notes[-1]


def test_short_years_are_recognised() -> None:
    dates = ["01/02/96", "13/02/96", "1996-05-06"] * 2
    looked = sl.look(table(user=PEOPLE, item=ITEMS, date=dates))
    assert looked.roles.time_format == "%d/%m/%y|%Y-%m-%d"
    assert "from 1996-02-01 to 1996-05-06" in str(looked)


def test_bad_values_among_iso_dates_do_not_make_a_form() -> None:
    dates = ["2024-03-30", "2024-03-31", "2024-04-01", "2024-04-02", "2024-04-03", "soon"]
    roles = sl.look(table(user=PEOPLE, item=ITEMS, date=dates)).roles
    assert (roles.time, roles.time_format) == ("date", None)


def test_an_example_far_down_is_found() -> None:
    count = 1_500
    columns = {"user": [n % 40 for n in range(count)], "item": [n % 70 for n in range(count)]}
    late = [None] * (count - 1) + ["at last"]
    [note] = [c for c in sl.look(table(**columns, note=late)).columns if c.name == "note"]
    assert (note.filled, note.example) == (1, "at last")


def test_the_use_of_features_is_shown() -> None:
    items = {
        "item": ["a", "b", "c"],
        "name": ["Ant", "Bee", "Cow"],
        "price": ["1.200,50 €", "3,00 €", "2,50 €"],
        "valid_to": [None, "2024.05.01", "2024.06.01"],
        "same": ["x", "x", "x"],
    }
    shown = str(sl.look(table(user=PEOPLE, item=ITEMS), items=items)).split("\n\n")[1]
    assert shown.splitlines() == [
        "item feature |   type | missing | different |    example |   used as",
        "-------------+--------+---------+-----------+------------+----------",
        "name         |   text |       0 |         3 |        Ant |     title",
        "price        | number |       0 |         3 |     1200.5 |    number",
        "valid_to     |   date |       1 |         2 | 2024-05-01 | life span",
        "same         |   text |       0 |         1 |          x |  left out",
        "same: left out, the same value in every row",
    ]


def test_kinds_of_events_are_pointed_out() -> None:
    kinds = ["view", "view", "apply", "view", "save", "save"]
    seen = str(sl.look(table(user=PEOPLE, item=ITEMS, event_type=kinds)))
    assert (
        "event_type: rows of every value count alike (view 3, save 2, apply 1); to count some of "
        "them, add --only 'event_type = apply'"
    ) in " ".join(seen.split())
    spaced = sl.look(table(user=PEOPLE, item=ITEMS, action=["a view"] * 5 + ["a buy"]))
    assert """--only 'action = "a buy"'""" in " ".join(str(spaced).split())
    ruled = sl.look(
        table(user=PEOPLE, item=ITEMS, event_type=kinds), only="event_type in [apply, save]"
    )
    assert ruled.data.n_interactions == 3
    assert [rows.count for rows in ruled.data.skipped] == [3]
    assert "on_bad_row" not in ruled.options  # no row is bad
    lenient = sl.look(table(user=PEOPLE, item=ITEMS, event_type=kinds), on_bad_row="skip")
    assert lenient.options["on_bad_row"] == "skip"
    assert "count alike" not in str(ruled)
    assert "count alike" not in str(sl.look(table(user=PEOPLE, item=ITEMS, product_type=kinds)))


def test_ragged_rows_do_not_count_as_repeated(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user_id,item_id,note\na,1,x\na,1,y\nb,2\nc,3,x\n")
    looked = str(sl.look(path))
    assert "1 row repeats a pair" in looked
    assert "left out 1 row (4): more or fewer than 3 columns" in looked
