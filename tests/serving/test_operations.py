"""Requests and replies have the forms that the OpenAPI document and the guide declare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from shortlist.errors import CapabilityError, ErrorCode, ShortlistError, UnknownIdError
from shortlist.serving import replies
from shortlist.serving.errors import RequestErrorCode, error_response
from shortlist.serving.operations import Operation

GUIDE = Path(__file__).parents[2] / "docs/how-to/serve.md"
CODES = [*ErrorCode, *RequestErrorCode]


def problems(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a value has that its schema does not allow."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        options = [list(problems(value, option, schemas)) for option in schema["anyOf"]]
        yield from min(options, key=len)
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is not in {schema['enum']}"
    types: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
        "number": (int, float), "null": type(None),
    }  # fmt: skip
    if "type" in schema and not isinstance(value, types[schema["type"]]):
        yield f"{value!r} is not of type {schema['type']}"
    elif isinstance(value, dict) and "properties" in schema:
        declared = schema["properties"]
        yield from (f"{name} is not declared" for name in value.keys() - declared.keys())
        yield from (f"{name} is missing" for name in set(schema.get("required", ())) - value.keys())
        for name in value.keys() & declared.keys():
            yield from problems(value[name], declared[name], schemas)
    elif isinstance(value, list) and "items" in schema:
        for element in value:
            yield from problems(element, schema["items"], schemas)


REQUESTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("/users/{user_id}/recommendations", "/users/U00/recommendations?reasons=true", None),
    ("/recommendations", "/recommendations", {"queries": [{"history": ["R00"]}], "reasons": True}),
    ("/items/{item_id}/similar", "/items/R00/similar", None),
    ("/items/{item_id}/audience", "/items/R00/audience", None),
    ("/explanations", "/explanations", {"user": "U00", "item": "R06"}),
    ("/items", "/items", None),
    ("/items/{item_id}", "/items/R05", None),
    ("/users", "/users", None),
    ("/users/{user_id}", "/users/U04", None),
    ("/schema", "/schema?model=content", None),
    ("/map", "/map", None),
    ("/models", "/models", None),
    ("/health", "/health", None),
    ("/ready", "/ready", None),
]


@pytest.mark.parametrize(("path", "address", "body"), REQUESTS)
def test_replies_conform_to_the_document(
    client: TestClient, path: str, address: str, body: dict[str, Any] | None
) -> None:
    document = client.get("/openapi.json").json()
    reply = client.get(address) if body is None else client.post(address, json=body)
    assert reply.status_code == 200
    operation = document["paths"][path]["get" if body is None else "post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(problems(reply.json(), schema, document["components"]["schemas"])) == []


def test_errors_conform_to_the_document(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for address in ("/users/nobody", "/users?limit=0", "/map?model=x", "/nothing", "/items/R99"):
        schema = document["paths"]["/users"]["get"]["responses"]["404"]["content"]
        result = client.get(address).json()
        schemas = document["components"]["schemas"]
        assert list(problems(result, schema["application/json"]["schema"], schemas)) == []


def test_the_document_describes_every_operation(client: TestClient) -> None:
    app: Any = client.app
    routed = {
        (route.endpoint.path, route.endpoint.method.lower())
        for route in app.app.routes
        if isinstance(route.endpoint, Operation)
    }
    paths = client.get("/openapi.json").json()["paths"]
    described = {(path, method) for path, methods in paths.items() for method in methods}
    assert described == routed
    identifiers = [
        operation["operationId"] for methods in paths.values() for operation in methods.values()
    ]
    assert len(set(identifiers)) == len(identifiers) == 18


def test_parameters_are_those_of_the_request(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    parameters = paths["/users/{user_id}/recommendations"]["get"]["parameters"]
    assert [(entry["name"], entry["in"], entry["required"]) for entry in parameters] == [
        ("user_id", "path", True),
        ("model", "query", False),
        ("k", "query", False),
        ("exclude_seen", "query", False),
        ("where", "query", False),
        ("as_of", "query", False),
        ("diversity", "query", False),
        ("reasons", "query", False),
    ]
    assert parameters[2]["schema"] == {
        "default": 10, "minimum": 1, "maximum": 1000, "title": "K", "type": "integer"
    }  # fmt: skip


def test_a_reply_of_another_form_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="Expected `int`"):
        replies.encode(replies.Removed, {"removed": "two"})


def test_numbers_that_are_not_finite_become_null() -> None:
    assert replies.encode(replies.RankedUser, {"user_id": 1, "rank": 1, "score": float("nan")}) == (
        b'{"user_id":1,"rank":1,"score":null}'
    )


def body_of(error: ShortlistError) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(bytes(error_response(error).body))["error"]
    return result


def test_remedies_follow_from_the_code_and_not_from_the_text() -> None:
    for text in ("check the spelling, or pass on_unknown='skip'", "any other text", None):
        assert body_of(UnknownIdError("1 unknown id", remedy=text))["remedy"].startswith(
            "check the spelling, or search: GET /users"
        )
        other = UnknownIdError("1 unknown id", remedy=text, code=ErrorCode.WRONG_ID_TYPE)
        assert body_of(other)["remedy"] == text
        assert body_of(CapabilityError("IALS cannot", remedy=text))["remedy"] == (
            "choose a model that can: GET /models"
        )


def test_errors_name_the_parameter_and_its_allowed_values(client: TestClient) -> None:
    result = client.get("/users/U00/recommendations?model=x").json()["error"]
    assert (result["code"], result["parameter"]) == ("unknown_model", "model")
    assert result["allowed"] == ["ials", "content", "cosine"]
    body = {"users": ["U00"], "where": {"educasion": 1}}
    result = client.post("/recommendations", json=body).json()["error"]
    assert (result["code"], result["parameter"]) == ("unknown_feature", "where")
    assert result["allowed"] == [
        "title", "trade", "education", "keywords", "remote", "salary", "posted"
    ]  # fmt: skip
    result = client.get("/users/U00/recommendations?k=0").json()["error"]
    assert (result["code"], result["parameter"], result["allowed"]) == ("invalid_value", "k", None)


def test_the_guide_lists_every_code_with_its_status() -> None:
    listed = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.*) \|$", GUIDE.read_text("utf-8"), re.M)
        for code in re.findall(r"`(\w+)`", codes)
    }
    errors = {code: ShortlistError("", code=code) for code in CODES}
    assert listed == {code: error_response(error).status_code for code, error in errors.items()}


def test_unknown_methods_name_the_allowed_ones(client: TestClient) -> None:
    assert client.delete("/recommendations").headers["allow"] == "POST"
