from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import shortlist as sl
from shortlist.serving.app import create_app
from shortlist.serving.service import Service

JSON = {"Content-Type": "application/json"}
HISTORY = ["R00", "R03"]


def rows(lists: sl.Recommendations) -> list[tuple[Any, ...]]:
    """The rows of a library answer, without who they are for."""
    return [tuple(row.values())[1:] for row in lists.to_arrow().to_pylist()]


def said(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["item_id"], one["rank"], one["score"], one["source"]) for one in items]


def test_a_users_list_is_the_librarys(client: TestClient, models: dict[str, Any]) -> None:
    for name, model in models.items():
        for user in ("U00", "U07"):
            reply = client.get(f"/users/{user}/recommendations", params={"k": 5, "model": name})
            assert reply.json()["model"] == name
            assert reply.json()["user_id"] == user
            assert said(reply.json()["items"]) == rows(model.recommend([user], k=5))


def test_items_come_with_title_and_features(client: TestClient) -> None:
    listed = client.get("/users/U00/recommendations", params={"k": 24}).json()["items"]
    fifth = next(one for one in listed if one["item_id"] == "R05")
    assert fifth["title"] == "교사 5"
    assert fifth["features"] == {
        "trade": "teaching",
        "education": 1,
        "keywords": ["teaching", "shift 1"],
        "remote": False,
        "salary": None,
        "posted": "2024-01-06",
    }


def test_the_default_is_the_first_bundle_and_ten_items(
    client: TestClient, models: dict[str, Any]
) -> None:
    listed = client.post("/recommendations", json={"users": ["U01"]}).json()
    assert listed["model"] == "ials"
    assert said(listed["lists"][0]["items"]) == rows(models["ials"].recommend(["U01"], k=10))


QUERIES: list[dict[str, Any]] = [
    {"user": "U02"},
    {"history": HISTORY},
    {"history": {"R00": 2.0, "R03": 0.5}},
    {"user": "U02", "history": ["R05"]},
    {"history": HISTORY, "allow": ["R06", "R09", "R01"]},
    {"history": HISTORY, "deny": ["R06"]},
    {"user": "U04", "where": {"education": {"lte": 1}, "keywords": {"contains": "shift 1"}}},
    {"history": [], "where": {"trade": ["nursing", "teaching"]}},
]


@pytest.mark.parametrize("name", ["ials", "content", "cosine"])
def test_queries_are_the_librarys(client: TestClient, models: dict[str, Any], name: str) -> None:
    reply = client.post("/recommendations", json={"queries": QUERIES, "k": 4, "model": name})
    asked = [sl.Query(**query) for query in QUERIES]
    expected = models[name].recommend(queries=asked, k=4).to_arrow().to_pylist()
    assert [one["query"] for one in reply.json()["lists"]] == list(range(len(QUERIES)))
    assert [one["user"] for one in reply.json()["lists"]] == [one.user for one in asked]
    for place, one in enumerate(reply.json()["lists"]):
        own = [tuple(row.values())[1:] for row in expected if row["query"] == place]
        assert said(one["items"]) == own


def test_features_describe_somebody_new(client: TestClient, models: dict[str, Any]) -> None:
    features = {"trade": "nursing", "degree": 3}
    body = {"queries": [{"features": features}], "model": "content", "k": 6}
    expected = models["content"].recommend(queries=[sl.Query(features=features)], k=6)
    assert said(client.post("/recommendations", json=body).json()["lists"][0]["items"]) == rows(
        expected
    )


def test_seen_items_are_listed_on_request(client: TestClient, models: dict[str, Any]) -> None:
    body = {"users": ["U00"], "exclude_seen": False, "k": 24}
    listed = client.post("/recommendations", json=body).json()["lists"][0]["items"]
    assert said(listed) == rows(models["ials"].recommend(["U00"], exclude_seen=False, k=24))
    asked = client.get("/users/U00/recommendations", params={"exclude_seen": "false", "k": 24})
    assert said(asked.json()["items"]) == said(listed)


def test_rules_of_the_request_hold_for_every_query(
    client: TestClient, models: dict[str, Any]
) -> None:
    body = {
        "queries": [{"user": "U00", "deny": ["R02"]}, {"user": "U01", "allow": ["R02", "R05"]}],
        "where": {"trade": {"ne": "welding"}},
        "allow": ["R01", "R02", "R04"],
        "deny": ["R04"],
    }
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [sorted(item["item_id"] for item in one["items"]) for one in lists] == [
        ["R01"],
        ["R02"],  # U01 has chosen R01
    ]


def test_rules_for_the_same_field_both_hold(client: TestClient, models: dict[str, Any]) -> None:
    own = [{"education": {"gte": 1}}, {"education": {"lte": 3}}, {"remote": True}]
    body: dict[str, Any] = {
        "queries": [{"user": "U00", "where": one} for one in own],
        "where": {"education": {"lte": 2}},
        "exclude_seen": False,
        "k": 24,
    }
    lists = client.post("/recommendations", json=body).json()["lists"]
    found = [sorted({item["features"]["education"] for item in one["items"]}) for one in lists]
    assert found == [[1, 2], [0, 1, 2], [0, 2]]  # every second posting is remote
    expected = models["ials"].recommend(
        queries=[sl.Query(user="U00", where="education >= 1 and education <= 2")],
        exclude_seen=False,
        k=24,
    )
    assert said(lists[0]["items"]) == rows(expected)
    body["where"] = {"education": {"eq": 0}}
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [len(one["items"]) for one in lists] == [0, 6, 6]


def test_a_rule_in_the_query_string(client: TestClient, models: dict[str, Any]) -> None:
    reply = client.get(
        "/users/U00/recommendations", params={"where": '{"education": {"lte": 0}}', "k": 3}
    )
    expected = models["ials"].recommend(["U00"], where={"education": {"lte": 0}}, k=3)
    assert said(reply.json()["items"]) == rows(expected)


def test_unknown_ids_are_left_out_or_fall_back(client: TestClient) -> None:
    body: dict[str, Any] = {"users": ["nobody", "U00"], "k": 2, "on_unknown": "skip"}
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [(one["query"], one["user"]) for one in lists] == [(1, "U00")]
    body["on_unknown"] = "fallback"
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [one["user"] for one in lists] == ["nobody", "U00"]
    assert [item["source"] for item in lists[0]["items"]] == ["popularity", "popularity"]


def test_reasons_are_the_largest_parts_of_the_score(
    client: TestClient, models: dict[str, Any]
) -> None:
    body = {"queries": [{"history": HISTORY}], "k": 3, "reasons": True}
    for item in client.post("/recommendations", json=body).json()["lists"][0]["items"]:
        query = sl.Query(history=HISTORY)
        parts = models["ials"].explain(None, item["item_id"], query=query).parts.to_pylist()
        titles = {"R00": "Welder 0", "R03": "용접공 Welder 3"}
        assert item["reasons"] == [{**part, "label": titles[part["name"]]} for part in parts]
    one = client.get("/users/U00/recommendations", params={"k": 1, "reasons": True}).json()
    assert len(one["items"][0]["reasons"]) == 4


def test_an_explanation_is_the_librarys(client: TestClient, models: dict[str, Any]) -> None:
    for asked in ({"user": "U00"}, {"query": {"user": "U00"}}):
        reply = client.post("/explanations", json={**asked, "item": "R06"}).json()
        expected = models["ials"].explain("U00", "R06")
        assert reply["score"] == expected.score
        assert reply["source"] == "IALS"
        found = [{**part} for part in reply["parts"]]
        for part in found:
            part.pop("label")
        assert found == expected.parts.to_pylist()


def test_similar_items_are_the_librarys(client: TestClient, models: dict[str, Any]) -> None:
    reply = client.get("/items/R00/similar", params={"k": 4}).json()
    assert (reply["model"], reply["item_id"]) == ("ials", "R00")
    assert said(reply["items"]) == rows(models["ials"].similar(["R00"], k=4))
    reply = client.get("/items/R00/similar", params={"where": '{"remote": true}'}).json()
    assert said(reply["items"]) == rows(models["ials"].similar(["R00"], where={"remote": True}))


def test_the_audience_is_the_librarys(client: TestClient, models: dict[str, Any]) -> None:
    for seen in (True, False):
        asked = {"k": 4, "exclude_seen": seen}
        reply = client.get("/items/R00/audience", params=asked).json()
        expected = models["ials"].audience(["R00"], k=4, exclude_seen=seen).to_arrow()
        wanted = expected.select(["user_id", "rank", "score"]).to_pylist()
        assert reply == {"model": "ials", "item_id": "R00", "users": wanted}


def test_an_empty_list_is_a_list(client: TestClient) -> None:
    body = {"users": ["U00", "U01"], "where": {"education": {"gte": 9}}}
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [one["items"] for one in lists] == [[], []]
