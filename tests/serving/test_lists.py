from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

import shortlist as sl

JSON = {"Content-Type": "application/json"}
HISTORY = ["R00", "R03"]


def rows(lists: sl.Recommendations) -> list[tuple[Any, ...]]:
    """Return the rows of recommendations without the user."""
    return [tuple(row.values())[1:] for row in lists.to_arrow().to_pylist()]


def as_tuples(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(entry["item_id"], entry["rank"], entry["score"], entry["source"]) for entry in items]


def test_the_list_of_a_user_equals_recommend(client: TestClient, models: dict[str, Any]) -> None:
    for name, model in models.items():
        for user in ("U00", "U07"):
            reply = client.get(f"/users/{user}/recommendations", params={"k": 5, "model": name})
            assert reply.json()["model"] == name
            assert reply.json()["user_id"] == user
            assert as_tuples(reply.json()["items"]) == rows(model.recommend([user], k=5))


@pytest.mark.parametrize("diversity", [0.3, 1.0])
def test_varied_lists(client: TestClient, models: dict[str, Any], diversity: float) -> None:
    model = models["ials"]
    expected = rows(model.recommend(["U00"], k=6, diversity=diversity))
    assert expected != rows(model.recommend(["U00"], k=6))
    path, how = "/users/U00/recommendations", {"k": 6, "diversity": diversity}
    assert as_tuples(client.get(path, params=how).json()["items"]) == expected
    body = {"queries": [{"user": "U00"}], "k": 6, "diversity": diversity}
    [reply] = client.post("/recommendations", json=body).json()["lists"]
    assert as_tuples(reply["items"]) == expected


def test_items_have_title_and_features(client: TestClient) -> None:
    listed = client.get("/users/U00/recommendations", params={"k": 24}).json()["items"]
    fifth = next(entry for entry in listed if entry["item_id"] == "R05")
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
    assert as_tuples(listed["lists"][0]["items"]) == rows(models["ials"].recommend(["U01"], k=10))


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
def test_queries_equal_recommend(client: TestClient, models: dict[str, Any], name: str) -> None:
    reply = client.post("/recommendations", json={"queries": QUERIES, "k": 4, "model": name})
    asked = [sl.Query(**query) for query in QUERIES]
    expected = models[name].recommend(queries=asked, k=4).to_arrow().to_pylist()
    assert [entry["query"] for entry in reply.json()["lists"]] == list(range(len(QUERIES)))
    assert [entry["user"] for entry in reply.json()["lists"]] == [entry.user for entry in asked]
    for position, entry in enumerate(reply.json()["lists"]):
        own = [tuple(row.values())[1:] for row in expected if row["query"] == position]
        assert as_tuples(entry["items"]) == own


def test_features_of_a_new_user(client: TestClient, models: dict[str, Any]) -> None:
    features = {"trade": "nursing", "degree": 3}
    body = {"queries": [{"features": features}], "model": "content", "k": 6}
    expected = models["content"].recommend(queries=[sl.Query(features=features)], k=6)
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert as_tuples(lists[0]["items"]) == rows(expected)


def test_features_without_effect_are_noted(client: TestClient, models: dict[str, Any]) -> None:
    queries = [{"features": {"trade": "astronaut"}}, {"user": "U00"}]
    asked = [sl.Query(features={"trade": "astronaut"}), sl.Query(user="U00")]
    expected = models["content"].recommend(queries=asked, k=3).notes
    assert len(expected) == 2
    assert "astronaut" in expected[0]
    assert expected[1].startswith("1 of 1 queries with features got popular items")
    body = {"queries": queries, "model": "content", "k": 3}
    assert client.post("/recommendations", json=body).json()["notes"] == list(expected)
    known = {"queries": [{"features": {"trade": "nursing"}}, *queries[1:]], "model": "content"}
    assert "notes" not in client.post("/recommendations", json=known).json()


def test_seen_items_are_listed_on_request(client: TestClient, models: dict[str, Any]) -> None:
    body = {"users": ["U00"], "exclude_seen": False, "k": 24}
    listed = client.post("/recommendations", json=body).json()["lists"][0]["items"]
    assert as_tuples(listed) == rows(models["ials"].recommend(["U00"], exclude_seen=False, k=24))
    asked = client.get("/users/U00/recommendations", params={"exclude_seen": "false", "k": 24})
    assert as_tuples(asked.json()["items"]) == as_tuples(listed)


def test_rules_of_the_request_apply_to_every_query(
    client: TestClient, models: dict[str, Any]
) -> None:
    body = {
        "queries": [{"user": "U00", "deny": ["R02"]}, {"user": "U01", "allow": ["R02", "R05"]}],
        "where": {"trade": {"ne": "welding"}},
        "allow": ["R01", "R02", "R04"],
        "deny": ["R04"],
    }
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [sorted(item["item_id"] for item in entry["items"]) for entry in lists] == [
        ["R01"],
        ["R02"],  # U01 has chosen R01
    ]


def test_two_rules_for_the_same_field_both_apply(
    client: TestClient, models: dict[str, Any]
) -> None:
    own = [{"education": {"gte": 1}}, {"education": {"lte": 3}}, {"remote": True}]
    body: dict[str, Any] = {
        "queries": [{"user": "U00", "where": entry} for entry in own],
        "where": {"education": {"lte": 2}},
        "exclude_seen": False,
        "k": 24,
    }
    lists = client.post("/recommendations", json=body).json()["lists"]
    result = [sorted({item["features"]["education"] for item in entry["items"]}) for entry in lists]
    assert result == [[1, 2], [0, 1, 2], [0, 2]]  # every second posting is remote
    expected = models["ials"].recommend(
        queries=[sl.Query(user="U00", where="education >= 1 and education <= 2")],
        exclude_seen=False,
        k=24,
    )
    assert as_tuples(lists[0]["items"]) == rows(expected)
    body["where"] = {"education": {"eq": 0}}
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [len(entry["items"]) for entry in lists] == [0, 6, 6]


def test_a_rule_in_the_query_string(client: TestClient, models: dict[str, Any]) -> None:
    reply = client.get(
        "/users/U00/recommendations", params={"where": '{"education": {"lte": 0}}', "k": 3}
    )
    expected = models["ials"].recommend(["U00"], where={"education": {"lte": 0}}, k=3)
    assert as_tuples(reply.json()["items"]) == rows(expected)


def test_unknown_ids_are_skipped_or_use_the_fallback(client: TestClient) -> None:
    body: dict[str, Any] = {"users": ["nobody", "U00"], "k": 2, "on_unknown": "skip"}
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [(entry["query"], entry["user"]) for entry in lists] == [(1, "U00")]
    lists = client.post("/recommendations", json=body | {"allow": []}).json()["lists"]
    assert lists == [{"query": 1, "user": "U00", "items": []}]  # known, and nothing is allowed
    body["on_unknown"] = "fallback"
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [entry["user"] for entry in lists] == ["nobody", "U00"]
    assert [item["source"] for item in lists[0]["items"]] == ["popularity", "popularity"]


def test_reasons_are_the_largest_terms_of_the_score(
    client: TestClient, models: dict[str, Any]
) -> None:
    body = {"queries": [{"history": HISTORY}], "k": 3, "reasons": True}
    for item in client.post("/recommendations", json=body).json()["lists"][0]["items"]:
        query = sl.Query(history=HISTORY)
        parts = models["ials"].explain(None, item["item_id"], query=query).parts.to_pylist()
        titles = {"R00": "Welder 0", "R03": "용접공 Welder 3"}
        assert item["reasons"] == [
            {
                **part,
                "label": titles[part["name"]],
                # one product for the whole list rounds its last bit differently
                "amount": pytest.approx(part["amount"], rel=1e-14),
            }
            for part in parts
        ]
    entry = client.get("/users/U00/recommendations", params={"k": 1, "reasons": True}).json()
    assert len(entry["items"][0]["reasons"]) == 4


def test_reasons_leave_out_the_ids_that_the_list_leaves_out(client: TestClient) -> None:
    query = {"history": ["R00", "R99"], "deny": ["R98"]}
    body = {"queries": [query], "k": 1, "on_unknown": "skip", "reasons": True}
    reply = client.post("/recommendations", json=body).json()
    assert [part["name"] for part in reply["lists"][0]["items"][0]["reasons"]] == ["R00"]


def test_an_explanation_equals_explain(client: TestClient, models: dict[str, Any]) -> None:
    for asked in ({"user": "U00"}, {"query": {"user": "U00"}}):
        reply = client.post("/explanations", json={**asked, "item": "R06"}).json()
        expected = models["ials"].explain("U00", "R06")
        assert reply["score"] == expected.score
        assert reply["source"] == "IALS"
        result = [{**part} for part in reply["parts"]]
        for part in result:
            part.pop("label")
        assert result == expected.parts.to_pylist()


def test_similar_items_equal_similar(client: TestClient, models: dict[str, Any]) -> None:
    reply = client.get("/items/R00/similar", params={"k": 4}).json()
    assert (reply["model"], reply["item_id"]) == ("ials", "R00")
    assert as_tuples(reply["items"]) == rows(models["ials"].similar(["R00"], k=4))
    reply = client.get("/items/R00/similar", params={"where": '{"remote": true}'}).json()
    expected = models["ials"].similar(["R00"], where={"remote": True})
    assert as_tuples(reply["items"]) == rows(expected)


def test_the_audience_equals_audience(client: TestClient, models: dict[str, Any]) -> None:
    for seen in (True, False):
        asked = {"k": 4, "exclude_seen": seen}
        reply = client.get("/items/R00/audience", params=asked).json()
        expected = models["ials"].audience(["R00"], k=4, exclude_seen=seen).to_arrow()
        wanted = expected.select(["user_id", "rank", "score"]).to_pylist()
        features = models["ials"].data.user_features.to_pylist()
        for user in wanted:
            user["features"] = features[int(user["user_id"][1:])]
        assert reply == {"model": "ials", "item_id": "R00", "users": wanted}


def test_a_list_may_be_empty(client: TestClient) -> None:
    body = {"users": ["U00", "U01"], "where": {"education": {"gte": 9}}}
    lists = client.post("/recommendations", json=body).json()["lists"]
    assert [entry["items"] for entry in lists] == [[], []]
