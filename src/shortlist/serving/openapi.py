"""The documentation of the operations: the OpenAPI document, and a page made from it.

The page needs no script and no other host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pydantic import TypeAdapter
from starlette.routing import BaseRoute

from shortlist._version import __version__
from shortlist.serving.access import OPEN_PATHS
from shortlist.serving.errors import STATUSES, Error
from shortlist.serving.limits import Limits
from shortlist.serving.operations import Operation
from shortlist.serving.page import fixed_route
from shortlist.serving.replies import adapter
from shortlist.serving.requests import add_limits

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { padding: 0.75rem; overflow-x: auto; border: 1px solid #8886; border-radius: 6px; }
section { border-top: 1px solid #8886; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; }
"""
_HEAD = f"""<!doctype html><html lang='en'><head><meta charset='utf-8'>
<meta name='viewport' content='width=device-width'>
<title>shortlist: the HTTP API</title>
<link rel='stylesheet' href='docs.css'></head><body><main>
<h1>shortlist {escape(__version__)}: the HTTP API</h1>
<p>Ranked lists of items for users, histories and features, with reasons.</p>
<p>Everything is JSON. If the service has a token, send <code>Authorization: Bearer TOKEN</code>.
Every error is
<code>{{"error": {{"code", "what", "where", "remedy", "parameter", "allowed"}}}}</code>.
For programs: <a href='openapi.json'>openapi.json</a>.</p>"""
_MAX_DEPTH = 10  # of nested schemas in an example


def routes(operations: Sequence[Operation], limits: Limits) -> list[BaseRoute]:
    """Return the routes of the documentation."""
    document = openapi_document(operations, limits)
    as_json = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return [
        fixed_route("/openapi.json", as_json, "application/json"),
        fixed_route("/docs", documentation_page(document), "text/html"),
        fixed_route("/docs.css", _STYLE, "text/css"),
    ]


def openapi_document(operations: Sequence[Operation], limits: Limits) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the operations."""
    forms: list[tuple[tuple[str, str], Any, TypeAdapter[Any]]] = [
        (("error", ""), "serialization", adapter(Error))
    ]
    bodies = {entry.name: entry.form for entry in operations if entry.method == "POST"}
    replies = {entry.name: entry.reply for entry in operations if entry.reply is not None}
    forms += [(("reply", name), "serialization", adapter(form)) for name, form in replies.items()]
    forms += [(("body", name), "validation", adapter(form)) for name, form in bodies.items()]
    keyed, components = TypeAdapter.json_schemas(forms, ref_template="#/components/schemas/{model}")
    schemas = {name: schema for (name, _), schema in keyed.items()}
    for form in bodies.values():
        if form is not None:
            add_limits(components["$defs"][form.__name__]["properties"], form, limits)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _described(operation, schemas, limits)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "shortlist",
            "summary": "Ranked lists of items for users, histories and features, with reasons.",
            "version": __version__,
        },
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


def _described(
    operation: Operation, schemas: Mapping[tuple[str, str], Any], limits: Limits
) -> dict[str, Any]:
    """Return the OpenAPI description of an operation."""
    identifier = re.sub(r"\W", "_", f"{operation.name}{operation.path}")
    content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    if operation.reply is not None:
        content = _json_of(schemas["reply", operation.name])
    responses: dict[str, Any] = {"200": {"description": "The reply.", "content": content}}
    for status, text in STATUSES.items():
        error = _json_of(schemas["error", ""])
        responses[str(status)] = {"description": text, "content": error}
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
    if ("body", operation.name) in schemas:
        body = _json_of(schemas["body", operation.name])
        described["requestBody"] = {"required": True, "content": body}
    return described


def _json_of(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _parameters(operation: Operation, limits: Limits) -> Iterator[dict[str, Any]]:
    """Yield the parameters of the path, then those of the query string."""
    for name, hint in operation.path_parameters.items():
        yield _parameter("path", name, TypeAdapter(hint).json_schema())
    if operation.form is not None and operation.method != "POST":
        schemas = operation.form.model_json_schema()["properties"]
        add_limits(schemas, operation.form, limits)
        for name, schema in schemas.items():
            yield _parameter("query", name, schema)


def _parameter(kind: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    description = schema.pop("description")
    parameter = {"name": name, "in": kind, "required": kind == "path", "schema": schema}
    return parameter | {"description": description}


def documentation_page(openapi: Mapping[str, Any]) -> str:
    """Return the page: every address with its parameters, an example, and its errors."""
    schemas, parts = openapi["components"]["schemas"], [_HEAD]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts += _section(method.upper(), path, operation, schemas)
    return "\n".join([*parts, "</main></body></html>"])


def _section(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield f"<section><h2><code>{method} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation['description'])}</p>"
    if operation["parameters"]:
        yield "<table><thead><tr><th>parameter<th>type<th>meaning</tr></thead><tbody>"
        yield from map(_table_row, operation["parameters"])
        yield "</tbody></table>"
    for label, part in (
        ("Send", operation.get("requestBody")),
        ("Receive", operation["responses"]["200"]),
    ):
        if part and "application/json" in part["content"]:
            yield from _examples(label, part["content"]["application/json"]["schema"], schemas)
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
    for value in _resolved(schema, schemas).get("examples") or [example(schema, schemas)]:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        yield f"<p>{label}</p><pre>{escape(text)}</pre>"


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """Return a value that a schema allows: its example, its default, or examples of its parts."""
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
