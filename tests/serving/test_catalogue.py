"""Models, fields, the map, and the search for items and users."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

import shortlist as sl
from shortlist.bundle import read_manifest
from shortlist.explore.items import principal_coordinates
from shortlist.serving.catalogue import (
    Catalogue,
    describe_fields,
    json_value,
    rows_containing,
)

from .conftest import TRADES


def items(client: TestClient, **asked: Any) -> list[str]:
    return [entry["item_id"] for entry in client.get("/items", params=asked).json()["items"]]


def test_models(client: TestClient, saved: Path) -> None:
    result = client.get("/models").json()["models"]
    assert [(entry["name"], entry["kind"], entry["can"]) for entry in result] == [
        ("ials", "IALS", ["similar", "audience", "explain", "map"]),
        ("content", "ContentBased", ["similar", "audience", "explain", "features"]),
        ("cosine", "ItemCosine", ["similar", "audience", "explain"]),
    ]
    assert {(entry["users"], entry["items"], entry["interactions"]) for entry in result} == {
        (30, 24, 120)
    }
    assert result[0]["created"] == read_manifest(saved / "ials").created
    assert result[0]["metrics"] == {"recall@10": 0.5}


def test_the_schema_describes_features(client: TestClient) -> None:
    result = client.get("/schema", params={"model": "content"}).json()
    assert result["user_features"] == [
        {"name": "trade", "kind": "category", "values": ["nursing", "teaching", "welding"]},
        {"name": "degree", "kind": "number", "min": 0, "max": 4},
    ]
    trades = ["nursing", "teaching", "welding"]
    assert result["item_fields"] == [
        {"name": "title", "kind": "text"},
        {"name": "trade", "kind": "category", "values": trades},
        {"name": "education", "kind": "number", "min": 0, "max": 3},
        {"name": "keywords", "kind": "list", "values": ["shift 0", "shift 1", *trades]},
        {"name": "remote", "kind": "flag"},
        {"name": "salary", "kind": "number", "min": 1000.0, "max": 1023.0},
        {"name": "posted", "kind": "date", "min": "2024-01-01", "max": "2024-01-24"},
    ]
    assert client.get("/schema").json()["user_features"] == []  # this model uses none


def test_fields_of_unusual_columns() -> None:
    table = pa.table(
        {
            "empty": pa.array([None, None], pa.float64()),
            "odd": [float("nan"), float("inf")],
            "price": [Decimal("1.50"), Decimal("2.50")],
            "when": pa.array([dt.datetime(2024, 1, 1), None], pa.timestamp("us")),
            "note": [f"a long text {row}" for row in range(2)],
            "vector": [[0.5, 1.0], [0.5, 2.0]],
            "nothing": pa.nulls(2),
        }
    )
    assert describe_fields(table) == [
        {"name": "empty", "kind": "number", "min": None, "max": None},
        {"name": "odd", "kind": "number", "min": None, "max": None},
        {"name": "price", "kind": "number", "min": 1.5, "max": 2.5},
        {
            "name": "when",
            "kind": "date",
            "min": "2024-01-01T00:00:00",
            "max": "2024-01-01T00:00:00",
        },
        {"name": "note", "kind": "category", "values": ["a long text 0", "a long text 1"]},
        {"name": "vector", "kind": "list", "values": [0.5, 1.0, 2.0]},
        {"name": "nothing", "kind": "text"},
    ]


def test_a_column_with_many_distinct_texts_is_free_text() -> None:
    assert describe_fields(pa.table({"note": [f"text {row}" for row in range(10)]})) == [
        {"name": "note", "kind": "text"}
    ]


def test_cells_as_json() -> None:
    assert json_value({"a": b"\x01", "b": dt.timedelta(seconds=1.5), "c": [float("-inf")]}) == {
        "a": "01",
        "b": 1.5,
        "c": [None],
    }


def test_search_finds_words_prefixes_and_ids(client: TestClient) -> None:
    assert set(items(client, q="welder")) == {f"R{n:02}" for n in range(24) if n % 3 == 0}
    # "Welder ..." starts with the text; in "용접공 Welder ..." only a word does.
    assert all(int(entry[1:]) % 6 == 0 for entry in items(client, q="WELDER")[:4])
    assert set(items(client, q="간호")) == {"R01", "R07", "R13", "R19"}
    assert set(items(client, q="접공")) == {"R03", "R09", "R15", "R21"}
    assert items(client, q="busan 10") == ["R10"]
    assert items(client, q="10 nurse") == ["R10"]
    assert items(client, q="Teacher 2")[0] == "R02"  # before "Teacher 20"
    assert items(client, q="r07") == ["R07"]
    assert items(client, q="Ｗｅｌｄｅｒ 6") == ["R06"]  # full width
    assert items(client, q="간호사 1")[0] == "R01"  # the jamo of another keyboard
    assert items(client, q="plumber") == []
    assert items(client, q="%") == []
    assert len(items(client, q="e", limit=5)) == 5


def test_an_empty_search_returns_the_most_popular_items(
    client: TestClient, data: sl.Dataset
) -> None:
    reply = client.get("/items", params={"limit": 24}).json()["items"]
    counts = [entry["interactions"] for entry in reply]
    assert counts == sorted(counts, reverse=True)
    assert {entry["item_id"]: entry["interactions"] for entry in reply} == dict(
        zip(data.items.ids.to_pylist(), data.item_counts.tolist(), strict=True)
    )


def test_an_item(client: TestClient, data: sl.Dataset) -> None:
    result = client.get("/items/R05").json()
    assert list(result) == ["item_id", "title", "features", "interactions"]
    assert (result["item_id"], result["title"]) == ("R05", "교사 5")
    assert result["interactions"] == data.item_counts[5]
    assert result["features"]["salary"] is None


def test_search_is_fast_in_a_large_catalogue() -> None:
    count = 100_000
    log = pa.table({"user_id": [0] * count, "item_id": np.arange(count)})
    names = pa.table(
        {"item_id": np.arange(count), "name": [f"제품 Item number {n}" for n in range(count)]}
    )
    catalogue = Catalogue(sl.Dataset.from_tables(log, items=names))
    started = time.perf_counter()
    for number in range(10):
        assert catalogue.search(f"number 9999{number}", 5).tolist() == [99990 + number]
    assert (time.perf_counter() - started) / 10 < 0.2  # 4 ms on an idle machine


def test_items_without_titles_are_shown_by_their_ids() -> None:
    log = pa.table({"user_id": [1, 1], "item_id": [70, 8]})
    catalogue = Catalogue(sl.Dataset.from_tables(log))
    assert catalogue.titles == ["8", "70"]
    assert catalogue.search("7", 5).tolist() == [1]
    assert catalogue.item(1) == {"item_id": 70, "title": "70", "features": {}, "interactions": 1}
    films = pa.table({"item_id": [8, 70], "name": ["Heat", None]})
    assert Catalogue(sl.Dataset.from_tables(log, items=films)).titles == ["Heat", "70"]


def test_items_without_titles_are_found_by_their_features() -> None:
    log = pa.table({"user_id": [1, 1, 1], "item_id": ["R1", "R2", "R3"]})
    known = {"trade": ["welding", "용접", None], "night": [True, False, None]}
    postings = pa.table({"item_id": ["R1", "R2", "R3"]} | known)
    catalogue = Catalogue(sl.Dataset.from_tables(log, items=postings))
    assert catalogue.titles == ["R1 (trade welding, night yes)", "R2 (trade 용접, night no)", "R3"]
    assert catalogue.search("welding", 5).tolist() == [0]
    assert catalogue.search("용접", 5).tolist() == [1]
    assert catalogue.search("r2", 5).tolist() == [1]
    assert catalogue.summary(1) == {
        "item_id": "R2",
        "title": "R2 (trade 용접, night no)",
        "features": {"trade": "용접", "night": False},
    }


def test_users_are_found_by_their_features(client: TestClient) -> None:
    def found(text: str, limit: int = 20) -> list[str]:
        asked = {"q": text, "limit": limit}
        return [entry["user_id"] for entry in client.get("/users", params=asked).json()["users"]]

    nurses = [f"U{row:02}" for row in range(30) if row % 3 == TRADES.index("nursing")]
    assert found("Nurs") == nurses
    assert found("nursing", 4) == nurses[:4]
    assert found("U0", 3) == ["U00", "U01", "U02"]  # ids come first
    assert found("astronaut") == []


def test_lists_of_labels_are_searched() -> None:
    table = pa.table({"skills": [["Java", None], None, ["SQL"]], "age": [1, 2, 3]})
    assert rows_containing(table, "java").tolist() == [True, False, False]
    assert rows_containing(table, "sql").tolist() == [False, False, True]


def test_users(client: TestClient, data: sl.Dataset) -> None:
    result = client.get("/users", params={"q": "U1", "limit": 3}).json()["users"]
    assert result == [{"user_id": f"U1{n}", "interactions": 4} for n in range(3)]
    assert [entry["user_id"] for entry in client.get("/users?q=7").json()["users"]] == [
        "U07",
        "U17",
        "U27",
    ]
    assert len(client.get("/users?limit=7").json()["users"]) == 7


def test_a_user(client: TestClient, data: sl.Dataset) -> None:
    result = client.get("/users/U04").json()
    assert result["user_id"] == "U04"
    assert result["features"] == {"trade": "nursing", "degree": 4}
    rows = [row for row in data.to_arrow().to_pylist() if row["user_id"] == "U04"]
    rows.sort(key=lambda row: row["time"], reverse=True)
    assert [(entry["item_id"], entry["weight"], entry["time"]) for entry in result["history"]] == [
        (row["item_id"], row["weight"], row["time"].isoformat()) for row in rows
    ]
    titles = {
        entry["item_id"]: entry["title"] for entry in client.get("/items?limit=24").json()["items"]
    }
    assert [entry["title"] for entry in result["history"]] == [
        titles[row["item_id"]] for row in rows
    ]


def test_the_map(client: TestClient, data: sl.Dataset, models: dict[str, Any]) -> None:
    points = client.get("/map").json()["points"]
    assert [entry["item_id"] for entry in points] == data.items.ids.to_pylist()
    assert [entry["interactions"] for entry in points] == data.item_counts.tolist()
    assert points[5]["title"] == "교사 5"
    assert {entry["group"] for entry in points} == {"welding", "nursing", "teaching"}
    coordinates = np.array([[entry["x"], entry["y"]] for entry in points])
    expected = principal_coordinates(models["ials"].item_vectors())
    np.testing.assert_allclose(coordinates, expected, atol=1e-5)
    assert np.abs(coordinates).max() == 1.0


def test_similar_items_are_close_on_the_map() -> None:
    rng = np.random.default_rng(0)
    kind = np.arange(60) % 3
    vectors = rng.normal(size=(3, 16))[kind] + rng.normal(size=(60, 16)) * 0.3
    vectors *= rng.lognormal(size=(60, 1))  # the lengths do not matter
    coordinates = principal_coordinates(vectors)
    apart = np.linalg.norm(coordinates[:, np.newaxis] - coordinates, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kind[apart.argmin(axis=1)] == kind).all()


def test_principal_coordinates_are_those_of_the_singular_vectors() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows -= rows.mean(axis=0)
    left, values, _ = np.linalg.svd(rows)
    expected = left[:, :2] * values[:2]
    coordinates = principal_coordinates(vectors)
    expected -= (expected.max(axis=0) + expected.min(axis=0)) / 2  # the cloud is in the middle
    expected *= np.sign((coordinates * expected).sum(axis=0))
    np.testing.assert_allclose(coordinates, expected / np.abs(expected).max(), atol=1e-12)
    assert principal_coordinates(np.zeros((3, 4))).tolist() == [[0, 0]] * 3
    assert principal_coordinates(np.ones((3, 1))).tolist() == [[0, 0]] * 3


def test_a_large_map_contains_the_most_popular_items(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: sl.Dataset
) -> None:
    monkeypatch.setattr("shortlist.serving.catalogue.MAX_POINTS", 6)
    points = serve().get("/map").json()["points"]
    most = np.argsort(data.popularity_order)[:6]
    assert {entry["item_id"] for entry in points} == set(data.items.take(most).to_pylist())


def test_fields_have_the_labels_of_the_data() -> None:
    labels = {
        "column": ["degree", "degree", "region"],
        "value": [None, "3", "7"],
        "label": ["education", "bachelor's", "Busan"],
    }
    people = {"user_id": [1, 2], "degree": [3, 4], "region": ["7", "8"], "age": [20, 30]}
    log = {"user_id": [1, 2], "item_id": [7, 8]}
    data = sl.Dataset.from_tables(log, users=people, labels=labels)
    degree, region, age = describe_fields(data.user_features)
    assert (degree["label"], degree["labels"]) == ("education", {"3": "bachelor's"})
    assert "label" not in region
    assert region["labels"] == {"7": "Busan"}
    assert {"label", "labels"} & {*age} == set()


def test_the_overview_counts_since_the_start(serve: Any) -> None:
    client = serve()
    client.post("/recommendations", json={"users": ["U00", "U01"], "k": 2})
    body = {"queries": [{"history": []}], "on_unknown": "fallback"}
    client.post("/recommendations", json=body)
    client.get("/users/U02/recommendations")
    reply = client.get("/overview").json()
    assert 0 < reply["seconds"] < 600
    ials, content, _ = reply["models"]
    assert (ials["name"], ials["kind"], ials["lists"], ials["popular"]) == ("ials", "IALS", 4, 1)
    assert (content["lists"], content["popular"], content["trouble"]) == (0, 0, None)
    routes = {one["route"]: one for one in reply["routes"]}
    lists = routes["/recommendations"]
    assert (lists["requests"], lists["failed"]) == (2, 0)
    assert 0 < lists["median_ms"] <= lists["p95_ms"]
    assert [one["requests"] for one in reply["routes"]] == sorted(
        (one["requests"] for one in reply["routes"]), reverse=True
    )
