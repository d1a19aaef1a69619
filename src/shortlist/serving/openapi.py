"""The documentation of the operations: the OpenAPI document, and a page made from it.

The page needs no script and no other host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from pydantic import TypeAdapter

from shortlist.serving.access import OPEN_PATHS
from shortlist.serving.errors import Error
from shortlist.serving.limits import Limits
from shortlist.serving.operations import Operation
from shortlist.serving.replies import adapter

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { padding: 0.75rem; overflow-x: auto; border: 1px solid #8886; border-radius: 6px; }
section { border-top: 1px solid #8886; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; }
"""
_ERROR = '{"error": {"code", "what", "where", "remedy", "parameter", "allowed"}}'
_MAX_DEPTH = 10  # of nested schemas in an example

_ERRORS = {
    400: "The body is not JSON, or the Host header is wrong.",
    401: "The token is missing or wrong.",
    404: "No such model, user or item.",
    405: "The address has no such method; the header Allow lists those it has.",
    409: "The model or the service cannot do this.",
    413: "The body is too long.",
    422: "A value is missing, wrong, or out of its bounds.",
    500: "The service failed; its log has the request with the id in X-Request-Id.",
    503: "Too many requests at once, or too slow; try again after Retry-After.",
}


def openapi_document(
    operations: Iterable[Operation], *, title: str, version: str, summary: str, limits: Limits
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the operations."""
    operations = list(operations)
    forms: list[tuple[tuple[str, str], Any, TypeAdapter[Any]]] = [
        (("error", ""), "serialization", adapter(Error))
    ]
    for operation in operations:
        if operation.reply is not None:
            key = ("reply", operation.name)
            forms.append((key, "serialization", adapter(operation.reply)))
        if operation.model is not None and operation.method == "POST":
            key = ("body", operation.name)
            forms.append((key, "validation", adapter(operation.model)))
    keyed, components = TypeAdapter.json_schemas(forms, ref_template="#/components/schemas/{model}")
    schemas = {name: schema for (name, _), schema in keyed.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _described(operation, schemas, limits)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    _bound(components["$defs"], limits)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "summary": summary, "version": version},
        "servers": [{"url": "./", "description": "Where this document lies."}],
        "paths": paths,
        "components": {
            "schemas": components["$defs"],
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Only if the service was started with a token.",
                }
            },
        },
    }


def _bound(schemas: Mapping[str, Any], limits: Limits) -> None:
    """Add the limits of the service to the schemas of requests."""
    schemas["RecommendationsIn"]["properties"]["k"]["maximum"] = limits.k
    for name in ("queries", "users"):
        for option in schemas["RecommendationsIn"]["properties"][name]["anyOf"]:
            if option["type"] == "array":
                option["maxItems"] = limits.queries
    interactions = schemas["InteractionsIn"]["properties"]["interactions"]
    interactions["maxItems"] = limits.interactions


def _described(
    operation: Operation, schemas: Mapping[tuple[str, str], Any], limits: Limits
) -> dict[str, Any]:
    """Return the OpenAPI description of an operation."""
    identifier = re.sub(r"\W", "_", f"{operation.name}{operation.path}")
    answer: dict[str, Any] = {"description": "The reply."}
    if operation.reply is not None:
        answer["content"] = _json_of(schemas["reply", operation.name])
    else:
        answer["content"] = {"text/plain": {"schema": {"type": "string"}}}
    responses = {"200": answer}
    for status, text in _ERRORS.items():
        content = _json_of(schemas["error", ""])
        responses[str(status)] = {"description": text, "content": content}
    described: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.name.replace("_", " ").capitalize(),
        "description": operation.description,
        "operationId": f"{identifier}_{operation.method.lower()}",
        "parameters": [*_parameters(operation, limits)],
        "responses": responses,
    }
    if operation.path not in OPEN_PATHS:
        described["security"] = [{"token": []}, {}]
    if operation.model is not None and operation.method == "POST":
        body = schemas["body", operation.name]
        described["requestBody"] = {"required": True, "content": _json_of(body)}
    return described


def _json_of(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _parameters(operation: Operation, limits: Limits) -> Iterator[dict[str, Any]]:
    """Yield the parameters of the path, then those of the query string."""
    for name, hint in operation.path_parameters.items():
        yield _parameter("path", name, TypeAdapter(hint).json_schema(), required=True)
    if operation.model is not None and operation.method != "POST":
        model, maxima = operation.model.model_json_schema(), {"k": limits.k, "limit": limits.search}
        for name, schema in model["properties"].items():
            if name in maxima:
                schema["maximum"] = maxima[name]
            yield _parameter("query", name, schema, required=name in model.get("required", ()))


def _parameter(kind: str, name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    description = schema.pop("description", "")
    parameter = {"name": name, "in": kind, "required": required, "schema": schema}
    return parameter | {"description": description}


def documentation_page(openapi: Mapping[str, Any]) -> str:
    """Return the page: every address with its parameters, an example, and its errors."""
    info = openapi["info"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{escape(info['title'])}: the HTTP API</title>",
        "<link rel='stylesheet' href='docs.css'></head><body><main>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}: the HTTP API</h1>",
        f"<p>{escape(info['summary'])}</p>",
        "<p>Everything is JSON. If the service has a token, send <code>Authorization: Bearer TOKEN"
        f"</code>. Every error is <code>{escape(_ERROR)}</code>. "
        "For programs: <a href='openapi.json'>openapi.json</a>.</p>",
    ]
    schemas = openapi["components"]["schemas"]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts += _section(method.upper(), path, operation, schemas)
    return "\n".join([*parts, "</main></body></html>"])


def _section(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield f"<section><h2><code>{method} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "<table><thead><tr><th>parameter<th>type<th>meaning</tr></thead><tbody>"
        for parameter in parameters:
            yield _table_row(parameter)
        yield "</tbody></table>"
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        yield from _examples("Send", schema, schemas)
    answer = operation["responses"]["200"]["content"].get("application/json")
    if answer:
        yield from _examples("Receive", answer["schema"], schemas)
    errors = ", ".join(status for status in operation["responses"] if status != "200")
    yield f"<p>Errors: {errors}</p></section>"


def _table_row(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    kinds = [part.get("type", "") for part in schema.get("anyOf", [schema])]
    meaning = parameter["description"]
    if schema.get("default") is not None:
        meaning += f" Default: {json.dumps(schema['default'])}."
    cells = (parameter["name"], " or ".join(kind for kind in kinds if kind != "null"), meaning)
    return "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells) + "</tr>"


def _examples(label: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    values = _resolved(schema, schemas).get("examples") or [example(schema, schemas)]
    for value in values:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        yield f"<p>{label}</p><pre>{escape(text)}</pre>"


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """Return a value that a schema allows: its example, its default, or examples of its parts.

    Examples
    --------
    >>> example({"type": "array", "items": {"type": "number"}}, {})
    [0.5]
    """
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas, depth)
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {
                name: example(part, schemas, depth + 1)
                for name, part in schema["properties"].items()
                if depth < _MAX_DEPTH
            }
        case "array" if depth < _MAX_DEPTH:
            return [example(schema["items"], schemas, depth + 1)]
        case kind:
            plain = {"integer": 1, "number": 0.5, "string": "text", "boolean": True, "array": []}
            return plain.get(str(kind), {})


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return schema if reference is None else schemas[reference.rpartition("/")[2]]
