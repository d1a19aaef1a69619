"""The documentation as a page that needs no script and no other host, made from OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { padding: 0.75rem; overflow-x: auto; border: 1px solid #8886; border-radius: 6px; }
section { border-top: 1px solid #8886; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; }
"""
_DEEPEST = 10  # how far an example follows schemas into each other


def page(openapi: Mapping[str, Any]) -> str:
    """Write the page: every address with its parameters, an example, and its errors."""
    info = openapi["info"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{escape(info['title'])}: the HTTP API</title>",
        "<link rel='stylesheet' href='/docs.css'></head><body><main>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}: the HTTP API</h1>",
        f"<p>{escape(info['summary'])}</p>",
        "<p>Everything is JSON. Where a token is asked for, send <code>Authorization: Bearer TOKEN"
        "</code>. Every error is <code>{&quot;error&quot;: {&quot;what&quot;, &quot;where&quot;, "
        "&quot;remedy&quot;}}</code>. For programs: <a href='/openapi.json'>openapi.json</a>.</p>",
    ]
    schemas = openapi["components"]["schemas"]
    for path, methods in openapi["paths"].items():
        for method, about in methods.items():
            parts += _section(method.upper(), path, about, schemas)
    return "\n".join([*parts, "</main></body></html>"])


def _section(
    method: str, path: str, about: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield f"<section><h2><code>{method} {escape(path)}</code></h2>"
    yield f"<p>{escape(about.get('description', ''))}</p>"
    parameters = about.get("parameters", [])
    if parameters:
        yield "<table><thead><tr><th>parameter<th>type<th>meaning</tr></thead><tbody>"
        for one in parameters:
            yield _parameter(one)
        yield "</tbody></table>"
    if "requestBody" in about:
        schema = about["requestBody"]["content"]["application/json"]["schema"]
        yield from _examples("Send", schema, schemas)
    answer = about["responses"]["200"].get("content", {}).get("application/json")
    if answer:
        yield from _examples("Receive", answer["schema"], schemas)
    refusals = ", ".join(code for code in about["responses"] if code != "200")
    yield f"<p>Errors: {refusals}</p></section>"


def _parameter(one: Mapping[str, Any]) -> str:
    schema = one["schema"]
    kinds = [part.get("type", "") for part in schema.get("anyOf", [schema])]
    meaning = one.get("description", "")
    if schema.get("default") is not None:
        meaning += f" Default: {json.dumps(schema['default'])}."
    cells = (one["name"], " or ".join(kind for kind in kinds if kind != "null"), meaning)
    return "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells) + "</tr>"


def _examples(what: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    given = _resolved(schema, schemas).get("examples") or [example(schema, schemas)]
    for one in given:
        text = json.dumps(one, indent=2, ensure_ascii=False)
        yield f"<p>{what}</p><pre>{escape(text)}</pre>"


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """Make a value that a schema allows: its example, its default, or one made of its parts.

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
                name: example(one, schemas, depth + 1)
                for name, one in schema["properties"].items()
                if depth < _DEEPEST
            }
        case "array" if depth < _DEEPEST:
            return [example(schema["items"], schemas, depth + 1)]
        case kind:
            plain = {"integer": 1, "number": 0.5, "string": "text", "boolean": True, "array": []}
            return plain.get(str(kind), {})


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return schema if reference is None else schemas[reference.rpartition("/")[2]]
