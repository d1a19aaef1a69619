"""From the contents and the drawings to one HTML text."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from shortlist.reporting.charts.scales import written
from shortlist.reporting.contents import Contents
from shortlist.reporting.drawings import draw, drawn_models, map_key, said


def render(contents: Contents) -> str:
    """Fill the template in. Whatever comes from the data is escaped.

    The page allows itself its own style and script (by its hash) and nothing else: should a text of
    the data ever get past the escaping, the browser does not run it and fetches nothing for it.
    """
    script = _part("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            contents=contents,
            drawings=draw(contents),
            drawn=drawn_models(contents.ranking),
            map_key=[] if contents.map is None else map_key(contents.map),
            style=Markup(_part("style.css")),
            script=Markup(script),
            policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("shortlist.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": _figure,
        "said": said,
        "share": lambda value: f"{value:.1%}",
        "whole": lambda value: f"{value:,.0f}",
        "plain": written,
        "score": lambda value: f"{value:#.4g}",
        "seconds": lambda value: "< 0.01" if value < 0.01 else f"{value:,.2f}",
        "p": lambda value: "< 0.0001" if value < 0.0001 else f"{value:.4f}",
        "signed": lambda value: f"{value:+.4f}",
    }
    return environment


def _figure(value: float) -> str:
    """Write four decimals of a share, two of what may be larger."""
    return f"{value:.4f}" if abs(value) <= 1 else f"{value:,.2f}"


def _part(name: str) -> str:
    return (files("shortlist.reporting") / "templates" / name).read_text(encoding="utf-8")
