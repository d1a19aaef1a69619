"""What the site takes from the code: the description and the parameters of each model."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic.fields import FieldInfo

from shortlist.models.config import search_range
from shortlist.models.registry import MODULES, model_class

_MARK = re.compile(r"<!-- (description|parameters): (\w+) -->")
_CAPABILITIES = "<!-- capabilities -->"
_METHODS = {  # what a model that can do something has, and the heading for it
    "similar_scores": "similar items",
    "user_vectors": "vectors",
    "parts_of": "reasons",
    "predict": "ratings",
}
_SECTIONS = re.compile(r"^(Examples|Parameters)\n-+\n", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put what the code says in the place of each mark; MkDocs calls this for every page."""
    makers = {"description": description, "parameters": parameters}
    markdown = _MARK.sub(lambda mark: makers[mark[1]](mark[2]), markdown)
    return markdown.replace(_CAPABILITIES, capabilities() if _CAPABILITIES in markdown else "")


def description(name: str) -> str:
    """Give a model's docstring without its examples and parameters."""
    text = inspect.cleandoc(model_class(name).__doc__ or "")
    return _ROLE.sub(r"`\1`", _SECTIONS.split(text)[0].rstrip())


def parameters(name: str) -> str:
    """Give a model's parameters as a table."""
    rows = ["| parameter | default | what it does | tuned over |", "|---|---|---|---|"]
    for field, info in model_class(name).Config.model_fields.items():
        what = (info.description or "").replace("|", "\\|").replace("\n", " ")
        rows.append(f"| `{field}` | `{info.default!r}` | {what} | {_range(info)} |")
    return "\n".join(rows)


def _range(info: FieldInfo) -> str:
    search = search_range(info)
    if search is None:
        return ""
    if search.choices:
        return ", ".join(f"`{choice!r}`" for choice in search.choices)
    scale = ", log" if search.scale == "log" else ""
    return f"{search.low:g} to {search.high:g}{scale}"


def capabilities() -> str:
    """Give what each model can do, as a table."""
    heads = [*_METHODS.values(), "people by features", "extra to learn"]
    rows = [f"| model | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in MODULES:
        model = model_class(name)()  # of a cascade, some of it depends on the stages
        can = [hasattr(model, method) for method in _METHODS] + [model.uses_features]
        cells = ["yes" if one else "" for one in can] + [model.extra or ""]
        rows.append(f"| [`{name}`]({name.lower()}.md) | {' | '.join(cells)} |")
    return "\n".join(rows)
