"""The page: its contents are gathered, drawn, and rendered into the template."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shortlist import extras
from shortlist.errors import InputError
from shortlist.evaluation.comparison import Comparison
from shortlist.files import require_file
from shortlist.reporting import charts, leaks, quality
from shortlist.reporting.accuracy import by_history, cold_start, ranking
from shortlist.reporting.catalogue import item_map, long_tail
from shortlist.reporting.costs import costs, loss_curves
from shortlist.reporting.examples import examples
from shortlist.reporting.findings import run_checks
from shortlist.reporting.summary import origin, summary
from shortlist.reporting.svg import WIDTH, tick_label

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_JOINT = re.compile(r"(?<=[a-z0-9]{2})(?=[A-Z][a-z])|(?=\()|(?<=[_=])(?=\S)")


def gather(comparison: Comparison, *, title: str, command: str | None) -> dict[str, Any]:
    """Collect the sections of the page; None or a text for sections without data.

    Only ``costs`` and the date in ``origin`` differ when the same comparison is reported again.
    """
    return {
        "title": title,
        "report": comparison[comparison.best],
        "ranking": ranking(comparison),
        "history": by_history(comparison),
        "cold": cold_start(comparison),
        "tail": long_tail(comparison),
        "costs": costs(comparison),
        "curves": loss_curves(comparison),
        "map": item_map(comparison),
        "examples": examples(comparison),
        "summary": summary(comparison),
        "findings": run_checks(comparison.train, comparison.test, leaks.CHECKS | quality.CHECKS),
        "origin": origin(comparison, command),
    }


def require_report(path: str | Path) -> None:
    """Raise a ConfigError or InputError now if a report cannot be written to a path."""
    extras.require("report", "the report")
    path = Path(path)
    try:
        require_file(path)
    except InputError as error:
        raise InputError(
            f"the report cannot be written: {error.what}",
            where=error.where,
            remedy="name a file in a folder that exists",
        ) from error
    if path.suffix.lower() not in ("", ".html", ".htm"):
        raise InputError(
            f"the report is an HTML page, and {path} is not named like one",
            remedy="name a .html file; a browser prints it as a PDF",
        )


def render(contents: Mapping[str, Any]) -> str:
    """Render the template. All text that comes from the data is escaped.

    The content security policy allows the page's own style and its script (by hash) and nothing
    else: if a text of the data ever got past the escaping, the browser would neither run it nor
    fetch anything for it.
    """
    script = _template_file("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = _environment().get_template("report.html.j2")
    return template.render(
        **contents,
        drawings=_drawings(contents),
        drawn=charts.drawn_models(contents["ranking"]),
        map_legend=[] if contents["map"] is None else charts.map_legend(contents["map"]),
        style=_template_file("style.css"),
        script=script,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
    )


def _drawings(contents: Mapping[str, Any]) -> dict[str, Any]:
    """Draw every chart as SVG text; None for a chart without data."""
    ranking, item_map, costs = contents["ranking"], contents["map"], contents["costs"]["models"]
    fits = {name: seconds for name, c in costs.items() if (seconds := c["fit_seconds"]) is not None}
    lists = {name: cost["batch_ms"] for name, cost in costs.items()}
    of_lists = "milliseconds per list, in a batch (logarithmic)"
    return {
        "ranking": charts.ranking_chart(ranking),
        "differences": charts.difference_chart(ranking),
        "coverage": charts.coverage_chart(ranking),
        "fitting": charts.cost_chart(ranking, fits, "s", "seconds to fit (logarithmic)"),
        "listing": charts.cost_chart(ranking, lists, "ms", of_lists),
        "history": charts.history_chart(ranking, contents["history"]),
        "narrow_history": charts.history_chart(ranking, contents["history"], WIDTH),
        "tail": charts.tail_chart(contents["tail"]),
        "curves": [charts.curve_chart(curve) for curve in contents["curves"]],
        "map": None if item_map is None else charts.map_chart(item_map),
    }


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("shortlist.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": _figure,
        "share": lambda value: f"{value:.1%}",
        "whole": lambda value: f"{value:,.0f}",
        "plain": tick_label,
        "score": _score,
        "joints": _joints,
        "seconds": lambda value: "< 0.01" if value < 0.01 else f"{value:,.2f}",
        "p": lambda value: "< 0.0001" if value < 0.0001 else f"{value:.4f}",
        "signed": lambda value: f"{value:+.4f}",
    }
    return environment


def _figure(value: float) -> str:
    """Format with four decimals up to 1, with two above."""
    return f"{value:.4f}" if abs(value) <= 1 else f"{value:,.2f}"


def _score(value: float, largest: float) -> str:
    """Format with as many decimals as the largest of a list needs for four digits.

    >>> _score(0.94412, 1.3512), _score(-12.5, 339.0), _score(0.0, 0.0)
    ('0.944', '-12.5', '0.000')
    """
    if 0 < largest < 1e-4:
        return f"{value:.3e}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(largest or 1)))}f}"


def _joints(name: str) -> Markup:
    """Escape a name, and let a line break within it where its words meet.

    >>> str(_joints("NeuMF(negatives=4)"))
    'NeuMF<wbr>(negatives=<wbr>4)'
    """
    from markupsafe import Markup

    return Markup("<wbr>").join(_JOINT.split(name))


def _template_file(name: str) -> str:
    return (files("shortlist.reporting") / "templates" / name).read_text(encoding="utf-8")
