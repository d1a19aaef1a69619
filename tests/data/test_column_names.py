"""The words of column names, in several languages and spellings."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.data.columns.names import is_label, names_titles, same_column, words

PEOPLE, ITEMS = [7, 7, 8, 8, 9, 9], ["a", "b", "a", "b", "a", "c"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("userid", ["user", "id"]), ("customerNo", ["customer", "no"]),
        ("Kundennr", ["kunden", "nr"]), ("orderdate", ["order", "date"]),
        ("candidate", ["candidate"]), ("update", ["update"]),
        ("Désignation", ["designation"]), ("código", ["codigo"]), ("공고제목", ["공고제목"]),
        ("ユーザー", ["ユーザー"]), ("2024", []),
    ],
)  # fmt: skip
def test_words(name: str, parts: list[str]) -> None:
    assert words(name) == parts


@pytest.mark.parametrize(
    ("user", "item", "weight", "time"),
    [
        ("userid", "itemid", "qty", "orderdate"),
        ("Kundennr", "Artikelnr", "Menge", "Rechnungsdatum"),
        ("ID client", "Référence produit", "Quantité", "Date de commande"),
        ("cliente_id", "producto_id", "cantidad", "fecha"),
        ("klantnummer", "artikelnummer", "aantal", "datum"),
        ("회원번호", "상품코드", "주문수량", "주문일자"),
        ("会員番号", "商品番号", "数量", "購入日時"),
        ("用户编号", "商品编号", "数量", "日期"),
    ],
)
def test_roles_in_many_languages(user: str, item: str, weight: str, time: str) -> None:
    days = [f"2024-01-0{n}" for n in range(1, 7)]
    columns = {"order_no": [1, 1, 1, 2, 2, 2], "Preis": [1.5] * 6, user: PEOPLE, item: ITEMS}
    roles = sl.look(pa.table({**columns, weight: [1, 2, 1, 3, 1, 2], time: days})).roles
    assert (roles.user_id, roles.item_id, roles.weight, roles.time) == (user, item, weight, time)
    assert (roles.repeats, roles.notes) == ("sum", ())


def test_numbers_of_orders_are_not_people() -> None:
    roles = sl.look(pa.table({"invoice": [1, 1, 2, 2, 3, 3], "who": PEOPLE, "what": ITEMS})).roles
    assert (roles.user_id, roles.item_id) == ("who", "what")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("공고제목", True), ("채용공고명", True), ("상품이름", True), ("회사명", False),
        ("商品名", True), ("Artikelbezeichnung", True), ("Bezeichnung", True), ("Name", True),
        ("nom du produit", True), ("nombre_producto", True), ("brand name", False),
    ],
)  # fmt: skip
def test_titles(name: str, title: bool) -> None:
    assert names_titles(name) == title


def test_a_name_of_a_person_is_no_id() -> None:
    assert is_label("고객명")
    roles = sl.look(
        pa.table({"고객명": [f"n{n}" for n in PEOPLE], "고객": PEOPLE, "상품": ITEMS})
    ).roles
    assert roles.user_id == "고객"


@pytest.mark.parametrize(
    ("column", "found"),
    [("item_id", "item_id"), ("ItemID", "item_id"), ("sku", "Id"), ("nothing", "Id")],
)
def test_the_id_column_of_another_table(column: str, found: str) -> None:
    assert same_column(column, ["Id", "item_id", "price"]) == found


def test_tables_of_features_may_spell_their_ids_in_other_ways() -> None:
    log = pa.table({"CustomerID": ["007", "008"], "sku": [1, 2]})
    data = sl.Dataset.from_tables(
        log,
        users={"customer_id": ["008", "007"], "age": [30, 40]},
        items={"id": [2, 1], "price": [5, 6]},
        user_id="CustomerID",
        item_id="sku",
    )
    assert data.user_features is not None
    assert data.item_features is not None
    assert data.user_features.to_pydict() == {"age": [40, 30]}
    assert data.item_features.to_pydict() == {"price": [6, 5]}


def test_ids_stay_text_in_a_file_that_calls_them_id(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("id,age\n007,40\n008,30\n")
    log = pa.table({"user_id": ["007", "008"], "item_id": [1, 2]})
    data = sl.Dataset.from_tables(log, users=people)
    assert data.users.ids.to_pylist() == ["007", "008"]
