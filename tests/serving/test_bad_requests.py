"""Every wrong request gets the right status, code, message and remedy."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from shortlist.serving.errors import invalid

JSON = {"Content-Type": "application/json"}
STATUSES = {
    "malformed_json": 400,
    "wrong_content_type": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "unknown_id": 404,
    "wrong_id_type": 404,
    "unknown_model": 404,
    "unsupported": 409,
    "features_unsupported": 409,
    "no_database": 409,
    "body_too_long": 413,
    "invalid_input": 422,
    "invalid_value": 422,
    "out_of_range": 422,
    "too_many": 422,
    "unknown_feature": 422,
    "no_life_spans": 422,
}
"""The status of each code."""


def error(reply: Any) -> tuple[int, str, str | None]:
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.json()) == {"error"}
    result = reply.json()["error"]
    assert set(result) == {"code", "what", "where", "remedy", "parameter", "allowed"}
    assert reply.status_code == STATUSES[result["code"]]
    assert result["what"]
    assert result["remedy"]
    assert not re.search(r"on_unknown=|Dataset|capability", result["remedy"])
    return reply.status_code, result["what"], result["where"]


BODIES: list[tuple[str, Any, int, str, str | None]] = [
    ("/recommendations", b"{bad", 400, "the body is not JSON: key must be", "the body"),
    ("/recommendations", b"", 400, "the body is not JSON: it is empty", "the body"),
    ("/recommendations", b"\xff\xfe", 400, "the body is not JSON", "the body"),
    ("/recommendations", b"[" * 100_000, 400, "the body is not JSON: recursion limit", "the body"),
    ("/recommendations", b'{"users": ["\\ud800"]}', 400, "the body is not JSON", "the body"),
    ("/recommendations", b'{"k": NaN}', 400, "the body is not JSON", "the body"),
    ("/explanations", b"nope", 400, "the body is not JSON", "the body"),
    ("/explanations", b'{"user": "U00", "item": Infinity}', 400, "not JSON", "the body"),
    ("/interactions", b"{", 400, "the body is not JSON", "the body"),
    ("/recommendations", [], 422, "should be an object with names", "the body"),
    ("/recommendations", {}, 422, "neither users nor queries", "the body"),
    ("/recommendations", {"users": ["U00"], "queries": [{"user": "U00"}]}, 422, "both", "the body"),
    ("/recommendations", {"users": []}, 422, "should have at least 1 item", "users"),
    ("/recommendations", {"users": "U00"}, 422, "should be a valid list", "users"),
    ("/recommendations", {"users": [1.5]}, 422, "integer or a valid string; it is 1.5", "users.0"),
    ("/recommendations", {"users": [True]}, 422, "it is true", "users.0"),
    ("/recommendations", {"users": [None]}, 422, "it is null", "users.0"),
    ("/recommendations", {"users": ["U00"], "k": 10**9}, 422, "k=1000000000 is out", "k"),
    ("/recommendations", {"users": ["U00"], "k": 10**400}, 422, "", "k"),
    ("/recommendations", {"users": ["U00"], "k": 0}, 422, "greater than or equal to 1", "k"),
    ("/recommendations", {"users": ["U00"], "k": -3}, 422, "greater than or equal to 1", "k"),
    ("/recommendations", {"users": ["U00"], "k": "5"}, 422, "valid integer; it is '5'", "k"),
    ("/recommendations", {"users": ["U00"], "k": 2.5}, 422, "valid integer", "k"),
    ("/recommendations", {"users": ["U00"], "K": 5}, 422, "there is no 'K'", "K"),
    ("/recommendations", {"users": ["U00"], "model": "x"}, 404, "no model 'x'", "model"),
    ("/recommendations", {"users": ["nobody"]}, 404, "1 unknown user id: 'nobody'", None),
    ("/recommendations", {"users": [7]}, 404, "1 unknown user id: 7", None),
    ("/recommendations", {"users": [10**30]}, 404, "1 unknown user id", None),
    ("/recommendations", {"queries": [{}]}, 422, "an empty query", None),
    ("/recommendations", {"queries": [{"histori": []}]}, 422, "no 'histori'", "queries.0.histori"),
    ("/recommendations", {"queries": [{"history": ["R99"]}]}, 404, "unknown item id: 'R99'", None),
    ("/recommendations", {"queries": [{"history": 5}]}, 422, "list or a valid dic", None),
    ("/recommendations", {"queries": [{"history": {"R00": -1}}]}, 422, "or equal to 0", None),
    ("/recommendations", {"queries": [{"history": {"R00": "x"}}]}, 422, "a valid number", None),
    ("/recommendations", {"queries": [{"history": ["R00"] * 10_001}]}, 422, "10001 item ids", None),
    (
        "/recommendations",
        {"users": ["U00", "U01"], "where": {"education": [1] * 10_000, "salary": {"gt": 5}}},
        422,
        "10001 values in one request",
        "where, features",
    ),
    (
        "/recommendations",
        {"queries": [{"user": "U00", "where": {"education": {"in": [1] * 5_001}}}] * 2},
        422,
        "10002 values in one request",
        "where, features",
    ),
    (
        "/recommendations",
        {"queries": [{"features": {"trade": ["nursing"] * 10_001}}], "model": "content"},
        422,
        "10001 values in one request",
        "where, features",
    ),
    (
        "/explanations",
        {"query": {"user": "U00", "allow": ["R00"] * 10_001}, "item": "R00"},
        422,
        "10001 item ids in one request",
        "history, allow, deny",
    ),
    (
        "/explanations",
        {"query": {"user": "U00", "where": {"education": [1] * 10_001}}, "item": "R00"},
        422,
        "10001 values in one request",
        "where, features",
    ),
    ("/recommendations", {"users": ["U00"] * 101, "k": 1}, 422, "101 lists in one", "queries"),
    ("/recommendations", {"users": ["U00"] * 100, "k": 101}, 422, "10100 items to list", None),
    ("/recommendations", {"users": ["U00"], "k": 101, "reasons": True}, 422, "101 reasons", None),
    ("/recommendations", {"users": ["U00"], "allow": ["R99"]}, 404, "unknown item id", None),
    ("/recommendations", {"users": ["U00"], "where": {"x": 1}}, 422, "no feature 'x'", None),
    ("/recommendations", {"users": ["U00"], "where": {"education": {"lte": "a"}}}, 422, "", None),
    (
        "/recommendations",
        {"users": ["U00"], "where": {"education": {"like": 1}}},
        422,
        "'eq'",
        None,
    ),
    ("/recommendations", {"users": ["U00"], "where": "education < 3"}, 422, "dictionary", "where"),
    ("/recommendations", {"users": ["U00"], "where": "1; DROP TABLE x"}, 422, "", "where"),
    ("/recommendations", {"users": ["U00"], "as_of": "soon"}, 422, "'soon' is not a date", None),
    ("/recommendations", {"users": ["U00"], "as_of": "now"}, 422, "no life span", None),
    ("/recommendations", {"users": ["U00"], "on_unknown": "guess"}, 422, "'raise'", "on_unknown"),
    ("/recommendations", {"users": ["U" * 1001]}, 422, "at most 1000", "users.0"),
    (
        "/recommendations",
        {"queries": [{"user": "U00", "where": {"education": 1}}], "where": {"education": "x"}},
        422,
        "'eq' cannot compare 'x'",
        "where={'education': 'x'}",
    ),
    (
        "/recommendations",
        {"queries": [{"features": {"trade": "nursing"}}]},
        409,
        "IALS cannot use features",
        "query 0",
    ),
    (
        "/recommendations",
        {"queries": [{"features": {"degree": "high"}}], "model": "content"},
        422,
        "'degree' is 'high'",
        "query 0",
    ),
    (
        "/recommendations",
        {"queries": [{"features": {"grade": 1}}], "model": "content"},
        422,
        "no feature 'grade'",
        "query 0",
    ),
    ("/explanations", {"item": "R00"}, 422, "neither a user nor a query", "the body"),
    ("/explanations", {"user": "U00"}, 422, "'item' is missing", "item"),
    ("/explanations", {"user": "U00", "item": "R99"}, 404, "unknown item id", None),
    ("/explanations", {"user": "nobody", "item": "R00"}, 404, "unknown user id", None),
    (
        "/interactions",
        {"interactions": [{"user_id": "U00", "item_id": "R00"}]},
        409,
        "no data",
        None,
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "what", "where"), BODIES)
def test_bad_bodies(
    client: TestClient, path: str, body: Any, status: int, what: str, where: str | None
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    result = error(client.post(path, content=content, headers=JSON))
    assert result[0] == status
    assert what in result[1]
    assert where is None or result[2] == where


ADDRESSES: list[tuple[str, int, str]] = [
    ("/nothing", 404, "there is nothing at /nothing"),
    ("/static/none.js", 404, "there is nothing at /static/none.js"),
    ("/static/../app.py", 404, "there is nothing"),
    ("/static/%2e%2e/app.py", 404, "there is nothing"),
    ("/users/nobody", 404, "unknown user id: 'nobody'"),
    ("/users/nobody/recommendations", 404, "unknown user id: 'nobody'"),
    ("/users/U00/recommendations?k=1000000000", 422, "k=1000000000 is out of range"),
    ("/users/U00/recommendations?k=x", 422, "valid integer"),
    ("/users/U00/recommendations?k=NaN", 422, "valid integer"),
    ("/users/U00/recommendations?diversity=1.5", 422, "less than or equal to 1"),
    ("/users/U00/recommendations?diversity=nan", 422, "finite number"),
    ("/users/U00/recommendations?length=5", 422, "there is no 'length'"),
    ("/users/U00/recommendations?where=year", 422, "the rule is not JSON"),
    ("/users/U00/recommendations?where=[1]", 422, "should be a valid dictionary"),
    ('/users/U00/recommendations?where={"education":NaN}', 422, "the rule is not JSON"),
    ('/users/U00/recommendations?where={"educasion":1}', 422, "no feature 'educasion'"),
    ("/users/U00/recommendations?model=x", 404, "there is no model 'x'"),
    ("/users/U00/recommendations?k=200&reasons=true", 422, "200 reasons in one request"),
    ("/items/R99", 404, "unknown item id: 'R99'"),
    ("/items/R99/similar", 404, "unknown item id"),
    ("/items/R99/audience", 404, "unknown item id"),
    ("/items/R00/similar?k=0", 422, "greater than or equal to 1"),
    ("/items/R00/audience?k=100000", 422, "k=100000 is out of range"),
    ("/items?limit=1000", 422, "1000 hits in one request"),
    ("/items?q=" + "x" * 300, 422, "at most 200 characters"),
    ("/users?limit=0", 422, "greater than or equal to 1"),
    ("/map?model=cosine", 409, "ItemCosine has no vectors"),
    ("/schema?model=x", 404, "there is no model 'x'"),
]


@pytest.mark.parametrize(("address", "status", "what"), ADDRESSES)
def test_bad_addresses(client: TestClient, address: str, status: int, what: str) -> None:
    result = error(client.get(address))
    assert result[0] == status
    assert what in result[1]


@pytest.mark.parametrize("path", ["/users/U00/recommendations", "/items/R00/similar"])
def test_a_long_rule_in_the_query_string(client: TestClient, path: str) -> None:
    rule = json.dumps({"education": [1] * 10_001})
    result = error(client.get(path, params={"where": rule}))
    assert result == (422, "10001 values in one request", "where")


def test_a_rule_is_checked_once_for_all_lists(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = list[object]()

    def matches(items: object, rule: object, where: object) -> None:
        checked.append(where)

    monkeypatch.setattr("shortlist.serving.queries.matches", matches)
    queries = [{"user": "U00"}, {"user": "U01", "where": {"remote": True}}, {"user": "U02"}]
    body = {"queries": queries, "where": {"education": [1, 2]}}
    assert client.post("/recommendations", json=body).status_code == 200
    assert checked == [{"education": [1, 2]}, {"remote": True}]


MANY_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"users": ["U00"], "where": {"education": [[]] * 1_000}}, "where.education.0"),
    ({"users": ["U00"], "where": {f"f{n}": [[]] for n in range(1_000)}}, "where.f0.0"),
    ({"users": ["U00"], "where": {"e": {f"f{n}": 1 for n in range(1_000)}}}, "where.e.f0"),
    ({"users": [[]] * 1_000}, "users.0"),
    ({"users": ["U00"], "allow": [None] * 1_000}, "allow.0"),
    ({"queries": [{"history": [[]] * 1_000}]}, "queries.0.history.0"),
    ({"queries": [{"history": {f"R{n}": "x" for n in range(1_000)}}]}, "queries.0.history.R0"),
    ({"queries": [{"features": {f"f{n}": {} for n in range(1_000)}}]}, "queries.0.features.f0"),
    ({"queries": [{f"f{n}": 1 for n in range(1_000)}]}, "queries.0.f0"),
    ({f"f{n}": 1 for n in range(1_000)}, "f0"),
]


@pytest.mark.parametrize(("body", "where"), MANY_WRONG)
def test_of_many_wrong_values_one_is_reported(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], where: str
) -> None:
    counts = list[int]()

    def counting(errors: Any) -> Any:
        counts.append(len(errors))
        return invalid(errors)

    monkeypatch.setattr("shortlist.serving.operations.invalid", counting)
    result = error(client.post("/recommendations", json=body))
    assert result[::2] == (422, where)
    assert counts[0] < 20  # the types that one value may have


def test_other_methods(client: TestClient) -> None:
    assert error(client.delete("/items"))[:2] == (405, "this method is not for /items")


def test_a_history_of_a_million(client: TestClient) -> None:
    content = b'{"queries": [{"history": [%s]}]}' % b",".join([b"7"] * 1_000_000)
    result = error(client.post("/recommendations", content=content, headers=JSON))
    assert result[:2] == (413, "the body is longer than 1,048,576 bytes")


def test_a_body_of_unknown_length_is_refused_at_the_limit(client: TestClient) -> None:
    sent = 0

    def chunks() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"x" * 100_000

    result = error(client.post("/recommendations", content=chunks(), headers=JSON))
    assert result[0] == 413


def test_other_content_types_are_refused(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        reply = client.post("/recommendations", content=b"{}", headers={"Content-Type": kind})
        assert error(reply)[::2] == (400, "the Content-Type header")
    content = {"Content-Type": "Application/JSON; charset=utf-8"}
    reply = client.post("/recommendations", content=b'{"users": ["U00"]}', headers=content)
    assert reply.status_code == 200


def test_the_bad_query_of_several_is_named(client: TestClient) -> None:
    body = {"queries": [{"user": "U00"}, {"history": ["R00"], "where": {"salary": {"gt": "x"}}}]}
    status, what, where = error(client.post("/recommendations", json=body))
    assert status == 422
    assert "'gt' cannot compare 'x' with feature 'salary'" in what
    assert where == "where={'salary': {'gt': 'x'}}"


REMEDIES: list[tuple[str, dict[str, Any] | None, str]] = [
    ("/users/nobody", None, "check the spelling, or search: GET /users?q=, GET /items?q="),
    (
        "/recommendations",
        {"queries": [{"features": {"trade": "nursing"}}]},
        "leave the features out, or choose a model that can: GET /models",
    ),
    ("/recommendations", {"users": ["U00"], "as_of": "now"}, "leave as_of out"),
    ("/explanations", {"user": "U00", "item": 7}, "the item ids of this data are strings: convert"),
    ("/map?model=cosine", None, "choose a model that can: GET /models"),
]


@pytest.mark.parametrize(("address", "body", "remedy"), REMEDIES)
def test_remedies_refer_to_the_http_api(
    client: TestClient, address: str, body: dict[str, Any] | None, remedy: str
) -> None:
    reply = client.get(address) if body is None else client.post(address, json=body)
    assert reply.json()["error"]["remedy"].startswith(remedy)
